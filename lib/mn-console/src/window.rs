//! Waiting for patterns that the automaton does not take, in the last lines of what a console prints.
//!
//! Whenever a line has ended, or the console is silent, they are searched for in the window: so how the bytes were cut
//! into reads changes nothing, and each byte is looked at no more than a few times.

use std::sync::Arc;

use fancy_regex::{BytesMode, Regex};

use crate::backtrack::{self, Excess, computed};
use crate::expect::WINDOW;

/// Lines, the last one included, in which a match may begin.
const LINES: usize = 8;

/// A pattern with its place in the list of those that are waited for.
#[derive(Debug, Clone)]
pub(crate) struct Windowed {
    place: usize,
    regex: Regex,
}

impl Windowed {
    /// Compiles a pattern with the automaton's meaning of dots and classes.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn new(place: usize, pattern: &str) -> Result<Windowed, String> {
        let compile = |mode| {
            backtrack::compile(pattern, |builder| {
                builder.dot_matches_new_line(true).bytes_mode(mode);
            })
        };
        let regex = compile(BytesMode::Ascii).or_else(|error| compile(BytesMode::UnicodeBytes).map_err(|_| error))?;
        Ok(Windowed { place, regex })
    }

    /// Whether the empty text is a match.
    pub(crate) fn takes_nothing(&self) -> bool {
        self.regex.is_match(b"".as_slice()).unwrap_or(true)
    }
}

/// The searches of one wait.
#[derive(Debug, Default)]
pub(crate) struct Window {
    patterns: Arc<[Windowed]>,
    excesses: Vec<Excess>,
    /// What is to be said of a search.
    warning: Option<String>,
}

impl Window {
    /// Waits for `patterns` from now on.
    pub(crate) fn wait(&mut self, patterns: &Arc<[Windowed]>) {
        self.patterns = Arc::clone(patterns);
        self.excesses = patterns.iter().map(|_| Excess::default()).collect();
    }

    /// How many of `bytes` may pass before the window is searched: to the end of the line, or all.
    pub(crate) fn until_search(&self, bytes: &[u8]) -> usize {
        let end = if self.patterns.is_empty() { None } else { bytes.iter().position(|byte| *byte == b'\n') };
        end.map_or(bytes.len(), |end| end + 1)
    }

    /// The place of the first pattern that matches in the last lines of `text`, which has its last [`WINDOW`] bytes.
    pub(crate) fn search(&mut self, text: &[u8]) -> Option<usize> {
        let from = if self.patterns.is_empty() { text.len() } else { last_lines(text) };
        for (Windowed { place, regex }, excess) in self.patterns.iter().zip(&mut self.excesses) {
            if excess.is_too_much() {
                continue;
            }
            let begun = computed();
            let found = regex.find_from_pos(text, from);
            self.warning = excess.count(regex, begun, &found).or(self.warning.take());
            if let Ok(Some(_)) = found {
                return Some(*place);
            }
        }
        None
    }

    /// What is to be said of the searches, and has not been said.
    pub(crate) fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }
}

/// Where the last lines begin; never at the beginning of a text that has lost its own, which `^` would match.
fn last_lines(text: &[u8]) -> usize {
    let ends = text.iter().enumerate().rev().skip(1).filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).nth(LINES - 1).unwrap_or(usize::from(text.len() >= WINDOW))
}
