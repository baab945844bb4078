//! A test block as a state machine: what the console prints, the answers of the other members and the time that passes
//! in, what is to be done out.

use std::time::Duration;

use crate::reply::Answer;
pub use crate::stage::Act;
use crate::stage::Stage;

/// A test block. The caller does what the acts say, and calls [`Test::tick`] at [`Test::next_tick`]. Times are durations
/// since any one moment.
pub trait Test {
    /// Begins. All has to be done by `end`.
    fn start(&mut self, now: Duration, end: Duration) -> Vec<Act>;

    /// Takes what the console printed.
    fn push(&mut self, bytes: &[u8], now: Duration) -> Vec<Act>;

    /// Takes the answer to the call of [`Act::Ask`] with this number.
    fn answered(&mut self, number: u64, answer: &Answer, now: Duration) -> Vec<Act>;

    /// Lets time pass.
    fn tick(&mut self, now: Duration) -> Vec<Act>;

    /// When [`Test::tick`] is to be called at the latest.
    fn next_tick(&self) -> Option<Duration>;

    /// Ends the block from outside, because the console or the lab is gone: what is open has failed, for this reason.
    fn abort(&mut self, reason: &str, now: Duration) -> Vec<Act>;

    /// The last line that was seen.
    fn last_seen(&self) -> Option<String>;

    /// What was printed and not looked at, for the block that follows.
    fn take_unread(&mut self) -> Vec<u8>;
}

impl Test for Stage {
    fn start(&mut self, now: Duration, end: Duration) -> Vec<Act> {
        Stage::start(self, now, end)
    }

    fn push(&mut self, bytes: &[u8], now: Duration) -> Vec<Act> {
        Stage::push(self, bytes, now)
    }

    fn answered(&mut self, number: u64, answer: &Answer, now: Duration) -> Vec<Act> {
        Stage::answered(self, number, answer, now)
    }

    fn tick(&mut self, now: Duration) -> Vec<Act> {
        Stage::tick(self, now)
    }

    fn next_tick(&self) -> Option<Duration> {
        Stage::next_tick(self)
    }

    fn abort(&mut self, reason: &str, now: Duration) -> Vec<Act> {
        Stage::abort(self, reason, now)
    }

    fn last_seen(&self) -> Option<String> {
        Stage::last_seen(self)
    }

    /// What follows a runner is its shell's prompt.
    fn take_unread(&mut self) -> Vec<u8> {
        Vec::new()
    }
}
