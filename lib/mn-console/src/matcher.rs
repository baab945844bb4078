//! Several regular expressions at once over a stream, each byte looked at once.
//!
//! One lazily built automaton carries its state across reads, so a match does not depend on how the bytes were cut
//! into reads, and a board that prints gigabytes costs no more memory than one that prints nothing. The match that
//! ends first in the stream wins; of those that end together, the pattern that stands first in the list.
//! As in LAVA `.` matches a newline. What the automaton cannot take, look-around and back-references, is set aside for a
//! search in a window of the text.

use std::fmt;
use std::sync::Arc;

use regex_automata::Anchored;
use regex_automata::MatchKind;
use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, NFA};
use regex_automata::util::start;
use regex_automata::util::syntax;
use regex_syntax::Error as Refused;
use regex_syntax::ast::ErrorKind as Kind;

use crate::window::Windowed;

/// Memory the automaton's states may take, in bytes; past it they are forgotten and built again.
const CACHE_BYTES: usize = 1 << 20;
/// Memory a compiled list of patterns may take, in bytes; past it the list is refused.
const PROGRAM_BYTES: usize = 4 << 20;

/// A pattern that cannot be waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadPattern {
    /// The pattern as it was given.
    pub pattern: String,
    /// Why, in a few words.
    pub reason: String,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use the pattern '{}': {}", self.pattern.escape_debug(), self.reason)
    }
}

impl std::error::Error for BadPattern {}

/// A list of patterns, compiled.
#[derive(Debug, Clone)]
pub struct Patterns {
    dfa: DFA,
    /// The automaton's patterns, in the order of the list.
    walked: Vec<Walked>,
    /// The others.
    windowed: Arc<[Windowed]>,
}

/// A pattern that the automaton takes.
#[derive(Debug, Clone, Copy)]
struct Walked {
    /// Its place in the list.
    place: usize,
    /// Whether it can be decided without the byte that follows it (no `$`, no `\b`).
    settled: bool,
}

impl Patterns {
    /// Compiles `patterns`; a match names one of them by its place in the list.
    ///
    /// # Errors
    /// The first pattern that is no regular expression, that the empty text matches (it would say nothing), or that
    /// makes the list too large.
    pub fn new<P: AsRef<str>>(patterns: &[P]) -> Result<Patterns, BadPattern> {
        let (mut programs, mut walked, mut windowed) = (Vec::new(), Vec::new(), Vec::new());
        for (place, pattern) in patterns.iter().enumerate() {
            let text = pattern.as_ref();
            let takes_nothing = match parse(text) {
                Ok(program) => {
                    let properties = program.properties();
                    let takes_nothing = properties.minimum_len().unwrap_or(0) == 0;
                    walked.push(Walked { place, settled: properties.look_set().is_empty() });
                    programs.push(program);
                    takes_nothing
                }
                Err(error) => {
                    let aside = set_aside(place, text, &error)?;
                    let takes_nothing = aside.takes_nothing();
                    windowed.push(aside);
                    takes_nothing
                }
            };
            if takes_nothing {
                return Err(bad(text, &"it matches the empty text"));
            }
        }
        let all = || patterns.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("' and '");
        let nfa = compile(&programs).map_err(|error| bad(&all(), &error))?;
        let config =
            DFA::config().match_kind(MatchKind::All).cache_capacity(CACHE_BYTES).skip_cache_capacity_check(true);
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa).map_err(|error| bad(&all(), &error))?;
        Ok(Patterns { dfa, walked, windowed: windowed.into() })
    }

    /// Those that are searched for in a window.
    pub(crate) fn windowed(&self) -> &Arc<[Windowed]> {
        &self.windowed
    }

    /// Whether one of them is looked for line by line, in a window of the text, and not byte by byte.
    pub fn need_window(&self) -> bool {
        !self.windowed.is_empty()
    }
}

/// A pattern for people: in quotes, and how it is looked for if the automaton does not take it.
pub(crate) fn quoted(pattern: &str) -> String {
    let how = if parse(pattern).is_ok() { "" } else { " (looked for line by line)" };
    format!("'{pattern}'{how}")
}

/// A pattern that the automaton refuses, for a search in a window.
fn set_aside(place: usize, text: &str, refused: &Refused) -> Result<Windowed, BadPattern> {
    let kind = match refused {
        Refused::Parse(error) => Some(error.kind()),
        _ => None,
    };
    match kind {
        // The other engine takes them, though hardly anybody can mean them.
        Some(Kind::GroupNameDuplicate { .. } | Kind::RepetitionCountInvalid) => Err(bad(text, refused)),
        Some(Kind::UnsupportedLookAround | Kind::UnsupportedBackreference) => {
            Windowed::new(place, text).map_err(|reason| bad(text, &reason))
        }
        _ => Windowed::new(place, text).map_err(|_| bad(text, refused)),
    }
}

