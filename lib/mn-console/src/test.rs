//! A test block as a state machine: what the console prints, the answers of the other members and the time that passes
//! in, what is to be done out.

use std::time::Duration;

use crate::reply::Answer;
use crate::results::Record;
use crate::script::{Fault, Typed};
use crate::signal::Request;

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
    /// Make this multinode call, and call [`Test::answered`] with the number.
    Ask(u64, Request),
    /// The block is over.
    Done,
    /// The block is over, and the role with it.
    Fail(Fault, String),
}

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
