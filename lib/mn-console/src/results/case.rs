//! A test case as its signal has it.

use super::Record;
use crate::lines::readable;

/// The words of a TESTCASE.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) result: String,
    pub(super) measurement: Option<f64>,
    pub(super) units: Option<String>,
}

impl Case {
    pub(super) fn parse(words: &[&str]) -> Result<Case, String> {
        let mut name = None;
        let mut result = None;
        let mut measurement = None;
        let mut units = None;
        for word in words {
            let word_shown = readable(word.as_bytes());
            let (key, value) = word.split_once('=').ok_or(format!("'{word_shown}' is no KEY=VALUE"))?;
            match key.to_ascii_uppercase().as_str() {
                "TEST_CASE_ID" => name = Some(value.to_owned()),
                "RESULT" => result = Some(outcome(value).ok_or(format!("'{word_shown}' is no result"))?),
                "UNITS" => units = Some(value.to_owned()),
                "MEASUREMENT" => {
                    let number = value.parse().ok().filter(|number: &f64| number.is_finite());
                    measurement = Some(number.ok_or(format!("'{word_shown}' is no number"))?);
                }
                _ => {}
            }
        }
        let name = name.filter(|name| !name.is_empty()).ok_or("it has no TEST_CASE_ID")?;
        let result = result.ok_or(format!("'{}' has no RESULT", readable(name.as_bytes())))?.to_owned();
        Ok(Case { name, result, measurement, units })
    }

    pub(super) fn measure(&self, record: &mut Record) {
        if let Some(measurement) = self.measurement {
            record.insert("measurement".into(), measurement.into());
            if let Some(units) = &self.units {
                record.insert("units".into(), units.as_str().into());
            }
        }
    }
}

/// LAVA's four results; upper case is taken for the same.
pub(crate) fn outcome(value: &str) -> Option<&'static str> {
    let known = [("pass", "PASS"), ("fail", "FAIL"), ("skip", "SKIP"), ("unknown", "UNKNOWN")];
    known.iter().find(|(lower, upper)| value == *lower || value == *upper).map(|(lower, _)| *lower)
}
