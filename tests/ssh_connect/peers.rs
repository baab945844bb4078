//! Who talks with the tool: the host's member, the reader of the messages, the client of the console.

use crate::scene::{HOST, LIMIT};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout};

/// The host's connection to the broker, by hand.
pub struct Host {
    pub stream: BufReader<UnixStream>,
    pub id: u32,
}

impl Host {
    pub fn join(run_dir: &Path) -> Self {
        let stream = UnixStream::connect(run_dir.join("broker.sock")).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut host = Self { stream: BufReader::new(stream), id: 0 };
        assert_eq!(host.read()["mn"], 1);
        host.call("join", json!({ "member": HOST }));
        host
    }

    pub fn read(&mut self) -> Value {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub fn call(&mut self, call: &str, args: Value) -> Value {
        self.id += 1;
        let line = format!("{}\n", json!({ "id": self.id, "call": call, "args": args }));
        self.stream.get_mut().write_all(line.as_bytes()).unwrap();
        let answer = self.read();
        assert!(answer["return"].is_object(), "{answer}");
        answer
    }
}

/// A running ssh-connect.
pub struct Connect {
    pub child: Child,
    pub output: Option<BufReader<ChildStdout>>,
    pub errors: BufReader<ChildStderr>,
}

impl Connect {
    pub fn message(&mut self) -> Value {
        let mut line = String::new();
        self.output.as_mut().unwrap().read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut errors = String::new();
            self.errors.read_to_string(&mut errors).unwrap();
            panic!("no message but '{line}': {error}: {errors}")
        })
    }

    /// The role message and the end.
    pub fn served(&mut self) -> Value {
        let role = self.message();
        assert_eq!(role["type"], "role", "{role}");
        assert_eq!(self.message(), json!({ "v": 1, "type": "end", "data": { "status": 0 } }));
        role
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Closes the pipe, as a reader that has finished does; the status and what was said.
    pub fn finish(mut self) -> (i32, String) {
        drop(self.output.take());
        let mut errors = String::new();
        self.errors.read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().code().unwrap(), errors)
    }
}

/// The client of console.sock.
pub struct Console {
    pub stream: UnixStream,
    pub seen: Vec<u8>,
}

impl Console {
    pub fn say(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Types a line and reads up to and including `wanted`; gives what came before it.
    pub fn ask(&mut self, line: &str, wanted: &str) -> String {
        self.say(line);
        self.expect(wanted)
    }

    pub fn expect(&mut self, wanted: &str) -> String {
        let mut from = 0;
        loop {
            if let Some(at) = self.seen[from..].windows(wanted.len()).position(|window| window == wanted.as_bytes()) {
                let taken: Vec<u8> = self.seen.drain(..from + at + wanted.len()).collect();
                return String::from_utf8_lossy(&taken[..from + at]).into_owned();
            }
            from = self.seen.len().saturating_sub(wanted.len());
            let mut bytes = [0; 4096];
            let n = self.stream.read(&mut bytes).unwrap();
            assert!(n > 0, "no '{wanted}' in '{}'", String::from_utf8_lossy(&self.seen));
            self.seen.extend_from_slice(&bytes[..n]);
        }
    }

    /// Reads to the end.
    pub fn rest(&mut self) {
        self.stream.read_to_end(&mut self.seen).unwrap();
    }
}
