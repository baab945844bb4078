//! Waiting for one of several patterns in what a console prints; what comes after the match stays for the next wait.

use std::time::Duration;

use crate::lines::before_sequences;
use crate::matcher::{Found, Matcher, Patterns};

/// Bytes of text kept up to a match: LAVA's window.
pub const WINDOW: usize = 8184;
/// Bytes kept while nothing is waited for; of more the oldest are dropped.
pub const UNREAD: usize = 64 * 1024;

/// Silence after which a pattern that asks for the end of the text may match.
const QUIET: Duration = Duration::from_millis(100);

/// Whether the line has been silent for so long that [`Expect::quiet`] is to be asked.
#[derive(Debug)]
pub(crate) struct Silence {
    /// When the last byte came.
    pub(crate) since: Duration,
    asked: bool,
}

impl Default for Silence {
    /// Nothing has come that could be asked for.
    fn default() -> Silence {
        Silence { since: Duration::ZERO, asked: true }
    }
}

impl Silence {
    /// Bytes have come.
    pub(crate) fn broken(&mut self, now: Duration) {
        *self = Silence { since: now, asked: false };
    }

    /// When it has lasted, until it was asked.
    pub(crate) fn due(&self) -> Option<Duration> {
        (!self.asked).then(|| self.since + QUIET)
    }

    /// Whether it has lasted; true once.
    pub(crate) fn lasts(&mut self, now: Duration) -> bool {
        let lasts = self.due().is_some_and(|due| now >= due);
        self.asked |= lasts;
        lasts
    }
}

/// What was waited for has come.
#[derive(Debug, PartialEq, Eq)]
pub struct Hit {
    /// The pattern's place in the list.
    pub pattern: usize,
    /// The text since the wait began, the match included; its last [`WINDOW`] bytes.
    pub text: Vec<u8>,
}

/// A console's bytes, and what is waited for in them.
#[derive(Debug, Default)]
pub struct Expect {
    unread: Vec<u8>,
    text: Vec<u8>,
    matcher: Option<Matcher>,
}

impl Expect {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.unread.extend_from_slice(bytes);
        if self.matcher.is_none() {
            keep_end(&mut self.unread, UNREAD);
        }
    }

    /// Waits for one of `patterns`, from what has not been looked at.
    pub fn wait(&mut self, patterns: &Patterns) {
        self.matcher = Some(Matcher::new(patterns));
        self.text.clear();
    }

    /// Looks at what has come, calling `seen` with each byte that is passed, and stops after the first match.
    pub fn find(&mut self, mut seen: impl FnMut(&[u8])) -> Option<Hit> {
        let matcher = self.matcher.as_mut()?;
        let found = matcher.feed(&self.unread);
        let used = found.map_or(self.unread.len(), |found| found.used);
        seen(&self.unread[..used]);
        self.text.extend(self.unread.drain(..used));
        keep_end(&mut self.text, WINDOW);
        found.map(|found| self.hit(found.pattern))
    }

    /// What has come if nothing follows; to be asked when the line has been silent for a moment.
    pub fn quiet(&mut self) -> Option<Hit> {
        let matcher = self.matcher.as_mut()?;
        let found = matcher.quiet().or_else(|| behind_sequences(matcher, &self.text))?;
        Some(self.hit(found.pattern))
    }

    fn hit(&mut self, pattern: usize) -> Hit {
        self.matcher = None;
        Hit { pattern, text: std::mem::take(&mut self.text) }
    }

    /// Bytes that have not been looked at.
    pub fn unread_len(&self) -> usize {
        self.unread.len()
    }

    /// Ends the waiting; gives what has not been looked at.
    pub fn take_unread(&mut self) -> Vec<u8> {
        self.matcher = None;
        std::mem::take(&mut self.unread)
    }
}

/// What matches at the end of the text but for terminal sequences.
fn behind_sequences(matcher: &Matcher, text: &[u8]) -> Option<Found> {
    let shown = before_sequences(text);
    let mut again = matcher.afresh();
    if shown.len() == text.len() || again.feed(shown).is_some() { None } else { again.quiet() }
}

fn keep_end(bytes: &mut Vec<u8>, limit: usize) {
    if bytes.len() > limit {
        bytes.drain(..bytes.len() - limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_a_match_stays_for_the_next_wait() {
        let mut expect = Expect::default();
        expect.push(b"grub> error: no such device\r\ngrub> ");
        expect.wait(&Patterns::new(&["grub>"]).unwrap());
        assert_eq!(expect.find(|_| ()), Some(Hit { pattern: 0, text: b"grub>".to_vec() }));
        expect.wait(&Patterns::new(&["grub>", "error: no such device"]).unwrap());
        assert_eq!(expect.find(|_| ()).unwrap().pattern, 1);
        expect.wait(&Patterns::new(&["grub>"]).unwrap());
        assert_eq!(expect.find(|_| ()).unwrap().text, b"\r\ngrub>");
        assert_eq!(expect.take_unread(), b" ");
    }

    #[test]
    fn a_prompt_that_ends_the_text_may_have_terminal_sequences_behind_it() {
        let mut expect = Expect::default();
        expect.wait(&Patterns::new(&["# $"]).unwrap());
        expect.push(b"## Flattened\r\n\x1b[1m# \x1b[0mDevice");
        assert_eq!((expect.find(|_| ()), expect.quiet()), (None, None));
        expect.push(b"\r\n# \x1b[6n");
        assert_eq!(expect.find(|_| ()), None);
        assert_eq!(expect.quiet().map(|hit| hit.pattern), Some(0));
    }

    #[test]
    fn bytes_that_a_match_has_not_reached_are_not_seen() {
        let mut expect = Expect::default();
        let mut passed = Vec::new();
        expect.wait(&Patterns::new(&["login:"]).unwrap());
        expect.push(b"boot\nlogin: later");
        expect.find(|bytes| passed.extend_from_slice(bytes));
        assert_eq!(passed, b"boot\nlogin:");
    }

    #[test]
    fn a_board_that_talks_for_ever_takes_bounded_memory() {
        let mut expect = Expect::default();
        for _ in 0..100 {
            expect.push(&[b'x'; 4096]);
        }
        assert_eq!(expect.unread.len(), UNREAD);
        expect.wait(&Patterns::new(&["y"]).unwrap());
        for _ in 0..100 {
            expect.push(&[b'x'; 4096]);
            assert_eq!(expect.find(|_| ()), None);
        }
        expect.push(b"y");
        assert_eq!(expect.find(|_| ()).unwrap().text.len(), WINDOW);
    }
}
