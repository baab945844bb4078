//! All of a console is read, at any time and however much it is, and kept.

use crate::desk::{Desk, booting, login, step};
use pumice_tests::console::{RUN, guest, serial_expect, until};
use pumice_tests::running::Running;
use pumice_tests::tool;
use serde_json::{Value, json};
use std::io::Write;
use std::net::TcpListener;

/// Bytes of a flood: pexpect needs half an hour for as many.
const FLOOD: usize = 50 << 20;
/// The most memory that may be needed meanwhile, in KiB.
const MEMORY: u64 = 30 * 1024;

/// pexpect #438, #352, #385 and #388: time that grows with the square, memory without bound.
#[test]
fn complaint_28_a_prompt_behind_any_amount_of_output_is_found_in_bounded_memory() {
    let mut desk = Desk::boot(&[login("root@board:~# $", &[])]);
    let line = format!("[    1.0] {}root@board:~#\r\n", "x".repeat(1000));
    let block = line.repeat(1000);
    let blocks = FLOOD / block.len();
    for _ in 0..blocks {
        desk.says(&block);
    }
    let log = desk.member("104").join("console.log");
    until("all is read", || std::fs::metadata(&log).is_ok_and(|data| data.len() as usize == blocks * block.len()));
    let peak = peak_memory(&desk);
    assert!(peak < MEMORY, "{peak} KiB");
    desk.says("root@board:~# ");
    desk.ends().is_well();
}

/// The most memory a process has used, in KiB.
fn peak_memory(running: &Running) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// LAVA, 800e93681: nobody drains the emulator, which hangs. Here the power switch waits for a board that has more to
/// say than its port holds.
#[test]
fn complaint_28_the_console_is_read_while_something_else_is_waited_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let (switch, done) = (dir.path().join("on.sh"), dir.path().join("done"));
    nix::unistd::mkfifo(&done, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    std::fs::write(&switch, format!("read -r _ <{}\n", done.display())).expect("a file");
    let mut desk = Desk::of(&booting(&[login("# $", &[])], &format!("sh {}", switch.display())));
    desk.says(&"firmware\r\n".repeat(100_000));
    std::fs::write(&done, "\n").expect("the switch waits");
    desk.says("# ");
    let ended = desk.ends();
    ended.is_well();
    assert!(ended.log.starts_with(b"firmware\r\n".repeat(100_000).as_slice()));
}

/// What a server has kept of an earlier boot.
const STALE: &str = "=> boot\r\n# board login: root\r\n# ";

/// ser2net #133: a server greets with what the board said before, to whoever was there.
#[test]
fn complaint_30_what_a_server_has_kept_from_before_is_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let dir = tempfile::tempdir().expect("a directory");
    let on = dir.path().join("on");
    let board = std::thread::spawn({
        let on = on.clone();
        move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.write_all(STALE.as_bytes()).expect("it reads");
            until("the power comes", || on.exists());
            stream.write_all(b"U-Boot 2024.01\r\nHit any key").expect("it reads");
            let mut typed = [0; 1];
            std::io::Read::read_exact(&mut stream, &mut typed).expect("a key");
            // The next is for whoever waits for the end.
            let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
            typed[0]
        }
    });
    let steps = [
        step(json!({"step": "expect", "patterns": ["Hit any key", "=> ", "# "]})),
        step(json!({"step": "send", "text": "c", "newline": false})),
    ];
    let mut command = serial_expect(&format!("tcp:{address}"));
    let message = booting(&steps, &format!("touch {}", on.display()));
    let running = Running::start(command.arg("--run-dir").arg(dir.path()), &message);
    let outcome = running.outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let log = std::fs::read_to_string(dir.path().join("104/console.jsonl")).expect("a log");
    let typed = log.lines().find(|line| line.contains("\"direction\":\"out\"")).expect("a key");
    let typed: Value = serde_json::from_str(typed).expect("JSON");
    assert!(
        typed["data"]["offset"].as_u64() > Some(STALE.len() as u64),
        "the key answers what was said before: {typed}"
    );
    assert_eq!(board.join().expect("the board was used"), b'c');
}

/// jumpstarter #108: the scroll-back is lost when the console closes.
#[test]
fn complaint_30_the_scroll_back_outlives_the_console() {
    let mut desk = Desk::of(&guest());
    desk.hears("ready 101.0 $?\n");
    let lines: String = (0..5000).map(|number| format!("line {number}\r\n")).collect();
    desk.says(&lines);
    let log = desk.member("101").join("console.log");
    until("it is kept", || std::fs::metadata(&log).is_ok_and(|data| data.len() as usize == lines.len()));
    // A crash of the tool itself.
    let socket = desk.member("101").join("attach.sock");
    let mut watcher = tool("serial-expect");
    let watcher = watcher.args(["attach", "--from", "start"]).arg(&socket).stdin(std::process::Stdio::null());
    let seen = tempfile::NamedTempFile::new().expect("a file");
    let mut child = watcher.stdout(seen.reopen().expect("a file")).spawn().expect("the tool runs");
    until("the watcher has all", || {
        std::fs::metadata(seen.path()).is_ok_and(|data| data.len() as usize == lines.len())
    });
    let ended = {
        desk.says("bye");
        desk.signal(nix::sys::signal::Signal::SIGTERM);
        desk.ends()
    };
    assert_eq!(ended.status, 143);
    assert!(ended.log.starts_with(lines.as_bytes()));
    child.wait().expect("it ends");
    assert!(std::fs::read(seen.path()).expect("a file").starts_with(lines.as_bytes()));
}

/// labgrid, pull request 1571: what is printed while one program closes the port and the next opens it is lost. Here
/// the port stays open, and whoever comes later sees what was printed between.
#[test]
fn complaint_30_output_between_two_watchers_is_not_lost() {
    let mut desk = Desk::of(&guest());
    desk.hears("ready 101.0 $?\n");
    let (socket, log) = (desk.member("101").join("attach.sock"), desk.member("101").join("console.log"));
    let watch = |from: &str| {
        let seen = tempfile::NamedTempFile::new().expect("a file");
        let mut watcher = tool("serial-expect");
        watcher.args(["attach", "--from", from]).arg(&socket).stdin(std::process::Stdio::null());
        (watcher.stdout(seen.reopen().expect("a file")).spawn().expect("the tool runs"), seen)
    };
    desk.says("first\r\n");
    let (mut one, seen) = watch("start");
    until("one sees it", || std::fs::read(seen.path()).is_ok_and(|seen| seen == b"first\r\n"));
    one.kill().expect("it is there");
    one.wait().expect("it ends");
    desk.says("between\r\n");
    until("nobody has seen it", || std::fs::read(&log).is_ok_and(|log| log == b"first\r\nbetween\r\n"));
    let (mut other, seen) = watch("7");
    until("the other one sees it", || std::fs::read(seen.path()).is_ok_and(|seen| seen.starts_with(b"between\r\n")));
    desk.terminal.answers();
    let ended = desk.ends();
    assert_eq!(ended.status, 0);
    other.wait().expect("it ends");
    let seen = std::fs::read(seen.path()).expect("a file");
    assert!(seen.starts_with(b"between\r\n") && seen.ends_with(RUN), "{}", seen.escape_ascii());
}
