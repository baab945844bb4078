//! One test stage on a shell as a state machine: start the runner, take its signals, relay its requests, know its end,
//! ask for what was lost on the line.
//!
//! The caller types, keeps the records, makes the multinode calls, and calls [`Test::tick`] at
//! [`Test::next_tick`].

mod calls;
mod ending;
mod events;
mod signals;

use std::collections::BTreeMap;
use std::time::Duration;

use mn_msg::role::Run;

use crate::hearing::{Ear, Hearing};
use crate::journal::{Heard, Receiver};
use crate::life::Life;
use crate::lines::Lines;
use crate::marker::{self, Mark};
use crate::matcher::Patterns;
use crate::parse::Parser;
use crate::results::Recorder;
use crate::script::{Secret, Typed};
use crate::test::Act;
use calls::Call;

/// Silence of the shell after which it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The member's id.
    pub job_id: String,
    /// The number of the test block, from 0.
    pub stage: u32,
    /// The action's number, for the records.
    pub level: String,
    /// The overlay's directory on the board.
    pub directory: String,
    /// The interpreter of the tests.
    pub shell: String,
    /// The definitions of this stage.
    pub runs: Vec<Run>,
    /// The time after each typed character.
    pub delay: Duration,
    /// The time in which the shell has to answer at all.
    pub patience: Duration,
    /// Where the console is a board's own: what its firmware says when it begins anew.
    pub board: Option<Patterns>,
    /// How often the stage was begun before.
    pub earlier: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// The shell is asked whether it is there.
    Asking {
        again: Duration,
    },
    /// The runner runs.
    Running,
    /// The runner has ended; the last answers are awaited.
    Ending {
        until: Duration,
    },
    /// The board says again what was lost: until it has been silent for so long, or has said enough.
    Fetching {
        until: Duration,
        limit: Duration,
    },
    Over,
}

/// A test stage.
#[derive(Debug)]
pub struct Stage {
    plan: Plan,
    token: String,
    phase: Phase,
    began: Duration,
    ready_by: Duration,
    end: Duration,
    /// Where the console is, in bytes from its beginning.
    offset: u64,
    ear: Ear,
    lines: Lines,
    recorder: Recorder,
    parser: Option<Parser>,
    life: Option<Life>,
    calls: BTreeMap<u64, Call>,
    /// Whether a definition has begun, or failed to be installed.
    ran: bool,
    /// The runner's exit status, as the shell gave it.
    status: Option<i32>,
    /// Questions for what was lost, so far.
    questions: u32,
    /// When the last signal was heard that came at its time.
    last_signal: Duration,
    /// Whether it was said that results have to wait.
    told_of_gap: bool,
    /// Why the results are not certain, if they are not.
    doubt: Option<String>,
}

impl Stage {
    /// Prepares a stage. `offset` is the number of bytes that the console has printed so far.
    pub fn new(plan: Plan, offset: u64) -> Stage {
        let token = match plan.earlier {
            0 => format!("{}.{}", plan.job_id, plan.stage),
            earlier => format!("{}.{}-{earlier}", plan.job_id, plan.stage),
        };
        let recorder = Recorder::new(plan.stage, &plan.level, plan.runs.clone());
        let life = plan.board.as_ref().map(Life::new);
        Stage {
            plan,
            token,
            phase: Phase::Over,
            began: Duration::ZERO,
            ready_by: Duration::ZERO,
            end: Duration::MAX,
            offset,
            ear: Ear::new(offset),
            lines: Lines::new(8),
            recorder,
            parser: None,
            life,
            calls: BTreeMap::new(),
            ran: false,
            status: None,
            questions: 0,
            last_signal: Duration::ZERO,
            told_of_gap: false,
            doubt: None,
        }
    }

    /// Asks whether the shell is there, and whether the overlay's helpers number their signals.
    fn probe(&self) -> Act {
        let check = format!("{}/bin/lava-test-journal --check 2>/dev/null", self.plan.directory);
        self.typed(&marker::probe_with(&check, &self.token))
    }

    fn typed(&self, line: &str) -> Act {
        self.typed_text(format!("{line}\n"))
    }

