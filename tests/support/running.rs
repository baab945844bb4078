//! A tool that runs beside a test, and what it said.
//!
//! Whatever goes wrong here fails the test: these functions panic.

use crate::Outcome;
use crate::broker::process;
use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long anything may take before a test has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The end of a stream of messages.
pub const END: &str = "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":0}}\n";

/// A running tool whose standard input is held open, as a holder holds it.
pub struct Running {
    /// The process.
    pub child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: JoinHandle<String>,
}

/// All that comes, as text.
pub fn read_all(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    match from.read_to_end(&mut bytes) {
        // A socket that is closed before all was read of it says so to the other end.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        read => drop(read.expect("a pipe can be read")),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Running {
    /// Starts it and writes its input, which stays open.
    pub fn start(command: &mut Command, input: &str) -> Running {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the tool runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("the tool reads");
        let (out, err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let (sender, stdout) = channel();
        std::thread::spawn(move || sender.send(read_all(out)));
        let stderr = std::thread::spawn(move || read_all(err));
        Running { child, stdin: Some(stdin), stdout, stderr }
    }

    /// Ends it as a crash does.
    pub fn crash(mut self) {
        self.child.kill().expect("it is there");
        self.child.wait().expect("it ends");
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(process(&self.child), signal).expect("the tool is there");
    }

    /// Writes more of its input.
    pub fn say(&mut self, line: &str) {
        self.stdin.as_mut().expect("an input").write_all(line.as_bytes()).expect("the tool reads");
    }

    /// Ends its input.
    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end.
    pub fn outcome(self) -> Outcome {
        self.outcome_within(PATIENCE)
    }

    /// Waits for the end, so long.
    pub fn outcome_within(mut self, limit: Duration) -> Outcome {
        let stdout = self.stdout.recv_timeout(limit).unwrap_or_else(|_| {
            self.child.kill().expect("the tool is there");
            panic!("the tool hangs; it said: {:?}", self.stdout.recv())
        });
        let status = self.child.wait().expect("the tool ends");
        let stderr = self.stderr.join().expect("a reader ends");
        Outcome { status: status.code().expect("no signal"), stdout, stderr }
    }
}

/// The results in an output: `definition/case result`.
pub fn results(stdout: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let messages = stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("a message"));
    let results = messages.filter(|message| message["type"] == "result").map(|message| message["data"].clone());
    results
        .map(|data| format!("{}/{} {}", text(&data["definition"]), text(&data["case"]), text(&data["result"])))
        .collect()
}
