//! A running tool and what it said.

use nix::sys::signal::{Signal, kill};
use pumice_tests::Outcome;
use pumice_tests::broker::process;
use serde_json::Value;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long anything may take before a test has failed.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub const END: &str = "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":0}}\n";

/// A running serial-expect whose standard input is held open, as a holder holds it.
pub struct Running {
    pub child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: JoinHandle<String>,
}

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

    pub fn signal(&self, signal: Signal) {
        kill(process(&self.child), signal).expect("the tool is there");
    }

    pub fn say(&mut self, line: &str) {
        self.stdin.as_mut().expect("an input").write_all(line.as_bytes()).expect("the tool reads");
    }

    pub fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end.
    pub fn outcome(self) -> Outcome {
        self.outcome_within(PATIENCE)
    }

    pub fn outcome_within(mut self, limit: Duration) -> Outcome {
        let stdout = self.stdout.recv_timeout(limit).unwrap_or_else(|_| {
            self.child.kill().expect("the tool is there");
            panic!("serial-expect hangs; it said: {:?}", self.stdout.recv())
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

/// Those of the tests, without the suite `lava`.
pub fn test_results(stdout: &str) -> Vec<String> {
    results(stdout).into_iter().filter(|result| !result.starts_with("lava/")).collect()
}

/// Waits for a file that another process writes.
pub fn await_text(path: &Path, text: &str) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !std::fs::read_to_string(path).unwrap_or_default().contains(text) {
        assert!(std::time::Instant::now() < deadline, "'{text}' never came in '{}'", path.display());
        std::thread::yield_now();
    }
}
