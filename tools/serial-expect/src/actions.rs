//! A role's blocks, one after the other: boots, tests and commands, each as often as the job says.

use crate::board::{Board, listen};
use crate::report::Report;
use crate::tests::{self, Ended};
use crate::wires::Wires;
use crate::{blocks, verdict};
use mn_cli::{Error, Result, Status};
use mn_console::expect::Expect;
use mn_console::results::{Record, duration, lava};
use mn_console::script::{Fault, Secret, Typed};
use mn_msg::Role;
use mn_msg::role::{Action, Boot, Command, Test, Work};
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

/// Ends what runs in a shell or at a bootloader.
const INTERRUPT: &[u8] = b"\x03";
/// Runs of one block at most.
const ROUNDS: u32 = 100;

/// Looks at all blocks, before anything is touched.
///
/// # Errors
/// Status 2, with what is wrong with the message.
pub fn check(role: &Role, commands: &BTreeMap<String, Vec<Vec<String>>>) -> Result<()> {
    let missing = |name: &str| commands.get(name).is_none_or(Vec::is_empty);
    for action in &role.facts().actions {
        match action {
            Action::Deploy(_) => {}
            Action::Boot(boot) => {
                let powers = boot.dialogue.iter().filter_map(|step| match &step.work {
                    Work::Power { command } => Some(command),
                    _ => None,
                });
                if let Some(command) = powers.into_iter().find(|command| missing(command)) {
                    let text = format!("cannot boot the board: its dictionary has no command '{command}'");
                    return Err(Error::wrong(text));
                }
                blocks::boot(role, boot)?;
            }
            Action::Test(test) => drop(blocks::test(role, test, 0, 0)?),
            Action::Command(command) if missing(&command.name) => {
                let text = format!("cannot run the command '{}': the dictionary has none of that name", command.name);
                return Err(Error::wrong(text));
            }
            Action::Command(_) => {}
        }
    }
    Ok(())
}

/// Runs all blocks.
///
/// # Errors
/// What ended the role before its time.
pub fn run(role: &Role, board: &mut Board, wires: &mut Wires, report: &mut Report) -> Result<()> {
    let mut player = Player { role, board, wires, report, unread: Vec::new() };
    for action in &role.facts().actions {
        match action {
            Action::Deploy(_) => {}
            Action::Boot(boot) => player.boot(boot)?,
            Action::Test(test) => player.test(test)?,
            Action::Command(command) => player.command(command)?,
        }
    }
    Ok(())
}

struct Player<'a, 'r> {
    role: &'a Role,
    board: &'a mut Board,
    wires: &'a mut Wires,
    report: &'a mut Report<'r>,
    /// What the console printed after the last thing that was waited for.
    unread: Vec<u8>,
}

/// How often a test block runs.
struct Rounds {
    most: u32,
    until: Until,
}

#[derive(Clone, Copy, PartialEq)]
enum Until {
    /// The first that comes to its end.
    Success,
    /// All have been run.
    Last,
}

impl Rounds {
    fn of(test: &Test) -> Rounds {
        let (most, until) = match test.repeat {
            Some(most) => (most, Until::Last),
            None => (test.attempts.unwrap_or(1), Until::Success),
        };
        Rounds { most: most.clamp(1, ROUNDS), until }
    }
}

impl Player<'_, '_> {
    /// When something that may take so many seconds has to be done: the job's own end may come first.
    fn end(&self, seconds: u64) -> Duration {
        self.wires.job_end.min(self.wires.now() + Duration::from_secs(seconds))
    }

    /// When a run has to be done of a block that has `rounds` in so many seconds.
    fn round_end(&self, whole: Duration, seconds: u64, rounds: u32) -> Duration {
        if rounds == 1 { whole } else { whole.min(self.end((seconds / u64::from(rounds)).max(1))) }
    }

    fn boot(&mut self, boot: &Boot) -> Result<()> {
        let whole = self.end(boot.timeout);
        let rounds = boot.repeat.unwrap_or(1).clamp(1, ROUNDS);
        for _ in 0..rounds {
            let Some(dialogue) = blocks::boot(self.role, boot)? else { return Ok(()) };
            let end = self.round_end(whole, boot.timeout, rounds);
            self.unread = self.board.boot(dialogue, self.wires, self.report, end)?;
        }
        Ok(())
    }

