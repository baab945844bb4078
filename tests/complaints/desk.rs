//! A role at a terminal whose other end is the test, and what came of it.

use pumice_tests::console::{Terminal, role, serial_expect, until};
use pumice_tests::running::{Running, results};
use serde_json::{Value, json};
use std::ops::Deref;
use tempfile::TempDir;

/// A running role. What it is asked and told goes through its terminal.
pub struct Desk {
    pub terminal: Terminal,
    running: Running,
    dir: TempDir,
}

/// What came of a role.
pub struct Ended {
    pub status: i32,
    /// What it said on standard error, but for the warning that this test has its port open too.
    pub stderr: String,
    pub stdout: String,
    /// All that the console printed.
    pub log: Vec<u8>,
    /// What was typed, and how many bytes the console had printed by then.
    typed: Vec<(usize, String)>,
}

impl Desk {
    /// A role with this message.
    pub fn of(message: &str) -> Desk {
        let (terminal, dir) = (Terminal::new(), tempfile::tempdir().expect("a directory"));
        let mut command = serial_expect(&terminal.name.display().to_string());
        let running = Running::start(command.arg("--run-dir").arg(dir.path()), message);
        Desk { terminal, running, dir }
    }

    /// A board that is booted by these steps, without tests.
    pub fn boot(steps: &[Value]) -> Desk {
        let power = tempfile::tempdir().expect("a directory");
        let on = power.path().join("on");
        let desk = Desk::of(&booting(steps, &format!("touch {}", on.display())));
        until("the power comes", || on.exists());
        desk
    }

    pub fn says(&mut self, text: &str) {
        self.terminal.says(text.as_bytes());
    }

    pub fn hears(&mut self, text: &str) {
        self.terminal.hears(text);
    }

    /// The member's directory.
    pub fn member(&self, id: &str) -> std::path::PathBuf {
        self.dir.path().join(id)
    }

    /// Waits for the role's end.
    pub fn ends(self) -> Ended {
        ended(self.running, &self.dir)
    }
}

impl Deref for Desk {
    type Target = Running;

    fn deref(&self) -> &Running {
        &self.running
    }
}

fn ended(running: Running, dir: &TempDir) -> Ended {
    let outcome = running.outcome();
    let mut members = std::fs::read_dir(dir.path()).expect("a directory").map(|entry| entry.expect("an entry").path());
    let member = members.find(|path| path.join("console.log").exists()).expect("a member");
    let entries = std::fs::read_to_string(member.join("console.jsonl")).expect("a log");
    let entries = entries.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["data"].clone());
    let typed = entries.filter(|entry| entry["direction"] == "out");
    let typed = typed.map(|entry| {
        let offset = usize::try_from(entry["offset"].as_u64().expect("an offset")).expect("it fits");
        (offset, entry["text"].as_str().expect("text").to_owned())
    });
    let said = outcome.stderr.lines().filter(|line| !line.ends_with("what that reads is missing here"));
    Ended {
        status: outcome.status,
        stderr: said.map(|line| format!("{line}\n")).collect(),
        stdout: outcome.stdout,
        log: std::fs::read(member.join("console.log")).expect("a log"),
        typed: typed.collect(),
    }
}

impl Ended {
    /// The role has come to its end, without a word.
    pub fn is_well(&self) {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""), "{}", self.stdout);
    }

    /// The results: definition, case and result.
    pub fn results(&self) -> Vec<String> {
        results(&self.stdout)
    }

    /// A line was typed only when this had been printed so many times.
    pub fn typed_after(&self, line: &str, printed: &str, times: usize) {
        let typed = self.typed.iter().find(|(_, text)| text.contains(line));
        let (offset, _) = typed.unwrap_or_else(|| panic!("'{line}' was typed: {:?}", self.typed));
        let ends = |at: &usize| self.log[..*at].ends_with(printed.as_bytes());
        let before = (0..=self.log.len()).filter(ends).nth(times - 1).expect("it was printed");
        assert!(*offset >= before, "'{line}' was typed behind {offset} bytes, and '{printed}' ends at {before}");
    }

    /// All that was typed.
    pub fn typed(&self) -> String {
        self.typed.iter().map(|(_, text)| text.as_str()).collect()
    }
}

/// The message of a board that is booted by these steps; `reset` is its power switch.
pub fn booting(steps: &[Value], reset: &str) -> String {
    let steps = [&[power()], steps].concat();
    let boot = json!({"action": "boot", "level": "2", "timeout": 100, "method": "minimal", "prompts": ["#"],
        "dialogue": steps});
    let device = json!({"hostname": "board", "type": "model", "shell": "/bin/sh", "results_dir": "/lava-104",
        "ssh": {"user": "root", "port": 22}, "commands": {"hard_reset": [reset]}});
    role(&[("104", "host")], &json!({"actions": [boot], "device": device}))
}

/// A step with a name and a limit.
pub fn step(step: Value) -> Value {
    let mut step = step;
    step["name"] = step["step"].clone();
    step["timeout"] = json!(60);
    step
}

fn power() -> Value {
    step(json!({"step": "power", "command": "hard_reset"}))
}

/// Logs in as root where it is asked to, for this prompt.
pub fn login(prompt: &str, commands: &[&str]) -> Value {
    step(json!({"step": "login", "login_prompt": "login:", "username": "root", "prompts": [prompt],
        "login_commands": commands, "kernel_messages": true}))
}

/// Waits for the first line of the kernel.
pub fn kernel() -> Value {
    step(json!({"step": "kernel", "pattern": "Linux version [0-9]", "errors": []}))
}

/// Types the lines of a bootloader.
pub fn commands(lines: &[&str], delay: u64) -> Value {
    step(json!({"step": "commands", "prompt": "=> ", "lines": lines, "character_delay": delay, "errors": []}))
}
