//! What is found wrong, or worth a warning, in one file: all of it is told in one go.

use mn_cli::{Error, Status};
use mn_yaml::Position;

/// The findings of one file.
#[derive(Debug)]
pub struct Findings {
    file: String,
    errors: Vec<(Position, String)>,
    warnings: Vec<(Position, String)>,
}

impl Findings {
    /// No findings yet; `file` is its name as the user gave it.
    pub fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), errors: Vec::new(), warnings: Vec::new() }
    }

    /// Something that keeps the job from being run.
    pub fn error(&mut self, at: Position, text: impl Into<String>) {
        self.errors.push((at, text.into()));
    }

    /// Something that is valid in LAVA and unknown here.
    pub fn unsupported(&mut self, at: Position, what: impl std::fmt::Display) {
        self.error(at, format!("{what} is not supported by this version"));
    }

    /// Something its author may not have meant.
    pub fn warn(&mut self, at: Position, text: impl Into<String>) {
        self.warnings.push((at, text.into()));
    }

    /// The value of a result, or its error among the findings.
    pub fn ok<T>(&mut self, result: Result<T, mn_yaml::Error>) -> Option<T> {
        result.map_err(|error| self.error(error.position, error.message)).ok()
    }

    /// The errors, `FILE:LINE:COLUMN: text`, in the order of the file.
    pub fn error_lines(&self) -> Vec<String> {
        self.lines(&self.errors)
    }

    /// The warnings, likewise.
    pub fn warning_lines(&self) -> Vec<String> {
        self.lines(&self.warnings)
    }

    /// A block that two roles share is looked at twice and told about once.
    fn lines(&self, found: &[(Position, String)]) -> Vec<String> {
        let mut found: Vec<_> = found.iter().collect();
        found.sort_by_key(|(at, _)| *at);
        found.dedup();
        found.iter().map(|(at, text)| format!("{}:{at}: {text}", self.file)).collect()
    }
}

/// One error with the errors of all files, if there are any.
///
/// # Errors
/// Status 2, a line for each.
pub fn conclude<'a>(files: impl IntoIterator<Item = &'a Findings>) -> mn_cli::Result<()> {
    let lines: Vec<String> = files.into_iter().flat_map(Findings::error_lines).collect();
    if lines.is_empty() { Ok(()) } else { Err(Error::list(Status::Wrong, lines)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_come_in_the_order_of_the_file_and_once() {
        let at = |line, column| Position { line, column };
        let mut findings = Findings::new("job.yaml");
        findings.error(at(10, 2), "later");
        findings.error(at(9, 1), "first");
        findings.error(at(10, 2), "later");
        findings.warn(at(1, 1), "aside");
        assert_eq!(findings.error_lines(), ["job.yaml:9:1: first", "job.yaml:10:2: later"]);
        assert_eq!(findings.warning_lines(), ["job.yaml:1:1: aside"]);
    }

    #[test]
    fn only_errors_refuse_a_job() {
        let (mut one, two) = (Findings::new("a"), Findings::new("b"));
        one.warn(Position::START, "aside");
        assert!(conclude([&one, &two]).is_ok());
        one.error(Position::START, "wrong");
        let error = conclude([&one, &two]).unwrap_err();
        assert_eq!((error.status(), error.to_string()), (Status::Wrong, "a:1:1: wrong".to_owned()));
    }
}
