//! Shared consoles: watching and typing.

use pumice_tests::console::{RESULTS, RUN, Terminal, guest, serial_expect, until};
use pumice_tests::running::{PATIENCE, Running, results};
use pumice_tests::tool;
use serde_json::Value;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use tempfile::TempDir;

/// A role at a terminal, with a run directory, whose test waits for the shell.
pub struct Desk {
    pub dir: TempDir,
    pub terminal: Terminal,
    pub running: Running,
}

impl Desk {
    pub fn new() -> Desk {
        let dir = tempfile::tempdir().expect("a directory");
        let (terminal, running) = Desk::role(dir.path());
        let desk = Desk { dir, terminal, running };
        until("the console is shared", || desk.socket().exists());
        desk
    }

    pub fn role(dir: &Path) -> (Terminal, Running) {
        let terminal = Terminal::new();
        let mut command = serial_expect(&terminal.name.display().to_string());
        (terminal, Running::start(command.arg("--run-dir").arg(dir), &guest()))
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("101/attach.sock")
    }

    fn log(&self) -> Vec<u8> {
        std::fs::read(self.dir.path().join("101/console.log")).expect("a log")
    }

    /// What is in console.jsonl as typed by watchers.
    fn typed_by_watchers(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.path().join("101/console.jsonl")).expect("a log");
        let entries = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["data"].clone());
        entries.filter(|entry| entry.get("by").is_some()).collect()
    }

    /// A watcher without a terminal.
    fn watch(&self, options: &[&str]) -> Watcher {
        Watcher::start(&self.socket(), options)
    }

    /// A person at a terminal.
    fn sit_down(&self) -> Person {
        let screen = Terminal::new();
        let port = || screen.port.try_clone().expect("a descriptor");
        let mut command = tool("serial-expect");
        command.arg("attach").arg(self.socket()).stdin(port()).stdout(port()).stderr(port());
        Person { child: command.spawn().expect("the tool runs"), screen }
    }

    fn passes(self) {
        let Desk { mut terminal, running, .. } = self;
        terminal.plays_guest();
        let outcome = running.outcome();
        assert_eq!((outcome.status, results(&outcome.stdout)), (0, RESULTS.map(str::to_owned).to_vec()));
    }
}

struct Watcher {
    child: Child,
    file: tempfile::NamedTempFile,
}

impl Watcher {
    fn start(socket: &Path, options: &[&str]) -> Watcher {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let mut command = tool("serial-expect");
        command.arg("attach").args(options).arg(socket).stdin(Stdio::null()).stderr(Stdio::piped());
        let child = command.stdout(file.reopen().expect("a file")).spawn().expect("the tool runs");
        Watcher { child, file }
    }

    fn seen(&self) -> Vec<u8> {
        std::fs::read(self.file.path()).expect("a file")
    }

    fn sees(&self, text: &[u8]) {
        let what = format!("a watcher sees {}", text.escape_ascii());
        until(&what, || self.seen().windows(text.len()).any(|window| window == text));
    }

    fn status(&mut self) -> (i32, String) {
        until("the watcher ends", || self.child.try_wait().expect("a child").is_some());
        let mut stderr = String::new();
        self.child.stderr.as_mut().expect("a pipe").read_to_string(&mut stderr).expect("text");
        (self.child.wait().expect("it ends").code().expect("no signal"), stderr)
    }
}

struct Person {
    child: Child,
    screen: Terminal,
}

impl Person {
    fn types(&mut self, keys: &str) {
        self.screen.says(keys.as_bytes());
    }

    fn status(mut self) -> Option<i32> {
        until("the person has left", || self.child.try_wait().expect("a child").is_some());
        self.child.wait().expect("it ends").code()
    }
}

