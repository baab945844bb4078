//! A monitor's pattern, and the result that it has found.

use fancy_regex::{Captures, Regex};
use mn_msg::role::Monitor as Message;

use crate::lines::readable;
use crate::parse::results_pattern;
use crate::results::{Record, outcome};

/// Whether results can be looked for by this pattern.
///
/// # Errors
/// Why not.
pub fn check(pattern: &str) -> Result<(), String> {
    compile(pattern).map(|_| ())
}

/// In it a dot matches a newline, too.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    let bad = |reason: &str| format!("cannot use the pattern '{pattern}': {reason}");
    let regex = results_pattern(pattern, |builder| {
        builder.dot_matches_new_line(true).crlf(true);
    });
    let regex = regex.map_err(|reason| bad(&reason))?;
    if !regex.capture_names().flatten().any(|name| name == "test_case_id") {
        return Err(bad("it has no group 'test_case_id'"));
    }
    if regex.is_match(b"".as_slice()).unwrap_or(true) {
        return Err(bad("it matches the empty text"));
    }
    Ok(regex)
}

pub(super) fn case_record(suite: &str, case: &str, result: &str) -> Record {
    let mut record = Record::new();
    record.insert("definition".into(), suite.into());
    record.insert("case".into(), case.into());
    record.insert("result".into(), result.into());
    record
}

/// A result as it was found; one that the pattern has no group for is a pass. The error says what it is not.
pub(super) fn result(message: &Message, captures: &Captures<'_, [u8]>) -> Result<(String, Record), String> {
    let text = |name| captures.name(name).map(|part| String::from_utf8_lossy(part.as_bytes()).into_owned());
    let said = text("test_case_id").unwrap_or_default();
    let case = case_name(&said);
    if case.is_empty() {
        return Err(format!("'{}' is no name", readable(said.as_bytes())));
    }
    let said = text("result").unwrap_or_else(|| "pass".to_owned());
    let fixed = message.fixupdict.as_ref().and_then(|fixups| fixups.get(&said)?.as_str()).unwrap_or(&said);
    let outcome = outcome(fixed).ok_or_else(|| format!("'{}' of '{case}' is no result", readable(said.as_bytes())))?;
    let mut record = case_record(&message.name, &case, outcome);
    if let Some(said) = text("measurement") {
        let number = said.parse().ok().filter(|number: &f64| number.is_finite());
        let number = number.ok_or_else(|| format!("'{}' of '{case}' is no number", readable(said.as_bytes())))?;
        record.insert("measurement".into(), number.into());
        if let Some(units) = text("units") {
            record.insert("units".into(), units.into());
        }
    }
    Ok((case, record))
}

/// A name for a test case, as LAVA makes it: in lower case, with an underscore for what is neither letter nor digit.
fn case_name(said: &str) -> String {
    let mut name = String::new();
    for char in said.trim().chars() {
        if char.is_alphanumeric() || char == '_' || char == '.' {
            name.extend(char.to_lowercase());
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    name.trim_matches('_').to_owned()
}
