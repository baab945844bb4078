//! A board for the scripts of an overlay's `bin/`, under each of the shells that boards have.
//!
//! An overlay is packed whose scripts name one shell; what is run has namespaces of its own: a /tmp for the multinode
//! cache, and a network without addresses.

#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr)]

use mn_console::journal::sealed;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use pumice_tests::{Outcome, tool};
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No test takes longer.
pub const LIMIT: Duration = Duration::from_secs(60);

/// A shell and what there is beside it: PATH.
pub struct Shell {
    pub name: &'static str,
    pub interpreter: &'static str,
    pub path: &'static str,
}

/// BusyBox has its applets and nothing else.
pub const SHELLS: [Shell; 4] = [
    Shell { name: "dash", interpreter: "/bin/dash", path: "/usr/sbin:/usr/bin:/sbin:/bin" },
    Shell { name: "bash", interpreter: "/bin/bash", path: "/usr/sbin:/usr/bin:/sbin:/bin" },
    Shell { name: "mksh", interpreter: "/bin/mksh", path: "/usr/sbin:/usr/bin:/sbin:/bin" },
    Shell { name: "busybox sh", interpreter: "/mnt/applets/sh", path: "/mnt/applets" },
];

/// Enters the namespaces: ROOT PATH SHELL SCRIPT.
const ENTER: &str = r#"
mount --bind "$1" /mnt && mount --bind "$5" /mnt/applets && mount -t tmpfs tmpfs /tmp && mkdir /tmp/lava-7 && mount --bind /mnt/tmp/lava-7 /tmp/lava-7 &&
exec env -i PATH="/tmp/lava-7/bin:/mnt/fakes:$2" LAVA_RESULT_DIR=/tmp/lava-7/result "$3" -c "$4"
"#;

