//! A board at the other end of a Unix socket, and the tool that is used on it.

use serde_json::{Value, json};
use std::fs;
use std::io::{Error, Read, Result, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What stands behind the noise.
pub const PROMPT: &[u8] = b"\r\nnoise is over# ";
const READY: &[u8] = b"\r\n<mn-ready 1.";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running tool and its console.
pub struct Board {
    stream: UnixStream,
    child: Child,
    /// Open until the tool has ended, as a holder keeps it.
    _stdin: ChildStdin,
    _dir: TempDir,
}

/// A role whose boot is a login that needs none: a prompt is awaited among the kernel's messages.
pub fn boot() -> String {
    let login = json!({"step": "login", "prompts": ["noise is over# "], "kernel_messages": true, "name": "login-action",
        "timeout": 600});
    message(
        &json!([{"action": "boot", "level": "2", "timeout": 600, "method": "minimal", "prompts": ["noise is over# "],
        "dialogue": [login]}]),
    )
}

/// A role with so many test blocks in a shell that is there.
pub fn stages(count: usize) -> String {
    let stage =
        |stage: usize| json!({"action": "test", "level": "3", "timeout": 600, "stage": stage, "definitions": []});
    message(&(0..count).map(stage).collect())
}

fn message(actions: &Value) -> String {
    let role = json!({"v": 1, "type": "role", "data": {
        "job_id": "1", "role": "host", "sub_id": 0, "job_name": "bench",
        "group": {"name": "g", "size": 1, "members": [{"job_id": "1", "role": "host"}]},
        "timeouts": {"job": 600, "connection": 600, "call": 600}, "actions": actions,
        "device": {"hostname": "board", "type": "model", "shell": "/bin/sh", "results_dir": "/lava-1",
            "ssh": {"user": "root", "port": 22}},
        "overlay": {"file": "/o.tar.gz", "sha256": "00", "size": 1, "directory": "/lava-1", "runs": []},
    }});
    format!("{role}\n{}\n", json!({"v": 1, "type": "end", "data": {"status": 0}}))
}

/// At least so many bytes of what a kernel prints.
pub fn noise(bytes: usize) -> Vec<u8> {
    let mut noise = Vec::with_capacity(bytes + 100);
    let mut number: u32 = 1;
    while noise.len() < bytes {
        number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (second, part) = (noise.len() / 100_000, number >> 12);
        let (bus, port, device) = (number >> 29, number >> 26 & 7, number >> 8 & 0xff);
        let line = format!(
            "[{second:5}.{part:06}] usb {bus}-{port}: new high-speed USB device number {device} using xhci_hcd\r\n"
        );
        noise.extend_from_slice(line.as_bytes());
    }
    noise
}

impl Board {
    /// Starts the tool with this message.
    pub fn start(message: &str) -> Result<Board> {
        let dir = tempfile::tempdir()?;
        let socket = dir.path().join("console");
        let listener = UnixListener::bind(&socket)?;
        let mut child = Command::new(std::env::current_exe()?.with_file_name("serial-expect"))
            .arg("-c")
            .arg(format!("unix:{}", socket.display()))
            .arg("--run-dir")
            .arg(dir.path())
            .env_remove("MN_SOCKET")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut stdin = child.stdin.take().ok_or_else(|| Error::other("no pipe"))?;
        stdin.write_all(message.as_bytes())?;
        let (stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Board { stream, child, _stdin: stdin, _dir: dir })
    }

    /// Prints.
    pub fn says(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes)
    }

    /// Prints the prompt, and waits for the end of the tool.
    pub fn ends(mut self) -> Result<()> {
        self.says(PROMPT)?;
        let status = self.child.wait()?;
        if status.success() { Ok(()) } else { Err(Error::other(format!("serial-expect: {status}"))) }
    }

    /// Reads to the end of this text; gives when its first byte came.
    pub fn hears(&mut self, end: &[u8]) -> Result<Instant> {
        let (mut heard, mut first) = (Vec::new(), None);
        let mut bytes = [0; 4096];
        while !heard.ends_with(end) {
            match self.stream.read(&mut bytes)? {
                0 => return Err(Error::other("serial-expect has gone")),
                count => heard.extend_from_slice(&bytes[..count]),
            }
            first.get_or_insert_with(Instant::now);
        }
        first.ok_or_else(|| Error::other("nothing was to be heard"))
    }

    /// Answers that the shell is there, and lets the tests begin.
    pub fn is_ready(&mut self) -> Result<()> {
        self.hears(b"\n")?;
        self.says(&[READY, b"0 127>\r\n"].concat())?;
        self.hears(b"\n").map(drop)
    }

    /// Plays the shell of so many test blocks; gives the times to each answer, in ms.
    pub fn plays_stages(mut self, count: usize) -> Result<Vec<f64>> {
        let mut times = Vec::new();
        self.hears(b"\n")?;
        for stage in 0..count {
            for text in [format!("\r\n<mn-ready 1.{stage} 127>"), format!("\r\n<mn-end 1.{stage} 0>")] {
                let said = Instant::now();
                self.says(text.as_bytes())?;
                if stage + 1 == count && text.contains("end") {
                    break;
                }
                times.push(self.hears(b"\n")?.duration_since(said).as_secs_f64() * 1000.0);
            }
        }
        self.child.wait()?;
        Ok(times)
    }

    /// The most memory that the tool has held, in MiB.
    pub fn peak_memory(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().split(' ').next()?.parse().ok());
        peak.map(|kibibytes: f64| kibibytes / 1024.0).ok_or_else(|| Error::other("no peak of memory"))
    }

    /// The processor time of all threads of the tool, in seconds.
    pub fn processor_time(&self) -> Result<f64> {
        let mut nanoseconds = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            let text = fs::read_to_string(task?.path().join("schedstat"))?;
            nanoseconds += text.split(' ').next().and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN);
        }
        Ok(nanoseconds / 1e9)
    }

    /// Ends it.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}
