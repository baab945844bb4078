//! Monitors, as LAVA has them: results in what a board prints by itself, between two texts.
//!
//! A result may span lines. It is looked for whenever a line has ended, and once more when the last text has come, so
//! that how the bytes are cut into reads changes nothing.

mod result;

use std::collections::BTreeSet;
use std::time::Duration;

use fancy_regex::Regex;
use mn_msg::role::Monitor as Message;
use serde_json::json;

use crate::backtrack::{Excess, computed};
use crate::dialogue::whole_seconds;
use crate::expect::{Expect, Silence, WINDOW};
use crate::lines::Lines;
use crate::matcher::{Patterns, quoted};
use crate::reply::Answer;
use crate::results::{Record, duration, lava};
use crate::script::Fault;
use crate::test::{Act, Test};
use result::{case_record, compile, result};

pub use result::check;

/// LAVA's name of the action.
const ACTION: &str = "lava-test-monitor";

/// A monitor with its patterns compiled.
#[derive(Debug)]
struct Monitor {
    message: Message,
    start: Patterns,
    end: Patterns,
    pattern: Regex,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// The first text is awaited.
    Start,
    /// Results, and the last text.
    Results,
    Over,
}

/// A block of monitors, one after the other.
#[derive(Debug)]
pub struct Monitors {
    monitors: Vec<Monitor>,
    at: usize,
    level: String,
    phase: Phase,
    began: Duration,
    /// When what is awaited began to be.
    since: Duration,
    end: Duration,
    expect: Expect,
    /// What has been printed and belongs to no result yet; its last [`WINDOW`] bytes.
    window: Vec<u8>,
    excess: Excess,
    /// Expected cases that have not come.
    missing: BTreeSet<String>,
    lines: Lines,
    silence: Silence,
}

impl Monitors {
    /// Prepares the monitors of the action `level`.
    ///
    /// # Errors
    /// The first pattern that cannot be used, with its monitor.
    pub fn new(level: &str, messages: &[Message]) -> Result<Monitors, String> {
        let monitor = |message: &Message| -> Result<Monitor, String> {
            let bad = |why: &dyn std::fmt::Display| format!("monitor '{}': {why}", message.name);
            Ok(Monitor {
                start: Patterns::new(&[&message.start]).map_err(|why| bad(&why))?,
                end: Patterns::new(&[&message.end]).map_err(|why| bad(&why))?,
                pattern: compile(&message.pattern).map_err(|why| bad(&why))?,
                message: message.clone(),
            })
        };
        Ok(Monitors {
            monitors: messages.iter().map(monitor).collect::<Result<_, _>>()?,
            at: 0,
            level: level.to_owned(),
            phase: Phase::Over,
            began: Duration::ZERO,
            since: Duration::ZERO,
            end: Duration::MAX,
            expect: Expect::default(),
            window: Vec::new(),
            excess: Excess::default(),
            missing: BTreeSet::new(),
            lines: Lines::new(8),
            silence: Silence::default(),
        })
    }

    /// Waits for the next monitor's first text.
    fn run(&mut self, now: Duration, acts: &mut Vec<Act>) {
        self.since = now;
        let Some(monitor) = self.monitors.get(self.at) else {
            self.phase = Phase::Over;
            acts.push(Act::Record(self.block_record("pass", now)));
            return acts.push(Act::Done);
        };
        self.phase = Phase::Start;
        self.excess = Excess::default();
        self.missing = monitor.message.expected.iter().flatten().cloned().collect();
        acts.push(Act::Step(
            "monitor",
            format!("{}: waiting for {}", monitor.message.name, quoted(&monitor.message.start)),
        ));
        self.expect.wait(&monitor.start);
    }

    /// Looks at what has come, until something more has to come.
    fn look(&mut self, now: Duration, acts: &mut Vec<Act>) {
        while self.phase != Phase::Over {
            let (lines, results) = (&mut self.lines, self.phase == Phase::Results);
            let mut passed = Vec::new();
            let hit = self.expect.find(|bytes| {
                lines.push(bytes);
                if results {
                    passed.extend_from_slice(bytes);
                }
            });
            self.take(&passed, acts);
            if hit.is_none() {
                return;
            }
            self.follow(now, acts);
        }
    }

    /// What was awaited has come.
    fn follow(&mut self, now: Duration, acts: &mut Vec<Act>) {
        let Some(monitor) = self.monitors.get(self.at) else { return };
        match self.phase {
            Phase::Start => {
                self.phase = Phase::Results;
                self.since = now;
                acts.push(Act::Step(
                    "monitor",
                    format!("{}: until {}", monitor.message.name, quoted(&monitor.message.end)),
                ));
                self.expect.wait(&monitor.end);
            }
            Phase::Results => {
                self.scan(acts);
                self.window.clear();
                self.tell_missing(acts);
                self.at += 1;
                self.run(now, acts);
            }
            Phase::Over => {}
        }
    }

