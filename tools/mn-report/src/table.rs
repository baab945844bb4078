//! The table: a line for each suite of each member, the failures, and the sum.

use crate::results::{Outcome, Results};
use mn_cli::escape;
use std::fmt::Write;

/// How the cases of a suite ended.
#[derive(Default)]
struct Count {
    pass: usize,
    fail: usize,
    skip: usize,
    unknown: usize,
}

impl Count {
    fn add(&mut self, result: &str) {
        match result {
            "pass" => self.pass += 1,
            "fail" => self.fail += 1,
            "skip" => self.skip += 1,
            _ => self.unknown += 1,
        }
    }
}

/// The page's text.
pub fn render(results: &Results) -> String {
    let mut text = String::new();
    let suites = suites(&results.0);
    let width = suites.iter().map(|(suite, _)| suite.suite.chars().count()).max().unwrap_or(0).max("suite".len());
    let role = results.0.iter().map(|outcome| outcome.role.chars().count()).max().unwrap_or(0).max("role".len());
    let id = results.0.iter().map(|outcome| outcome.job_id.len()).max().unwrap_or(0).max("job".len());
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{:<id$}  {:<role$}  {:<width$}  pass  fail  skip  unknown", "job", "role", "suite");
    for (first, count) in &suites {
        let (job, of, suite) = (escape(&first.job_id), escape(&first.role), escape(&first.suite));
        let Count { pass, fail, skip, unknown } = count;
        let _ =
            writeln!(text, "{job:<id$}  {of:<role$}  {suite:<width$}  {pass:>4}  {fail:>4}  {skip:>4}  {unknown:>7}");
    }
    for outcome in results.0.iter().filter(|outcome| outcome.result == "fail") {
        let _ = writeln!(text, "{}", failure(outcome));
    }
    let _ = writeln!(text, "{}", sum(&results.0));
    text
}

/// The suites in the order of their first result, each with its count.
fn suites(outcomes: &[Outcome]) -> Vec<(&Outcome, Count)> {
    let mut suites: Vec<(&Outcome, Count)> = Vec::new();
    for outcome in outcomes {
        let same = |(first, _): &&mut (&Outcome, Count)| first.job_id == outcome.job_id && first.suite == outcome.suite;
        match suites.iter_mut().rev().find(same) {
            Some((_, count)) => count.add(&outcome.result),
            None => {
                let mut count = Count::default();
                count.add(&outcome.result);
                suites.push((outcome, count));
            }
        }
    }
    suites
}

fn failure(outcome: &Outcome) -> String {
    let Outcome { job_id, role, suite, case, reason, .. } = outcome;
    let text = format!("failed: {job_id} {role} {suite}/{case}");
    escape(&if reason.is_empty() { text } else { format!("{text}: {reason}") })
}

fn sum(outcomes: &[Outcome]) -> String {
    let mut members: Vec<&str> = outcomes.iter().map(|outcome| outcome.job_id.as_str()).collect();
    members.dedup();
    let mut count = Count::default();
    outcomes.iter().for_each(|outcome| count.add(&outcome.result));
    let Count { pass, fail, skip, unknown } = count;
    format!("{} members: {pass} passed, {fail} failed, {skip} skipped, {unknown} unknown", members.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(job_id: &str, suite: &str, case: &str, result: &str) -> Outcome {
        let text = |text: &str| text.to_owned();
        Outcome {
            job_id: text(job_id),
            role: text("host"),
            seq: 0,
            suite: text(suite),
            case: text(case),
            result: text(result),
            reason: text(""),
        }
    }

    #[test]
    fn each_suite_has_a_line_and_each_failure_its_name() {
        let results = Results::new(vec![
            made("7", "0_a", "x", "pass"),
            made("7", "0_a", "y", "fail"),
            made("8", "0_a", "x", "skip"),
        ]);
        let lines = [
            "job  role  suite  pass  fail  skip  unknown",
            "7    host  0_a       1     1     0        0",
            "8    host  0_a       0     0     1        0",
            "failed: 7 host 0_a/y",
            "2 members: 1 passed, 1 failed, 1 skipped, 0 unknown",
        ];
        assert_eq!(render(&results), format!("{}\n", lines.join("\n")));
    }

    #[test]
    fn a_case_from_a_board_cannot_drive_the_terminal() {
        let text = render(&Results::new(vec![made("7", "0_a", "x\x1b[2J", "fail")]));
        assert!(text.contains("failed: 7 host 0_a/x\\x1b[2J\n"), "{text}");
    }
}
