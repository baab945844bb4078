//! What comes to a block of scripts from outside.

use std::time::Duration;

use super::{Interactive, Phase};
use crate::reply::Answer;
use crate::test::{Act, Test};

impl Test for Interactive {
    fn start(&mut self, now: Duration, end: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        (self.began, self.end) = (now, end);
        self.run(now, &mut acts);
        acts
    }

    fn push(&mut self, bytes: &[u8], now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        self.offset += bytes.len() as u64;
        self.silence.broken(now);
        let mut bytes = bytes;
        if self.in_echo {
            let end = bytes.iter().position(|byte| *byte == b'\n');
            self.in_echo = end.is_none();
            let used = end.map_or(bytes.len(), |end| end + 1);
            self.lines.push(&bytes[..used]);
            bytes = &bytes[used..];
        }
        self.expect.push(bytes);
        let next = self.look(now, &mut acts);
        self.go_on(next, now, &mut acts);
        acts.extend(self.expect.take_warning().map(Act::Warn));
        acts
    }

    fn answered(&mut self, number: u64, answer: &Answer, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.phase == (Phase::Asking { number }) {
            self.take_answer(answer, now, &mut acts);
        }
        acts
    }

    fn tick(&mut self, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        match self.phase {
            Phase::Over => {}
            _ if now >= self.step_end() => self.expire(now, &mut acts),
            Phase::Pausing { until } if now >= until => {
                let next = self.perform(now, &mut acts);
                self.go_on(next, now, &mut acts);
            }
            Phase::Answer | Phase::Prompt if self.silence.lasts(now) => {
                if let Some(hit) = self.expect.quiet() {
                    let next = self.follow(&hit, now, &mut acts);
                    self.go_on(next, now, &mut acts);
                }
            }
            _ => {}
        }
        acts.extend(self.expect.take_warning().map(Act::Warn));
        acts
    }

    fn next_tick(&self) -> Option<Duration> {
        let own = match self.phase {
            Phase::Over => return None,
            Phase::Pausing { until } => until,
            Phase::Asking { .. } => Duration::MAX,
            Phase::Answer | Phase::Prompt => self.silence.due().unwrap_or(Duration::MAX),
        };
        Some(own.min(self.step_end()))
    }

    fn abort(&mut self, reason: &str, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.phase != Phase::Over {
            self.close(reason, now, &mut acts);
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
