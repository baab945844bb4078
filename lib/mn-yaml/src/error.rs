//! Where something is, and what is wrong there.

use std::fmt;

/// A place in a file, counted from 1 as editors do; columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// A reason why a file, or a value in it, cannot be used. Prints as `LINE:COLUMN: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where the trouble begins.
    pub position: Position,
    /// What is wrong, lower case, with the mend where there is one.
    pub message: String,
}

/// Something accepted that its author may not have meant. Prints as `LINE:COLUMN: message`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The place it is about.
    pub position: Position,
    /// What was found and what was made of it.
    pub message: String,
}

impl Position {
    /// The first character of a file.
    pub const START: Position = Position { line: 1, column: 1 };
}

impl Error {
    /// An error at `position`.
    pub fn new(position: Position, message: impl Into<String>) -> Self {
        Error { position, message: message.into() }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.message)
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.position, self.message)
    }
}

impl std::error::Error for Error {}
