//! What is still to be typed, and when its next byte is due: a line may lose what comes too fast.

use crate::echo::Echoed;
use mn_console::pacing::{Echo, Pacing};
use mn_console::script::{Secret, Typed};
use std::collections::VecDeque;
use std::time::Duration;

/// Bytes that may wait to be typed.
const QUEUE: usize = 1 << 20;
/// How long silence is awaited before a text.
const QUIET_LIMIT: Duration = Duration::from_secs(3);
/// How long an echo is awaited.
const ECHO_LIMIT: Duration = Duration::from_secs(1);

/// Who types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Author {
    /// The role.
    Role,
    /// A person, who sees what comes back: neither silence nor an echo is awaited for them.
    Person,
}

/// Types texts one after the other, slowly where a board cannot take them faster.
#[derive(Debug, Default)]
pub struct Typist {
    pacing: Pacing,
    queue: VecDeque<Text>,
    bytes: usize,
    /// The end of the pause after what was typed last.
    due: Duration,
    /// What has to come back, and until when.
    echo: Echoed,
    echo_until: Duration,
}

#[derive(Debug)]
struct Text {
    typed: Typed,
    author: Author,
    /// Bytes of it that have been typed.
    done: usize,
    /// When it became the next one.
    begun: Option<Duration>,
    /// Whether an echo of it was awaited in vain.
    unechoed: bool,
}

impl Typist {
    /// Types as a line wants it.
    pub fn new(pacing: Pacing) -> Typist {
        Typist { pacing, ..Typist::default() }
    }

    /// Adds a text; false, and it is left out, when too much is waiting: nobody takes it.
    pub fn add(&mut self, typed: Typed, author: Author) -> bool {
        let fits = self.bytes + typed.text.len() <= QUEUE;
        if fits {
            self.bytes += typed.text.len();
            self.queue.push_back(Text { typed, author, done: 0, begun: None, unechoed: false });
        }
        fits
    }

    /// Whether nothing is waiting.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Forgets what is waiting: the line takes nothing any more.
    pub fn clear(&mut self) {
        *self = Typist::new(self.pacing);
    }

    /// The line has said this.
    pub fn heard(&mut self, bytes: &[u8]) {
        self.echo.heard(bytes);
    }

    /// The bytes to be written now. The line has been silent since `silent`.
    pub fn next(&mut self, now: Duration, silent: Duration) -> Option<&[u8]> {
        if let Some(text) = self.queue.front_mut() {
            text.begun.get_or_insert(now);
        }
        if self.ready(silent)? > now {
            return None;
        }
        let text = self.queue.front_mut()?;
        if self.echo.is_awaited() {
            // Nothing comes back from a password's prompt, or from a board without echo.
            text.unechoed |= text.done > 0;
            self.echo = Echoed::default();
        }
        let rest = &text.typed.text[text.done..];
        let unit = match self.pacing.chunk {
            Some((bytes, _)) => bytes,
            None if text.awaits_echo(&self.pacing) || !text.typed.delay.is_zero() => 1,
            None => rest.len(),
        };
        Some(&rest[..unit.min(rest.len())])
    }

    /// So many of them have been written.
    pub fn wrote(&mut self, count: usize, now: Duration) {
        let Some(text) = self.queue.front_mut().filter(|_| count > 0) else { return };
        let written = &text.typed.text[text.done..text.done + count];
        self.echo = if text.awaits_echo(&self.pacing) { Echoed::of(written) } else { Echoed::default() };
        self.echo_until = now + ECHO_LIMIT;
        self.due = now;
        if !self.echo.is_awaited() {
            self.due += self.pacing.chunk.map_or(text.typed.delay, |(_, pause)| pause);
        }
        text.done += count;
        self.bytes -= count;
        if text.done >= text.typed.text.len() {
            self.queue.pop_front();
        }
    }

    /// When the next bytes are due after a pause; none when nothing waits for time to pass.
    pub fn due(&self, now: Duration, silent: Duration) -> Option<Duration> {
        self.ready(silent).filter(|&ready| ready > now)
    }

    /// When the next bytes may be written, as far as is known now.
    fn ready(&self, silent: Duration) -> Option<Duration> {
        let text = self.queue.front()?;
        let echoed = if self.echo.is_awaited() { self.echo_until } else { Duration::ZERO };
        let ready = self.due.max(echoed);
        Some(match (self.pacing.quiet, text.begun) {
            (Some(quiet), Some(begun)) if text.done == 0 && text.author == Author::Role => {
                ready.max((silent + quiet).min(begun + QUIET_LIMIT))
            }
            _ => ready,
        })
    }
}

impl Text {
    fn awaits_echo(&self, pacing: &Pacing) -> bool {
        let secret = self.typed.secret == Secret::Yes;
        pacing.echo == Echo::Awaited && self.author == Author::Role && !secret && !self.unechoed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str, delay: u64) -> Typed {
        Typed { text: text.into(), delay: Duration::from_millis(delay), secret: Secret::No }
    }

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn typist(pacing: &str, text: &str, delay: u64) -> Typist {
        let mut typist = Typist::new(pacing.parse().unwrap_or_default());
        assert!(typist.add(typed(text, delay), Author::Role));
        typist
    }