    fn command(&mut self, command: &Command) -> Result<()> {
        self.report.step("command", &command.name)?;
        let (began, end) = (self.wires.now(), self.end(command.timeout));
        let ended = self.board.command(&command.name, self.wires, self.report, end);
        let result = if ended.is_ok() { "pass" } else { "fail" };
        let mut record = self.record("user-command", result, &command.level, began);
        record.insert("extra".into(), json!({"command": command.name}));
        self.report.record(record)?;
        self.unread.append(&mut ended?);
        Ok(())
    }

    fn record(&self, case: &str, result: &str, level: &str, began: Duration) -> Record {
        let mut record = lava(case, result);
        record.insert("level".into(), level.into());
        record.insert("duration".into(), duration(self.wires.now().saturating_sub(began)));
        record
    }

    fn test(&mut self, test: &Test) -> Result<()> {
        let (began, whole, rounds) = (self.wires.now(), self.end(test.timeout), Rounds::of(test));
        let mut failed = None;
        for earlier in 0..rounds.most {
            if rounds.most > 1 && rounds.until == Until::Success {
                self.report.begin_attempt(Some(earlier + 1));
            }
            let end = self.round_end(whole, test.timeout, rounds.most);
            let Ended::Failed(fault, text) = self.once(test, earlier, end)? else {
                failed = failed.filter(|_| rounds.until == Until::Last);
                if rounds.until == Until::Success {
                    break;
                }
                continue;
            };
            let interval = Duration::from_secs(test.interval.unwrap_or(1));
            let again = earlier + 1 < rounds.most && fault != Fault::Dead && self.wires.now() + interval < whole;
            if again {
                self.interrupt(test)?;
                self.report.forgive();
                self.report.step("test", &format!("running it again: {text}"))?;
                self.pause(interval)?;
            }
            failed = failed.filter(|_| rounds.until == Until::Last).or(Some((fault, text)));
            if !again {
                break;
            }
        }
        self.report.begin_attempt(None);
        match failed {
            None => Ok(()),
            Some((Fault::Timeout, text)) if test.on_timeout.as_deref() == Some("skip") => self.skip(test, &text, began),
            Some((fault, text)) => Err(verdict::error(fault, &text)),
        }
    }

    /// One run of a block.
    fn once(&mut self, test: &Test, earlier: u32, end: Duration) -> Result<Ended> {
        let unread = std::mem::take(&mut self.unread);
        let offset = self.wires.log.offset().saturating_sub(unread.len() as u64);
        let mut machine = blocks::test(self.role, test, earlier, offset)?;
        let ended = tests::run(machine.as_mut(), &unread, self.wires, self.report, end)?;
        self.unread = machine.take_unread();
        Ok(ended)
    }

    /// Ends what a failed block has left running, for those that follow.
    fn interrupt(&mut self, test: &Test) -> Result<()> {
        if test.monitors.is_empty() && !self.wires.board_died {
            self.wires.type_text(Typed { text: INTERRUPT.to_vec(), delay: Duration::ZERO, secret: Secret::No })?;
        }
        Ok(())
    }

    fn pause(&mut self, interval: Duration) -> Result<()> {
        let mut unread = Expect::default();
        unread.push(&self.unread);
        let until = self.wires.now() + interval;
        listen(self.wires, self.report, &mut unread, until)?;
        self.unread = unread.take_unread();
        Ok(())
    }

    /// Goes on after a test whose time is up, unless the job's is.
    fn skip(&mut self, test: &Test, text: &str, began: Duration) -> Result<()> {
        if self.wires.now() >= self.wires.job_end {
            return Err(Error::new(Status::Timeout, text));
        }
        if test.runs_definitions() {
            let mut record = self.record(blocks::action(self.role.facts(), test), "fail", &test.level, began);
            record.insert("extra".into(), json!({ "reason": text }));
            self.report.record(record)?;
        }
        self.interrupt(test)?;
        self.report.warn(&format!("{text}; the job goes on, as it says"))
    }
}
