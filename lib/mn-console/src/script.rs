//! A boot's steps, as mn-message(5) has them, taken apart into single operations with their patterns compiled: what is
//! wrong with a step is found before a board is switched on.

use std::fmt;
use std::time::Duration;

use mn_msg::Object;
use mn_msg::role::{Boot, Step, Work};
use mn_msg::template;

use crate::kernel::Beginning;
use crate::matcher::{BadPattern, Patterns, quoted};
use crate::menu::Menu;

/// How a boot can fail; the statuses of mn-exit(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The board's answer is no. Status 1.
    No,
    /// The board's kernel died, or the board began again: nothing that ran on it is left. Status 1.
    Dead,
    /// The job or the dictionary does not fit the board. Status 2.
    Wrong,
    /// The firmware or the bootloader failed. Status 3.
    Lab,
    /// Time ran out. Status 124.
    Timeout,
}

/// What follows when a pattern has been found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Then {
    /// The next operation.
    Next,
    /// The operation after so many more.
    Skip(usize),
    /// The end; the text says what the line that was found means.
    Fail(Fault, &'static str),
}

/// Whether the board is asked again while it is silent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Nudge {
    Never,
    /// By an empty line.
    EmptyLine,
}

/// A wait for one of several patterns.
#[derive(Debug, Clone)]
pub(crate) struct Wait {
    pub patterns: Patterns,
    pub then: Vec<Then>,
    /// The patterns waited for, for people: `'login:' or 'root@board:'`.
    pub what: String,
    pub nudge: Nudge,
}

/// What is typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// The bytes.
    pub text: Vec<u8>,
    /// The time to wait after each of them.
    pub delay: Duration,
    /// Whether it must not be recorded.
    pub secret: Secret,
}

/// Whether a text may be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Secret {
    /// It is a password.
    Yes,
    /// It may.
    No,
}

/// Whether the kernel's reports are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watching {
    /// The board is as an earlier life has left it.
    No,
    /// For those that end the boot.
    Fatal(Beginning),
    /// For all of them, which the step's record lists.
    All(Beginning),
}

/// How far the board has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// It is as an earlier boot has left it.
    Earlier,
    /// It was reset; its firmware's first words are to come.
    Reset,
    /// Its firmware has spoken.
    Firmware,
}

impl Life {
    /// After a step, and the one before that: words that are awaited after a line has been typed in the same action are
    /// those of a system that goes down.
    fn after(self, step: &Step, before: Option<&Step>) -> Life {
        let typed = before.is_some_and(|before| matches!(before.work, Work::Send { .. }) && before.name == step.name);
        match step.work {
            Work::Power { .. } => Life::Reset,
            Work::Expect { .. } if typed => Life::Reset,
            Work::Send { .. } | Work::Quiet { .. } => self,
            _ if self == Life::Reset => Life::Firmware,
            _ => self,
        }
    }
}

/// A single thing to do.
#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// The limits and the name of what follows.
    Begin {
        name: String,
        timeout: Duration,
        watch: Watching,
    },
    Power(String),
    /// Let the board finish what it says: the newline that went with an interrupt key makes a bootloader prompt twice,
    /// and a prompt too many would let each command be typed while the one before still runs.
    Settle(Box<Wait>),
    /// Wait until the board has been silent for so long.
    Quiet(Box<Wait>, Duration),
    Wait(Box<Wait>),
    Type(Typed),
    /// Look for an entry in what was seen before the last match, and type its number and the line's end.
    Choose(Menu, Typed),
}

/// A step that cannot be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadStep {
    /// The step's name.
    pub name: String,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for BadStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "boot step '{}': {}", self.name, self.reason)
    }
}

impl std::error::Error for BadStep {}

/// What a line ends with unless a step says otherwise.
const NEWLINE: &str = "\n";

/// The words that end a boot, and what it means that they were said.
type Errors<'a> = (&'a [String], &'static str);

const NONE: Errors = (&[], "");

/// What a match of a step's errors means.
fn failure(step: &Step) -> &'static str {
    match step.name.as_str() {
        "overlay-unpack" => "the board could not fetch and unpack the overlay",
        _ => "the bootloader failed",
    }
}

