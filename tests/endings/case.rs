//! What is done to a run, and how it has to end.

use nix::sys::signal::Signal;
use std::time::Duration;

/// A row of the table in mn-exit(7).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What was done, or went wrong.
    pub cause: String,
    /// The line of the first cause after its moment: `ID` stands for a member's number, `...` for anything.
    pub message: String,
    /// The exit status of mn-run.
    pub status: i32,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Case {
    pub row: Row,
    /// The member that the cause is of, where the row does not say.
    pub member: Option<u32>,
    pub cause: Cause,
    /// Lines of the job or of the device's dictionary: what is replaced, and by what.
    pub edits: Vec<(String, String)>,
    /// Where a cause that is no strike is seen: a file of the run directory, and what the line has.
    pub mark: Option<(&'static str, &'static str)>,
    /// What tells it where only a time can: the name of the limit, and how long it is.
    pub told_by: Option<(&'static str, Duration)>,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// mn-run gets a signal.
    Signal(Signal),
    /// The tool is killed: of the case's member, or of none.
    Kill(&'static str),
    /// The board has a fault.
    Fault(&'static str),
    /// The run directory is on a small disk.
    FullDisk,
    /// The job or the dictionary is such.
    Itself,
}

impl Case {
    /// A case without peculiarities.
    pub fn new(cause: &str, done: Cause, status: i32, message: &str) -> Self {
        let row = Row { cause: cause.to_owned(), message: message.to_owned(), status };
        Self { row, member: None, cause: done, edits: Vec::new(), mark: None, told_by: None }
    }

    /// Whether it comes at a moment of our choice.
    pub fn is_strike(&self) -> bool {
        matches!(self.cause, Cause::Signal(_) | Cause::Kill(_))
    }

    /// Its name: the row's, and the member where the row has several.
    pub fn name(&self) -> String {
        match self.member {
            Some(member) if self.row.message.contains("(guest)") => format!("{}: member {member}", self.row.cause),
            _ => self.row.cause.clone(),
        }
    }
}
