//! Patterns that no automaton takes: with look-around, back-references and whatever else has to be tried step by step.
//!
//! They are searched for in a text that is at hand, in bounded memory and a bounded number of steps. A step may look at
//! all of the text, so the time that the searches take is bounded, too.

use std::time::Duration;

use fancy_regex::{CompileError, Error, Regex, RegexBuilder};
use nix::time::{ClockId, clock_gettime};

/// Bytes that a part of a pattern may take that an automaton does take.
const PART_BYTES: usize = 1 << 20;
/// Instructions that a pattern may take.
const INSTRUCTIONS: usize = 100_000;
/// Steps back after which a search ends.
const STEPS: usize = 1_000_000;
/// Searches that may end so; then the pattern is no longer looked for, or the console would not be read in time.
const SEARCHES: u32 = 20;
/// What a search may take: a hundred times what an ordinary one takes.
const FREE: Duration = Duration::from_millis(2);
/// What all searches together may take beyond that, for the same reason.
const PATIENCE: Duration = Duration::from_secs(2);

/// Compiles a pattern, with what `set` says of it.
///
/// # Errors
/// Why it cannot be used, in a few words.
pub(crate) fn compile(pattern: &str, set: impl FnOnce(&mut RegexBuilder)) -> Result<Regex, String> {
    let mut builder = RegexBuilder::new(pattern);
    builder.delegate_size_limit(PART_BYTES).max_prog_size(INSTRUCTIONS).backtrack_limit(STEPS);
    set(&mut builder);
    builder.build().map_err(|error| reason(&error))
}

/// In a few words, and without those that speak of the engine.
fn reason(error: &Error) -> String {
    let text = match error {
        Error::CompileError(error) => match error.as_ref() {
            CompileError::LookBehindNotConst | CompileError::VariableLookBehindRequiresFeature => {
                "a look-behind needs a fixed length".to_owned()
            }
            CompileError::PatternTooComplex => "it is too large".to_owned(),
            CompileError::InnerError(part) if part.size_limit().is_some() => "it is too large".to_owned(),
            CompileError::InnerError(part) => part.syntax_error().map_or(part.to_string(), ToString::to_string),
            error => error.to_string(),
        },
        error => error.to_string(),
    };
    // A part's error comes with a picture of several lines; the last one says it in words.
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// What this thread has computed so far. Unlike a clock it stands still while others compute.
pub(crate) fn computed() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// The searches with a pattern that took too much.
#[derive(Debug, Default)]
pub(crate) struct Excess {
    /// How many took too many steps.
    searches: u32,
    /// What all have taken beyond what each may take.
    time: Duration,
}

impl Excess {
    /// Whether it has been too much.
    pub(crate) fn is_too_much(&self) -> bool {
        self.searches >= SEARCHES || self.time >= PATIENCE
    }

    /// Counts a search before which [`computed`] was `begun`, and which gave `found`; gives what is to be said of it,
    /// which is little more than once.
    pub(crate) fn count<T>(
        &mut self,
        regex: &Regex,
        begun: Duration,
        found: &fancy_regex::Result<T>,
    ) -> Option<String> {
        self.time = (self.time + computed().saturating_sub(begun)).saturating_sub(FREE);
        self.searches = self.searches.saturating_add(u32::from(found.is_err()));
        let pattern = regex.as_str().escape_debug();
        if self.time >= PATIENCE {
            return Some(format!("the pattern '{pattern}' is given up: its searches take too long"));
        }
        match self.searches {
            _ if found.is_ok() => None,
            1 => Some(format!("a match may be missing: a search with the pattern '{pattern}' took too many steps")),
            SEARCHES => Some(format!("the pattern '{pattern}' is given up: {SEARCHES} searches took too many steps")),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_pattern_cannot_be_used_is_said_in_words() {
        let reason = |pattern| compile(pattern, |_| ()).unwrap_err();
        assert_eq!(reason("(?<=a*)b"), "a look-behind needs a fixed length");
        assert_eq!(reason("((a{1000}){1000}){1000}(?!x)"), "it is too large");
        assert_eq!(reason(r"(?!\p{Nonsense})a"), "Unicode property not found");
    }
}
