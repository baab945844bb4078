//! The tool at work, and the messages that it is given.

use pumice_tests::tool;
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// No test takes longer.
const LIMIT: Duration = Duration::from_secs(60);

/// What a run of the tool gave.
pub struct Packed {
    pub lines: Vec<String>,
    pub stderr: String,
    pub status: i32,
}

impl Packed {
    /// The message in this place.
    pub fn message(&self, index: usize) -> Value {
        serde_json::from_str(&self.lines[index]).unwrap()
    }

    pub fn overlay(&self, index: usize) -> Value {
        self.message(index)["data"]["overlay"].clone()
    }

    /// Nothing but the end of the stream, and one line of reason.
    pub fn assert_refused(&self, status: i32, reason: &str) {
        let end = format!("{{\"v\":1,\"type\":\"end\",\"data\":{{\"status\":{status}}}}}");
        assert_eq!((&self.stderr, self.status), (&format!("overlay-pack: {reason}\n"), status));
        assert_eq!(self.lines, [end]);
    }
}

pub fn overlay_pack(input: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Packed {
    let output = assert_cmd::Command::from_std(tool("overlay-pack"))
        .args(arguments)
        .envs(environment.iter().copied())
        .write_stdin(input)
        .timeout(LIMIT)
        .output()
        .unwrap();
    Packed {
        lines: String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code().unwrap(),
    }
}

/// Packs into a directory.
pub fn pack(input: &str, into: &Path) -> Packed {
    overlay_pack(input, &["-o", into.to_str().unwrap()], &[])
}

pub fn stream(messages: &[Value]) -> String {
    let end = json!({"v": 1, "type": "end", "data": {"status": 0}});
    messages.iter().chain([&end]).map(|message| format!("{message}\n")).collect()
}

pub fn role(definitions: Value) -> Value {
    json!({"v": 1, "type": "role", "data": {
        "job_id": "4212", "role": "server", "sub_id": 0,
        "group": {"name": "g", "size": 1, "members": [{"job_id": "4212", "role": "server"}]},
        "timeouts": {"job": 60, "connection": 60, "call": 60},
        "environment": {"GREETING": "it's", "LEVELS": [1, true]},
        "device": {"hostname": "board-1", "type": "mustang", "shell": "/bin/sh", "results_dir": "/lava-4212",
            "environment": {"SOC": "x-gene"}, "ssh": {"user": "root", "port": 22}},
        "actions": [
            {"action": "deploy", "level": "1", "timeout": 60, "to": "tftp", "overlay_level": "1.1.4"},
            {"action": "test", "level": "3", "timeout": 60, "stage": 0, "definitions": definitions}],
        "later": {"kept": 1.50},
    }})
}

pub fn inline(number: usize, name: &str, definition: Value) -> Value {
    json!({
        "from": "inline", "name": name, "run": format!("{number}_{name}"), "uuid": format!("4212_1.1.3.{}", 4 * number + 1),
        "path": format!("inline/{name}.yaml"), "definition": definition,
    })
}

/// A definition from an archive.
pub fn archived(address: &str) -> Value {
    json!({"from": "url", "name": "d", "run": "0_d", "uuid": "1_1", "path": "a.yaml", "repository": address})
}

/// The definition with one field changed.
pub fn with(mut definition: Value, field: &str, value: Value) -> Value {
    definition[field] = value;
    definition
}

pub fn steps(steps: &[&str]) -> Value {
    json!({"metadata": {"name": "x"}, "run": {"steps": steps}})
}

pub fn tar(arguments: &[&str], file: &Value) -> String {
    let file = file["file"].as_str().unwrap();
    let output = Command::new("tar").args(arguments).arg("-f").arg(file).env("TZ", "UTC").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A file of an archive.
pub fn member(overlay: &Value, name: &str) -> String {
    tar(&["--extract", "--gzip", "--to-stdout", name], overlay)
}
