//! Roles that record another member's console.

use crate::shared::Desk;
use pumice_tests::broker::Broker;
use pumice_tests::console::{RUN, guest, role, serial_expect, until};
use pumice_tests::running::{Running, results};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// A member that has another's console as its own.
fn recorder(dir: &Path, console: &str) -> Running {
    let message = role(&[("102", "watcher"), ("101", "guest")], &json!({}));
    let mut command: Command = serial_expect(console);
    Running::start(command.arg("--run-dir").arg(dir), &message)
}

#[test]
fn a_role_records_another_members_console_until_it_ends() {
    let dir = tempfile::tempdir().expect("a directory");
    // Before there is anything to record.
    let early = recorder(dir.path(), "share:guest");
    until("it records", || dir.path().join("102/console.log").exists());
    let (mut terminal, running) = Desk::role(dir.path());
    terminal.hears("ready 101.0 $?\n");
    terminal.says(b"\r\n<mn-ready 101.0 127>\r\n");
    terminal.hears("end 101.0 $?\n");
    let length = |id: &str| std::fs::metadata(dir.path().join(id).join("console.log")).map_or(0, |data| data.len());
    until("it has recorded what there is", || length("102") > 0 && length("102") == length("101"));
    terminal.says(RUN);
    assert_eq!(running.outcome().status, 0);
    let outcome = early.outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    assert_eq!(results(&outcome.stdout), ["lava/record-console pass", "lava/job pass"]);
    let log = |id: &str| std::fs::read(dir.path().join(id).join("console.log")).expect("a log");
    assert_eq!(log("102"), log("101"));
    assert_eq!(recorded(&outcome.stdout), (log("102").len() as u64, digest(&log("102"))));
}

/// What a role says of its record: how long it is, and its digest.
fn recorded(stdout: &str) -> (u64, String) {
    let messages = stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("a message")["data"].clone());
    let record = messages.into_iter().find(|data| data["case"] == "record-console").expect("a record");
    assert_eq!(record["units"], "bytes");
    (record["measurement"].as_u64().expect("a size"), record["extra"]["sha256"].as_str().expect("a digest").to_owned())
}

fn digest(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As `recorder`, in a group whose member 101 is gone.
fn recorder_of_one_who_is_gone(dir: &Path, broker: &Broker) -> pumice_tests::Outcome {
    assert_eq!(broker.run(&["leave", "101"]).status, 0);
    let message = role(&[("102", "watcher"), ("101", "guest")], &json!({}));
    let mut command = serial_expect("share:guest");
    command.arg("--run-dir").arg(dir).env("MN_SOCKET", broker.socket());
    Running::start(&mut command, &message).outcome()
}

#[test]
fn a_console_that_will_not_come_is_not_waited_for() {
    let (dir, broker) = (tempfile::tempdir().expect("a directory"), Broker::watched(&MEMBERS, &WATCHERS));
    let message = role(&[("102", "watcher"), ("101", "guest")], &json!({}));
    let mut command = serial_expect("share:guest");
    let running = Running::start(command.arg("--run-dir").arg(dir.path()).env("MN_SOCKET", broker.socket()), &message);
    until("it has joined", || {
        broker.run(&["status", "--json"]).stdout.contains(r#""role":"watcher","counted":false,"state":"joined""#)
    });
    let other = tempfile::tempdir().expect("a directory");
    let late = recorder_of_one_who_is_gone(other.path(), &Broker::watched(&MEMBERS, &WATCHERS));
    assert_eq!(broker.run(&["leave", "101"]).status, 0);
    let why = "serial-expect: lost the other console: guest 101 has ended without one\n";
    for outcome in [running.outcome(), late] {
        assert_eq!((outcome.status, outcome.stderr.as_str()), (3, why));
        assert_eq!(results(&outcome.stdout), ["lava/record-console fail", "lava/job fail"]);
    }
}

const MEMBERS: [(&str, &str, Option<&str>); 1] = [("101", "guest", None)];
const WATCHERS: [(&str, &str); 1] = [("102", "watcher")];

#[test]
fn a_console_that_has_come_and_gone_is_taken_from_its_record() {
    let dir = tempfile::tempdir().expect("a directory");
    let (mut terminal, running) = Desk::role(dir.path());
    terminal.plays_guest();
    assert_eq!(running.outcome().status, 0);
    let outcome = recorder_of_one_who_is_gone(dir.path(), &Broker::watched(&MEMBERS, &WATCHERS));
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let log = std::fs::read(dir.path().join("102/console.log")).expect("a log");
    assert!(log.ends_with(RUN), "{}", log.escape_ascii());
    assert_eq!(recorded(&outcome.stdout), (log.len() as u64, digest(&log)));
}

#[test]
fn the_stage_before_may_end_before_what_is_recorded() {
    let desk = Desk::new();
    let mut recorder = recorder(desk.dir.path(), "share:guest");
    recorder.close_input();
    let recorded = desk.dir.path().join("102/console.log");
    let Desk { dir, mut terminal, running } = desk;
    terminal.says(b"hello\r\n");
    until("it is recorded", || std::fs::metadata(&recorded).is_ok_and(|data| data.len() > 0));
    terminal.plays_guest();
    assert_eq!(running.outcome().status, 0);
    let outcome = recorder.outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    drop(dir);
}

#[test]
fn a_console_that_is_recorded_and_crashes_is_lost() {
    let desk = Desk::new();
    let recorder = recorder(desk.dir.path(), &format!("share:{}", desk.socket().display()));
    let recorded = desk.dir.path().join("102/console.log");
    let Desk { dir, mut terminal, running } = desk;
    terminal.says(b"hello\r\n");
    until("it is recorded", || std::fs::metadata(&recorded).is_ok_and(|data| data.len() > 0));
    running.crash();
    let outcome = recorder.outcome();
    let why = "serial-expect: lost the other console: who shared it has ended without a word\n";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (3, why));
    drop(dir);
}

#[test]
fn what_cannot_be_recorded_is_told_before_anything_is_touched() {
    let refused = |message: &str, console: &str, why: &str| {
        let outcome = Running::start(&mut serial_expect(console), message).outcome();
        let why = format!("serial-expect: cannot use the console '{console}': {why}\n");
        assert_eq!((outcome.status, outcome.stderr), (2, why));
    };
    refused(&guest(), "share:102", "it can only be recorded, and the role has a boot or a test");
    let message = role(&[("102", "watcher"), ("101", "guest"), ("103", "guest")], &json!({}));
    refused(&message, "share:hots", "no member has this id or role; a path has a '/'");
    refused(&message, "share:guest", "several members have this role: name one by its id");
    refused(&message, "share:102", "it is the role's own");
    refused(&message, "share:101", "there is no run directory to find it in; give '--run-dir', or the path");
}
