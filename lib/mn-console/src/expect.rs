//! Waiting for one of several patterns in what a console prints; what comes after the match stays for the next wait.
//!
//! A pattern that the automaton does not take is found when its line has ended, or the line is silent; to such a match
//! all belongs that has come by then.

use std::time::Duration;

use crate::lines::before_sequences;
use crate::matcher::{Matcher, Patterns};
use crate::window::Window;

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
    window: Window,
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
        self.window.wait(patterns.windowed());
        self.text.clear();
    }

    /// Looks at what has come, calling `seen` with each byte that is passed, and stops after the first match.
    pub fn find(&mut self, mut seen: impl FnMut(&[u8])) -> Option<Hit> {
        let matcher = self.matcher.as_mut()?;
        let (mut used, mut found) = (0, None);
        while found.is_none() && used < self.unread.len() {
            let rest = &self.unread[used..];
            let piece = &rest[..self.window.until_search(rest)];
            let walked = matcher.feed(piece);
            let passed = &piece[..walked.map_or(piece.len(), |found| found.used)];
            self.text.extend_from_slice(passed);
            keep_end(&mut self.text, WINDOW);
            used += passed.len();
            found = walked.map(|found| found.pattern);
            if found.is_none() && piece.ends_with(b"\n") {
                found = self.window.search(&self.text);
            }
        }
        seen(&self.unread[..used]);
        self.unread.drain(..used);
        found.map(|pattern| self.hit(pattern))
    }

    /// What has come if nothing follows; to be asked when the line has been silent for a moment.
    pub fn quiet(&mut self) -> Option<Hit> {
        let matcher = self.matcher.as_mut()?;
        let walked = matcher.quiet().map(|found| found.pattern);
        let found = first(walked, self.window.search(&self.text)).or_else(|| {
            // The board may have put terminal sequences behind its prompt.
            let shown = before_sequences(&self.text);
            if shown.len() == self.text.len() {
                return None;
            }
            first(at_end(matcher, shown), self.window.search(shown))
        })?;
        Some(self.hit(found))
    }

    /// What is to be warned of, once: a search that took too many steps.
    pub fn take_warning(&mut self) -> Option<String> {
        self.window.take_warning()
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

/// What matches at the end of the text, and not before.
fn at_end(matcher: &Matcher, text: &[u8]) -> Option<usize> {
    let mut again = matcher.afresh();
    if again.feed(text).is_some() { None } else { again.quiet().map(|found| found.pattern) }
}

/// Of two patterns that are found together the first in the list.
fn first(one: Option<usize>, other: Option<usize>) -> Option<usize> {
    one.into_iter().chain(other).min()
}

fn keep_end(bytes: &mut Vec<u8>, limit: usize) {
    if bytes.len() > limit {
        bytes.drain(..bytes.len() - limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn waiting(patterns: &[&str]) -> Expect {
        let mut expect = Expect::default();
        expect.wait(&Patterns::new(patterns).unwrap());
        expect
    }

    /// What is found when the bytes come in these reads, and then nothing.
    fn found(patterns: &[&str], reads: &[&[u8]]) -> Option<Hit> {
        let mut expect = waiting(patterns);
        let read = |read: &&[u8]| {
            expect.push(read);
            expect.find(|_| ())
        };
        let hit = reads.iter().find_map(read);
        hit.or_else(|| expect.quiet())
    }

    #[test]
    fn a_pattern_that_looks_around_is_found_when_its_line_ends_or_is_silent() {
        let mut expect = waiting(&["login:(?! incorrect)", "never"]);
        expect.push(b"login: incorrect\r\nlast ");
        assert_eq!((expect.find(|_| ()), expect.quiet()), (None, None));
        expect.push(b"login: x\r\nboard:");
        let text = b"login: incorrect\r\nlast login: x\r\n".to_vec();
        assert_eq!(expect.find(|_| ()), Some(Hit { pattern: 0, text }));
        assert_eq!(expect.take_unread(), b"board:");
        let silent = found(&["never", "(?<!#)# $"], &[b"## Flattened\r\n", b"board:~# \x1b[6n"]);
        assert_eq!(silent.map(|hit| hit.pattern), Some(1));
        assert_eq!(found(&["(?<!#)# $"], &[b"board:~## "]), None);
    }

    #[test]
    fn a_pattern_that_refers_back_stands_beside_others() {
        let patterns = [r"(\w+) is \1", "panic"];
        assert_eq!(found(&patterns, &[b"this is that\n", b"that is that\n"]).unwrap().pattern, 0);
        assert_eq!(
            found(&patterns, &[b"this is that\n", b"panic, and that is that\n"]).unwrap().text,
            b"this is that\npanic"
        );
    }

    #[test]
    fn a_match_may_begin_seven_lines_before_its_last() {
        let lines = |count| [b"first", "\n".repeat(count).as_bytes(), b"last\n"].concat();
        assert_eq!(found(&["first.*(?!x)last"], &[&lines(7)]).map(|hit| hit.pattern), Some(0));
        assert_eq!(found(&["first.*(?!x)last"], &[&lines(8)]), None);
    }

    #[test]
    fn a_text_that_has_lost_its_beginning_has_none() {
        let long = [b'x'; WINDOW];
        assert_eq!(found(&["^(?!y)x"], &[b"y", &long, b"\n"]), None);
        assert_eq!(found(&["^(?!y)x"], &[b"x\n"]).map(|hit| hit.pattern), Some(0));
    }

    #[test]
    fn a_search_without_end_is_given_up_and_the_others_go_on() {
        let mut expect = waiting(&[r"(a|aa)+\1b", "(?!x)login:"]);
        let line = [[b'a'; 5000].as_slice(), b"\n"].concat();
        let mut warnings = Vec::new();
        for _ in 0..100 {
            expect.push(&line);
            assert_eq!(expect.find(|_| ()), None);
            warnings.extend(expect.take_warning());
        }
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[1].starts_with(r"the pattern '(a|aa)+\\1b' is given up"), "{warnings:?}");
        expect.push(b"login:\n");
        assert_eq!(expect.find(|_| ()).map(|hit| hit.pattern), Some(1));
    }

    #[test]
    fn searches_that_take_their_steps_slowly_are_given_up() {
        // Each search takes fewer steps than it may, and each step compares hundreds of bytes.
        let mut expect = waiting(&[r"(.*)\1login:", "(?!x)login:"]);
        let line = [[b'a'; 170].as_slice(), b"\n"].concat();
        let mut warning = None;
        for _ in 0..2000 {
            expect.push(&line);
            assert_eq!(expect.find(|_| ()), None);
            warning = warning.or(expect.take_warning());
        }
        assert_eq!(warning.unwrap(), r"the pattern '(.*)\\1login:' is given up: its searches take too long");
        expect.push(b"login:\n");
        assert_eq!(expect.find(|_| ()).map(|hit| hit.pattern), Some(1));
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_into_reads_changes_nothing(
            text in "[ab#\n\r ]{0,40}",
            cuts in proptest::collection::vec(0usize..40, 0..6),
        ) {
            let patterns = ["(?<!#)# $", r"(a|b)\1\n", "b#", "^a(?= )", r"(?<=a)\n(?!a)"];
            let whole = found(&patterns, &[text.as_bytes()]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).chain([0, text.len()]).collect();
            cuts.sort_unstable();
            let reads: Vec<&[u8]> = cuts.windows(2).map(|cut| &text.as_bytes()[cut[0]..cut[1]]).collect();
            prop_assert_eq!(&found(&patterns, &reads), &whole);
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            prop_assert_eq!(&found(&patterns, &bytes), &whole);
        }
    }

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
