//! When a line may be read in larger pieces. While a board talks on and on, to wake up for each of its bytes is most of
//! the work, and nobody waits for it.

use std::time::Duration;

/// How long a line that is busy is not read.
pub const REST: Duration = Duration::from_millis(50);
/// How long a board has to talk until its line is busy; before that each byte may be the answer to what was typed.
const TALK: Duration = Duration::from_millis(100);
/// Silence after which what comes is something new.
const SILENCE: Duration = Duration::from_millis(100);
/// Bytes of one read, of which there must not be more: a terminal's buffer has 4096, which must not fill meanwhile.
const SLOW: usize = 2048;

/// What a line was like lately.
#[derive(Debug, Default)]
pub struct Busy {
    /// When the board began to talk.
    since: Option<Duration>,
    last: Duration,
    rest: Option<Duration>,
}

impl Busy {
    /// The line was read: so many bytes have come.
    pub fn heard(&mut self, count: usize, now: Duration) {
        self.rest = None;
        if count == 0 {
            return;
        }
        let since = self.since.filter(|_| now < self.last + SILENCE).unwrap_or(now);
        self.since = Some(since);
        self.last = now;
        self.rest = (now >= since + TALK && count <= SLOW).then_some(now + REST);
    }

    /// Something was typed: the answer is awaited.
    pub fn typed(&mut self) {
        self.since = None;
        self.rest = None;
    }

    /// Until when the line need not be read.
    pub fn rest(&self) -> Option<Duration> {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A line on which so many bytes came every 5 ms for so long.
    fn line(count: usize, milliseconds: u64) -> Busy {
        let mut busy = Busy::default();
        for now in (0..=milliseconds).step_by(5) {
            busy.heard(count, at(now));
        }
        busy
    }

    #[test]
    fn a_board_that_talks_on_is_read_less_often() {
        assert_eq!(line(64, 95).rest(), None);
        assert_eq!(line(64, 100).rest(), Some(at(150)));
    }

    #[test]
    fn what_comes_after_silence_or_after_something_typed_is_read_at_once() {
        let mut busy = line(64, 500);
        busy.heard(64, at(599));
        assert_eq!(busy.rest(), Some(at(649)));
        busy.heard(64, at(699));
        assert_eq!(busy.rest(), None);
        let mut busy = line(64, 500);
        busy.typed();
        assert_eq!(busy.rest(), None);
        busy.heard(64, at(505));
        assert_eq!(busy.rest(), None);
    }

    #[test]
    fn a_line_on_which_nothing_has_come_is_awaited() {
        let mut busy = line(64, 500);
        busy.heard(0, at(520));
        assert_eq!(busy.rest(), None);
        busy.heard(1, at(550));
        assert_eq!(busy.rest(), Some(at(600)));
    }

    #[test]
    fn a_line_that_could_fill_a_buffer_meanwhile_is_always_read_at_once() {
        assert_eq!(line(SLOW, 500).rest(), Some(at(550)));
        assert_eq!(line(SLOW + 1, 500).rest(), None);
    }
}