#[test]
fn watchers_see_the_console_from_any_point_until_it_ends() {
    let mut desk = Desk::new();
    let socket = desk.socket();
    let mode = || std::fs::metadata(&socket).expect("a socket").permissions().mode();
    until("nobody else may come", || mode() & 0o777 == 0o600);
    desk.terminal.says(b"U-Boot\r\nDRAM: 1 GiB\r\n");
    let mut all = desk.watch(&["--from", "start"]);
    all.sees(b"DRAM: 1 GiB");
    let mut some = desk.watch(&["--from", "8"]);
    some.sees(b"DRAM: 1 GiB");
    let mut last = desk.watch(&[]);
    last.sees(b"DRAM: 1 GiB");
    // From now on, while a line is open: nothing else says that it watches already.
    let mut new = desk.watch(&["--from", "now"]);
    until("it has something to show", || {
        desk.terminal.says(b".");
        !new.seen().is_empty()
    });
    let dir = desk.dir.path().to_owned();
    let Desk { dir: kept, mut terminal, running } = desk;
    terminal.plays_guest();
    assert_eq!(running.outcome().status, 0);
    let log = std::fs::read(dir.join("101/console.log")).expect("a log");
    assert!(log.starts_with(b"U-Boot\r\n") && log.ends_with(RUN));
    for (watcher, from) in [(&mut all, 0), (&mut some, 8), (&mut last, 0)] {
        assert_eq!(watcher.status(), (0, String::new()));
        assert_eq!(watcher.seen(), log[from..]);
    }
    assert_eq!(new.status(), (0, String::new()));
    assert!(new.seen().starts_with(b".") && log.ends_with(&new.seen()));
    assert!(!socket.exists());
    drop(kept);
}

#[test]
fn what_is_shown_first_begins_with_a_line() {
    let mut desk = Desk::new();
    let lines: String = (0..1000).map(|number| format!("line {number}\r\n")).collect();
    desk.terminal.says(lines.as_bytes());
    until("it is recorded", || desk.log().len() == lines.len());
    let watcher = desk.watch(&[]);
    watcher.sees(b"line 999\r\n");
    let seen = String::from_utf8(watcher.seen()).expect("text");
    assert!(seen.starts_with("line ") && seen.len() > 4000 && seen.len() <= 4096, "{seen}");
    desk.passes();
}

#[test]
fn a_person_sees_types_and_leaves_and_the_job_goes_on() {
    let mut desk = Desk::new();
    desk.terminal.says(b"Hit any key\r\n");
    let mut person = desk.sit_down();
    person.screen.hears("~. leaves");
    person.screen.hears("Hit any key");
    desk.terminal.hears("ready 101.0 $?\n");
    person.types("setenv x\r~~y\u{1b}[A\u{3}");
    desk.terminal.hears("setenv x\r~y\u{1b}[A\u{3}");
    person.types("\r~?");
    person.screen.hears("~t takes the keyboard");
    let pid = person.child.id();
    person.types("~.");
    assert_eq!(person.status(), Some(0));
    // What was typed before the leave is typed still.
    let typed_text = || {
        let typed = desk.typed_by_watchers();
        typed.iter().map(|entry| entry["text"].as_str().expect("text")).collect::<String>()
    };
    until("all is on record", || typed_text() == "setenv x\r~y\u{1b}[A\u{3}\r");
    let by = desk.typed_by_watchers()[0]["by"].as_str().expect("a person").to_owned();
    assert!(by.ends_with(&format!(", process {pid}")), "{by}");
    desk.terminal.says(b"\r\n<mn-ready 101.0 127>\r\n");
    desk.terminal.hears("end 101.0 $?\n");
    desk.terminal.says(RUN);
    assert_eq!(desk.running.outcome().status, 0);
}

#[test]
fn one_at_a_time_may_type() {
    let mut desk = Desk::new();
    let (mut first, mut second) = (desk.sit_down(), desk.sit_down());
    desk.terminal.hears("ready 101.0 $?\n");
    first.types("a");
    desk.terminal.hears("a");
    second.types("b");
    second.screen.hears(&format!("process {}, has the keyboard", first.child.id()));
    second.types("\r~t");
    first.screen.hears(&format!("process {}, has the keyboard", second.child.id()));
    second.types("c");
    desk.terminal.hears("c");
    first.types("d");
    first.screen.hears("has the keyboard");
    // Whoever leaves gives the keyboard away.
    second.types("\r~.");
    assert_eq!(second.status(), Some(0));
    desk.terminal.hears("\r");
    until("the keyboard is free", || {
        first.types("e");
        desk.typed_by_watchers().iter().any(|entry| entry["text"].as_str().expect("text").contains('e'))
    });
    let text: String =
        desk.typed_by_watchers().iter().map(|entry| entry["text"].as_str().expect("text").to_owned()).collect();
    assert!(text.starts_with("ac\re"), "{text}");
    drop(first.screen);
    desk.running.crash();
}