    /// Types on a line that was silent all the time and sends nothing back; gives when each piece went out, in ms.
    fn pieces(typist: &mut Typist) -> Vec<(u128, String)> {
        let (mut now, mut pieces) = (at(0), Vec::new());
        loop {
            while let Some(bytes) = typist.next(now, at(0)) {
                pieces.push((now.as_millis(), String::from_utf8(bytes.to_vec()).unwrap()));
                let count = bytes.len();
                typist.wrote(count, now);
            }
            let Some(due) = typist.due(now, at(0)) else { return pieces };
            now = due;
        }
    }

    /// Until when nothing is typed, if anything is to be.
    fn waits(typist: &mut Typist, now: u64, silent: u64) -> Option<Duration> {
        assert_eq!(typist.next(at(now), at(silent)), None);
        typist.due(at(now), at(silent))
    }

    fn listed(pieces: &[(u128, &str)]) -> Vec<(u128, String)> {
        pieces.iter().map(|(at, piece)| (*at, (*piece).to_owned())).collect()
    }

    #[test]
    fn a_text_without_delay_goes_out_at_once_and_may_be_taken_in_parts() {
        let mut typist = typist("", "boot\n", 0);
        assert_eq!(typist.next(at(0), at(0)), Some(b"boot\n".as_slice()));
        typist.wrote(2, at(0));
        assert_eq!(typist.next(at(0), at(0)), Some(b"ot\n".as_slice()));
        typist.wrote(3, at(0));
        assert_eq!(waits(&mut typist, 0, 0), None);
    }

    #[test]
    fn a_pause_follows_each_character_also_the_last() {
        let mut typist = typist("", "ab", 10);
        typist.add(typed("c", 0), Author::Role);
        assert_eq!(pieces(&mut typist), listed(&[(0, "a"), (10, "b"), (20, "c")]));
    }

    #[test]
    fn chunks_are_typed_with_a_pause_after_each() {
        let mut typist = typist("chunk:4:20", "setenv a\n", 7);
        assert_eq!(pieces(&mut typist), listed(&[(0, "sete"), (20, "nv a"), (40, "\n")]));
    }

    #[test]
    fn what_has_come_back_lets_the_next_go_out() {
        let mut typist = typist("echo", "ls\n", 5);
        for (now, byte, echo) in [(0, b"l", b"[ 1.0] x\r\nl".as_slice()), (3, b"s", b"s"), (4, b"\n", b"\r\n")] {
            assert_eq!(typist.next(at(now), at(0)), Some(byte.as_slice()));
            typist.wrote(1, at(now));
            assert_eq!(typist.next(at(now + 400), at(0)), None);
            typist.heard(echo);
        }
        assert!(typist.is_empty());
    }

    #[test]
    fn chunks_come_back_too() {
        let mut typist = typist("echo,chunk:3:50", "abcdef", 0);
        assert_eq!(typist.next(at(0), at(0)), Some(b"abc".as_slice()));
        typist.wrote(3, at(0));
        typist.heard(b"ab");
        assert_eq!(waits(&mut typist, 1, 0), Some(at(1000)));
        typist.heard(b"c");
        assert_eq!(typist.next(at(2), at(0)), Some(b"def".as_slice()));
    }

    #[test]
    fn a_line_without_echo_is_waited_for_once_in_a_text_and_not_for_a_password() {
        let mut typist = typist("echo", "abc", 10);
        typist.add(Typed { secret: Secret::Yes, ..typed("pw", 0) }, Author::Role);
        assert_eq!(pieces(&mut typist), listed(&[(0, "a"), (1000, "b"), (1010, "c"), (1020, "pw")]));
    }

    #[test]
    fn silence_is_awaited_before_a_text_and_not_for_ever() {
        let mut typist = typist("quiet:100", "ab", 0);
        assert_eq!(waits(&mut typist, 1000, 950), Some(at(1050)));
        assert_eq!(typist.next(at(1050), at(1040)), None);
        assert_eq!(typist.next(at(1140), at(1040)), Some(b"ab".as_slice()));
        typist.wrote(1, at(1140));
        assert_eq!(typist.next(at(1140), at(1140)), Some(b"b".as_slice()));
        typist.wrote(1, at(1140));
        typist.add(typed("c", 0), Author::Role);
        assert_eq!(typist.next(at(2000), at(2000)), None);
        assert_eq!(waits(&mut typist, 4999, 4998), Some(at(5000)));
        assert_eq!(typist.next(at(5000), at(4999)), Some(b"c".as_slice()));
    }

    #[test]
    fn what_a_person_types_waits_for_nothing_but_the_pauses() {
        let mut typist = Typist::new("quiet:100,echo,chunk:1:20".parse().unwrap());
        typist.add(typed("vi", 0), Author::Person);
        assert_eq!(pieces(&mut typist), listed(&[(0, "v"), (20, "i")]));
    }

    #[test]
    fn a_board_that_takes_nothing_is_noticed() {
        let mut typist = Typist::default();
        assert!(typist.add(typed(&"x".repeat(QUEUE), 0), Author::Role));
        assert!(!typist.add(typed("y", 0), Author::Role));
    }
}
