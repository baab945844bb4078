//! What is found in one file, wrong or worth knowing: all of it is told in one go.

use mn_yaml::Position;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The job cannot be run.
    Error,
    /// The job can be run, and cannot come to its end.
    Stuck,
    /// Its author may not have meant this.
    Warning,
    /// Its author may want to know.
    Note,
}

impl Level {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error | Level::Stuck => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where it begins.
    pub at: Position,
    /// How much it weighs.
    pub level: Level,
    /// What it is, with the mend where one is known.
    pub text: String,
    /// Other places that belong to it, and what is there.
    pub also: Vec<(Position, String)>,
}

/// The findings of one file.
#[derive(Debug)]
pub struct Findings {
    file: String,
    source: String,
    found: Vec<Finding>,
    unsupported: Vec<(Position, String)>,
}

impl Findings {
    /// No findings yet; `file` is its name as the user gave it.
    pub fn new(file: impl Into<String>) -> Self {
        Self { file: file.into(), source: String::new(), found: Vec::new(), unsupported: Vec::new() }
    }

    /// The same with the file's text, from which the lines are shown.
    pub fn with_source(file: impl Into<String>, source: &[u8]) -> Self {
        Self { source: String::from_utf8_lossy(source).into_owned(), ..Self::new(file) }
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The file's text.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Adds a finding.
    pub fn add(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    fn put(&mut self, level: Level, at: Position, text: impl Into<String>) {
        self.add(Finding { at, level, text: text.into(), also: Vec::new() });
    }

    /// Something that keeps the job from being run.
    pub fn error(&mut self, at: Position, text: impl Into<String>) {
        self.put(Level::Error, at, text);
    }

    /// Something its author may not have meant.
    pub fn warn(&mut self, at: Position, text: impl Into<String>) {
        self.put(Level::Warning, at, text);
    }

    /// Something its author may want to know.
    pub fn note(&mut self, at: Position, text: impl Into<String>) {
        self.put(Level::Note, at, text);
    }

    /// Something that is valid in LAVA and that no stage of this version can do. The job is kept: it is an
    /// error when a role that needs it is run, and a warning now.
    pub fn unsupported(&mut self, at: Position, what: impl std::fmt::Display) {
        self.unsupported_but(at, what, "");
    }

    /// The same, with what to do instead; nothing is nothing.
    pub fn unsupported_but(&mut self, at: Position, what: impl std::fmt::Display, mend: &str) {
        let colon = if mend.is_empty() { "" } else { ": " };
        let text = format!("{what} is not supported by this version{colon}{mend}");
        self.warn(at, text.clone());
        self.unsupported.push((at, text));
    }

    /// Takes what was found not to be supported since the last time, as `FILE:LINE:COLUMN: text`.
    pub fn take_unsupported(&mut self) -> Vec<String> {
        let file = &self.file;
        std::mem::take(&mut self.unsupported).into_iter().map(|(at, text)| format!("{file}:{at}: {text}")).collect()
    }

    /// The value of a result, or its error among the findings.
    pub fn ok<T>(&mut self, result: Result<T, mn_yaml::Error>) -> Option<T> {
        result.map_err(|error| self.error(error.position, error.message)).ok()
    }

    /// The findings of the levels, in the order of the file. A block that two roles share is looked at twice
    /// and told about once.
    pub fn of(&self, levels: &[Level]) -> Vec<Finding> {
        let mut found: Vec<_> = self.found.iter().filter(|finding| levels.contains(&finding.level)).cloned().collect();
        found.sort();
        found.dedup();
        found
    }

    /// The errors, `FILE:LINE:COLUMN: text`, in the order of the file.
    #[cfg(test)]
    pub fn error_lines(&self) -> Vec<String> {
        self.lines(Level::Error)
    }

    /// The warnings, likewise.
    #[cfg(test)]
    pub fn warning_lines(&self) -> Vec<String> {
        self.lines(Level::Warning)
    }

    #[cfg(test)]
    fn lines(&self, level: Level) -> Vec<String> {
        self.of(&[level]).iter().map(|finding| format!("{}:{}: {}", self.file, finding.at, finding.text)).collect()
    }
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
    fn what_is_not_supported_is_a_warning_that_can_be_taken_along() {
        let mut findings = Findings::new("a");
        findings.unsupported(Position::START, "'x'");
        assert!(findings.error_lines().is_empty());
        assert_eq!(findings.take_unsupported(), ["a:1:1: 'x' is not supported by this version"]);
        assert!(findings.take_unsupported().is_empty());
        assert_eq!(findings.warning_lines().len(), 1);
    }
}
