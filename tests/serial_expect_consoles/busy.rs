//! A line on which a board talks on and on, as fast as at 115,200 baud.

use nix::sys::signal::Signal;
use pumice_tests::console::{RUN, Terminal, guest, serial_expect, until};
use pumice_tests::running::{PATIENCE, Running};
use std::path::Path;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const CHUNK: [u8; 64] = [b'.'; 64];

/// A role whose test runs, and whose board has talked for longer than a line takes to be busy.
fn busy() -> (TempDir, Terminal, Running, usize) {
    let dir = tempfile::tempdir().expect("a directory");
    let mut terminal = Terminal::new();
    let mut command = serial_expect(&terminal.name.display().to_string());
    let running = Running::start(command.arg("--run-dir").arg(dir.path()), &guest());
    terminal.hears("ready 101.0 $?\n");
    terminal.says(b"\r\n<mn-ready 101.0 127>\r\n");
    terminal.hears("end 101.0 $?\n");
    let began = Instant::now();
    let said = talks_until(&mut terminal, || began.elapsed() > Duration::from_millis(500));
    (dir, terminal, running, said)
}

/// Says a chunk every 5 ms until something is so; gives how many.
fn talks_until(terminal: &mut Terminal, mut so: impl FnMut() -> bool) -> usize {
    let (mut said, deadline) = (0, Instant::now() + PATIENCE);
    while !so() {
        assert!(Instant::now() < deadline, "it never was so");
        terminal.takes(5);
        terminal.says(&CHUNK);
        said += 1;
    }
    said
}

fn text(dir: &Path, name: &str) -> Vec<u8> {
    std::fs::read(dir.join(name)).unwrap_or_default()
}

fn has(text: &[u8], words: &str) -> bool {
    text.windows(words.len()).any(|window| window == words.as_bytes())
}

#[test]
fn what_a_result_follows_from_is_in_the_log_before_it() {
    let (dir, mut terminal, running, _) = busy();
    let cut = RUN.windows(6).position(|window| window == b"ENDRUN").expect("an end");
    terminal.says(&RUN[..cut]);
    talks_until(&mut terminal, || has(&text(dir.path(), "results.jsonl"), "\"pwd\""));
    assert!(has(&text(dir.path(), "101/console.log"), "RESULT=pass>\r\n"), "the log lags behind");
    terminal.says(&RUN[cut - 19..]);
    let outcome = running.outcome();
    assert_eq!((outcome.status, outcome.stdout.matches("\"result\":\"pass\"").count()), (0, 3), "{}", outcome.stderr);
    let log = text(dir.path(), "101/console.log");
    assert!(log.ends_with(RUN.rsplit(|&byte| byte == b'<').next().expect("an end")), "{}", log.escape_ascii());
}

#[test]
fn a_signal_ends_the_role_and_all_that_was_heard_is_logged() {
    let (dir, _terminal, running, said) = busy();
    running.signal(Signal::SIGTERM);
    let outcome = running.outcome();
    assert_eq!(outcome.status, 143);
    assert!(outcome.stderr.ends_with("serial-expect: ended by SIGTERM\n"), "{}", outcome.stderr);
    let log = text(dir.path(), "101/console.log");
    // The last may be on its way through the terminal.
    let chunks = log.iter().filter(|&&byte| byte == b'.').count() / CHUNK.len();
    assert!((said - 1..=said).contains(&chunks), "{chunks} of {said}");
}

#[test]
fn a_watcher_sees_what_is_said_as_long_as_it_goes_on() {
    let (dir, mut terminal, running, _) = busy();
    let mut command = pumice_tests::tool("serial-expect");
    let watcher = dir.path().join("watcher");
    let output = std::fs::File::create(&watcher).expect("a file");
    let mut command =
        command.arg("attach").args(["--from", "now"]).arg(dir.path().join("101/attach.sock")).stdout(output).spawn();
    let child = command.as_mut().expect("a watcher");
    talks_until(&mut terminal, || has(&text(dir.path(), "watcher"), "...."));
    running.crash();
    until("the watcher leaves", || child.try_wait().expect("a child").is_some());
}
