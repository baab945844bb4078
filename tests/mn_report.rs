//! mn-report as its users see it.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pumice_tests::{Outcome, data, run, tool};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use std::time::{Duration, UNIX_EPOCH};

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
fn an_attempt_that_another_one_has_followed_does_not_count() {
    let line = |definition: &str, case: &str, result: &str, attempt: &str| {
        format!(
            r#"{{"v":1,"type":"result","data":{{"definition":"{definition}","case":"{case}","result":"{result}","job_id":"7","role":"host","seq":0{attempt}}}}}"#
        ) + "\n"
    };
    let (first, second) = (r#","attempt":1"#, r#","attempt":2"#);
    let results = [
        line("0_a", "b", "fail", first),
        line("lava", "0_a", "fail", first),
        line("0_a", "c", "pass", second),
        line("lava", "0_a", "pass", second),
        line("lava", "once", "pass", first),
        line("lava", "job", "pass", ""),
    ];
    let outcome = run(tool("mn-report").arg("-"), results.concat().as_bytes());
    assert_eq!(outcome.status, 0, "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("1 members: 4 passed, 0 failed, 0 skipped, 0 unknown\n"), "{}", outcome.stdout);
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
    assert!(outcome.stderr.starts_with("mn-report: cannot read line 1 of the input: "), "{}", outcome.stderr);
}

#[test]
fn a_status_comes_through_from_the_end_of_the_stream() {
    let stream = std::fs::read_to_string(data("messages/host-serial-expect.jsonl")).unwrap();
    for (end, status) in [(0, 0), (1, 1), (124, 124), (143, 143)] {
        let ended = stream.replace(
            "\"type\":\"end\",\"data\":{\"status\":0}",
            &format!("\"type\":\"end\",\"data\":{{\"status\":{end}}}"),
        );
        let outcome = run(tool("mn-report").arg("-"), ended.as_bytes());
        assert_eq!((outcome.status, outcome.stderr.as_str()), (status, ""), "{}", outcome.stdout);
        assert!(outcome.stdout.contains(" passed, 0 failed"), "the table is printed: {}", outcome.stdout);
    }
}

#[test]
fn a_full_disk_is_the_labs_fault() {
    for argument in [data("messages/host-serial-expect.jsonl"), "--help".into(), "--version".into()] {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let status = tool("mn-report").arg(argument).stdout(full).stderr(Stdio::null()).status();
        assert_eq!(status.unwrap().code(), Some(3));
    }
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

/// A run directory of the host 4 and its guest 1. Moments are seconds after 2026-11-22T12:00:00Z.
struct Ended(tempfile::TempDir);

impl Ended {
    /// With the texts of their files `status`.
    fn with(host: (&str, u64), guest: (&str, u64)) -> Self {
        let run = Self(tempfile::tempdir().expect("a run directory"));
        run.file("members", "1 guest ssh\n4 host tftp\n", 0);
        run.file("results.jsonl", "", 0);
        fs::create_dir(run.0.path().join("1")).expect("a run directory");
        fs::create_dir(run.0.path().join("4")).expect("a run directory");
        run.file("4/status", host.0, host.1).file("1/status", guest.0, guest.1);
        run
    }

    fn file(&self, name: &str, text: &str, at: u64) -> &Self {
        let path = self.0.path().join(name);
        fs::write(&path, text).expect("a run directory");
        let moment = UNIX_EPOCH + Duration::from_secs(1_795_348_800 + at);
        File::options()
            .append(true)
            .open(path)
            .expect("a run directory")
            .set_modified(moment)
            .expect("a run directory");
        self
    }

    /// A failed record.
    fn failed(&self, id: &str, suite: &str, case: &str, text: &str, at: u64) -> &Self {
        let at = format!("2026-11-22T12:00:{at:02}.000000Z");
        let mut file = File::options().append(true).open(self.0.path().join("results.jsonl")).expect("a run directory");
        let data = format!(
            r#"{{"definition":"{suite}","case":"{case}","result":"fail","error_msg":"{text}","job_id":"{id}","at":"{at}"}}"#
        );
        writeln!(file, r#"{{"v":1,"type":"result","data":{data}}}"#).expect("a run directory");
        self
    }

    fn asked(&self) -> Outcome {
        run(tool("mn-report").arg("--why").arg(self.0.path()), b"")
    }

    /// What is said of it, without date and minute; the run's status is to be `status`.
    fn why(&self, status: i32) -> String {
        let outcome = self.asked();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (status, ""));
        outcome.stdout.replace("2026-11-22T12:00:", "").replace(".000000Z", "")
    }
}

#[test]
fn the_broker_is_the_first_cause_though_its_members_noticed_before_mn_run() {
    let run = Ended::with(("3\n", 4), ("3\n", 5));
    run.failed("4", "lava", "job", "lost the broker: it has closed the connection", 2);
    run.failed("1", "lava", "job", "lost the broker: it has closed the connection", 2);
    run.file("broker.status", "137\n", 6);
    let expected = "first cause: 02 broker: was ended by SIGKILL
then: 02 member 1 (guest): lost the broker: it has closed the connection
then: 02 member 4 (host): lost the broker: it has closed the connection
";
    assert_eq!(run.why(3), expected);
}

#[test]
fn an_mn_run_that_died_is_the_first_cause_at_the_moment_at_which_its_broker_was_missed() {
    let run = Ended::with(("3\n", 4), ("3\n", 5));
    run.failed("4", "lava", "job", "lost the broker: it has closed the connection", 2);
    run.file("1/log", "ssh-connect: lost the broker: it has closed the connection\n", 3).file("mn-run.died", "", 50);
    let expected = "first cause: 02 mn-run: died
then: 02 member 4 (host): lost the broker: it has closed the connection
then: 03 member 1 (guest): ssh-connect: lost the broker: it has closed the connection
";
    assert_eq!(run.why(3), expected);
}

#[test]
fn an_mn_run_that_died_is_named_where_a_member_did_not_come_to_its_end() {
    let run = Ended::with(("0\n", 4), ("0\n", 5));
    fs::remove_file(run.0.path().join("4/status")).expect("a run directory");
    let outcome = run.file("mn-run.died", "", 50).asked();
    assert_eq!(outcome.stdout, "first cause: 2026-11-22T12:00:50.000000Z mn-run: died\n");
    let missing = format!("cannot read '{}': No such file or directory", run.0.path().join("4/status").display());
    assert_eq!((outcome.status, outcome.stderr), (3, format!("mn-report: {missing}\n")));
}

#[test]
fn a_broker_that_nobody_needed_any_more_is_the_cause_of_nothing() {
    let run = Ended::with(("0\n", 4), ("0\n", 5));
    assert_eq!(run.file("broker.status", "137\n", 6).why(0), "");
}

#[test]
fn a_stage_that_dies_without_a_word_is_named_by_the_one_that_missed_its_end() {
    let missed = |line: &str| {
        let run = Ended::with(("3\n", 4), ("1\n", 5));
        run.file("4/log", &format!("{line}: input ended early\n"), 3).why(3)
    };
    assert_eq!(missed("overlay-pack"), "first cause: 03 member 4 (host): job-split died\n");
    assert_eq!(missed("tftp-stage"), "first cause: 03 member 4 (host): overlay-pack died\n");
    assert_eq!(missed("serial-expect"), "first cause: 03 member 4 (host): tftp-stage died\n");
}

#[test]
fn a_holder_that_dies_without_a_word_is_named_by_its_reader() {
    let run = Ended::with(("1\n", 9), ("3\n", 5));
    run.failed("1", "lava", "0_smoke", "", 4);
    run.failed("1", "lava", "job", "what the role uses is gone: the stage before has ended", 5);
    assert_eq!(run.why(3), "first cause: 04 member 1 (guest): ssh-connect died\n");
}

#[test]
fn the_script_of_a_member_is_the_cause_of_what_its_stages_say_after_it() {
    let run = Ended::with(("3\n", 4), ("137 member\n", 2));
    run.failed("1", "lava", "job", "ended by SIGTERM", 3);
    run.failed("4", "lava", "job", "cannot sync: host 4 waits in sync 'a' for guest 1, which left", 3);
    let expected = "first cause: 02 member 1 (guest): member was ended by SIGKILL
then: 03 member 4 (host): cannot sync: host 4 waits in sync 'a' for guest 1, which left
";
    assert_eq!(run.why(137), expected);
}

#[test]
fn a_last_stage_that_was_killed_is_named_with_its_signal() {
    let run = Ended::with(("137\n", 2), ("3\n", 5));
    // A guest may tell of the host before the host's own end is on record.
    run.failed("1", "lava", "job", "what the role uses is gone: lost the board: its member 4 has died", 1);
    let expected = "first cause: 02 member 4 (host): serial-expect was ended by SIGKILL
then: 01 member 1 (guest): what the role uses is gone: lost the board: its member 4 has died
";
    assert_eq!(run.why(137), expected);
}

#[test]
fn what_a_stage_cannot_release_after_the_last_one_was_killed_is_no_cause() {
    let run = Ended::with(("137\n", 2), ("0\n", 5));
    run.file("4/log", "tftp-stage: cannot remove '/run/4/nfsrootfs': Directory not empty\n", 1);
    assert_eq!(run.why(137), "first cause: 02 member 4 (host): serial-expect was ended by SIGKILL\n");
}

#[test]
fn who_told_the_run_to_end_comes_before_those_who_did() {
    let run = Ended::with(("143\n", 4), ("143\n", 3));
    run.file("signal", "SIGINT\n", 2).file("1/log", "serial-expect: ended by SIGTERM\n", 2);
    run.failed("4", "lava", "job", "ended by SIGTERM", 2);
    let expected = "first cause: 02 mn-run: told to end by SIGINT
then: 02 member 1 (guest): serial-expect: ended by SIGTERM
then: 02 member 4 (host): ended by SIGTERM
";
    assert_eq!(run.why(130), expected);
}

#[test]
fn a_failed_test_is_a_cause_where_nothing_else_is() {
    let run = Ended::with(("1\n", 4), ("1\n", 5));
    run.failed("4", "0_smoke", "disk", "", 2).failed("1", "0_smoke", "clock", "", 1);
    let expected = "first cause: 01 member 1 (guest): the test '0_smoke/clock' failed
then: 02 member 4 (host): the test '0_smoke/disk' failed
";
    assert_eq!(run.why(1), expected);
    run.file("4/status", "124\n", 4).failed("4", "lava", "job", "login-action: waited in vain", 4);
    assert_eq!(run.why(124), "first cause: 04 member 4 (host): login-action: waited in vain\n");
}
