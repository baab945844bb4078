//! A role that is ended from outside.

use crate::lab::{Lab, PASS, one_run};
use crate::running::{PATIENCE, Running, await_text, results};
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use pumice_tests::Outcome;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Stdio};

#[test]
fn a_signal_switches_the_board_off_and_records_what_was_running() {
    let lab = Lab::host("echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'; exec sleep 1000");
    let running = lab.start();
    await_text(&lab.path("run/104/console.log"), "STARTRUN 0_smoke u>");
    running.signal(Signal::SIGTERM);
    let outcome = running.outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (143, "serial-expect: ended by SIGTERM\n"));
    assert_eq!(results(&outcome.stdout)[7..], ["lava/0_smoke fail", "lava/job fail"]);
    assert!(outcome.stdout.contains("\"error_type\":\"Canceled\""));
    assert!(outcome.stdout.ends_with("{\"v\":1,\"type\":\"end\",\"data\":{\"status\":143}}\n"));
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn signals_that_come_together_are_one() {
    let lab = Lab::host("echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'; exec sleep 1000");
    let running = lab.start();
    await_text(&lab.path("run/104/console.log"), "STARTRUN 0_smoke u>");
    running.signal(Signal::SIGSTOP);
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCONT] {
        running.signal(signal);
    }
    assert!([129, 130, 143].contains(&running.outcome().status));
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_second_signal_ends_a_power_off_that_hangs() {
    let lab = Lab::host("echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'; exec sleep 1000");
    let began = lab.path("off").display().to_string();
    std::fs::write(lab.path("off.sh"), format!("echo began >'{began}'; exec sleep 1000\n")).expect("a file");
    let running = lab.start();
    await_text(&lab.path("run/104/console.log"), "STARTRUN 0_smoke u>");
    running.signal(Signal::SIGTERM);
    await_text(&lab.path("off"), "began");
    running.signal(Signal::SIGTERM);
    let outcome = running.outcome();
    assert_eq!(outcome.status, 143);
    assert_eq!(outcome.stderr, "serial-expect: warning: ended by SIGTERM\nserial-expect: ended by SIGTERM\n");
    assert_eq!(lab.text("run/104/held").lines().count(), 1, "what is held is not struck out");
}

#[test]
fn a_signal_before_the_role_message_ends_the_wait_for_it() {
    let lab = Lab::host("");
    let running = Running::start(&mut lab.command(), "{\"v\":1,\"type\":\"step\",\"data\":{}}\n");
    await_signals_are_caught(&running.child);
    running.signal(Signal::SIGINT);
    let outcome = running.outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (130, "serial-expect: ended by SIGINT\n"));
    assert_eq!(outcome.stdout, "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":130}}\n");
    assert_eq!(lab.text("off"), "");
}

/// Waits until a process has a handler for SIGINT.
fn await_signals_are_caught(child: &Child) {
    let deadline = std::time::Instant::now() + PATIENCE;
    let path = format!("/proc/{}/status", child.id());
    let caught = || {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim().to_owned();
        u64::from_str_radix(&mask, 16).unwrap_or(0) & 2 != 0
    };
    while !caught() {
        assert!(std::time::Instant::now() < deadline, "SIGINT is never caught");
        std::thread::yield_now();
    }
}

#[test]
fn a_holder_that_ends_takes_the_role_with_it() {
    let lab = Lab::host("echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'; exec sleep 1000");
    let mut running = lab.start();
    await_text(&lab.path("run/104/console.log"), "STARTRUN 0_smoke u>");
    running.close_input();
    let outcome = running.outcome();
    let why = "what the role uses is gone: the stage before has ended";
    assert_eq!((outcome.status, outcome.stderr), (3, format!("serial-expect: {why}\n")));
    assert_eq!(results(&outcome.stdout)[7..], ["lava/0_smoke fail", "lava/job fail"]);
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_holders_last_word_is_the_reason() {
    let lab = Lab::host("echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'; exec sleep 1000");
    let mut running = lab.start();
    await_text(&lab.path("run/104/console.log"), "STARTRUN 0_smoke u>");
    running.say("{\"v\":1,\"type\":\"gone\",\"data\":{\"status\":3,\"reason\":\"the export was lost\"}}\n");
    let outcome = running.outcome();
    assert_eq!(
        (outcome.status, outcome.stderr.as_str()),
        (3, "serial-expect: what the role uses is gone: the export was lost\n")
    );
}

#[test]
fn a_reader_that_goes_away_does_not_leave_the_board_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let go = dir.path().join("go");
    nix::unistd::mkfifo(&go, Mode::S_IRWXU).expect("a FIFO");
    let begin = "echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'";
    let lab = Lab::host(&format!("{begin}; read -r go <'{}'; {PASS}; exec sleep 1000", go.display()));
    let mut command = lab.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the tool runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(lab.message().as_bytes()).expect("the tool reads");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|line| line.expect("a line").contains("\"step\":\"run\"")));
    drop(lines);
    std::fs::write(&go, "go\n").expect("the board reads");
    let output = child.wait_with_output().expect("the tool ends");
    drop(stdin);
    assert_eq!(Outcome::from(output), Outcome { status: 141, stdout: String::new(), stderr: String::new() });
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_message_from_a_file_needs_no_holder() {
    let lab = Lab::host(&one_run(PASS));
    std::fs::write(lab.path("message"), lab.message()).expect("a file");
    let input = std::fs::File::open(lab.path("message")).expect("a file");
    let output = lab.command().stdin(input).output().expect("the tool runs");
    assert_eq!(Outcome::from(output).status, 0);
}
