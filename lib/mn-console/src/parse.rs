//! Results that a definition's `parse.pattern` finds in plain output.

use fancy_regex::{BytesMode, Captures, Regex, RegexBuilder};
use mn_msg::Object;
use mn_msg::role::Run;

use crate::backtrack::{self, Excess, computed};
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
    excess: Excess,
}

impl Parser {
    /// For `run`; None when it has no pattern.
    ///
    /// # Errors
    /// Why the pattern cannot be used.
    pub fn new(run: &Run) -> Result<Option<Parser>, String> {
        let Some(pattern) = &run.pattern else { return Ok(None) };
        let regex = results_pattern(pattern, |_| {});
        let regex = regex.map_err(|reason| format!("cannot use the pattern '{pattern}' of '{}': {reason}", run.run))?;
        Ok(Some(Parser {
            regex,
            fixups: run.fixupdict.clone().unwrap_or_default(),
            line: Vec::new(),
            excess: Excess::default(),
        }))
    }

    /// Takes what was read; gives the results of the lines that ended, and what is to be warned of: a search
    /// that took too many steps.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Result<Parsed, String>> {
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
            if self.excess.is_too_much() {
                continue;
            }
            let begun = computed();
            let captures = self.regex.captures(line);
            let warning = self.excess.count(&self.regex, begun, &captures);
            found.extend(captures.ok().flatten().and_then(|captures| self.result(&captures)).map(Ok));
            found.extend(warning.map(Err));
        }
        found
    }

    fn result(&self, captures: &Captures<'_, [u8]>) -> Option<Parsed> {
        let text = |name| captures.name(name).map(|part| String::from_utf8_lossy(part.as_bytes()).into_owned());
        let case = text("test_case_id").filter(|case| !case.is_empty() && !case.contains(' '))?;
        let said = text("result")?;
        let result = outcome(self.fixups.get(&said).and_then(|fixed| fixed.as_str()).unwrap_or(&said))?;
        let measurement = text("measurement").and_then(|number| number.parse().ok()).filter(|n: &f64| n.is_finite());
        Some(Parsed { case, result, measurement, units: text("units") })
    }
}

/// A pattern for results as Python would have it, on bytes, with what `set` says besides; it may look around.
pub(crate) fn results_pattern(pattern: &str, set: impl FnOnce(&mut RegexBuilder)) -> Result<Regex, String> {
    backtrack::compile(pattern, |builder| {
        builder.multi_line(true).bytes_mode(BytesMode::UnicodeBytes);
        set(builder);
    })
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
        assert_eq!(found, [Ok(parsed("ping", "pass", Some(2.5))), Ok(parsed("disk", "fail", None))]);
    }

    #[test]
    fn a_pattern_that_cannot_be_used_is_named() {
        let error = Parser::new(&run("(y")).unwrap_err();
        assert!(error.starts_with("cannot use the pattern '(y' of '0_x': "), "{error}");
    }

    #[test]
    fn a_pattern_may_look_around() {
        let pattern = r"^(?P<test_case_id>(?!total)\S+): (?P<result>ok|bad)(?= now)";
        let mut parser = Parser::new(&run(pattern)).unwrap().unwrap();
        let found = parser.push(b"total: ok now\nping: ok now\ndisk: ok\n\xff: ok now\n");
        let cases: Vec<&str> = found.iter().flatten().map(|parsed| parsed.case.as_str()).collect();
        assert_eq!(cases[0], "ping");
    }

    #[test]
    fn a_search_without_end_is_given_up() {
        let mut parser = Parser::new(&run(r"^(?P<test_case_id>(a|aa)+)\2(?P<result>b)")).unwrap().unwrap();
        let line = [[b'a'; 5000].as_slice(), b"\n"].concat();
        let told = parser.push(&line);
        let [Err(reason)] = told.as_slice() else { panic!("{told:?}") };
        let start = "a match may be missing: a search with the pattern '^(?P<test_case_id>(a|aa)+)";
        assert!(reason.starts_with(start), "{reason}");
        assert_eq!(parser.push(&line), [], "it is told once");
        let told = parser.push(&line.repeat(100));
        let [Err(reason)] = told.as_slice() else { panic!("{told:?}") };
        assert!(reason.ends_with("is given up: 20 searches took too many steps"), "{reason}");
    }
}
