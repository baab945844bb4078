use crate::{Status, diagnostic};
use std::fmt::{self, Display};

/// What a tool's work gives.
pub type Result<T> = std::result::Result<T, Error>;

/// An error that carries its exit status and the lines to print.
#[derive(Debug)]
pub struct Error {
    status: Status,
    lines: Vec<String>,
    hint: Hint,
}

/// Whether the message is followed by the hint that names `--help`.
#[derive(Debug, PartialEq)]
enum Hint {
    Help,
    None,
}

impl Error {
    /// An error with any status; `text` is lower case, verb first, subject in single quotes, the reason last.
    pub fn new(status: Status, text: impl Display) -> Self {
        Self { status, lines: vec![text.to_string()], hint: Hint::None }
    }

    /// A wrong command line: status 2 and the hint that names `--help`.
    pub fn usage(text: impl Display) -> Self {
        Self { hint: Hint::Help, ..Self::wrong(text) }
    }

    /// A wrong job, dictionary or message: status 2.
    pub fn wrong(text: impl Display) -> Self {
        Self::new(Status::Wrong, text)
    }

    /// A failure of the lab: status 3.
    pub fn lab(text: impl Display) -> Self {
        Self::new(Status::Lab, text)
    }

    /// Time ran out: status 124.
    pub fn timeout(text: impl Display) -> Self {
        Self::new(Status::Timeout, text)
    }

    /// Several errors of one kind, a line each.
    pub fn list(status: Status, lines: Vec<String>) -> Self {
        Self { status, lines, hint: Hint::None }
    }

    /// Ends with this status and prints nothing: what was to be said has been said elsewhere.
    pub fn silent(status: Status) -> Self {
        Self::list(status, Vec::new())
    }

    /// The exit status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Prints the error, a diagnostic for each line.
    pub fn report(&self) {
        for line in &self.lines {
            diagnostic::print(line);
        }
        if self.hint == Hint::Help {
            diagnostic::print_help_hint();
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

impl std::error::Error for Error {}

/// Says what could not be done at the place where the subject is known.
pub trait Cannot<T> {
    /// Turns an error into `cannot WHAT: REASON`, status 3 unless it has its own: `file.cannot(format_args!("open '{path}'"))?`.
    ///
    /// # Errors
    /// The error itself, with its status.
    fn cannot(self, what: impl Display) -> Result<T>;
}

impl<T> Cannot<T> for std::io::Result<T> {
    fn cannot(self, what: impl Display) -> Result<T> {
        self.map_err(|error| Error::lab(format_args!("cannot {what}: {}", reason(&error))))
    }
}

impl<T> Cannot<T> for nix::Result<T> {
    fn cannot(self, what: impl Display) -> Result<T> {
        self.map_err(|errno| Error::lab(format_args!("cannot {what}: {}", errno.desc())))
    }
}

impl<T> Cannot<T> for Result<T> {
    fn cannot(self, what: impl Display) -> Result<T> {
        // What has been said elsewhere needs no subject.
        self.map_err(|error| match error.lines.is_empty() {
            true => error,
            false => Error::new(error.status, format_args!("cannot {what}: {error}")),
        })
    }
}

/// The system's words for an error, without the number that Rust adds.
pub fn reason(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => nix::errno::Errno::from_raw(number).desc().to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_reason_stands_last_and_without_its_number() {
        let error = std::fs::File::open("/no/such").cannot("open '/no/such'").unwrap_err();
        assert_eq!(error.to_string(), "cannot open '/no/such': No such file or directory");
        assert_eq!(error.status(), Status::Lab);
    }

    #[test]
    fn an_error_of_ours_keeps_its_status() {
        let error = Err::<(), _>(Error::timeout("out of time")).cannot("fetch 'x'").unwrap_err();
        assert_eq!((error.status(), error.to_string()), (Status::Timeout, "cannot fetch 'x': out of time".to_owned()));
    }
}