fn bad(pattern: &str, reason: &dyn fmt::Display) -> BadPattern {
    // The regex crates draw a picture of several lines; the last one says it in words.
    let reason = reason.to_string();
    let last = reason.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it is not valid");
    BadPattern { pattern: pattern.to_owned(), reason: last.trim().trim_start_matches("error: ").to_owned() }
}

/// Bytes first; a pattern with other than ASCII letters in a class is only understood as Unicode.
fn parse(text: &str) -> Result<regex_syntax::hir::Hir, Box<Refused>> {
    let config = syntax::Config::new().dot_matches_new_line(true).utf8(false);
    syntax::parse_with(text, &config.unicode(false))
        .or_else(|error| syntax::parse_with(text, &config.unicode(true)).map_err(|_| Box::new(error)))
}

fn compile(programs: &[regex_syntax::hir::Hir]) -> Result<NFA, Box<thompson::BuildError>> {
    let config = thompson::Config::new()
        .utf8(false)
        .nfa_size_limit(Some(PROGRAM_BYTES))
        .which_captures(thompson::WhichCaptures::None);
    thompson::Compiler::new().configure(config).build_many_from_hir(programs).map_err(Box::new)
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The pattern's place in the list.
    pub pattern: usize,
    /// How many of the bytes just fed belong to the match or come before it; the rest has not been looked at.
    pub used: usize,
}

/// A walk along a stream, up to the first match.
#[derive(Debug)]
pub struct Matcher {
    patterns: Patterns,
    cache: Cache,
    /// None when the automaton gave up; it has no reason to, since neither quit bytes nor a limit of clearings are set.
    state: Option<LazyStateID>,
}

impl Matcher {
    /// Starts before the first byte.
    pub fn new(patterns: &Patterns) -> Matcher {
        let patterns = patterns.clone();
        let mut cache = patterns.dfa.create_cache();
        let start = start::Config::new().anchored(Anchored::No);
        let state = patterns.dfa.start_state(&mut cache, &start).ok();
        Matcher { patterns, cache, state }
    }

    /// The same walk from before the first byte.
    pub fn afresh(&self) -> Matcher {
        Matcher::new(&self.patterns)
    }

    /// Walks over `bytes` and stops at the first match. A match on the last of them is found at once unless the
    /// pattern asks what follows (`$`, `\b`); then it is found with the next byte, or by [`Matcher::quiet`].
    pub fn feed(&mut self, bytes: &[u8]) -> Option<Found> {
        let mut state = self.state?;
        for (at, &byte) in bytes.iter().enumerate() {
            let next = self.step(state, byte);
            self.state = next;
            state = next?;
            // The automaton reports a match one byte after its end.
            if state.is_match()
                && let Some(found) = first_match(&self.patterns, &self.cache, state)
            {
                return Some(Found { pattern: found.place, used: at });
            }
        }
        let found = self.at_end()?;
        found.settled.then_some(Found { pattern: found.place, used: bytes.len() })
    }

    /// The next state: most have been met before, and need no more than a look into the table.
    fn step(&mut self, state: LazyStateID, byte: u8) -> Option<LazyStateID> {
        if !state.is_tagged() {
            let next = self.patterns.dfa.next_state_untagged(&self.cache, state, byte);
            if !next.is_unknown() {
                return Some(next);
            }
        }
        self.patterns.dfa.next_state(&mut self.cache, state, byte).ok()
    }

    /// What has matched if nothing follows. To be asked when the line has been silent for a moment.
    pub fn quiet(&mut self) -> Option<Found> {
        self.at_end().map(|found| Found { pattern: found.place, used: 0 })
    }

    fn at_end(&mut self) -> Option<Walked> {
        let state = self.state?;
        // The look ahead may make the cache forget the state the walk goes on from: near its limit use a copy.
        let mut copy;
        let cache = if self.cache.memory_usage() > CACHE_BYTES / 2 {
            copy = self.cache.clone();
            &mut copy
        } else {
            &mut self.cache
        };
        let end = self.patterns.dfa.next_eoi_state(cache, state).ok()?;
        first_match(&self.patterns, cache, end)
    }
}