/// Takes the steps of `boot` apart. `staged` holds the placeholders, `delay` is the time after each typed character where
/// a step has none of its own.
pub(crate) fn compile(boot: &Boot, staged: &Object, delay: Duration) -> Result<Vec<Op>, BadStep> {
    let mut ops = Vec::new();
    let mut life = Life::Earlier;
    let mut before: Option<&Step> = None;
    for step in &boot.dialogue {
        let beginning = if life == Life::Reset { Beginning::Awaited } else { Beginning::Fatal };
        let watch = match step.work {
            Work::Login { kernel_messages: true, .. } => Watching::All(beginning),
            _ if life != Life::Earlier => Watching::Fatal(beginning),
            _ => Watching::No,
        };
        life = life.after(step, before);
        before = Some(step);
        let timeout = Duration::from_secs(step.timeout);
        ops.push(Op::Begin { name: step.name.clone(), timeout, watch });
        let work = operations(step, staged, delay);
        ops.extend(work.map_err(|bad| BadStep { name: step.name.clone(), reason: bad.to_string() })?);
    }
    Ok(ops)
}

fn operations(step: &Step, staged: &Object, delay: Duration) -> Result<Vec<Op>, BadPattern> {
    let (work, failure) = (&step.work, failure(step));
    Ok(match work {
        Work::Power { command } => vec![Op::Power(command.clone())],
        Work::Expect { patterns, errors } => vec![wait(patterns, (errors, failure), Nudge::Never)?],
        Work::Quiet { milliseconds, errors } => vec![quiet(*milliseconds, (errors, failure))?],
        Work::Send { text, newline } => {
            let end = if *newline { NEWLINE } else { "" };
            // As in LAVA the keys that interrupt are not slowed down.
            vec![Op::Type(typed(text, end, Duration::ZERO))]
        }
        Work::Choose { prompt, item, item_markup, item_class, separator, fallback, line_ending } => {
            let menu = Menu {
                item: template::fill(item, staged).unwrap_or_else(|| item.clone()),
                fallback: fallback.clone(),
                item_markup: item_markup.clone(),
                item_class: item_class.clone(),
                separator: separator.clone(),
            };
            let end = typed("", line_ending.as_deref().unwrap_or(NEWLINE), delay);
            vec![wait(std::slice::from_ref(prompt), NONE, Nudge::Never)?, Op::Choose(menu, end)]
        }
        Work::Commands { .. } => commands(work, failure, staged)?,
        Work::Kernel { pattern, errors } => {
            vec![wait(std::slice::from_ref(pattern), (errors, failure), Nudge::Never)?]
        }
        Work::Login { .. } => login(work, delay)?,
        Work::Shell { prompts } => vec![Op::Type(typed("", "\n", delay)), wait(prompts, NONE, Nudge::EmptyLine)?],
    })
}

fn commands(work: &Work, failure: &'static str, staged: &Object) -> Result<Vec<Op>, BadPattern> {
    let Work::Commands { prompt, lines, character_delay, line_ending, final_message, errors } = work else {
        return Ok(Vec::new());
    };
    let lines = lines.iter().filter_map(|line| template::fill(line, staged));
    let (delay, end) = (Duration::from_millis(*character_delay), line_ending.as_deref().unwrap_or(NEWLINE));
    let prompted = wait(&[prompt], (errors, failure), Nudge::Never)?;
    let mut ops = vec![prompted.clone()];
    if let Op::Wait(wait) = &prompted {
        ops.push(Op::Settle(wait.clone()));
    }
    for (at, line) in lines.enumerate() {
        if at > 0 {
            ops.push(prompted.clone());
        }
        ops.push(Op::Type(typed(&line, end, delay)));
    }
    if let Some(message) = final_message {
        ops.push(wait(&[message], (errors, failure), Nudge::Never)?);
    }
    Ok(ops)
}

