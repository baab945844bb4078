//! What is still to be typed, and when its next byte is due.

use mn_console::script::Typed;
use std::collections::VecDeque;
use std::time::Duration;

/// Bytes that may wait to be typed.
const QUEUE: usize = 1 << 20;

/// Types texts one after the other, slowly where a board cannot take them faster.
#[derive(Debug, Default)]
pub struct Typist {
    queue: VecDeque<(Typed, usize)>,
    bytes: usize,
    due: Duration,
}

impl Typist {
    /// Adds a text; false, and it is left out, when too much is waiting: nobody takes it.
    pub fn add(&mut self, typed: Typed) -> bool {
        let fits = self.bytes + typed.text.len() <= QUEUE;
        if fits {
            self.bytes += typed.text.len();
            self.queue.push_back((typed, 0));
        }
        fits
    }

    /// The bytes to be written now: all of a text, or one of it when each is followed by a pause.
    pub fn next(&self, now: Duration) -> Option<&[u8]> {
        let (typed, from) = self.queue.front()?;
        if now < self.due {
            return None;
        }
        let rest = &typed.text[*from..];
        Some(if typed.delay.is_zero() { rest } else { &rest[..1] })
    }

    /// So many of them have been written.
    pub fn wrote(&mut self, count: usize, now: Duration) {
        let Some((typed, from)) = self.queue.front_mut() else { return };
        *from += count;
        self.bytes -= count;
        if count > 0 {
            self.due = now + typed.delay;
        }
        if *from >= typed.text.len() {
            self.queue.pop_front();
        }
    }

    /// When the next byte is due after a pause; none when nothing waits for time to pass.
    pub fn due(&self, now: Duration) -> Option<Duration> {
        (!self.queue.is_empty() && self.due > now).then_some(self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mn_console::script::Secret;

    fn typed(text: &str, delay: u64) -> Typed {
        Typed { text: text.into(), delay: Duration::from_millis(delay), secret: Secret::No }
    }

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    #[test]
    fn a_text_without_delay_goes_out_at_once_and_may_be_taken_in_parts() {
        let mut typist = Typist::default();
        assert!(typist.add(typed("boot\n", 0)));
        assert_eq!(typist.next(at(0)), Some(b"boot\n".as_slice()));
        typist.wrote(2, at(0));
        assert_eq!(typist.next(at(0)), Some(b"ot\n".as_slice()));
        typist.wrote(3, at(0));
        assert_eq!((typist.next(at(0)), typist.due(at(0))), (None, None));
    }

    #[test]
    fn a_pause_follows_each_character_also_the_last() {
        let mut typist = Typist::default();
        typist.add(typed("ab", 10));
        typist.add(typed("c", 0));
        for (now, byte) in [(0, b"a"), (10, b"b"), (20, b"c")] {
            assert_eq!(typist.next(at(now)), Some(byte.as_slice()));
            typist.wrote(1, at(now));
            if now < 20 {
                assert_eq!((typist.next(at(now + 9)), typist.due(at(now))), (None, Some(at(now + 10))));
            }
        }
    }

    #[test]
    fn a_board_that_takes_nothing_is_noticed() {
        let mut typist = Typist::default();
        assert!(typist.add(typed(&"x".repeat(QUEUE), 0)));
        assert!(!typist.add(typed("y", 0)));
    }
}
