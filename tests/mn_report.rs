//! mn-report as its users see it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pumice_tests::{Outcome, data, run, tool};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

#[test]
fn the_table_counts_each_suite_of_each_member() {
    let outcome = run(tool("mn-report").arg(data("messages/host-serial-expect.jsonl")), b"");
    let expected = "\
job    role  suite         pass  fail  skip  unknown
74588  host  lava             4     0     0        0
74588  host  0_ssh-inline     4     0     0        0
1 members: 8 passed, 0 failed, 0 skipped, 0 unknown
";
    assert_eq!(outcome, Outcome { status: 0, stdout: expected.into(), stderr: String::new() });
}

#[test]
fn a_failure_is_named_and_is_the_status() {
    let line = br#"{"v":1,"type":"result","data":{"definition":"0_a","case":"b","result":"fail","error_msg":"no such host","job_id":"7","role":"host","seq":0}}"#;
    let outcome =
        run(tool("mn-report").arg("-"), line.as_slice().iter().chain(b"\n").copied().collect::<Vec<_>>().as_slice());
    assert_eq!(outcome.status, 1);
    assert!(outcome.stdout.contains("failed: 7 host 0_a/b: no such host\n"), "{}", outcome.stdout);
    assert_eq!(outcome.stderr, "");
}

#[test]
fn a_missing_file_is_named() {
    let outcome = run(tool("mn-report").arg("/no/such/run"), b"");
    let stderr = "mn-report: cannot open '/no/such/run': No such file or directory\n".into();
    assert_eq!(outcome, Outcome { status: 3, stdout: String::new(), stderr });
}

#[test]
fn a_line_that_is_no_message_is_refused() {
    let outcome = run(tool("mn-report").arg("-"), b"results\n");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""));
    assert!(outcome.stderr.starts_with("mn-report: cannot read the input: "), "{}", outcome.stderr);
}

#[test]
fn a_full_disk_is_the_labs_fault() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status =
        tool("mn-report").arg(data("messages/host-serial-expect.jsonl")).stdout(full).stderr(Stdio::null()).status();
    assert_eq!(status.unwrap().code(), Some(3));
}

#[test]
fn following_prints_what_comes_and_ends_well_when_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = tool("mn-report")
        .args(["--follow", "all"])
        .arg(dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("mn-report runs");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    std::fs::create_dir(dir.path().join("7")).unwrap();
    let mut log = std::fs::File::create(dir.path().join("7/log")).unwrap();
    log.write_all(b"tftp-stage: cannot reach '\x1b[1mx'\n").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "7 tftp-stage: cannot reach '\\x1b[1mx'");
    let step =
        r#"{"v":1,"type":"step","data":{"job_id":"7","role":"host","tool":"t","at":"","step":"boot","text":"waits"}}"#;
    std::fs::write(dir.path().join("progress.jsonl"), format!("{step}\n")).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "7 host  t: boot: waits");
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn help_names_the_page_and_a_wrong_option_the_help() {
    let help = run(tool("mn-report").arg("--help"), b"");
    assert_eq!((help.status, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.ends_with("See mn-report(1).\n"), "{}", help.stdout);
    let wrong = run(tool("mn-report").arg("--colour"), b"");
    assert_eq!((wrong.status, wrong.stdout.as_str()), (2, ""));
    assert!(wrong.stderr.ends_with("Try 'mn-report --help' for more information.\n"), "{}", wrong.stderr);
}
