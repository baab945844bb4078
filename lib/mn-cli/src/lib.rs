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

use std::io::{ErrorKind, Write as _};
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
/// A usage error, status 2, with the hint that names `--help`; status 3 when the help cannot be written.
pub fn options<T: clap::Parser>() -> Result<T> {
    T::try_parse().map_err(|error| {
        if error.use_stderr() {
            return Error::usage(one_line(&error.to_string()));
        }
        match error.print().and_then(|()| std::io::stdout().flush()) {
            Ok(()) => std::process::exit(0),
            // A reader that has gone wants no more.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Error::silent(Status::Signal(13)),
            Err(error) => Error::lab(format_args!("cannot write the output: {}", reason(&error))),
        }
    })
}

/// What clap says over several lines: what is wrong, what belongs to it, and its tips; without the usage.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut lines = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    let first = lines.next().unwrap_or_default();
    let mut said = first.strip_prefix("error: ").unwrap_or(first).to_owned();
    let mut between = " ";
    for line in lines {
        match line.strip_prefix("tip: ") {
            Some(tip) => said = said + "; " + tip,
            None => said = said + std::mem::replace(&mut between, ", ") + line,
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_usage_error_names_what_is_wrong_in_one_line() {
        let missing = "error: the following required arguments were not provided:\n  --a <A>\n  <JOB>\n\n\
                       Usage: tool --a <A> <JOB>\n\nFor more information, try '--help'.\n";
        assert_eq!(one_line(missing), "the following required arguments were not provided: --a <A>, <JOB>");
        let value = "error: invalid value 'x' for '--form <F>'\n  [possible values: text, json]\n\n\
                     tip: a similar value exists: 'text'\n\nFor more information, try '--help'.\n";
        let said = "invalid value 'x' for '--form <F>' [possible values: text, json]; a similar value exists: 'text'";
        assert_eq!(one_line(value), said);
    }
}
