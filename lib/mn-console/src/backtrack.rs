//! Patterns that no automaton takes: with look-around, back-references and whatever else has to be tried step by step.
//!
//! They are searched for in a text that is at hand, in bounded memory and a bounded number of steps.

use fancy_regex::{CompileError, Error, Regex, RegexBuilder};

/// Bytes that a part of a pattern may take that an automaton does take.
const PART_BYTES: usize = 1 << 20;
/// Instructions that a pattern may take.
const INSTRUCTIONS: usize = 100_000;
/// Steps back after which a search ends.
const STEPS: usize = 1_000_000;
/// Searches that may end so; then the pattern is no longer looked for, or the console would not be read in time.
const SEARCHES: u32 = 20;

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
            error => error.to_string(),
        },
        error => error.to_string(),
    };
    // A part's error comes with a picture of several lines; the last one says it in words.
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

/// The searches that took too many steps.
#[derive(Debug, Default)]
pub(crate) struct Excess {
    searches: u32,
}

impl Excess {
    /// Whether there have been too many of them.
    pub(crate) fn is_too_much(&self) -> bool {
        self.searches >= SEARCHES
    }

    /// Counts one; gives what is to be said of it, which is little more than once.
    pub(crate) fn count(&mut self, regex: &Regex) -> Option<String> {
        self.searches = self.searches.saturating_add(1);
        let pattern = regex.as_str().escape_debug();
        match self.searches {
            1 => Some(format!("a match may be missing: a search with the pattern '{pattern}' took too many steps")),
            SEARCHES => Some(format!("the pattern '{pattern}' is given up: {SEARCHES} searches took too many steps")),
            _ => None,
        }
    }
}
