//! Running tftp-stage for a test.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
pub use pumice_tests::in_namespace;
use pumice_tests::{Outcome, data, tool};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use tempfile::TempDir;

use crate::archives;
use crate::http::{Answer, Http};

/// No wait of a test takes longer.
pub const LIMIT: Duration = Duration::from_secs(60);

/// The `end` of a stream that went well.
pub const END: &str = r#"{"v":1,"type":"end","data":{"status":0}}"#;

/// Whether this user may own files in other names and make devices: root, and not that of a user namespace.
pub fn is_real_root() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    nix::unistd::geteuid().is_root() && map.split_whitespace().nth(2) == Some("4294967295")
}

/// A run directory with the group's key, and the options that name it.
pub struct Lab {
    pub directory: TempDir,
    pub options: Vec<String>,
}

impl Lab {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("keys")).unwrap();
        std::fs::write(directory.path().join("keys/id_ed25519.pub"), "ssh-ed25519 AAAAC3Nzgroup group\n").unwrap();
        std::fs::write(directory.path().join("overlay.tar.gz"), archives::overlay().gzip()).unwrap();
        Lab { directory, options: vec!["--dispatcher-ip".into(), "127.0.0.1".into()] }
    }

    pub fn with(mut self, options: &[&str]) -> Self {
        self.options.extend(options.iter().map(|&option| option.to_owned()));
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file of the run directory.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The host's message of the founding job, with other resources.
    pub fn message(&self, resources: &[Value]) -> Value {
        let golden = std::fs::read_to_string(data("messages/host-overlay-pack.jsonl")).unwrap();
        let mut message: Value = serde_json::from_str(golden.lines().next().unwrap()).unwrap();
        message["data"]["overlay"]["file"] = self.path("overlay.tar.gz").to_str().unwrap().into();
        message["data"]["actions"][0]["resources"] = resources.into();
        message
    }

    /// Starts the tool on one message and its end.
    pub fn start(&self, message: &Value) -> Stage {
        self.start_with(format!("{message}\n{END}\n"))
    }

    pub fn start_with(&self, input: String) -> Stage {
        let mut command = tool("tftp-stage");
        command.args(&self.options).env("MN_RUNDIR", self.directory.path());
        for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
            command.env_remove(proxy);
        }
        Stage::start(command, input)
    }

    /// Runs the tool to its end, as where it is refused what it needs.
    pub fn run(&self, message: &Value) -> Outcome {
        self.start(message).outcome()
    }

    /// Nothing of the member is left but what it wrote down.
    pub fn assert_released(&self) {
        let entries = std::fs::read_dir(self.path("74588")).into_iter().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "held" && name != "tftp-stage.jsonl");
        assert_eq!(names, Vec::<String>::new());
        let held = std::fs::read_to_string(self.path("74588/held")).unwrap_or_default();
        let (begun, ended): (Vec<_>, Vec<_>) = held.lines().partition(|line| line.starts_with('+'));
        let keys = |lines: Vec<&str>| {
            let mut keys: Vec<_> = lines.iter().map(|line| line[1..].split(' ').next().unwrap().to_owned()).collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(begun), keys(ended), "{held}");
    }
}

/// A resource of the job.
pub fn resource(name: &str, url: &str) -> Value {
    json!({ "name": name, "url": url })
}

/// The files of a whole job.
pub fn whole_job() -> Http {
    Http::serve(&[
        ("/initrd.img", Answer::File(archives::ramdisk())),
        ("/vmlinuz", Answer::File(b"a kernel".to_vec())),
        ("/root.tar.gz", Answer::File(archives::root().gzip())),
        ("/modules.tar.gz", Answer::File(archives::modules().gzip())),
    ])
}

/// The resources of a whole job.
pub fn whole_resources(http: &Http) -> [Value; 4] {
    [
        json!({ "name": "ramdisk", "url": http.url("/initrd.img"), "compression": "gz" }),
        json!({ "name": "kernel", "url": http.url("/vmlinuz"), "type": "image" }),
        json!({ "name": "nfsrootfs", "url": http.url("/root.tar.gz"), "compression": "gz" }),
        json!({ "name": "modules", "url": http.url("/modules.tar.gz"), "compression": "gz" }),
    ]
}

/// A running tftp-stage.
pub struct Stage {
    child: Child,
    lines: Receiver<String>,
    /// Keeps the pipe open as long as it is there.
    reader: Option<std::thread::JoinHandle<ChildStdout>>,
    stop_reading: mpsc::Sender<()>,
}

impl Stage {
    fn start(mut command: Command, input: String) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let stdout = child.stdout.take().unwrap();
        let (sender, lines) = mpsc::channel();
        let (stop_reading, stopped) = mpsc::channel();
        let reader = std::thread::spawn(move || {
            let mut stdout = BufReader::new(stdout);
            let mut line = String::new();
            while stdout.read_line(&mut line).unwrap() > 0 {
                let ended = line.contains(r#""type":"end""#);
                if sender.send(std::mem::take(&mut line).trim_end().to_owned()).is_err() || ended {
                    break;
                }
            }
            // Holds the pipe until the test lets go of it.
            let _ = stopped.recv();
            stdout.into_inner()
        });
        Stage { child, lines, reader: Some(reader), stop_reading }
    }

    /// The next line of standard output.
    pub fn line(&self) -> String {
        self.lines.recv_timeout(LIMIT).expect("a line of standard output")
    }

    /// The role message and the end after it.
    pub fn staged(&mut self) -> Value {
        let Ok(line) = self.lines.recv_timeout(LIMIT) else {
            panic!("no role message: {}", self.stderr());
        };
        let message: Value = serde_json::from_str(&line).unwrap();
        if message["type"] != "role" {
            panic!("{line}: {}", self.stderr());
        }
        assert_eq!(self.line(), END);
        message["data"].clone()
    }

    /// The pipe; as long as it is there the reader is.
    pub fn take_pipe(&mut self) -> ChildStdout {
        self.stop_reading.send(()).unwrap();
        self.reader.take().expect("taken once").join().unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end; gives status and standard error.
    pub fn end(mut self) -> (i32, String) {
        if self.reader.is_some() {
            drop(self.take_pipe());
        }
        let stderr = self.stderr();
        (self.child.wait().unwrap().code().unwrap(), stderr)
    }

    /// Reads all there is and waits for the end.
    pub fn outcome(self) -> Outcome {
        let mut stdout = String::new();
        while let Ok(line) = self.lines.recv_timeout(LIMIT) {
            stdout.push_str(&line);
            stdout.push('\n');
            if line.contains(r#""type":"end""#) {
                break;
            }
        }
        let (status, stderr) = self.end();
        Outcome { status, stdout, stderr }
    }

    fn stderr(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One line of reason, the status in the stream and as that of the process, and nothing left.
pub fn assert_refused(lab: &Lab, message: &Value, status: i32, reason: &str) {
    let outcome = lab.run(message);
    let end = format!("{{\"v\":1,\"type\":\"end\",\"data\":{{\"status\":{status}}}}}\n");
    let expected = Outcome { status, stdout: end, stderr: format!("tftp-stage: {reason}\n") };
    assert_eq!(outcome, expected);
    lab.assert_released();
}

/// The root that was staged.
pub fn staged_root(lab: &Lab) -> PathBuf {
    lab.path("74588/nfsrootfs")
}

/// Whether there is something, even a symbolic link that leads nowhere.
pub fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}
