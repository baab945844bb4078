//! Quoted values whose lines are not indented: LAVA's templates make them, PyYAML reads them, and the parser does not.
//!
//! The blanks at the beginning of such a line are no part of the value, so blanks are put there.

use std::collections::HashMap;

use saphyr_parser::{Marker, ScanError};

/// Values that are seen to in one file, at most.
const MOST: usize = 100;
/// What is read again for them, in bytes, at most.
const MOST_BYTES: usize = 64 << 20;

/// A text with deeper lines, and how many blanks were put before which of them, counted from 1.
#[derive(Debug, Default)]
pub struct Indented {
    added: HashMap<usize, usize>,
    values: usize,
}

impl Indented {
    /// Whether the parser's error is of this kind.
    pub fn mends(error: &ScanError) -> bool {
        error.info().contains("invalid indentation in quoted")
    }

    /// The text in which the lines of the value that begins at `quote` are indented; none when this is of no use.
    pub fn mend(&mut self, text: &str, quote: &Marker) -> Option<String> {
        self.values += 1;
        if self.values > MOST.min(MOST_BYTES / text.len().max(1)) {
            return None;
        }
        let start = text.char_indices().nth(quote.index())?.0;
        let end = start + length(&text[start..])?;
        let depth = text[..end].lines().map(|line| line.len() - line.trim_start_matches(' ').len()).max()? + 1;
        let mut mended = text[..start].to_owned();
        for (nth, line) in text[start..end].split_inclusive('\n').enumerate() {
            let is_marker = line.starts_with("---") || line.starts_with("...");
            if nth > 0 && !is_marker {
                mended.push_str(&" ".repeat(depth));
                *self.added.entry(quote.line() + nth).or_default() += depth;
            }
            mended.push_str(line);
        }
        mended.push_str(&text[end..]);
        Some(mended)
    }

    /// The column that a place in the mended text has in the file, counted from 1.
    pub fn column(&self, line: usize, column: usize) -> usize {
        column.saturating_sub(self.added.get(&line).copied().unwrap_or(0)).max(1)
    }
}

/// The bytes from a quote to the one that ends it, itself included.
fn length(text: &str) -> Option<usize> {
    let mut chars = text.char_indices();
    let (_, quote) = chars.next()?;
    let mut chars = chars.peekable();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' if quote == '"' => drop(chars.next()),
            '\'' if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') => drop(chars.next()),
            _ if char == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}
