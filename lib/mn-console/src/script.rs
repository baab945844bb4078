//! A boot's steps, as mn-message(5) has them, taken apart into single operations with their patterns compiled: what is
//! wrong with a step is found before a board is switched on.

use std::fmt;
use std::time::Duration;

use mn_msg::Object;
use mn_msg::role::{Boot, Work};

use crate::matcher::{BadPattern, Patterns};
use crate::menu::Menu;
use crate::template;

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
    Fatal,
    /// For all of them, which the step's record lists.
    All,
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
    Wait(Box<Wait>),
    Type(Typed),
    /// Look for an entry in what was seen before the last match, and type its number.
    Choose(Menu),
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

const ERROR: Then = Then::Fail(Fault::Lab, "the bootloader failed");

/// Takes the steps of `boot` apart. `staged` holds the placeholders, `delay` is the time after each typed character where
/// a step has none of its own.
pub(crate) fn compile(boot: &Boot, staged: &Object, delay: Duration) -> Result<Vec<Op>, BadStep> {
    let mut ops = Vec::new();
    let mut powered = false;
    for step in &boot.dialogue {
        let watch = match step.work {
            Work::Login { kernel_messages: true, .. } => Watching::All,
            _ if powered => Watching::Fatal,
            _ => Watching::No,
        };
        powered |= matches!(step.work, Work::Power { .. });
        let timeout = Duration::from_secs(step.timeout);
        ops.push(Op::Begin { name: step.name.clone(), timeout, watch });
        let work = operations(&step.work, staged, delay);
        ops.extend(work.map_err(|bad| BadStep { name: step.name.clone(), reason: bad.to_string() })?);
    }
    Ok(ops)
}

fn operations(work: &Work, staged: &Object, delay: Duration) -> Result<Vec<Op>, BadPattern> {
    Ok(match work {
        Work::Power { command } => vec![Op::Power(command.clone())],
        Work::Expect { patterns, errors } => vec![wait(patterns, errors, Nudge::Never)?],
        Work::Send { text, newline } => {
            let end = if *newline { "\n" } else { "" };
            // As in LAVA the keys that interrupt are not slowed down.
            vec![Op::Type(typed(text, end, Duration::ZERO))]
        }
        Work::Choose { prompt, item, item_markup, item_class, separator } => {
            let (item, item_class, separator) = (item.clone(), item_class.clone(), separator.clone());
            let menu = Menu { item, item_markup: item_markup.clone(), item_class, separator };
            vec![wait(std::slice::from_ref(prompt), &[], Nudge::Never)?, Op::Choose(menu)]
        }
        Work::Commands { prompt, lines, character_delay, final_message, errors } => {
            let lines: Vec<String> = lines.iter().filter_map(|line| template::fill(line, staged)).collect();
            let delay = Duration::from_millis(*character_delay);
            commands(prompt, &lines, delay, final_message.as_deref(), errors)?
        }
        Work::Kernel { pattern, errors } => vec![wait(std::slice::from_ref(pattern), errors, Nudge::Never)?],
        Work::Login { .. } => login(work, delay)?,
        Work::Shell { prompts } => vec![Op::Type(typed("", "\n", delay)), wait(prompts, &[], Nudge::EmptyLine)?],
    })
}

fn commands(
    prompt: &str,
    lines: &[String],
    delay: Duration,
    final_message: Option<&str>,
    errors: &[String],
) -> Result<Vec<Op>, BadPattern> {
    let prompted = wait(&[prompt], errors, Nudge::Never)?;
    let mut ops = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        ops.push(prompted.clone());
        if let (0, Op::Wait(wait)) = (at, &prompted) {
            ops.push(Op::Settle(wait.clone()));
        }
        ops.push(Op::Type(typed(line, "\n", delay)));
    }
    if let Some(message) = final_message {
        ops.push(wait(&[message], errors, Nudge::Never)?);
    }
    Ok(ops)
}

