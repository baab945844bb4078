//! What every tool does around its work: read its options, call the work, report its error,
//! turn it into an exit status, and wait with deadlines and signals.
//!
//! This is the one library that prints, and only diagnostics: one line, one write(2), on standard error.

mod deadline;
mod diagnostic;
mod environment;
mod error;
mod hexadecimal;
mod progress;
mod signals;
mod status;

pub use deadline::Deadline;
pub use diagnostic::{escape, note, print_block, print_with_block, set_verbosity, warn};
pub use environment::path_variable;
pub use error::{Cannot, Error, Result, reason};
pub use hexadecimal::hexadecimal;
pub use progress::Progress;
pub use signals::Signals;
pub use status::Status;

use std::process::ExitCode;

/// Calls the work of a tool, reports its error as `tool: message`, and gives the exit status of mn-exit(7).
///
/// `tool` is the name that stands before each diagnostic.
pub fn run(tool: &'static str, work: impl FnOnce() -> Result<Status>) -> ExitCode {
    diagnostic::name(tool);
    let status = work().unwrap_or_else(|error| {
        error.report();
        error.status()
    });
    ExitCode::from(status.code())
}

/// Reads the command line into `T`.
///
/// `--help` and `--version` print on standard output and end the process with status 0.
///
/// # Errors
/// A usage error, status 2, with the hint that names `--help`.
pub fn options<T: clap::Parser>() -> Result<T> {
    T::try_parse().map_err(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        Error::usage(line.strip_prefix("error: ").unwrap_or(line))
    })
}
