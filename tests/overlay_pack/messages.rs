//! What comes in and goes out, and what is refused.

use crate::fetching::serve;
use crate::installing::{host, of_guest};
use crate::packing::{inline, member, overlay_pack, pack, role, steps, stream, with};
use crate::repositories::{assert_killed, fake_git, git, repository, run_git, url};
use pumice_tests::data;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn the_message_says_what_was_packed_and_all_else_is_passed_on() {
    let (repository, out) = (repository(), tempfile::tempdir().unwrap());
    let parse = json!({"pattern": "(?P<test_case_id>.*): (?P<result>.*)", "fixupdict": {"OK": "pass"}});
    let mut definition = steps(&["ls"]);
    definition["parse"] = parse.clone();
    definition["expected"] = json!(["a", "b"]);
    let second = with(git(1, "smoke", &url(repository.path()), "smoke.yaml"), "revision", json!("main"));
    let definitions = json!([inline(0, "first", definition), with(second, "expected", json!(["job"]))]);
    let sent = [json!({"v": 1, "type": "news", "data": {"a": 1}, "b": []}), role(definitions)];
    let packed = pack(&stream(&sent), out.path());
    assert_eq!((packed.stderr.as_str(), packed.status, packed.lines.len()), ("", 0, 3));
    assert_eq!(packed.message(0), sent[0]);
    let mut message = packed.message(1);
    let overlay = message["data"].as_object_mut().unwrap().remove("overlay").unwrap();
    assert_eq!(message, sent[1]);
    let file = out.path().canonicalize().unwrap().join("4212-overlay-1.1.4.tar.gz");
    let digest = Command::new("sha256sum").arg(&file).output().unwrap().stdout;
    let commit = run_git(repository.path(), &["rev-parse", "HEAD"]);
    assert_eq!(
        overlay,
        json!({
            "file": file, "sha256": String::from_utf8(digest).unwrap()[..64], "size": fs::metadata(&file).unwrap().len(),
            "directory": "/lava-4212",
            "runs": [
                {"run": "0_first", "uuid": "4212_1.1.3.1", "stage": 0, "from": "inline", "name": "first", "path": "inline/first.yaml",
                    "expected": ["a", "b"], "pattern": parse["pattern"], "fixupdict": parse["fixupdict"]},
                {"run": "1_smoke", "uuid": "4212_1.1.3.5", "stage": 0, "from": "git", "name": "smoke", "path": "smoke.yaml",
                    "repository": url(repository.path()), "revision": "main", "commit_id": commit, "expected": ["job"]},
            ],
        })
    );
    assert_eq!(packed.lines[2], r#"{"v":1,"type":"end","data":{"status":0}}"#);
    // Nothing but the archive is left.
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
}

#[test]
fn the_example_job_becomes_the_example_messages() {
    const EXAMPLE: &str = "http://127.0.0.1:8000/git/functional-tests.git";
    let (served, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let work = served.path().join("work");
    let copied = Command::new("cp").arg("-R").arg(data("definitions")).arg(&work).status().unwrap();
    assert!(copied.success());
    run_git(&work, &["init", "--quiet", "--initial-branch=main"]);
    run_git(&work, &["add", "--all"]);
    run_git(&work, &["commit", "--quiet", "--message=one"]);
    run_git(served.path(), &["clone", "--quiet", "--bare", "work", "functional-tests.git"]);
    run_git(&served.path().join("functional-tests.git"), &["update-server-info"]);
    let commit = run_git(&work, &["rev-parse", "HEAD"]);
    let here = format!("{}/functional-tests.git", serve(served.path()));
    for role in ["host", "guest"] {
        let message = |stage: &str| fs::read_to_string(data(&format!("messages/{role}-{stage}.jsonl"))).unwrap();
        let packed = pack(&message("job-split").replace(EXAMPLE, &here), out.path());
        assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
        let mut expected: Vec<Value> =
            message("overlay-pack").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let overlay = packed.overlay(0);
        for field in ["file", "sha256", "size"] {
            expected[0]["data"]["overlay"][field] = overlay[field].clone();
        }
        for run in expected[0]["data"]["overlay"]["runs"].as_array_mut().unwrap() {
            if run["from"] == "git" {
                run["commit_id"] = json!(commit);
            }
        }
        let expected: Vec<String> = expected.iter().map(Value::to_string).collect();
        let got: Vec<_> = packed.lines.iter().map(|line| line.replace(&here, EXAMPLE)).collect();
        assert_eq!(got, expected);
    }
}

#[test]
fn a_key_that_is_given_twice_is_warned_of() {
    let (repository, out) = (repository(), tempfile::tempdir().unwrap());
    fs::write(repository.path().join("twice.yaml"), "metadata: {}\nrun: {steps: [a]}\nrun: {steps: [b]}\n").unwrap();
    run_git(repository.path(), &["add", "--all"]);
    run_git(repository.path(), &["commit", "--quiet", "--message=two"]);
    let packed = pack(&stream(&[role(json!([git(0, "d", &url(repository.path()), "twice.yaml")]))]), out.path());
    assert!(
        packed.stderr.starts_with("overlay-pack: warning: twice.yaml:3:1: ") && packed.stderr.lines().count() == 1,
        "{}",
        packed.stderr
    );
    assert!(member(&packed.overlay(0), "lava-4212/0/tests/0_d/run.sh").contains("2>/dev/null\nb\nset +x\n"));
}

#[test]
fn a_signal_ends_the_work_and_removes_what_is_half_done() {
    let definition = git(0, "d", "https://h/r.git", "a.yaml");
    let guests = json!([of_guest("https://h/r.git", "a.yaml")]);
    for message in [role(json!([definition])), host(json!([inline(0, "d", steps(&["ls"]))]), guests)] {
        let (fake, path) = fake_git("kill -TERM $PPID; exec sleep 1000");
        let out = tempfile::tempdir().unwrap();
        let packed = overlay_pack(&stream(&[message]), &["-o", out.path().to_str().unwrap()], &[("PATH", &path)]);
        assert_eq!((packed.stderr.as_str(), packed.status), ("", 143));
        assert_eq!(packed.lines, [r#"{"v":1,"type":"end","data":{"status":143}}"#]);
        assert_killed(&fake);
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    }
}

#[test]
fn several_roles_get_an_overlay_each_and_the_run_directory_has_their_traces() {
    let run_dir = tempfile::tempdir().unwrap();
    let mut second = role(json!([inline(0, "d", steps(&["ls"]))]));
    second["data"]["job_id"] = json!("4213");
    second["data"]["device"] = Value::Null;
    let mut idle = second.clone();
    idle["data"]["job_id"] = json!("4214");
    idle["data"]["actions"].as_array_mut().unwrap().pop();
    let mut prompt = idle.clone();
    let script = json!({"name": "net", "prompts": ["=>"], "steps": [{"command": "dhcp"}]});
    let test = json!({"action": "test", "level": "3", "timeout": 60, "stage": 0, "interactive": [script]});
    prompt["data"]["actions"].as_array_mut().unwrap().push(test);
    let input = stream(&[role(json!([inline(0, "d", steps(&["ls"]))])), second, idle.clone(), prompt.clone()]);
    let packed = overlay_pack(&input, &[], &[("MN_RUNDIR", run_dir.path().to_str().unwrap())]);
    assert_eq!((packed.stderr.as_str(), packed.status, packed.lines.len()), ("", 0, 5));
    let root = run_dir.path().canonicalize().unwrap();
    for (index, id) in ["4212", "4213"].into_iter().enumerate() {
        let file = root.join(id).join(format!("{id}-overlay-1.1.4.tar.gz"));
        assert_eq!(packed.overlay(index)["file"], json!(file));
        // Without a dictionary the place is LAVA's.
        assert_eq!(packed.overlay(index)["directory"], json!(format!("/lava-{id}")));
        let trace = fs::read_to_string(root.join(id).join("overlay-pack.jsonl")).unwrap();
        assert_eq!(trace, packed.lines[index].clone() + "\n");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // A role without definitions needs no overlay.
    assert_eq!((packed.message(2), packed.message(3)), (idle, prompt));
    let progress = fs::read_to_string(root.join("progress.jsonl")).unwrap();
    let first: Value = serde_json::from_str(progress.lines().next().unwrap()).unwrap();
    let size = packed.overlay(0)["size"].clone();
    let text = format!("1 definition in '{}', {size} bytes", packed.overlay(0)["file"].as_str().unwrap());
    assert_eq!((&first["data"]["tool"], &first["data"]["text"]), (&json!("overlay-pack"), &json!(text)));
}

#[test]
fn a_status_that_has_come_is_passed_on_without_work() {
    let out = tempfile::tempdir().unwrap();
    let message = role(json!([inline(0, "d", steps(&["ls"]))]));
    let input = format!("{message}\n{}\n", json!({"v": 1, "type": "end", "data": {"status": 124}}));
    let packed = pack(&input, out.path());
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 124));
    assert_eq!(
        (packed.message(0), packed.lines[1].as_str()),
        (message, r#"{"v":1,"type":"end","data":{"status":124}}"#)
    );
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

#[test]
fn damaged_input_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let good = role(json!([inline(0, "d", steps(&["ls"]))]));
    let without = |field: &str| {
        let mut message = good.clone();
        message["data"].as_object_mut().unwrap().remove(field);
        stream(&[message])
    };
    let changed = |pointer: &str, value: Value| {
        let mut message = good.clone();
        *message.pointer_mut(pointer).unwrap() = value;
        stream(&[message])
    };
    for (input, status, reason) in [
        (String::new(), 3, "input ended early"),
        (format!("{good}\n"), 3, "input ended early"),
        (format!("{good}"), 3, "input ended early"),
        ("ls\n".to_owned(), 2, "cannot read line 1 of the input: expected value at column 1"),
        (format!("{good}\nls\n"), 2, "cannot read line 2 of the input: expected value at column 1"),
        (
            "{\"v\":2,\"type\":\"end\",\"data\":{}}\n".to_owned(),
            2,
            "cannot read line 1 of the input: version 2 of the messages is not known, only 1",
        ),
        (" ".repeat(5 << 20), 2, "cannot read line 1 of the input: it is longer than 4194304 bytes"),
        (without("actions"), 2, "cannot understand the role message: missing field `actions`"),
        (changed("/data/job_id", json!("../1")), 2, "job id '../1' is not a decimal number"),
        (
            changed("/data/actions/0/overlay_level", json!("../1")),
            2,
            "cannot pack the role 'server': its 'overlay_level' is '../1', not numbers with dots",
        ),
        (
            changed("/data/device/results_dir", json!("/lava x")),
            2,
            "cannot pack the role 'server': the device's 'results_dir' is '/lava x', which is no plain absolute path",
        ),
        (
            changed("/data/device/shell", json!("sh")),
            2,
            "cannot pack the role 'server': the device's 'shell' is 'sh', which is no absolute path",
        ),
        (
            changed("/data/environment", json!({"A-B": 1})),
            2,
            "cannot pack the role 'server': cannot export 'A-B': that is no name of a shell's variable",
        ),
        (
            changed("/data/actions", json!([good["data"]["actions"][1]])),
            2,
            "cannot pack the role 'server': it has tests but no deploy action",
        ),
    ] {
        pack(&input, out.path()).assert_refused(status, reason);
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    }
}

#[test]
fn what_cannot_be_written_is_named() {
    let input = stream(&[role(json!([inline(0, "d", steps(&["ls"]))]))]);
    overlay_pack(&input, &["-o", "/no/such"], &[])
        .assert_refused(3, "cannot open the directory '/no/such': No such file or directory");
    overlay_pack(&input, &["--run-dir", "/no/such"], &[])
        .assert_refused(3, "cannot open the run directory '/no/such': No such file or directory");
    let full = tempfile::tempdir().unwrap();
    fs::create_dir(full.path().join("4212-overlay-1.1.4.tar.gz")).unwrap();
    let root = full.path().canonicalize().unwrap();
    let reason = format!("cannot write '{}/4212-overlay-1.1.4.tar.gz': Is a directory", root.display());
    pack(&input, full.path()).assert_refused(3, &reason);
    assert_eq!(fs::read_dir(full.path()).unwrap().count(), 1);
}

#[test]
fn the_command_line_is_explained() {
    let packed = overlay_pack("", &["--output"], &[]);
    assert_eq!(packed.status, 2);
    assert!(packed.stderr.ends_with("Try 'overlay-pack --help' for more information.\n"), "{}", packed.stderr);
    let out = tempfile::tempdir().unwrap();
    let root = out.path().canonicalize().unwrap();
    let packed =
        overlay_pack(&stream(&[role(json!([inline(0, "d", steps(&["ls"]))]))]), &["-vo", root.to_str().unwrap()], &[]);
    let size = packed.overlay(0)["size"].clone();
    let said =
        format!("overlay-pack: 4212: 1 definition in '{}/4212-overlay-1.1.4.tar.gz', {size} bytes\n", root.display());
    assert_eq!(packed.stderr, said);
}