    fn typed_text(&self, text: String) -> Act {
        Act::Type(Typed { text: text.into_bytes(), delay: self.plan.delay, secret: Secret::No })
    }

    /// The stage's directory on the board.
    fn directory(&self) -> String {
        format!("{}/{}", self.plan.directory, self.plan.stage)
    }

    /// The command that runs the stage: the overlay's environment, then its runner.
    fn command(&self) -> String {
        let Plan { directory, shell, .. } = &self.plan;
        let environment = format!("{directory}/environment");
        let numbers = if self.is_numbered() { " MN_SIGNALS=1" } else { "" };
        let clean = if self.plan.earlier > 0 { again(&self.directory()) } else { String::new() };
        format!(
            "{clean}[ -r {environment} ] && . {environment} && export SHELL={shell}{numbers} && {directory}/bin/lava-test-runner {}",
            self.directory()
        )
    }

    fn is_numbered(&self) -> bool {
        matches!(self.ear.hearing, Hearing::Numbered(_))
    }

    fn pass(&mut self, bytes: &[u8], acts: &mut Vec<Act>) {
        self.lines.push(bytes);
        let found = self.parser.as_mut().map(|parser| parser.push(bytes)).unwrap_or_default();
        for case in found {
            let case = match case {
                Ok(case) => case,
                Err(reason) => {
                    acts.push(Act::Warn(reason));
                    continue;
                }
            };
            let turn = self.recorder.parsed_case(&case.case, case.result, case.measurement, case.units.as_deref());
            signals::keep(turn, acts);
        }
    }

    fn hear(&mut self, heard: Heard, now: Duration, acts: &mut Vec<Act>) {
        match heard {
            Heard::Mark(mark) => self.mark(&mark, now, acts),
            // Nothing of this stage has been started: these are words of an earlier one. After its end nothing counts.
            _ if matches!(self.phase, Phase::Asking { .. } | Phase::Over) => {}
            Heard::Exit => self.runner_ended(now, acts),
            Heard::Event { number, event, when } => self.event(number, event, when, now, acts),
            Heard::Ahead(event) => self.ahead(&event, acts),
            Heard::Request { number, request } => self.request(number, request, now, acts),
            Heard::BadRequest { number, word } => self.refuse(number, &word, acts),
            Heard::Again { number, line } => self.answer_again(number, line, now, acts),
            Heard::Unkept(event) => {
                self.doubt.get_or_insert_with(|| {
                    "the board could not keep all signals in its journal, so that some may be missing".into()
                });
                for heard in self.ear.plain(event) {
                    self.hear(heard, now, acts);
                }
            }
        }
    }

    fn mark(&mut self, mark: &Mark, now: Duration, acts: &mut Vec<Act>) {
        match (mark.kind.as_str(), self.phase) {
            (marker::kind::READY, Phase::Asking { .. }) if mark.token == self.token => {
                self.phase = Phase::Running;
                self.last_signal = now;
                if mark.status == 0 {
                    let receiver = Receiver::new(&self.directory(), self.offset);
                    self.ear.hearing = Hearing::Numbered(Box::new(receiver));
                }
                acts.push(Act::Step("test", format!("runs stage {}", self.plan.stage)));
                acts.push(self.typed(&marker::framed(&self.command(), &self.token)));
            }
            (marker::kind::END, Phase::Running | Phase::Ending { .. }) if mark.token == self.token => {
                self.status = Some(mark.status);
                self.runner_ended(now, acts);
            }
            (marker::kind::END, Phase::Fetching { .. }) if mark.token == self.question_token() => {
                self.settle(now, acts);
            }
            _ => {}
        }
    }

    fn seen(&self) -> String {
        self.lines.seen()
    }
}

/// What makes a runner begin a stage anew: the list of its definitions under its first name, and nothing else of an
/// earlier run.
fn again(directory: &str) -> String {
    format!(
        "(cd {directory} && rm -rf started journal && for f in lava-test-runner.conf-*; do [ ! -f \"$f\" ] || mv \"$f\" lava-test-runner.conf; done); "
    )
}

#[cfg(test)]
mod tests;