pub fn answer(stdout: &str, stderr: &str, status: i32) -> Outcome {
    Outcome { status, stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

/// What a helper prints for whoever runs the job.
pub fn warning(text: &str) -> String {
    format!("<LAVA_SIGNAL_WARNING {text}>\n")
}

/// A board with one overlay: its files are below `root`, seen there as /mnt and /tmp/lava-7.
pub struct Board {
    pub shell: &'static Shell,
    pub root: TempDir,
}

impl Board {
    pub fn new(shell: &'static Shell, definitions: Value) -> Self {
        let root = tempfile::tempdir().unwrap();
        Self::with(shell, root, role(shell.interpreter, "/tmp/lava-7", definitions))
    }

    pub fn with(shell: &'static Shell, root: TempDir, role: Value) -> Self {
        let overlay = pack_role(root.path(), role);
        unpack(&overlay, root.path());
        fs::create_dir(root.path().join("applets")).unwrap();
        fs::create_dir(root.path().join("fakes")).unwrap();
        Self { shell, root }
    }

    /// A command that goes before the system's own.
    pub fn fake(&self, name: &str, script: &str) {
        let file = self.root.path().join("fakes").join(name);
        fs::write(&file, format!("#!/bin/dash\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn command(&self, script: &str) -> Command {
        let mut command = Command::new("unshare");
        // A network costs time, and few need it.
        let namespaces = if script.contains("ip addr") { &["--net"][..] } else { &[] };
        command
            .args(["--user", "--map-root-user", "--mount"])
            .args(namespaces)
            .args(["sh", "-c", ENTER, "sh"])
            .arg(self.root.path())
            .args([self.shell.path, self.shell.interpreter, script])
            .arg(applets());
        command
    }

    /// Runs a script without a terminal, its input being `input`.
    pub fn run_with(&self, input: &str, script: &str) -> Outcome {
        let inner = self.command(script);
        let output = assert_cmd::Command::new("setsid")
            .arg(inner.get_program())
            .args(inner.get_args())
            .write_stdin(input)
            .timeout(LIMIT)
            .output();
        output.unwrap().into()
    }

    pub fn run(&self, script: &str) -> Outcome {
        self.run_with("", script)
    }

    /// The text of a file that the board has written.
    pub fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.root.path().join("tmp/lava-7").join(name)).ok()
    }
}

pub fn on_every_shell(test: impl Fn(&Board)) {
    for shell in &SHELLS {
        eprintln!("under {}:", shell.name);
        test(&Board::new(shell, json!([inline("x", &["true"])])));
    }
}

pub fn inline(name: &str, steps: &[&str]) -> Value {
    json!({
        "from": "inline", "name": name, "run": format!("0_{name}"), "uuid": "7_1.1.3.1", "path": "x.yaml",
        "definition": {"metadata": {"name": name}, "run": {"steps": steps}},
    })
}

pub fn pack(into: &Path, shell: &str, results_dir: &str, definitions: Value) -> String {
    pack_role(into, role(shell, results_dir, definitions))
}

pub fn role(shell: &str, results_dir: &str, definitions: Value) -> Value {
    json!({"v": 1, "type": "role", "data": {
        "job_id": "7", "role": "guest", "sub_id": 1, "host": "8",
        "group": {"name": "g", "size": 3, "members": [
            {"job_id": "6", "role": "guest", "host": "8"}, {"job_id": "7", "role": "guest", "host": "8"}, {"job_id": "8", "role": "host"}]},
        "timeouts": {"job": 60, "connection": 60, "call": 60},
        "device": {"hostname": "h", "type": "t", "shell": shell, "results_dir": results_dir, "target_ip": "10.0.0.9",
            "target_mac": "52:54:00:00:00:01", "ssh": {"user": "root", "port": 22}},
        "actions": [
            {"action": "deploy", "level": "1", "timeout": 60, "to": "ssh", "overlay_level": "1.1.4"},
            {"action": "test", "level": "3", "timeout": 60, "stage": 0, "definitions": definitions}],
    }})
}

pub fn pack_role(into: &Path, role: Value) -> String {
    let input = format!("{role}\n{}\n", json!({"v": 1, "type": "end", "data": {"status": 0}}));
    let packed = assert_cmd::Command::from_std(tool("overlay-pack")).arg("-o").arg(into).write_stdin(input).assert();
    packed.success();
    into.join("7-overlay-1.1.4.tar.gz").to_str().unwrap().to_owned()
}

pub fn unpack(overlay: &str, into: &Path) {
    let status = Command::new("tar").arg("-xzf").arg(overlay).arg("-C").arg(into).status().unwrap();
    assert!(status.success());
}

/// The text without numbers and checksums of this stage, which must be right and count up.
pub fn unsealed(stage: &str, text: &str) -> String {
    let mut last = 0;
    let line = |line: &str| {
        let Some((before, seal)) = line.rsplit_once(">[mn ") else { return line.to_owned() };
        let start = before.rfind("<LAVA_MULTI_NODE> ").or(before.rfind("<LAVA_")).unwrap();
        let number: u64 = seal.split(' ').next().unwrap().parse().unwrap();
        assert_eq!(sealed(stage, number, &format!("{}>", &before[start..])), line[start..], "{line}");
        assert_eq!(number, if before.ends_with("EXIT") { last } else { last + 1 }, "{text}");
        last = number;
        format!("{before}>")
    };
    let lines: Vec<_> = text.split('\n').map(line).collect();
    lines.join("\n")
}

/// A root with BusyBox, one shell and what that needs, and nothing else of a system; it is /bin/sh there.
pub fn small_root(shell: &Shell) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    install_busybox(&root.path().join("bin"));
    for directory in ["tmp", "dev"] {
        fs::create_dir(root.path().join(directory)).unwrap();
    }
    fs::write(root.path().join("dev/null"), "").unwrap();
    if !shell.name.starts_with("busybox") {
        let needed = Command::new("ldd").arg(shell.interpreter).output().unwrap().stdout;
        let needed = String::from_utf8(needed).unwrap();
        for file in needed.split_whitespace().filter(|word| word.starts_with('/')) {
            let to = root.path().join(&file[1..]);
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(file, to).unwrap();
        }
        fs::remove_file(root.path().join("bin/sh")).unwrap();
        fs::copy(shell.interpreter, root.path().join("bin/sh")).unwrap();
    }
    root
}

/// Runs a script in a small root, without a terminal.
pub fn run_in_root(root: &Path, input: &str, script: &str) -> Outcome {
    let output = assert_cmd::Command::new("setsid")
        .args(["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"])
        .arg("mount --bind /dev/null \"$0/dev/null\" && exec /usr/sbin/chroot \"$@\"")
        .args([root, root])
        .args(["/bin/env", "-i", "PATH=/bin", "/bin/sh", "-c", script])
        .write_stdin(input)
        .timeout(LIMIT)
        .output();
    output.unwrap().into()
}

/// A directory with BusyBox under all its names, made once.
fn applets() -> PathBuf {
    let there = Path::new(env!("CARGO_TARGET_TMPDIR")).join("applets");
    if !there.exists() {
        let new = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        install_busybox(&new.path().join("applets"));
        // Another test may have been faster.
        let _ = fs::rename(new.path().join("applets"), &there);
    }
    there
}

pub fn install_busybox(directory: &Path) {
    fs::create_dir_all(directory).unwrap();
    fs::copy("/bin/busybox", directory.join("busybox")).unwrap();
    let list = Command::new("/bin/busybox").arg("--list").output().unwrap().stdout;
    for applet in String::from_utf8(list).unwrap().lines().filter(|&applet| applet != "busybox") {
        symlink("busybox", directory.join(applet)).unwrap();
    }
}

/// A terminal under test: what a script prints, and what is typed meanwhile.
pub struct Terminal {
    master: fs::File,
    pub seen: String,
    end: Instant,
}

impl Terminal {
    pub fn start(board: &Board, script: &str) -> (Self, std::process::Child) {
        let pty = openpty(None, None).unwrap();
        let slave = || Stdio::from(pty.slave.try_clone().unwrap());
        let inner = board.command(script);
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(inner.get_program()).args(inner.get_args());
        let child = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().unwrap();
        (Self { master: pty.master.into(), seen: String::new(), end: Instant::now() + LIMIT }, child)
    }

    /// Reads until `text` is seen, or to the end.
    pub fn read_to(&mut self, text: &str) {
        self.read_to_again(text, 0);
    }

    /// Reads until `text` is seen after the first `from` bytes, or to the end.
    pub fn read_to_again(&mut self, text: &str, from: usize) {
        let mut bytes = [0; 4096];
        while !self.seen[from..].contains(text) {
            let left = self.end.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left).unwrap();
            let ready = poll(&mut [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)], timeout).unwrap();
            assert_eq!(ready, 1, "out of time; seen: {}", self.seen);
            // A terminal that nobody has open any more gives EIO.
            match self.master.read(&mut bytes) {
                Ok(n) if n > 0 => self.seen.push_str(std::str::from_utf8(&bytes[..n]).unwrap()),
                _ => break,
            }
        }
    }

    pub fn type_text(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }
}
