//! Results that a definition's `parse.pattern` finds in plain output.

use mn_msg::Object;
use mn_msg::role::Run;
use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::results::outcome;

/// Bytes of one line that are looked at.
const LINE_BYTES: usize = 8 * 1024;

/// A result in the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The test case.
    pub case: String,
    /// `pass`, `fail`, `skip` or `unknown`.
    pub result: &'static str,
    /// What was measured.
    pub measurement: Option<f64>,
    /// Its units.
    pub units: Option<String>,
}

/// Looks for a run's pattern in each line.
#[derive(Debug)]
pub struct Parser {
    regex: Regex,
    fixups: Object,
    line: Vec<u8>,
}

impl Parser {
    /// For `run`; None when it has no pattern.
    ///
    /// # Errors
    /// Why the pattern cannot be used.
    pub fn new(run: &Run) -> Result<Option<Parser>, String> {
        let Some(pattern) = &run.pattern else { return Ok(None) };
        let regex = RegexBuilder::new(pattern).multi_line(true).size_limit(1 << 20).build();
        let regex = regex.map_err(|error| {
            let reason = error.to_string();
            let last = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
            format!("cannot use the pattern '{pattern}' of '{}': {last}", run.run)
        })?;
        Ok(Some(Parser { regex, fixups: run.fixupdict.clone().unwrap_or_default(), line: Vec::new() }))
    }

    /// Takes what was read; gives the results of the lines that ended.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Parsed> {
        let mut found = Vec::new();
        for &byte in bytes {
            if byte != b'\n' {
                if self.line.len() < LINE_BYTES {
                    self.line.push(byte);
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = line.strip_suffix(b"\r").unwrap_or(&line);
            found.extend(self.regex.captures(line).and_then(|captures| self.result(&captures)));
        }
        found
    }

    fn result(&self, captures: &Captures<'_>) -> Option<Parsed> {
        let text = |name| captures.name(name).map(|part| String::from_utf8_lossy(part.as_bytes()).into_owned());
        let case = text("test_case_id").filter(|case| !case.is_empty() && !case.contains(' '))?;
        let said = text("result")?;
        let result = outcome(self.fixups.get(&said).and_then(|fixed| fixed.as_str()).unwrap_or(&said))?;
        let measurement = text("measurement").and_then(|number| number.parse().ok()).filter(|n: &f64| n.is_finite());
        Some(Parsed { case, result, measurement, units: text("units") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pattern: &str) -> Run {
        let fixups = serde_json::json!({"ok": "pass", "bad": "fail"});
        let run = serde_json::json!({"run": "0_x", "uuid": "u", "stage": 0, "from": "git", "name": "x", "path": "x.yaml", "pattern": pattern, "fixupdict": fixups});
        serde_json::from_value(run).unwrap()
    }

    #[test]
    fn results_are_found_in_whole_lines() {
        let mut parser = Parser::new(&run(r"^(?P<test_case_id>\S+): (?P<result>\w+)( (?P<measurement>[0-9.]+))?$"))
            .unwrap()
            .unwrap();
        assert_eq!(parser.push(b"boot\r\nping: o"), []);
        let found = parser.push(b"k 2.5\r\ndisk: bad\nnet: odd\n");
        let parsed = |case: &str, result, measurement| Parsed { case: case.into(), result, measurement, units: None };
        assert_eq!(found, [parsed("ping", "pass", Some(2.5)), parsed("disk", "fail", None)]);
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_named() {
        let error = Parser::new(&run("(?!x)y")).unwrap_err();
        assert!(error.starts_with("cannot use the pattern '(?!x)y' of '0_x': look-around"), "{error}");
    }
}
