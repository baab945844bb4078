//! One test stage on a shell as a state machine: start the runner, take its signals, relay its requests, know its end,
//! ask for what was lost on the line.
//!
//! The caller types, keeps the records, makes the multinode calls, and calls [`Stage::tick`] at [`Stage::next_tick`].

mod calls;
mod ending;
mod signals;

use std::collections::BTreeMap;
use std::time::Duration;

use mn_msg::role::Run;

use crate::dialogue::whole_seconds;
use crate::hearing::{Ear, Hearing};
use crate::journal::{Heard, Receiver};
use crate::life::Life;
use crate::lines::Lines;
use crate::marker::{self, Mark};
use crate::matcher::Patterns;
use crate::parse::Parser;
use crate::results::{Record, Recorder};
use crate::script::{Fault, Secret, Typed};
use crate::signal::Request;
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

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Type this.
    Type(Typed),
    /// Say what happens: a word, and a text for people.
    Step(&'static str, String),
    /// Keep this record.
    Record(Record),
    /// Warn of something odd.
    Warn(String),
    /// Make this multinode call, and call [`Stage::answered`] with the number.
    Ask(u64, Request),
    /// The stage is over.
    Done,
    /// The stage is over, and the role with it.
    Fail(Fault, String),
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

    /// Begins. All has to be done by `end`.
    pub fn start(&mut self, now: Duration, end: Duration) -> Vec<Act> {
        self.began = now;
        self.end = end;
        self.ready_by = now.saturating_add(self.plan.patience);
        self.phase = Phase::Asking { again: now + ASK_AGAIN };
        vec![self.probe()]
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

    /// Takes what the console printed.
    pub fn push(&mut self, bytes: &[u8], now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        let mut rest = bytes;
        while self.phase != Phase::Over {
            let (used, heard) = self.ear.next(rest, now);
            self.offset += used as u64;
            self.pass(&rest[..used], &mut acts);
            let death = self.life.as_mut().and_then(|life| life.push(&rest[..used], now));
            if let Some(reason) = death {
                self.fail(Fault::Dead, reason, now, &mut acts);
                break;
            }
            rest = &rest[used..];
            if heard.is_empty() {
                break;
            }
            for heard in heard {
                self.hear(heard, now, &mut acts);
            }
            self.see_whether_all_is_there(now, &mut acts);
        }
        if let Phase::Fetching { limit, .. } = self.phase {
            self.phase = Phase::Fetching { until: limit.min(now + ASK_AGAIN), limit };
        }
        acts
    }

    fn pass(&mut self, bytes: &[u8], acts: &mut Vec<Act>) {
        self.lines.push(bytes);
        let found = self.parser.as_mut().map(|parser| parser.push(bytes)).unwrap_or_default();
        for case in found {
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

    /// Lets time pass.
    pub fn tick(&mut self, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        match self.phase {
            Phase::Over => {}
            _ if self.life.as_ref().is_some_and(|life| life.over_at().is_some_and(|at| now >= at)) => {
                let reason = self.life.take().map(Life::into_reason).unwrap_or_default();
                self.fail(Fault::Dead, reason, now, &mut acts);
            }
            Phase::Ending { until } if now >= until.min(self.end) => self.settle(now, &mut acts),
            Phase::Asking { .. } if now >= self.ready_by.min(self.end) => {
                let after = whole_seconds(now.saturating_sub(self.began));
                let text = format!("the shell did not answer within {after} s; {}", self.seen());
                self.fail(Fault::Timeout, text, now, &mut acts);
            }
            Phase::Asking { again } if now >= again => {
                self.phase = Phase::Asking { again: now + ASK_AGAIN };
                acts.push(self.probe());
            }
            Phase::Running | Phase::Fetching { .. } if now >= self.end => {
                let after = whole_seconds(now.saturating_sub(self.began));
                let what = self.recorder.running().map(|run| format!("'{run}' was running, ")).unwrap_or_default();
                let text = format!("timed out after {after} s; {what}{}", self.seen());
                self.fail(Fault::Timeout, text, now, &mut acts);
            }
            Phase::Fetching { until, .. } if now >= until => {
                // What is left of a damaged line must not swallow the next.
                acts.push(self.typed_text("\x03\n".into()));
                self.settle(now, &mut acts);
            }
            _ => {}
        }
        acts
    }

    fn seen(&self) -> String {
        self.lines.seen()
    }

    /// When [`Stage::tick`] is to be called at the latest.
    pub fn next_tick(&self) -> Option<Duration> {
        let next = match self.phase {
            Phase::Over => return None,
            Phase::Asking { again } => again.min(self.ready_by).min(self.end),
            Phase::Running => self.end,
            Phase::Ending { until } | Phase::Fetching { until, .. } => until.min(self.end),
        };
        let over = self.life.as_ref().and_then(Life::over_at);
        Some(over.map_or(next, |over| over.min(next)))
    }

    /// Ends the stage from outside, because the console or the lab is gone: what is open has failed, for this reason.
    pub fn abort(&mut self, reason: &str, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.phase != Phase::Over {
            self.close(reason, now, &mut acts);
        }
        acts
    }

    /// The last line that was seen.
    pub fn last_seen(&self) -> Option<String> {
        self.lines.last()
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
