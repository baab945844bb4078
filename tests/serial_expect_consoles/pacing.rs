//! Boards that lose what is typed too fast, that do not echo, and that are never silent.

use pumice_tests::console::{RESULTS, Terminal, guest, role, serial_expect};
use pumice_tests::running::{PATIENCE, Running, results};
use serde_json::{Value, json};
use std::time::Instant;

const LINE: &str = "setenv bootargs console=ttyS0,115200n8 root=/dev/nfs rw ip=dhcp; run netboot";
const MISTYPED: &str = "serial-expect: bootloader-commands: the bootloader failed: 'Unknown command'";

/// A board whose bootloader has to be told one line.
fn host(pacing: &str) -> String {
    let step = json!({"step": "commands", "prompt": "=> ", "lines": [LINE], "final_message": "Starting kernel",
        "errors": ["Unknown command"], "name": "bootloader-commands", "timeout": PATIENCE.as_secs()});
    let boot = json!({"action": "boot", "level": "2", "timeout": PATIENCE.as_secs(), "method": "u-boot",
        "prompts": ["#"], "dialogue": [step]});
    let mut device: Value = json!({"hostname": "board", "type": "model", "shell": "/bin/sh",
        "results_dir": "/lava-104", "ssh": {"user": "root", "port": 22}});
    if !pacing.is_empty() {
        device["pacing"] = json!(pacing);
    }
    role(&[("104", "host")], &json!({"actions": [boot], "device": device}))
}

/// Plays a bootloader's command line; `uart` says what it gets of what came together, and what it says to that. Gives
/// the status and the error.
fn boots(pacing: &str, mut uart: impl FnMut(&[u8]) -> (Vec<u8>, Vec<u8>)) -> (i32, String) {
    let mut terminal = Terminal::new();
    let running = Running::start(&mut serial_expect(&terminal.name.display().to_string()), &host(pacing));
    terminal.says(b"U-Boot 2026.01\r\n=> ");
    let (mut heard, deadline) = (Vec::new(), Instant::now() + PATIENCE);
    while !heard.ends_with(b"\n") {
        assert!(Instant::now() < deadline, "the line never came: '{}'", heard.escape_ascii());
        let Some(typed) = terminal.takes(100) else { continue };
        let (taken, echo) = uart(&typed);
        heard.extend(taken);
        terminal.says(&echo);
        // What would end the line is lost with the rest of it.
        if typed.ends_with(b"\n") {
            break;
        }
    }
    let answer: &[u8] =
        if heard == format!("{LINE}\n").as_bytes() { b"\r\nStarting kernel\r\n" } else { b"\r\nUnknown command\r\n" };
    terminal.says(answer);
    let outcome = running.outcome();
    // This process has the port open, too.
    let errors = outcome.stderr.lines().filter(|line| !line.ends_with("what that reads is missing here"));
    (outcome.status, errors.collect())
}

/// A UART with so many bytes of buffer, which is empty again soon.
fn buffer(size: usize) -> impl FnMut(&[u8]) -> (Vec<u8>, Vec<u8>) {
    move |typed| (typed[..typed.len().min(size)].to_vec(), Vec::new())
}

/// A board that looks at one character, shows it, and only then takes the next.
fn echoing(typed: &[u8]) -> (Vec<u8>, Vec<u8>) {
    (typed[..1].to_vec(), typed[..1].to_vec())
}

#[test]
fn what_is_typed_too_fast_is_lost_without_pacing() {
    assert_eq!(boots("", buffer(32)), (3, MISTYPED.to_owned()));
    assert_eq!(boots("", echoing), (3, MISTYPED.to_owned()));
}

#[test]
fn chunks_that_fit_into_the_boards_buffer_are_not_lost() {
    // The pause is long enough for four of them not to be read together on a machine that has much to do.
    let done = boots("chunk:8:150", buffer(32));
    assert_eq!(done, (0, String::new()));
}

#[test]
fn characters_that_come_back_before_the_next_are_not_lost() {
    let done = boots("echo", echoing);
    assert_eq!(done, (0, String::new()));
}

#[test]
fn a_board_that_does_not_echo_is_typed_on_all_the_same() {
    let done = boots("echo,chunk:16:1", |typed| (typed.to_vec(), Vec::new()));
    assert_eq!(done, (0, String::new()));
}

/// A board that says something every 10 ms, so often at the most, until something is typed; gives how often it did.
fn talks(terminal: &mut Terminal, most: u32) -> u32 {
    for times in 0..most {
        if terminal.takes(10).is_some() {
            return times;
        }
        terminal.says(b".");
    }
    terminal.hears("ready 101.0 $?\n");
    most
}

fn talking(pacing: &[&str], most: u32) -> u32 {
    let mut terminal = Terminal::new();
    terminal.says(b"[    1.0] booting\r\n");
    let running = Running::start(serial_expect(&terminal.name.display().to_string()).args(pacing), &guest());
    let times = talks(&mut terminal, most);
    terminal.answers();
    let outcome = running.outcome();
    assert_eq!((outcome.status, results(&outcome.stdout)), (0, RESULTS.map(str::to_owned).to_vec()));
    times
}

#[test]
fn silence_is_awaited_before_the_first_character() {
    assert_eq!(talking(&["--pace", "quiet:1500"], 100), 100);
}

#[test]
fn a_board_that_is_never_silent_is_typed_on_all_the_same() {
    let times = talking(&["--pace", "quiet:1500"], u32::MAX);
    assert!((100..30_000).contains(&times), "typed after {times}");
}

#[test]
fn a_pacing_that_is_none_is_refused_before_anything_is_touched() {
    let outcome = Running::start(serial_expect("pty:").args(["--pace", "slow"]), &guest()).outcome();
    let why = "'slow' is none of 'echo', 'chunk:BYTES:MS' and 'quiet:MS'";
    assert_eq!((outcome.status, outcome.stderr), (2, format!("serial-expect: cannot use the pacing 'slow': {why}\n")));
}

#[test]
fn a_step_may_wait_for_the_boards_silence() {
    let mut terminal = Terminal::new();
    let steps = json!([
        {"step": "quiet", "milliseconds": 1500, "name": "hush", "timeout": PATIENCE.as_secs()},
        {"step": "send", "text": "go on", "newline": true, "name": "hush", "timeout": PATIENCE.as_secs()},
        {"step": "expect", "patterns": ["at last"], "name": "hush", "timeout": PATIENCE.as_secs()}]);
    let boot = json!({"action": "boot", "level": "2", "timeout": PATIENCE.as_secs(), "method": "minimal",
        "prompts": ["#"], "dialogue": steps});
    let message = role(&[("104", "host")], &json!({"actions": [boot]}));
    let running = Running::start(&mut serial_expect(&terminal.name.display().to_string()), &message);
    for _ in 0..200 {
        terminal.says(b".");
        assert_eq!(terminal.takes(10), None, "typed into what the board says");
    }
    terminal.hears("go on\n");
    terminal.says(b"at last\r\n");
    assert_eq!(running.outcome().status, 0);
}
