//! A role's message, and the other end of its console.
//!
//! Whatever goes wrong here fails the test: these functions panic.

use crate::running::{END, PATIENCE};
use crate::tool;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

/// Waits until something is so; a test that waits in vain fails.
pub fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::yield_now();
    }
}

/// A guest's message: one test stage in a shell that is there already.
pub fn guest() -> String {
    let overlay = json!({"file": "/overlay.tar.gz", "sha256": "00", "size": 1, "directory": "/lava-101", "runs": [
        {"run": "0_smoke", "uuid": "101_1.1.3.1", "stage": 0, "from": "inline", "name": "smoke", "path": "smoke.yaml"}]});
    let test = json!({"action": "test", "level": "3", "timeout": 60, "stage": 0, "definitions": []});
    role(&[("101", "guest")], &json!({"actions": [test], "overlay": overlay}))
}

/// The message of the first of some members.
pub fn role(members: &[(&str, &str)], more: &Value) -> String {
    let list: Vec<Value> = members.iter().map(|(id, role)| json!({"job_id": id, "role": role})).collect();
    let mut role = json!({
        "job_id": members[0].0, "role": members[0].1, "sub_id": 0, "job_name": "test",
        "group": {"name": "0b6e", "size": 1, "members": list}, "actions": [],
        "timeouts": {"job": 120, "connection": 20, "call": 20},
        "device": {"hostname": "board", "type": "model", "shell": "/bin/sh", "results_dir": "/lava-101",
            "ssh": {"user": "root", "port": 22}},
    });
    let object = role.as_object_mut().expect("an object");
    object.extend(more.as_object().expect("an object").clone());
    format!("{}\n{END}", json!({"v": 1, "type": "role", "data": role}))
}

/// The tool with this console.
pub fn serial_expect(console: &str) -> Command {
    let mut command = tool("serial-expect");
    command.args(["-c", console]);
    command
}

/// The shell is there, and its overlay has LAVA's own helpers.
pub const READY: &str = "\r\n<mn-ready 101.0 127>\r\n";
/// What a test prints that passes, with every byte that a line may garble.
pub const RUN: &[u8] = b"\r\n<LAVA_SIGNAL_STARTRUN 0_smoke 101_1.1.3.1>\r\n\xff\0\r\0\xff\xfa\x1b[0m\r\n\
    <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=pwd RESULT=pass>\r\n\
    <LAVA_SIGNAL_ENDRUN 0_smoke 101_1.1.3.1>\r\n<LAVA_TEST_RUNNER EXIT>\r\n\r\n<mn-end 101.0 0>\r\n# ";

/// The results of the test that [`Terminal::plays_guest`] plays.
pub const RESULTS: [&str; 3] = ["0_smoke/pwd pass", "lava/0_smoke pass", "lava/job pass"];

/// A pair of terminals: the port, and the board at its other end. No child inherits either.
pub struct Terminal {
    board: PtyMaster,
    /// The port as other programs have it.
    pub port: File,
    /// Its name.
    pub name: PathBuf,
    seen: Vec<u8>,
}

impl Terminal {
    /// A pair that changes no byte.
    #[allow(clippy::new_without_default, reason = "it asks the system for something")]
    pub fn new() -> Terminal {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let board = posix_openpt(flags).expect("a terminal");
        grantpt(&board).and_then(|()| unlockpt(&board)).expect("a terminal");
        let name = PathBuf::from(ptsname_r(&board).expect("a name"));
        let noctty = OFlag::O_NOCTTY.bits();
        let port = OpenOptions::new().read(true).write(true).custom_flags(noctty).open(&name).expect("a port");
        let mut mode = tcgetattr(&port).expect("a mode");
        cfmakeraw(&mut mode);
        tcsetattr(&port, SetArg::TCSANOW, &mode).expect("a mode");
        Terminal { board, port, name, seen: Vec::new() }
    }

    /// What has been typed since it was last asked, all together, if anything is within so many milliseconds.
    pub fn takes(&mut self, milliseconds: u16) -> Option<Vec<u8>> {
        poll(&mut [PollFd::new(self.board.as_fd(), PollFlags::POLLIN)], milliseconds).expect("a descriptor");
        let mut bytes = vec![0; 4096];
        match self.board.read(&mut bytes) {
            Ok(count) => bytes.truncate(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
            Err(error) => panic!("{error}"),
        }
        Some(bytes)
    }

    /// Waits until a text is typed to the board.
    pub fn hears(&mut self, text: &str) {
        until(&format!("'{text}' is typed"), || {
            let mut bytes = [0; 1024];
            match self.board.read(&mut bytes) {
                Ok(count) => self.seen.extend(&bytes[..count]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            let found = self.seen.windows(text.len()).position(|window| window == text.as_bytes());
            // What follows is for those who listen next.
            found.map(|at| self.seen.drain(..at + text.len())).is_some()
        });
    }

    /// Prints something.
    pub fn says(&mut self, text: &[u8]) {
        let mut rest = text;
        until("the port takes what the board says", || {
            match self.board.write(rest) {
                Ok(count) => rest = &rest[count..],
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
            rest.is_empty()
        });
    }

    /// Is the shell of [`guest`], whose test passes.
    pub fn plays_guest(&mut self) {
        self.hears("ready 101.0 $?\n");
        self.answers();
    }

    /// Goes on where it was asked whether it is there.
    pub fn answers(&mut self) {
        self.says(READY.as_bytes());
        self.hears("end 101.0 $?\n");
        self.says(RUN);
    }

    /// How the port is driven, in the words of stty(1).
    pub fn mode(&self) -> String {
        // Nobody but root may open a port that is locked.
        let port = self.port.try_clone().expect("a descriptor");
        let output = Command::new("stty").arg("-a").stdin(port).output().expect("stty runs");
        String::from_utf8(output.stdout).expect("text")
    }
}