    fn take(&mut self, bytes: &[u8], acts: &mut Vec<Act>) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.window.extend_from_slice(line);
            if line.ends_with(b"\n") {
                self.scan(acts);
            }
            if self.window.len() > WINDOW {
                self.window.drain(..self.window.len() - WINDOW);
            }
        }
    }

    /// Takes the results out of the window.
    fn scan(&mut self, acts: &mut Vec<Act>) {
        let Some(monitor) = self.monitors.get(self.at).filter(|_| !self.excess.is_too_much()) else { return };
        let mut used = 0;
        let mut searches = monitor.pattern.captures_iter(self.window.as_slice());
        loop {
            let begun = computed();
            let found = searches.next().transpose();
            acts.extend(self.excess.count(&monitor.pattern, begun, &found).map(Act::Warn));
            let Ok(Some(captures)) = found else { break };
            used = captures.get(0).map_or(used, |whole| whole.end());
            match result(&monitor.message, &captures) {
                Ok((case, record)) => {
                    self.missing.remove(&case);
                    acts.push(Act::Record(record));
                }
                Err(reason) => acts.push(Act::Warn(format!("a result is left out: {reason}"))),
            }
        }
        self.window.drain(..used);
    }

    fn tell_missing(&mut self, acts: &mut Vec<Act>) {
        let Some(monitor) = self.monitors.get(self.at) else { return };
        for case in std::mem::take(&mut self.missing) {
            let mut record = case_record(&monitor.message.name, &case, "fail");
            record.insert("level".into(), self.level.as_str().into());
            record.insert("extra".into(), json!({"reason": "expected, and not reported"}));
            acts.push(Act::Record(record));
        }
    }

    fn block_record(&self, result: &str, now: Duration) -> Record {
        let mut record = lava(ACTION, result);
        record.insert("level".into(), self.level.as_str().into());
        record.insert("duration".into(), duration(now.saturating_sub(self.began)));
        record
    }

    fn expire(&mut self, now: Duration, acts: &mut Vec<Act>) {
        let Some(monitor) = self.monitors.get(self.at) else { return };
        let Message { name, start, end, .. } = &monitor.message;
        let what = if self.phase == Phase::Start {
            format!("its start {}", quoted(start))
        } else {
            format!("its end {}", quoted(end))
        };
        let after = whole_seconds(now.saturating_sub(self.since));
        let seen = self.lines.seen();
        let text = format!("monitor '{name}': waited for {what} in vain, {after} s; {seen}");
        self.close(now, acts);
        acts.push(Act::Fail(Fault::Timeout, text));
    }

    fn close(&mut self, now: Duration, acts: &mut Vec<Act>) {
        if self.phase == Phase::Results {
            self.scan(acts);
        }
        self.tell_missing(acts);
        self.phase = Phase::Over;
        acts.push(Act::Record(self.block_record("fail", now)));
    }
}

impl Test for Monitors {
    fn start(&mut self, now: Duration, end: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        (self.began, self.end) = (now, end);
        self.run(now, &mut acts);
        acts
    }

    fn push(&mut self, bytes: &[u8], now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        self.silence.broken(now);
        self.expect.push(bytes);
        self.look(now, &mut acts);
        acts.extend(self.expect.take_warning().map(Act::Warn));
        acts
    }

    fn answered(&mut self, _number: u64, _answer: &Answer, _now: Duration) -> Vec<Act> {
        Vec::new()
    }

    fn tick(&mut self, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.phase == Phase::Over {
            return acts;
        }
        if now >= self.end {
            self.expire(now, &mut acts);
        } else if self.silence.lasts(now) && self.expect.quiet().is_some() {
            self.follow(now, &mut acts);
            self.look(now, &mut acts);
        }
        acts.extend(self.expect.take_warning().map(Act::Warn));
        acts
    }

    fn next_tick(&self) -> Option<Duration> {
        let quiet = self.silence.due().unwrap_or(Duration::MAX);
        (self.phase != Phase::Over).then(|| self.end.min(quiet))
    }

    fn abort(&mut self, _reason: &str, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.phase != Phase::Over {
            self.close(now, &mut acts);
        }
        acts
    }

    fn last_seen(&self) -> Option<String> {
        self.lines.last()
    }

    fn take_unread(&mut self) -> Vec<u8> {
        self.expect.take_unread()
    }
}

#[cfg(test)]
mod tests;
