//! Definitions in the shapes that are in use, from a repository to the results, in a system with one shell and BusyBox.

#![allow(clippy::unwrap_used)]

#[path = "device/board.rs"]
mod board;

use board::{SHELLS, Shell, role, run_in_root, small_root};
use mn_console::journal::{Next, Receiver};
use mn_console::reply::Answer;
use mn_console::stage::{Plan, Stage};
use mn_console::test::{Act, Test};
use pumice_tests::{data, run, tool};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The definitions in the order in which they run, and what is to be found of each.
const EXPECTED: [(&str, &[&str]); 23] = [
    ("background", &["ticked pass", "lava pass"]),
    ("dies", &["before pass", "lava fail: step 2 ended with status 1"]),
    ("directory", &["moved pass", "kept pass", "lava pass"]),
    ("expected", &["one pass", "two fail: expected, and not reported", "lava pass"]),
    ("input", &["a pass", "facts pass", "lava pass"]),
    ("install", &["made pass", "tar pass", "removed pass", "lava pass"]),
    ("install-fails", &["stage_0 fail"]),
    ("killed", &["before pass", "lava fail: step 2 ended with status 137"]),
    ("left-open", &["a unknown open", "lava pass"]),
    ("long-steps", &["loop-1 pass", "loop-2 pass", "document pass", "lava pass"]),
    ("measurements", &["speed pass 12.5 MB/s", "shown pass", "count fail 3.0", "lava pass"]),
    (
        "multinode",
        &[
            "multinode-send-ready pass",
            "multinode-wait-ipv4 pass",
            "address pass",
            "multinode-wait_all-booted pass",
            "multinode-sync-done pass",
            "members pass",
            "lava pass",
        ],
    ),
    ("parallel", &["p1 pass", "p2 pass", "p3 pass", "p4 pass", "lava pass"]),
    ("params", &["quoted pass", "lines pass", "dollar pass", "flag pass", "number pass", "none pass", "lava pass"]),
    ("pattern", &["disk-read pass 7.5 MB/s", "disk-write fail", "lava pass"]),
    ("positions", &["second pass", "lava pass"]),
    ("reference", &["report pass https://example.com/report/1", "lava pass"]),
    ("refused", &["multinode-wait-never fail", "lava fail: step 1 ended with status 1"]),
    ("script-status", &["no-argument pass", "no-interface pass", "lava pass"]),
    ("send-to-lava", &["skip-install pass", "a pass 1.5 s", "b pass 1.5 s", "lava pass"]),
    ("sets", &["a pass first", "a skip second", "lava pass"]),
    ("smoke", &["pwd pass", "uname pass", "vmstat fail", "date pass", "lava pass"]),
    ("statuses", &["status pass", "lava pass"]),
];

/// The definitions as a repository.
fn repository() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let copied = Command::new("cp").arg("-R").arg(data("definitions/shapes/.")).arg(directory.path()).status();
    assert!(copied.unwrap().success());
    for arguments in [&["init", "--quiet"][..], &["add", "--all"], &["commit", "--quiet", "--message=one"]] {
        let mut git = Command::new("git");
        git.arg("-C").arg(directory.path()).args(["-c", "user.name=a", "-c", "user.email=a@b"]).args(arguments);
        assert!(git.status().unwrap().success());
    }
    directory
}

/// The role message with its overlay, which is in the root.
fn packed(repository: &Path, root: &Path) -> Value {
    let definition = |(index, (name, _)): (usize, &(&str, &[&str]))| {
        json!({
            "from": "git", "name": name, "run": format!("{index}_{name}"), "uuid": format!("7_1.1.3.{}", 4 * index + 1),
            "path": format!("{name}.yaml"), "repository": format!("file://{}", repository.display()),
        })
    };
    let definitions: Vec<_> = EXPECTED.iter().enumerate().map(definition).collect();
    let message = role("/bin/sh", "/lava-7", json!(definitions));
    let input = format!("{message}\n{}\n", json!({"v": 1, "type": "end", "data": {"status": 0}}));
    let packed = run(tool("overlay-pack").arg("-o").arg(root), input.as_bytes());
    assert_eq!((packed.status, packed.stderr.as_str()), (0, ""));
    serde_json::from_str(packed.stdout.lines().next().unwrap()).unwrap()
}

