//! Whether a run ended as it has to.

use crate::account::{Account, Line};
use crate::case::{Case, Cause, Row};
use std::time::{Duration, SystemTime};

/// Members end so soon after a cause.
const LIMIT: Duration = Duration::from_secs(15);
/// The moment of the first cause is at most so much later than the cause, or than the end of the time that tells it.
const NOTICED: Duration = Duration::from_secs(3);
/// And at most so much earlier: the times of files are those of the clock's last tick.
const TICK: Duration = Duration::from_millis(20);

/// What a member says that ends because of another.
const CONSEQUENCES: [&str; 8] = [
    "lost the board: ",
    "which left",
    "which died",
    "which is done",
    "lost the broker",
    "cannot reach the broker",
    "ended by SIG",
    "every other member has",
];

/// What is said of a broker that is killed before there are members.
const NO_BROKER: &str = "mn-run: the broker ended before it was ready\n";

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// By the cause.
    Caused,
    /// The cause came before there were members.
    Early,
    /// All had been done by then.
    Decided,
}

/// How the run ended, and what was wrong with that. `usual` are the records of a run that nobody disturbed.
pub fn judge(case: &Case, account: &Account, usual: &[String]) -> (Outcome, Vec<String>) {
    let outcome = outcome(case, account);
    let mut wrong = account.left.clone();
    if account.board_is != "off" {
        wrong.push(format!("the board is {}", account.board_is));
    }
    let itself = case.cause == Cause::Kill("mn-run");
    let expected = if outcome == Outcome::Decided && !itself { 0 } else { case.row.status };
    if account.status != Some(expected) {
        wrong.push(format!("status {:?}, expected {expected}", account.status));
    }
    let cause = cause_of(case, account);
    match outcome {
        Outcome::Decided => {
            wrong.extend((account.records != usual).then(|| "status 0 without all results".to_owned()));
            wrong.extend(account.first.iter().map(|line| format!("a cause of nothing: {}", line.text)));
        }
        Outcome::Early => {}
        Outcome::Caused => {
            wrong.extend(first_cause(case, account, cause).into_iter().chain(consequences(case, account)))
        }
    }
    wrong.extend(in_time(case, account, cause));
    (outcome, wrong)
}

fn outcome(case: &Case, account: &Account) -> Outcome {
    match case.cause {
        Cause::Signal(_) if !account.heeded && account.statuses.is_empty() => Outcome::Early,
        Cause::Kill("mn-broker") if account.said == NO_BROKER => Outcome::Early,
        Cause::Signal(_) if !account.heeded => Outcome::Decided,
        Cause::Kill("mn-run") if account.statuses.is_empty() => Outcome::Early,
        Cause::Kill("mn-run") if account.statuses.values().all(|status| *status == Some(0)) => Outcome::Decided,
        Cause::Kill("serial-expect") => Outcome::Caused,
        Cause::Kill(_) if account.status == Some(0) => Outcome::Decided,
        _ => Outcome::Caused,
    }
}

/// When the cause came.
fn cause_of(case: &Case, account: &Account) -> Option<SystemTime> {
    match case.mark {
        Some((file, words)) => account.first_with(file, words),
        None => Some(account.struck.unwrap_or(account.began)),
    }
}

/// The first cause is the case's, of the case's member, and of the cause's moment.
fn first_cause(case: &Case, account: &Account, cause: Option<SystemTime>) -> Vec<String> {
    let Some(first) = &account.first else { return vec!["no first cause".to_owned()] };
    let mut wrong = Vec::new();
    if !matches(&case.row, case.member, &first.text) {
        wrong.push(format!("the first cause is '{}', not '{}'", first.text, case.row.message));
    }
    let Some(cause) = cause else {
        wrong.push("the cause did not come".to_owned());
        return wrong;
    };
    let told_after = case.told_by.map_or(Duration::ZERO, |(_, limit)| limit);
    // A run without a mark has its cause somewhere in it.
    let latest =
        if case.mark.is_some() || account.struck.is_some() { cause + told_after + NOTICED } else { account.ended };
    if first.at + TICK < cause + told_after.mul_f64(0.9) || first.at > latest {
        wrong.push(format!("the first cause is of {:.3} s after it", seconds(cause, first.at)));
    }
    wrong
}

/// All others say that they followed, or that the same has come to them; nobody is left out, and nobody is named twice.
fn consequences(case: &Case, account: &Account) -> Vec<String> {
    let same = |line: &Line| case.member.is_none() && matches(&case.row, None, &line.text);
    let follows = |line: &Line| CONSEQUENCES.iter().any(|words| line.text.contains(words));
    let others = account.then.iter().filter(|line| !follows(line) && !same(line));
    let others = others.map(|line| format!("another cause: {}", line.text));
    let mut wrong: Vec<String> = others.collect();
    for (id, status) in &account.statuses {
        let name = format!("member {id} (");
        let lines = account.first.iter().chain(&account.then).filter(|line| line.text.starts_with(&name)).count();
        if lines != 1 && (lines > 1 || status.is_none_or(|status| status > 1)) {
            wrong.push(format!("member {id} with status {status:?} is named {lines} times"));
        }
    }
    wrong
}

fn in_time(case: &Case, account: &Account, cause: Option<SystemTime>) -> Option<String> {
    let (name, told_after) = case.told_by.unwrap_or(("", Duration::ZERO));
    // A failed test ends nothing.
    let ends_nothing = case.row.message.contains("the test '");
    let took = account.ended.duration_since(cause?).unwrap_or_default();
    let told =
        if name.is_empty() { String::new() } else { format!(", {told_after:?} of it being the limit of {name}") };
    (took > LIMIT + told_after && !ends_nothing).then(|| format!("took {took:.1?} after its cause{told}"))
}

/// Whether a line says what the row says: `ID` is the member, or any; `...` is anything.
pub fn matches(row: &Row, member: Option<u32>, line: &str) -> bool {
    let pattern = match member {
        Some(member) => row.message.replace("member ID", &format!("member {member}")),
        None => row.message.replace("member ID", "member ..."),
    };
    let mut pieces = pattern.split("...");
    let Some(mut rest) = line.strip_prefix(pieces.next().unwrap_or_default()) else { return false };
    let pieces: Vec<&str> = pieces.collect();
    let Some((last, inner)) = pieces.split_last() else { return rest.is_empty() };
    for piece in inner {
        let Some(at) = rest.find(piece) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last)
}

fn seconds(from: SystemTime, to: SystemTime) -> f64 {
    match to.duration_since(from) {
        Ok(later) => later.as_secs_f64(),
        Err(earlier) => -earlier.duration().as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(message: &str) -> Row {
        Row { cause: String::new(), message: message.to_owned(), status: 3 }
    }

    #[test]
    fn a_line_matches_its_row_with_its_member_only() {
        let row = row("member ID (guest): ssh-connect died");
        assert!(matches(&row, Some(2), "member 2 (guest): ssh-connect died"));
        assert!(!matches(&row, Some(3), "member 2 (guest): ssh-connect died"));
        assert!(matches(&row, None, "member 1 (guest): ssh-connect died"));
        assert!(!matches(&row, None, "member 1 (guest): ssh-connect died too"));
    }

    #[test]
    fn dots_are_anything_and_the_rest_is_not() {
        let row = row("waited for '...' in vain, ... s, and ...");
        assert!(matches(&row, None, "waited for 'login:' in vain, 5 s, and that is all"));
        assert!(!matches(&row, None, "waited for 'login:' in vain, 5 min, and that is all"));
    }
}