#[test]
fn a_watcher_that_does_not_read_keeps_nobody_waiting() {
    let desk = Desk::new();
    let mut idle = UnixStream::connect(desk.socket()).expect("a console");
    idle.write_all(b"{\"v\":1,\"type\":\"attach\",\"data\":{\"from\":0}}\n").expect("it listens");
    let mut watcher = desk.watch(&["--from", "start"]);
    let Desk { dir, mut terminal, running } = desk;
    terminal.hears("ready 101.0 $?\n");
    let flood = b"0123456789abcdef".repeat(1 << 18);
    terminal.says(&flood);
    terminal.says(b"\r\n<mn-ready 101.0 127>\r\n");
    terminal.hears("end 101.0 $?\n");
    terminal.says(RUN);
    let outcome = running.outcome();
    assert_eq!((outcome.status, outcome.stderr.contains("watch")), (0, false));
    assert_eq!(watcher.status(), (0, String::new()));
    let log = std::fs::read(dir.path().join("101/console.log")).expect("a log");
    assert!(log.starts_with(&flood) && watcher.seen() == log);
}

#[test]
fn nonsense_on_the_socket_ends_only_its_own_connection() {
    let desk = Desk::new();
    for nonsense in [b"\n".as_slice(), b"{}\n", b"{\"v\":2,\"type\":\"attach\",\"data\":{}}\n", b"\xff\xff\n"] {
        let mut stream = UnixStream::connect(desk.socket()).expect("a console");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream.write_all(nonsense).expect("it listens");
        assert!(matches!(stream.read(&mut [0; 10]), Ok(0)), "{}", nonsense.escape_ascii());
    }
    let mut stream = UnixStream::connect(desk.socket()).expect("a console");
    stream.write_all(b"{\"v\":1,\"type\":\"later\",\"data\":{}}\n").expect("it listens");
    stream.write_all(b"{\"v\":1,\"type\":\"console\",\"data\":{\"bytes\":\"!\"}}\n").expect("it listens");
    desk.passes();
}

#[test]
fn without_a_run_directory_a_console_is_shared_where_it_is_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("s");
    let mut terminal = Terminal::new();
    let mut command = serial_expect(&terminal.name.display().to_string());
    let running = Running::start(command.arg("--share").arg(&socket), &guest());
    terminal.says(b"early\r\n");
    until("the console is shared", || socket.exists());
    let mut watcher = Watcher::start(&socket, &["--from", "start"]);
    watcher.sees(b"early\r\n");
    terminal.plays_guest();
    assert_eq!(running.outcome().status, 0);
    assert_eq!(watcher.status(), (0, String::new()));
    let seen = watcher.seen();
    assert!(seen.starts_with(b"early\r\n") && seen.ends_with(RUN), "{}", seen.escape_ascii());
    assert!(!socket.exists());
}

#[test]
fn a_socket_that_a_killed_one_left_is_taken_over_and_one_in_use_is_not() {
    let desk = Desk::new();
    let (dir, socket) = (desk.dir.path().to_owned(), desk.socket());
    let mut terminal = Terminal::new();
    let mut command = serial_expect(&terminal.name.display().to_string());
    let second = Running::start(command.arg("--share").arg(&socket), &guest()).outcome();
    let why = format!("serial-expect: cannot share the console at '{}': the name is in use\n", socket.display());
    assert_eq!(second.status, 3);
    assert!(second.stderr.ends_with(&why), "{}", second.stderr);
    let Desk { dir: kept, running, .. } = desk;
    running.crash();
    assert!(socket.exists());
    let running =
        Running::start(serial_expect(&terminal.name.display().to_string()).arg("--run-dir").arg(&dir), &guest());
    terminal.plays_guest();
    assert_eq!(running.outcome().status, 0);
    assert!(!socket.exists());
    drop(kept);
}

#[test]
fn what_cannot_be_attached_to_is_named() {
    let outcome = pumice_tests::run(tool("serial-expect").args(["attach", "/no/such/attach.sock"]), b"");
    let why = "serial-expect: cannot attach to '/no/such/attach.sock': No such file or directory\n";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (3, why));
    let outcome = pumice_tests::run(tool("serial-expect").args(["attach", "--from", "-1", "x"]), b"");
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    let mut desk = Desk::new();
    desk.terminal.says(b"hello");
    let mut watcher = desk.watch(&["--from", "start"]);
    let socket = desk.socket();
    watcher.sees(b"hello");
    desk.running.crash();
    let why =
        format!("serial-expect: lost the console '{}': who shared it has ended without a word\n", socket.display());
    assert_eq!(watcher.status(), (3, why));
}