fn first_match(patterns: &Patterns, cache: &Cache, state: LazyStateID) -> Option<Walked> {
    if !state.is_match() {
        return None;
    }
    let matches = 0..patterns.dfa.match_len(cache, state);
    let first = matches.map(|at| patterns.dfa.match_pattern(cache, state, at).as_usize()).min()?;
    patterns.walked.get(first).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matcher(patterns: &[&str]) -> Matcher {
        Matcher::new(&Patterns::new(patterns).unwrap())
    }

    /// The place where a match is found when the text arrives in the given reads, and which it is.
    fn first(patterns: &[&str], reads: &[&[u8]]) -> Option<(usize, usize)> {
        let mut matcher = matcher(patterns);
        let mut before = 0;
        for read in reads {
            if let Some(found) = matcher.feed(read) {
                return Some((found.pattern, before + found.used));
            }
            before += read.len();
        }
        matcher.quiet().map(|found| (found.pattern, before))
    }

    #[test]
    fn a_prompt_at_the_end_of_a_read_is_found_at_once() {
        assert_eq!(matcher(&["login: "]).feed(b"board login: "), Some(Found { pattern: 0, used: 13 }));
    }

    #[test]
    fn a_pattern_that_asks_for_the_end_waits_for_silence() {
        let mut matcher = matcher(&["# $"]);
        assert_eq!(matcher.feed(b"## Flattened # "), None);
        assert_eq!(matcher.feed(b"Device Tree\r\nroot# "), None);
        assert_eq!(matcher.quiet(), Some(Found { pattern: 0, used: 0 }));
    }

    #[test]
    fn the_match_that_ends_first_wins_and_then_the_list() {
        assert_eq!(first(&["prompt", "login"], &[b"login prompt"]), Some((1, 5)));
        assert_eq!(first(&["b", "ab"], &[b"xab"]), Some((0, 3)));
        assert_eq!(first(&["ab", "b"], &[b"xab"]), Some((0, 3)));
    }

    #[test]
    fn dots_match_newlines_and_bytes_that_are_no_text() {
        assert_eq!(first(&["a.b"], &[b"a\nb"]), Some((0, 3)));
        assert_eq!(first(&["a.b"], &[b"a\xffb"]), Some((0, 3)));
    }

    #[test]
    fn letters_beyond_ascii_can_be_waited_for() {
        assert_eq!(first(&["grün[äö]x"], &["grünöx".as_bytes()]), Some((0, 8)));
    }

    #[test]
    fn a_pattern_that_is_not_valid_is_named() {
        let error = Patterns::new(&["login:", "root@(board"]).unwrap_err();
        assert_eq!(error.to_string(), "cannot use the pattern 'root@(board': unclosed group");
        let error = Patterns::new(&[".*"]).unwrap_err();
        assert_eq!(error.to_string(), "cannot use the pattern '.*': it matches the empty text");
        let error = Patterns::new(&["(?=x)("]).unwrap_err();
        assert!(!error.reason.contains("look-around"), "{error}: look-around is not what is wrong");
        let error = Patterns::new(&["(?!x)"]).unwrap_err();
        assert_eq!(error.reason, "it matches the empty text");
    }

    #[test]
    fn a_pattern_that_would_take_all_memory_is_refused() {
        let error = Patterns::new(&["a{1000}{1000}{1000}"]).unwrap_err();
        assert!(error.reason.contains("limit"), "{}", error.reason);
    }

    #[test]
    fn memory_stays_bounded_however_many_states_the_text_asks_for() {
        let mut matcher = matcher(&["[ab][^z]{300}z", "needle"]);
        let mut seed = 1u32;
        for _ in 0..20 {
            let noise: Vec<u8> = (0..1000)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    b"abcd"[(seed >> 24) as usize % 4]
                })
                .collect();
            assert_eq!(matcher.feed(&noise), None);
        }
        assert!(matcher.cache.memory_usage() <= 2 * CACHE_BYTES, "{}", matcher.cache.memory_usage());
        assert_eq!(matcher.feed(b"needle"), Some(Found { pattern: 1, used: 6 }));
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_into_reads_changes_nothing(
            text in "[ab#$ \n]{0,40}",
            cuts in proptest::collection::vec(0usize..40, 0..6),
        ) {
            let patterns = ["ab#", "[#$] ", "b+a", "a\nb", "^a "];
            let whole = first(&patterns, &[text.as_bytes()]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            let mut reads = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([text.len()]) {
                reads.push(&text.as_bytes()[from..cut]);
                from = cut;
            }
            prop_assert_eq!(first(&patterns, &reads), whole);
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            prop_assert_eq!(first(&patterns, &bytes), whole);
        }
    }
}
