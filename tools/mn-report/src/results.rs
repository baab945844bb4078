//! Results, sorted as a reader wants them.

use mn_cli::{Cannot, Result, Status};
use mn_msg::{Decoder, Kind, Message};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// One result as the table needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The member's id; decimal.
    pub job_id: String,
    /// The member's role.
    pub role: String,
    /// Its number within the member.
    pub seq: u64,
    /// The suite.
    pub suite: String,
    /// The case.
    pub case: String,
    /// `pass`, `fail`, `skip`, `unknown`.
    pub result: String,
    /// What the record says of a failure.
    pub reason: String,
}

/// All results of a run, by member, then in the order in which they happened.
#[derive(Debug, Default)]
pub struct Results(pub Vec<Outcome>);

impl Results {
    /// Sorts by member, then by number.
    pub fn new(mut outcomes: Vec<Outcome>) -> Self {
        // Decimal ids of different lengths sort as numbers do.
        outcomes.sort_by(|a, b| (a.job_id.len(), &a.job_id, a.seq).cmp(&(b.job_id.len(), &b.job_id, b.seq)));
        Self(outcomes)
    }

    /// Whether any result is a failure.
    pub fn any_failed(&self) -> bool {
        self.0.iter().any(|outcome| outcome.result == "fail")
    }
}

/// Takes one message apart; `None` when it is no result.
pub fn outcome(message: &Message) -> Option<Outcome> {
    if message.kind() != Kind::Result {
        return None;
    }
    let text = |name: &str| message.text(name).to_owned();
    Some(Outcome {
        job_id: text("job_id"),
        role: text("role"),
        seq: message.data().get("seq").and_then(serde_json::Value::as_u64).unwrap_or(0),
        suite: text("definition"),
        case: text("case"),
        result: text("result"),
        reason: text("error_msg"),
    })
}

/// Reads a file of results, the results of a run directory, or standard input (`-`); gives the results, and the first
/// status other than 0 with which a stream in it has ended.
///
/// # Errors
/// Status 3 when it cannot be read, 2 for a line that is no message.
pub fn read(path: &Path) -> Result<(Results, Status)> {
    let messages = messages(path)?;
    let mut ends = messages.iter().filter(|message| message.kind() == Kind::End).map(Message::status);
    let status = ends.find(|status| *status != Status::Success).unwrap_or(Status::Success);
    Ok((Results::new(messages.iter().filter_map(outcome).collect()), status))
}

/// The messages themselves, as they came, without the results of attempts that another one has followed.
///
/// # Errors
/// As [`read`].
pub fn messages(path: &Path) -> Result<Vec<Message>> {
    let mut messages = all_messages(path)?;
    let mut last: HashMap<_, u64> = HashMap::new();
    for (key, attempt) in messages.iter().filter_map(attempt) {
        let known = last.entry(key).or_default();
        *known = attempt.max(*known);
    }
    messages.retain(|message| attempt(message).is_none_or(|(key, attempt)| last.get(&key) == Some(&attempt)));
    Ok(messages)
}

/// What a result of a block that may be tried several times is of, and in which attempt; the records of LAVA's suite
/// are told apart by their cases.
fn attempt(message: &Message) -> Option<([String; 3], u64)> {
    let attempt = message.data().get("attempt")?.as_u64()?;
    let suite = message.text("definition");
    let case = if suite == "lava" { message.text("case") } else { "" };
    Some(([message.text("job_id"), suite, case].map(str::to_owned), attempt))
}

fn all_messages(path: &Path) -> Result<Vec<Message>> {
    let mut decoder = Decoder::default();
    let mut messages = Vec::new();
    let mut input = open(path)?;
    let mut bytes = [0; 64 * 1024];
    loop {
        let n = input.read(&mut bytes).cannot(format_args!("read '{}'", path.display()))?;
        if n == 0 {
            return Ok(messages);
        }
        decoder.push(&bytes[..n]);
        while let Some(message) = decoder.next_message()? {
            messages.push(message);
        }
    }
}

fn open(path: &Path) -> Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let path: PathBuf = if path.is_dir() { path.join("results.jsonl") } else { path.to_owned() };
    Ok(Box::new(std::fs::File::open(&path).cannot(format_args!("open '{}'", path.display()))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn made(job_id: &str, seq: u64, case: &str, result: &str) -> Outcome {
        let text = |text: &str| text.to_owned();
        Outcome {
            job_id: text(job_id),
            role: text("host"),
            seq,
            suite: text("0_a"),
            case: text(case),
            result: text(result),
            reason: text(""),
        }
    }

    #[test]
    fn members_come_in_the_order_of_their_numbers() {
        let results =
            Results::new(vec![made("10", 0, "c", "pass"), made("9", 1, "b", "pass"), made("9", 0, "a", "skip")]);
        let cases: Vec<_> = results.0.iter().map(|outcome| outcome.case.as_str()).collect();
        assert_eq!(cases, ["a", "b", "c"]);
        assert!(!results.any_failed());
    }
}
