//! What a run ended with: one status for all its members.

use mn_cli::{Cannot, Error, Result, Status};
use nix::sys::signal::Signal;
use std::fs;
use std::path::Path;

/// The first of 128+N, 2, 3, 124, 1 and 0 that a member of the run directory `run` ended with, by ID/status, or that
/// the signal stands for that ended the run; mn-exit(7).
///
/// # Errors
/// Status 3 when the list of members cannot be read, or a member's status, unless another's is worse.
pub fn of_run(run: &Path) -> Result<Status> {
    let list = run.join("members");
    let list = fs::read_to_string(&list).cannot(format_args!("read '{}'", list.display()))?;
    let signal = fs::read_to_string(run.join("signal")).ok();
    let mut worst = signal.and_then(|name| name.trim().parse().ok()).map_or(Status::Success, told_to_end);
    let mut missing = None;
    for id in list.lines().filter_map(|line| line.split_whitespace().next()) {
        match read(&run.join(id).join("status")) {
            Ok(status) => worst = worse(worst, status),
            Err(error) => missing = missing.or(Some(error)),
        }
    }
    match missing {
        Some(error) if rank(worst) < rank(Status::Lab) => Err(error),
        _ => Ok(worst),
    }
}

fn told_to_end(signal: Signal) -> Status {
    Status::Signal(signal as i32)
}

fn read(path: &Path) -> Result<Status> {
    let text = fs::read_to_string(path).cannot(format_args!("read '{}'", path.display()))?;
    // A script that was killed is named behind it.
    let code = text.split_whitespace().next().and_then(|word| word.parse().ok());
    code.map(Status::from_code)
        .ok_or_else(|| Error::lab(format_args!("cannot use '{}': it holds no status", path.display())))
}

fn worse(one: Status, other: Status) -> Status {
    if rank(other) > rank(one) { other } else { one }
}

fn rank(status: Status) -> u8 {
    match status {
        Status::Success => 0,
        Status::No => 1,
        Status::Timeout => 2,
        Status::Lab => 3,
        Status::Wrong => 4,
        Status::Signal(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(codes: &[i64]) -> u8 {
        codes.iter().copied().map(Status::from_code).fold(Status::Success, worse).code()
    }

    #[test]
    fn the_lab_counts_more_than_time_and_time_more_than_a_failed_test() {
        assert_eq!(of(&[0, 1, 124, 3]), 3);
        assert_eq!(of(&[124, 1, 0]), 124);
        assert_eq!(of(&[0, 1, 0]), 1);
        assert_eq!(of(&[]), 0);
    }

    #[test]
    fn a_wrong_job_counts_more_than_the_lab_and_a_signal_most() {
        assert_eq!(of(&[3, 2]), 2);
        assert_eq!(of(&[137, 2, 3]), 137);
        // What a shell says of a program that it cannot run, and a defect of a tool: the lab's.
        assert_eq!(of(&[1, 127]), 3);
        assert_eq!(of(&[101]), 3);
    }
}
