//! overlay-pack: the time of a small overlay, and how often a repository is asked.

use crate::figure::{Figure, Goal, Peer};
use serde_json::{Value, json};
use std::fs;
use std::io::{Error, Result, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const LAVA: &str = "lava-run, its overlay action";

/// Two inline definitions, the whole process: goal 10 ms, where LAVA's action takes 100 to 160.
pub fn small(_top: &Path) -> Result<Vec<Figure>> {
    let out = tempfile::tempdir()?;
    let inline = |number: usize| {
        json!({"from": "inline", "name": "d", "run": format!("{number}_d"), "uuid": "1_1", "path": "d.yaml",
            "definition": {"metadata": {"name": "d"}, "run": {"steps": ["lava-test-case pwd --shell pwd", "uname -a"]}}})
    };
    let input = stream("1", json!([inline(0), inline(1)]));
    let mut values = Vec::new();
    for run in 0..=50 {
        let began = Instant::now();
        let mut command = Command::new(tool()?);
        command.arg("-o").arg(out.path());
        wait(start(&mut command, &input)?)?;
        if run > 0 {
            values.push(began.elapsed().as_secs_f64() * 1000.0);
        }
    }
    let peer = Peer { name: LAVA, value: None };
    Ok(vec![Figure { tool: "overlay-pack", name: "two-inline", unit: "ms", peer, goal: Goal::AtMost(10.0), values }])
}

/// Four members that want one repository at the same time: how often it is cloned.
pub fn clones(_top: &Path) -> Result<Vec<Figure>> {
    let mut values = Vec::new();
    for _ in 0..5 {
        values.push(count_clones()?);
    }
    let peer = Peer { name: LAVA, value: None };
    Ok(vec![Figure { tool: "overlay-pack", name: "four-members", unit: "x", peer, goal: Goal::AtMost(1.0), values }])
}

fn count_clones() -> Result<f64> {
    let dir = tempfile::tempdir()?;
    let repository = dir.path().join("repository");
    fs::create_dir_all(dir.path().join("run"))?;
    fs::create_dir(&repository)?;
    fs::write(repository.join("d.yaml"), "metadata: {name: d}\nrun: {steps: [ls]}\n")?;
    for arguments in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message=one"]] {
        let mut git = Command::new("git");
        git.arg("-C").arg(&repository).args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments);
        wait(git.spawn()?)?;
    }
    // A git in front of the real one that keeps account.
    let (account, path) = (dir.path().join("account"), std::env::var("PATH").unwrap_or_default());
    let fake = dir.path().join("git");
    let script = format!(
        "#!/bin/sh\ncase $* in *'{}'*) echo \"$1\" >>'{}' ;; esac\nPATH='{path}' exec git \"$@\"\n",
        repository.display(),
        account.display()
    );
    fs::write(&fake, script)?;
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755))?;
    let definition = json!({"from": "git", "name": "d", "run": "0_d", "uuid": "1_1", "path": "d.yaml",
        "repository": format!("file://{}", repository.display())});
    let mut members = Vec::new();
    for id in ["1", "2", "3", "4"] {
        let mut command = Command::new(tool()?);
        command.arg("--run-dir").arg(dir.path().join("run")).env("PATH", format!("{}:{path}", dir.path().display()));
        members.push(start(&mut command, &stream(id, json!([definition.clone()])))?);
    }
    members.into_iter().try_for_each(wait)?;
    Ok(fs::read_to_string(account)?.lines().filter(|&word| word == "clone").count() as f64)
}

/// Beside this program.
fn tool() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("overlay-pack"))
}

fn start(command: &mut Command, input: &str) -> Result<Child> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let mut stdin = child.stdin.take().ok_or_else(|| Error::other("a pipe was asked for"))?;
    stdin.write_all(input.as_bytes())?;
    Ok(child)
}

fn wait(mut child: Child) -> Result<()> {
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(Error::other(format!("a command ended with {status}"))) }
}

fn stream(job_id: &str, definitions: Value) -> String {
    let role = json!({"v": 1, "type": "role", "data": {
        "job_id": job_id, "role": "r", "sub_id": 0,
        "group": {"name": "g", "size": 1, "members": [{"job_id": job_id, "role": "r"}]},
        "timeouts": {"job": 60, "connection": 60, "call": 60},
        "actions": [
            {"action": "deploy", "level": "1", "timeout": 60, "to": "tftp", "overlay_level": "1.1.4"},
            {"action": "test", "level": "3", "timeout": 60, "stage": 0, "definitions": definitions}],
    }});
    format!("{role}\n{}\n", json!({"v": 1, "type": "end", "data": {"status": 0}}))
}