fn login(work: &Work, delay: Duration) -> Result<Vec<Op>, BadPattern> {
    let Work::Login {
        login_prompt, username, password_prompt, password, login_commands, prompts, failure_message, ..
    } = work
    else {
        return Ok(Vec::new());
    };
    let failed = failure_message.as_deref().map(|pattern| (pattern, FAILED));
    let mut ops = Vec::new();
    match login_prompt {
        None => ops.push(ask(None, prompts, 0, failed, Nudge::EmptyLine)?),
        Some(login_prompt) => {
            let mut rest = Vec::new();
            rest.extend(username.iter().map(|name| Op::Type(typed(name, NEWLINE, delay))));
            if let Some(asked) = password_prompt {
                rest.push(ask(Some(asked), prompts, 2, REFUSALS, Nudge::Never)?);
                let password = password.as_deref().unwrap_or("");
                rest.push(Op::Type(Typed { secret: Secret::Yes, ..typed(password, NEWLINE, delay) }));
            }
            rest.push(ask(None, prompts, 0, REFUSALS, Nudge::EmptyLine)?);
            // A board that is logged in already shows its prompt: then nothing is typed.
            ops.push(ask(Some(login_prompt), prompts, rest.len(), failed, Nudge::EmptyLine)?);
            ops.extend(rest);
        }
    }
    for command in login_commands {
        ops.push(Op::Type(typed(command, NEWLINE, delay)));
        ops.push(wait(prompts, NONE, Nudge::Never)?);
    }
    Ok(ops)
}

/// Waits for a question, or for a shell's prompt, which skips so many operations, or for words that end the boot.
fn ask<'a>(
    question: Option<&'a str>,
    prompts: &'a [String],
    skip: usize,
    refusals: impl IntoIterator<Item = (&'a str, Then)>,
    nudge: Nudge,
) -> Result<Op, BadPattern> {
    let skip = if skip == 0 { Then::Next } else { Then::Skip(skip) };
    let mut goals: Vec<_> = question.map(|question| (question, Then::Next)).into_iter().collect();
    goals.extend(prompts.iter().map(|prompt| (prompt.as_str(), skip.clone())));
    goals.extend(refusals);
    wait_for(&goals, nudge)
}

/// The job's own word for it.
const FAILED: Then = Then::Fail(Fault::No, "the board says that it has failed");

/// The words of getty and login.
const REFUSALS: [(&str, Then); 2] = [
    ("Login incorrect", Then::Fail(Fault::Wrong, "the login was refused")),
    ("Login timed out", Then::Fail(Fault::Timeout, "the login took too long")),
];

fn wait<P: AsRef<str>>(patterns: &[P], (errors, failure): Errors, nudge: Nudge) -> Result<Op, BadPattern> {
    let mut goals: Vec<(&str, Then)> = patterns.iter().map(|pattern| (pattern.as_ref(), Then::Next)).collect();
    goals.extend(errors.iter().map(|pattern| (pattern.as_str(), Then::Fail(Fault::Lab, failure))));
    wait_for(&goals, nudge)
}

fn quiet(milliseconds: u64, (errors, failure): Errors) -> Result<Op, BadPattern> {
    let silence = Duration::from_millis(milliseconds);
    let then = vec![Then::Fail(Fault::Lab, failure); errors.len()];
    let what = format!("{} s of silence", silence.as_secs_f64());
    let wait = Wait { patterns: Patterns::new(errors)?, then, what, nudge: Nudge::Never };
    Ok(Op::Quiet(Box::new(wait), silence))
}

fn wait_for(goals: &[(&str, Then)], nudge: Nudge) -> Result<Op, BadPattern> {
    let texts: Vec<&str> = goals.iter().map(|(text, _)| *text).collect();
    let then: Vec<Then> = goals.iter().map(|(_, then)| then.clone()).collect();
    let wanted = goals.iter().filter(|(_, then)| !matches!(then, Then::Fail(..)));
    let wanted: Vec<String> = wanted.map(|(text, _)| quoted(text)).collect();
    if wanted.is_empty() {
        return Err(BadPattern { pattern: String::new(), reason: "there is nothing to wait for".into() });
    }
    Ok(Op::Wait(Box::new(Wait { patterns: Patterns::new(&texts)?, then, what: wanted.join(" or "), nudge })))
}

fn typed(text: &str, end: &str, delay: Duration) -> Typed {
    Typed { text: format!("{text}{end}").into_bytes(), delay, secret: Secret::No }
}
