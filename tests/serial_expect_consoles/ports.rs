//! Serial ports and pseudo-terminals.

use nix::fcntl::{Flock, FlockArg};
use pumice_tests::console::{RESULTS, Terminal, guest, role, serial_expect, until};
use pumice_tests::running::{PATIENCE, Running, results};
use serde_json::json;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::Stdio;

#[test]
fn a_port_is_driven_as_its_specification_says() {
    let mut terminal = Terminal::new();
    let running = Running::start(&mut serial_expect(&format!("{},9600e72,rtscts", terminal.name.display())), &guest());
    terminal.hears("ready 101.0");
    let mode = terminal.mode();
    // A pseudo-terminal keeps to 8 bits and no parity, and stty knows no rate that was set as a number.
    for part in [" cstopb", " crtscts", " -ixon", " -icrnl", " -echo "] {
        assert!(mode.contains(part), "no '{part}': {mode}");
    }
    running.crash();
}

#[test]
fn a_port_by_any_of_its_names_is_a_console() {
    let mut terminal = Terminal::new();
    let dir = tempfile::tempdir().expect("a directory");
    let name = dir.path().join("usb-FTDI,_Inc._TTL232R-if00-port0");
    symlink(&terminal.name, &name).expect("a link");
    for console in [format!("{},115200n8,xonxoff", name.display()), format!("pty:{}", name.display())] {
        let running = Running::start(&mut serial_expect(&console), &guest());
        terminal.plays_guest();
        let outcome = running.outcome();
        assert_eq!((outcome.status, results(&outcome.stdout)), (0, RESULTS.map(str::to_owned).to_vec()), "{console}");
    }
}

#[test]
fn a_port_that_is_in_use_is_told_with_its_user() {
    let terminal = Terminal::new();
    let port = terminal.port.try_clone().expect("a descriptor");
    let lock = Flock::lock(port, FlockArg::LockExclusiveNonblock).expect("a lock");
    let outcome = Running::start(&mut serial_expect(&terminal.name.display().to_string()), &guest()).outcome();
    let id = std::process::id();
    let name = std::fs::read_to_string(format!("/proc/{id}/comm")).expect("a name");
    let user = format!("'{}', process {id},", name.trim());
    let why = format!("serial-expect: cannot open '{}': {user} has it open\n", terminal.name.display());
    assert_eq!((outcome.status, outcome.stderr), (3, why));
    drop(lock);
}

#[test]
fn a_port_has_one_reader() {
    let mut terminal = Terminal::new();
    let port = terminal.name.display().to_string();
    let first = Running::start(&mut serial_expect(&port), &guest());
    terminal.hears("ready 101.0");
    let second = Running::start(&mut serial_expect(&port), &guest()).outcome();
    assert_eq!(second.status, 3);
    assert!(second.stderr.starts_with(&format!("serial-expect: cannot open '{port}': '")), "{}", second.stderr);
    assert!(second.stderr.ends_with(", has it open\n"), "{}", second.stderr);
    terminal.says(b"\r\n<mn-ready 101.0 127>\r\n");
    terminal.hears("end 101.0 $?\n");
    first.crash();
}

#[test]
fn one_who_reads_without_a_lock_is_named() {
    let mut terminal = Terminal::new();
    let running = Running::start(&mut serial_expect(&terminal.name.display().to_string()), &guest());
    terminal.plays_guest();
    let outcome = running.outcome();
    assert_eq!(outcome.status, 0);
    let warning = format!("has '{}' open too: what that reads is missing here\n", terminal.name.display());
    assert!(outcome.stderr.starts_with("serial-expect: warning: '"), "{}", outcome.stderr);
    assert!(outcome.stderr.ends_with(&warning), "{}", outcome.stderr);
}

#[test]
fn a_port_that_is_unplugged_and_plugged_in_again_is_used_again() {
    let dir = tempfile::tempdir().expect("a directory");
    let name = dir.path().join("ttyUSB0");
    let mut before = Terminal::new();
    symlink(&before.name, &name).expect("a link");
    let running = Running::start(&mut serial_expect(&name.display().to_string()), &guest());
    before.hears("ready 101.0");
    std::fs::remove_file(&name).expect("a link");
    drop(before);
    let mut after = Terminal::new();
    symlink(&after.name, &name).expect("a link");
    after.plays_guest();
    let outcome = running.outcome();
    assert_eq!((outcome.status, results(&outcome.stdout)), (0, RESULTS.map(str::to_owned).to_vec()));
    let gone = format!("warning: '{}' has gone: waiting 30 s for it\n", name.display());
    assert!(outcome.stderr.contains(&gone), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("warning: the console is there again after "), "{}", outcome.stderr);
}

#[test]
fn a_pseudo_terminal_of_its_own_is_named_and_used() {
    let mut child = serial_expect("pty:")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the tool runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, guest().as_bytes()).expect("the tool reads");
    let mut line = String::new();
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
    stderr.read_line(&mut line).expect("a name");
    let name = line.strip_prefix("serial-expect: the console is '").and_then(|rest| rest.strip_suffix("'\n"));
    let name = name.unwrap_or_else(|| panic!("no name: {line}"));
    // A program that leaves and one that comes: neither is the end of the console.
    drop(std::fs::File::open(name).expect("a terminal"));
    let file = std::fs::OpenOptions::new().read(true).write(true).open(name).expect("a terminal");
    let mut lines = BufReader::new(&file).lines();
    assert!(lines.next().expect("a line").expect("text").contains("ready 101.0"));
    drop(stdin);
    until("the tool ends", || child.try_wait().expect("a child").is_some());
    assert_eq!(child.wait().expect("it ends").code(), Some(3));
}

#[test]
fn the_console_is_open_before_the_board_is_switched_on() {
    let mut terminal = Terminal::new();
    let dir = tempfile::tempdir().expect("a directory");
    let state = dir.path().join("state");
    let power = dir.path().join("on.sh");
    // Whether the port is locked when the power comes.
    let script = format!("flock -n {} echo closed >{} || echo open >{1}\n", terminal.name.display(), state.display());
    std::fs::write(&power, script).expect("a file");
    let step = |step: serde_json::Value| {
        let mut step = step;
        step["name"] = json!("reset-device");
        step["timeout"] = json!(PATIENCE.as_secs());
        step
    };
    let dialogue = [
        step(json!({"step": "power", "command": "hard_reset"})),
        step(json!({"step": "expect", "patterns": ["login:"]})),
    ];
    let boot = json!({"action": "boot", "level": "2", "timeout": 60, "method": "minimal", "prompts": ["#"],
        "dialogue": dialogue});
    let device = json!({"hostname": "board", "type": "model", "shell": "/bin/sh", "results_dir": "/lava-104",
        "ssh": {"user": "root", "port": 22}, "commands": {"hard_reset": [format!("sh {}", power.display())]}});
    let message = role(&[("104", "host")], &json!({"actions": [boot], "device": device}));
    let running = Running::start(&mut serial_expect(&terminal.name.display().to_string()), &message);
    until("the power comes", || std::fs::read_to_string(&state).is_ok_and(|text| !text.is_empty()));
    terminal.says(b"board login: ");
    let outcome = running.outcome();
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert_eq!(std::fs::read_to_string(&state).expect("a state"), "open\n");
}
