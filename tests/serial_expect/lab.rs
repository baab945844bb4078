//! A board on a terminal.

use crate::running::{END, Running};
use nix::sys::stat::Mode;
use pumice_tests::broker::Broker;
use pumice_tests::{data, tool};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

pub const MEMBERS: [(&str, &str, Option<&str>); 3] =
    [("101", "guest", Some("104")), ("102", "guest", Some("104")), ("104", "host", None)];

pub fn group(members: &[(&str, &str, Option<&str>)]) -> Value {
    let member = |(id, role, host): &(&str, &str, Option<&str>)| match host {
        Some(host) => json!({"job_id": id, "role": role, "host": host}),
        None => json!({"job_id": id, "role": role}),
    };
    json!({"name": "0b6e", "size": members.len(), "members": members.iter().map(member).collect::<Vec<_>>()})
}

/// A directory with a board in it: its power, its overlay, and the run directory.
pub struct Lab {
    pub dir: TempDir,
    pub role: Value,
}

impl Lab {
    /// A host whose runner is this shell script, in which $1 is the stage's directory.
    pub fn host(runner: &str) -> Lab {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::create_dir(path("run")).expect("a directory");
        nix::unistd::mkfifo(&dir.path().join("power"), Mode::S_IRWXU).expect("a FIFO");
        install(&dir.path().join("lava-104"), runner);
        std::fs::write(path("on.sh"), format!("echo on >'{}'\n", path("power"))).expect("a file");
        std::fs::write(path("off.sh"), format!("echo off >>'{}'\n", path("off"))).expect("a file");
        let commands =
            json!({"hard_reset": [format!("sh {}", path("on.sh"))], "power_off": [format!("sh {}", path("off.sh"))]});
        let board = data("console/board.sh");
        let mut role = skeleton("104", "host", &path("lava-104"));
        role["console"] = json!(format!("exec:{} {}", board.display(), dir.path().display()));
        role["device"]["commands"] = commands;
        role["staged"] =
            json!({"SERVER_IP": "10.0.0.1", "KERNEL": "104/vmlinuz", "RAMDISK": "104/initrd", "DTB": null});
        let actions = role["actions"].as_array_mut().expect("a list");
        actions.insert(0, boot());
        Lab { dir, role }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What the board prints from one point on.
    pub fn board_says(&self, point: &str, text: &str) {
        std::fs::write(self.path(point), text).expect("a file");
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn message(&self) -> String {
        format!("{}\n{END}", json!({"v": 1, "type": "role", "data": self.role}))
    }

    pub fn command(&self) -> Command {
        let mut command = tool("serial-expect");
        command.arg("--run-dir").arg(self.path("run"));
        command
    }

    pub fn start(&self) -> Running {
        Running::start(&mut self.command(), &self.message())
    }

    pub fn start_with(&self, broker: &Broker) -> Running {
        Running::start(self.command().env("MN_SOCKET", broker.socket()), &self.message())
    }

    pub fn timeout(&mut self, action: usize, seconds: u64) {
        self.role["actions"][action]["timeout"] = json!(seconds);
    }
}

/// An overlay of which only the runner is there.
pub fn install(directory: &Path, runner: &str) {
    std::fs::create_dir_all(directory.join("bin")).expect("a directory");
    std::fs::write(directory.join("environment"), "export LAVA_JOB_ID=104\n").expect("a file");
    let path = directory.join("bin/lava-test-runner");
    std::fs::write(&path, format!("#!/bin/sh\n{runner}\nprintf '<LAVA_TEST_RUNNER EXIT>\\n'\n")).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}

/// A role message without console, of a group of its own.
pub fn skeleton(id: &str, role: &str, directory: &str) -> Value {
    json!({
        "job_id": id, "role": role, "sub_id": 0, "job_name": "test", "group": group(&[(id, role, None)]),
        "timeouts": {"job": 300, "connection": 20, "call": 20},
        "device": {"hostname": "board", "type": "model", "shell": "/bin/sh", "results_dir": directory,
            "ssh": {"user": "root", "port": 22}},
        "actions": [{"action": "test", "level": "3", "timeout": 60, "stage": 0, "definitions": []}],
        "overlay": {"file": "/overlay.tar.gz", "sha256": "00", "size": 1, "directory": directory, "runs": [
            {"run": "0_smoke", "uuid": format!("{id}_1.1.3.1"), "stage": 0, "from": "git", "name": "smoke", "path": "smoke.yaml",
             "repository": "http://x/t.git", "commit_id": "abc"},
            {"run": "1_next", "uuid": format!("{id}_1.1.3.5"), "stage": 0, "from": "inline", "name": "next", "path": "next.yaml"}]}
    })
}

pub fn boot() -> Value {
    let errors = json!(["error: timeout reading", "error: file '(.*)' not found"]);
    let prompts = json!(["root@board:"]);
    let step = |step: Value, name: &str| {
        let mut step = step;
        step["name"] = json!(name);
        step["timeout"] = json!(60);
        step
    };
    json!({"action": "boot", "level": "2", "timeout": 60, "method": "grub-efi", "prompts": prompts, "dialogue": [
        step(json!({"step": "power", "command": "hard_reset"}), "reset-device"),
        step(json!({"step": "expect", "patterns": ["for a command-line"]}), "bootloader-interrupt"),
        step(json!({"step": "send", "text": "c", "newline": true}), "bootloader-interrupt"),
        step(json!({"step": "commands", "prompt": "grub>", "errors": errors, "lines": [
            "linux (tftp,{SERVER_IP})/{KERNEL} ${x}", "devicetree {DTB}", "initrd {RAMDISK}", "boot"]}), "bootloader-commands"),
        step(json!({"step": "kernel", "pattern": "Linux version [0-9]", "errors": errors}), "auto-login-action"),
        step(json!({"step": "login", "login_prompt": "login:", "username": "root", "prompts": prompts, "kernel_messages": true}), "login-action"),
        step(json!({"step": "shell", "prompts": prompts}), "expect-shell-connection"),
    ]})
}

/// A runner that runs one definition, in which these lines stand.
pub fn one_run(lines: &str) -> String {
    format!(
        "echo '<LAVA_SIGNAL_STARTRUN 0_smoke 104_1.1.3.1>'\n{lines}\necho '<LAVA_SIGNAL_ENDRUN 0_smoke 104_1.1.3.1>'"
    )
}

pub const PASS: &str = "echo '<LAVA_SIGNAL_STARTTC a>'; echo output; echo '<LAVA_SIGNAL_ENDTC a>'
echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>'";
