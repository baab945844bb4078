//! The scripts of a message with their patterns compiled: what is wrong with one is found before anything is typed.

use std::time::Duration;

use mn_msg::role::{Script as Message, ScriptCall, ScriptStep};

use crate::lines::readable;
use crate::matcher::{Patterns, quoted};
use crate::script::Fault;

/// A script.
#[derive(Debug)]
pub(super) struct Script {
    pub name: String,
    pub echo: Echo,
    /// None where the script has no prompt.
    pub prompts: Option<Patterns>,
    /// The prompts, for people.
    pub what: String,
    pub steps: Vec<Step>,
}

/// What the line after a command is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Echo {
    /// An answer, like all others.
    Keep,
    /// The command itself.
    Discard,
}

/// A step.
#[derive(Debug)]
pub(super) struct Step {
    pub name: Option<String>,
    /// What it is, for people.
    pub title: String,
    pub delay: Duration,
    pub command: Option<String>,
    pub call: Option<ScriptCall>,
    /// What is waited for; nothing where there is nothing to wait for.
    pub answers: Option<Patterns>,
    /// What each of them means.
    pub meanings: Vec<Meaning>,
    /// What is waited for, for people.
    pub what: String,
    /// What a prompt in place of a success is called.
    pub missed: Option<String>,
    /// Whether a prompt has to follow a message.
    pub awaits_prompt: bool,
}

/// What it means that a pattern was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Meaning {
    Success,
    Failure {
        message: String,
        /// How the role ends, if it does.
        fault: Option<Fault>,
        error: Option<String>,
    },
    Prompt,
}

/// Makes patterns of texts, none of none; the error names the script.
type Compile<'a> = dyn Fn(&[String]) -> Result<Option<Patterns>, String> + 'a;

impl Script {
    pub(super) fn new(message: &Message) -> Result<Script, String> {
        let compile = |patterns: &[String]| {
            let compiled = (!patterns.is_empty()).then(|| Patterns::new(patterns)).transpose();
            compiled.map_err(|bad| format!("interactive test '{}': {bad}", message.name))
        };
        let step = |(nth, step): (usize, &ScriptStep)| Step::new(nth, step, &message.prompts, &compile);
        Ok(Script {
            name: message.name.clone(),
            echo: if message.echo.as_deref() == Some("discard") { Echo::Discard } else { Echo::Keep },
            prompts: compile(&message.prompts)?,
            what: either(&message.prompts),
            steps: message.steps.iter().enumerate().map(step).collect::<Result<_, _>>()?,
        })
    }
}

impl Step {
    fn new(nth: usize, step: &ScriptStep, prompts: &[String], compile: &Compile<'_>) -> Result<Step, String> {
        let awaits_prompt = step.wait_for_prompt != Some(false);
        let mut patterns = step.successes.clone();
        let mut meanings = vec![Meaning::Success; patterns.len()];
        for failure in &step.failures {
            patterns.push(failure.message.clone());
            let fault = failure.exception.as_deref().map(fault);
            meanings.push(Meaning::Failure { message: failure.message.clone(), fault, error: failure.error.clone() });
        }
        if awaits_prompt {
            patterns.extend(prompts.iter().cloned());
        }
        meanings.resize(patterns.len(), Meaning::Prompt);
        // The failures are not what is hoped for.
        let hoped: Vec<String> = patterns
            .iter()
            .zip(&meanings)
            .filter(|(_, meaning)| !matches!(meaning, Meaning::Failure { .. }))
            .map(|(pattern, _)| pattern.clone())
            .collect();
        let what = either(if hoped.is_empty() { &patterns } else { &hoped });
        let missed =
            (!step.successes.is_empty()).then(|| format!("the prompt came, and not {}", either(&step.successes)));
        Ok(Step {
            name: step.name.clone(),
            title: title(nth, step),
            delay: Duration::from_secs(step.delay.unwrap_or(0)),
            command: step.command.clone(),
            call: step.call.clone(),
            answers: if step.call.is_some() { None } else { compile(&patterns)? },
            meanings,
            what,
            missed,
            awaits_prompt,
        })
    }
}

/// What a step is called: by its name, what it types or asks, or its number.
fn title(nth: usize, step: &ScriptStep) -> String {
    match (&step.name, &step.command, &step.call) {
        (Some(name), ..) => format!("'{name}'"),
        (None, Some(command), _) => format!("'{command}'"),
        (None, None, Some(call)) => format!("'lava-{} {}'", call.request, call.message_id),
        (None, None, None) => format!("step {}", nth + 1),
    }
}

/// LAVA's class of an error as a status.
fn fault(exception: &str) -> Fault {
    match exception {
        "InfrastructureError" => Fault::Lab,
        "JobError" => Fault::Wrong,
        _ => Fault::No,
    }
}

fn either(patterns: &[String]) -> String {
    patterns.iter().map(|pattern| quoted(pattern)).collect::<Vec<_>>().join(" or ")
}

/// The last line of a text that is not empty.
pub(super) fn last_line(text: &[u8]) -> String {
    let lines = text.rsplit(|byte| matches!(byte, b'\r' | b'\n')).map(readable);
    lines.map(|line| line.trim().to_owned()).find(|line| !line.is_empty()).unwrap_or_default()
}