/// What a reader of LAVA's own signals makes of the console: a line for each result, by its run.
fn results(console: &str, runs: &Value) -> Vec<(String, String)> {
    let plan = Plan {
        job_id: "7".into(),
        stage: 0,
        level: "3".into(),
        directory: "/lava-7".into(),
        shell: "/bin/sh".into(),
        runs: serde_json::from_value(runs.clone()).unwrap(),
        delay: Duration::ZERO,
        patience: Duration::from_secs(60),
        board: None,
        earlier: 0,
    };
    let (mut stage, now) = (Stage::new(plan, 0), Duration::from_secs(1));
    let mut acts = stage.start(now, Duration::from_secs(1000));
    for line in ["<mn-ready 7.0 0>\n"].into_iter().chain(console.split_inclusive('\n')).chain(["<mn-end 7.0 0>\n"]) {
        let new = stage.push(line.as_bytes(), now);
        for act in &new {
            if let Act::Ask(number, request) = act {
                let answer = match request.id() {
                    "never" => Answer::Refused("it was refused".into()),
                    _ => Answer::Granted(Vec::new()),
                };
                acts.extend(stage.answered(*number, &answer, now));
            }
        }
        acts.extend(new);
    }
    let records = acts.into_iter().filter_map(|act| if let Act::Record(record) = act { Some(record) } else { None });
    records.map(|record| shown(&Value::Object(record))).collect()
}

fn shown(record: &Value) -> (String, String) {
    let text = |key: &str| record[key].as_str().unwrap_or_default();
    let (suite, case) = match text("definition") {
        "lava" if text("case").starts_with("stage_") => ("6_install-fails", text("case")),
        "lava" => (text("case"), "lava"),
        suite => (suite, text("case")),
    };
    let mut line = format!("{case} {}", text("result"));
    for key in ["measurement", "units", "set", "reference"] {
        if !record[key].is_null() {
            line += &format!(" {}", record[key]).replace('"', "");
        }
    }
    if let Some(reason) = record["extra"]["reason"].as_str() {
        line += &format!(": {reason}");
    }
    (suite.split_once('_').unwrap().1.to_owned(), line)
}

fn assert_results(shell: &Shell, repository: &Path) {
    let root = small_root(shell);
    let message = packed(repository, root.path());
    let file = message["data"]["overlay"]["file"].as_str().unwrap();
    fs::rename(file, root.path().join("overlay.tar.gz")).unwrap();
    let replies = "<LAVA_WAIT_COMPLETE 8:ipaddr=10.0.0.2>\n<LAVA_WAIT_ALL_COMPLETE>\n<LAVA_SYNC_COMPLETE>\n<LAVA_WAIT_COMPLETE nack>\n";
    let script = "tar -C / -xzf /overlay.tar.gz && . /lava-7/environment && /lava-7/bin/lava-test-runner /lava-7/0";
    let ran = run_in_root(root.path(), replies, script);
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for (suite, line) in results(&ran.stdout, &message["data"]["overlay"]["runs"]) {
        match found.iter_mut().find(|(name, _)| *name == suite) {
            Some((_, lines)) => lines.push(line),
            None => found.push((suite, vec![line])),
        }
    }
    for (_, lines) in found.iter_mut().filter(|(name, _)| name == "parallel") {
        lines.sort_by_key(|line| (line.starts_with("lava"), line.clone()));
    }
    found.sort();
    let expected: Vec<(String, Vec<String>)> = EXPECTED
        .iter()
        .map(|(name, lines)| ((*name).to_owned(), lines.iter().map(|&line| line.to_owned()).collect()))
        .collect();
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected, found, "{}:\n{}\n{}", shell.name, ran.stdout, ran.stderr);
    }
    assert_eq!(found.len(), expected.len());
    // And nothing of it was lost.
    let mut receiver = Receiver::new("/lava-7/0", 0);
    receiver.push(ran.stdout.as_bytes());
    assert_eq!(receiver.ended(), Next::Complete);
}

#[test]
fn definitions_in_all_shapes_give_their_results_under_dash() {
    assert_results(&SHELLS[0], repository().path());
}

#[test]
fn definitions_in_all_shapes_give_their_results_under_bash() {
    assert_results(&SHELLS[1], repository().path());
}

#[test]
fn definitions_in_all_shapes_give_their_results_under_mksh() {
    assert_results(&SHELLS[2], repository().path());
}

#[test]
fn definitions_in_all_shapes_give_their_results_under_busybox() {
    assert_results(&SHELLS[3], repository().path());
}
