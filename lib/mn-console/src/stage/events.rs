//! What comes to a stage from outside.

use std::time::Duration;

use super::{ASK_AGAIN, Phase, Stage};
use crate::dialogue::whole_seconds;
use crate::life::Life;
use crate::reply::Answer;
use crate::script::Fault;
use crate::test::{Act, Test};

impl Test for Stage {
    fn start(&mut self, now: Duration, end: Duration) -> Vec<Act> {
        self.began = now;
        self.end = end;
        self.ready_by = now.saturating_add(self.plan.patience);
        self.phase = Phase::Asking { again: now + ASK_AGAIN };
        vec![self.probe()]
    }

    fn push(&mut self, bytes: &[u8], now: Duration) -> Vec<Act> {
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

    fn answered(&mut self, number: u64, answer: &Answer, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        self.answer(number, answer, now, &mut acts);
        if matches!(self.phase, Phase::Ending { .. }) {
            self.wind_up(now, &mut acts);
        }
        acts
    }

    fn tick(&mut self, now: Duration) -> Vec<Act> {
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

    fn next_tick(&self) -> Option<Duration> {
        let next = match self.phase {
            Phase::Over => return None,
            Phase::Asking { again } => again.min(self.ready_by).min(self.end),
            Phase::Running => self.end,
            Phase::Ending { until } | Phase::Fetching { until, .. } => until.min(self.end),
        };
        let over = self.life.as_ref().and_then(Life::over_at);
        Some(over.map_or(next, |over| over.min(next)))
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

    /// What follows a runner is its shell's prompt.
    fn take_unread(&mut self) -> Vec<u8> {
        Vec::new()
    }
}