fn login(work: &Work, delay: Duration) -> Result<Vec<Op>, BadPattern> {
    let Work::Login { login_prompt, username, password_prompt, password, login_commands, prompts, .. } = work else {
        return Ok(Vec::new());
    };
    let mut ops = Vec::new();
    match login_prompt {
        None => ops.push(wait(prompts, &[], Nudge::EmptyLine)?),
        Some(login_prompt) => {
            let mut rest = Vec::new();
            rest.extend(username.iter().map(|name| Op::Type(typed(name, "\n", delay))));
            if let Some(asked) = password_prompt {
                rest.push(ask(asked, prompts, 2)?);
                let password = password.as_deref().unwrap_or("");
                rest.push(Op::Type(Typed { secret: Secret::Yes, ..typed(password, "\n", delay) }));
            }
            rest.push(logged_in(prompts)?);
            // A board that is logged in already shows its prompt: then nothing is typed.
            ops.push(first(login_prompt, prompts, rest.len())?);
            ops.extend(rest);
        }
    }
    for command in login_commands {
        ops.push(Op::Type(typed(command, "\n", delay)));
        ops.push(wait(prompts, &[], Nudge::Never)?);
    }
    Ok(ops)
}

/// Waits for the login prompt, or for a shell's, which skips so many operations.
fn first(login_prompt: &str, prompts: &[String], skip: usize) -> Result<Op, BadPattern> {
    let mut goals = vec![(login_prompt, Then::Next)];
    goals.extend(prompts.iter().map(|prompt| (prompt.as_str(), Then::Skip(skip))));
    wait_for(&goals, Nudge::EmptyLine)
}

fn ask(password_prompt: &str, prompts: &[String], skip: usize) -> Result<Op, BadPattern> {
    let mut goals = vec![(password_prompt, Then::Next)];
    goals.extend(prompts.iter().map(|prompt| (prompt.as_str(), Then::Skip(skip))));
    goals.extend(REFUSALS);
    wait_for(&goals, Nudge::Never)
}

fn logged_in(prompts: &[String]) -> Result<Op, BadPattern> {
    let mut goals: Vec<_> = prompts.iter().map(|prompt| (prompt.as_str(), Then::Next)).collect();
    goals.extend(REFUSALS);
    wait_for(&goals, Nudge::EmptyLine)
}

/// The words of getty and login.
const REFUSALS: [(&str, Then); 2] = [
    ("Login incorrect", Then::Fail(Fault::Wrong, "the login was refused")),
    ("Login timed out", Then::Fail(Fault::Timeout, "the login took too long")),
];

fn wait<P: AsRef<str>>(patterns: &[P], errors: &[String], nudge: Nudge) -> Result<Op, BadPattern> {
    let mut goals: Vec<(&str, Then)> = patterns.iter().map(|pattern| (pattern.as_ref(), Then::Next)).collect();
    goals.extend(errors.iter().map(|pattern| (pattern.as_str(), ERROR)));
    wait_for(&goals, nudge)
}

fn wait_for(goals: &[(&str, Then)], nudge: Nudge) -> Result<Op, BadPattern> {
    let texts: Vec<&str> = goals.iter().map(|(text, _)| *text).collect();
    let then: Vec<Then> = goals.iter().map(|(_, then)| then.clone()).collect();
    let wanted = goals.iter().filter(|(_, then)| !matches!(then, Then::Fail(..)));
    let wanted: Vec<String> = wanted.map(|(text, _)| format!("'{text}'")).collect();
    if wanted.is_empty() {
        return Err(BadPattern { pattern: String::new(), reason: "there is nothing to wait for".into() });
    }
    Ok(Op::Wait(Box::new(Wait { patterns: Patterns::new(&texts)?, then, what: wanted.join(" or "), nudge })))
}

fn typed(text: &str, end: &str, delay: Duration) -> Typed {
    Typed { text: format!("{text}{end}").into_bytes(), delay, secret: Secret::No }
}
