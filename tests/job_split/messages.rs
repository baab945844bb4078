//! What the members of a job get.

use crate::splitting::{BOARD, device, edited, file, roles, split, two_guests, warnings};
use pumice_tests::{Outcome, data, run, tool};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

fn golden(id: &str, name: &str) {
    let dictionary = format!("mustang={}", data("devices/qemu-mustang.yaml").display());
    let mut command = tool("job-split");
    command.args(["--job-id", "74585", "--group", "6a1d8b0e-0000-4000-8000-000000000001", "--only", id]);
    command.args(["--device", &dictionary]).arg(data("jobs/mustang-ssh-guest.yaml"));
    let expected = std::fs::read_to_string(data(&format!("messages/{name}"))).expect("the message is there");
    let outcome = run(&mut command, b"");
    assert_eq!(outcome, Outcome { status: 0, stdout: expected, stderr: String::new() });
}

#[test]
fn the_host_of_the_main_job_gets_its_message() {
    golden("74588", "host-job-split.jsonl");
}

#[test]
fn a_guest_of_the_main_job_gets_its_message() {
    golden("74585", "guest-job-split.jsonl");
}

#[test]
fn the_same_arguments_give_the_same_bytes() {
    let board = file(BOARD);
    let arguments = ["--only", "3", "--device", &device(&board)];
    let first = split(&arguments, &two_guests());
    assert_eq!(first.status, 0);
    assert_eq!(split(&arguments, &two_guests()), first);
}

#[test]
fn a_group_without_a_name_gets_a_uuid_of_its_job() {
    let name = |job: &str, id| roles(&split(&["--job-id", id, "--only", id], job))[0]["group"]["name"].clone();
    let own = name(&two_guests(), "5");
    assert_eq!(own.as_str().map(str::len), Some(36));
    assert_eq!(name(&two_guests(), "5"), own);
    assert_ne!(name(&two_guests(), "6"), own);
    assert_ne!(name(&edited("two guests", "2 guests"), "5"), own);
}

#[test]
fn members_are_numbered_in_the_order_of_roles() {
    let outcome = split(&["--job-id", "41", "--format", "list"], &two_guests());
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, "41\tguest\tssh\n42\tguest\tssh\n43\thost\ttftp\n"));
    let outcome = split(&["--job-id", "41", "--format", "list", "--only", "43"], &two_guests());
    assert_eq!(outcome, Outcome { status: 0, stdout: "43\thost\ttftp\n".to_owned(), stderr: String::new() });
}

#[test]
fn every_member_gets_a_message_and_warnings_come_once() {
    let board = file(BOARD);
    let outcome = split(&["--device", &device(&board)], &two_guests());
    assert_eq!(outcome.stderr, warnings(&[]));
    let roles = roles(&Outcome { stderr: String::new(), ..outcome });
    let ids: Vec<_> = roles.iter().map(|role| (role["job_id"].as_str(), role["sub_id"].as_u64())).collect();
    assert_eq!(ids, [(Some("1"), Some(0)), (Some("2"), Some(1)), (Some("3"), Some(2))]);
    assert_eq!(roles[0]["group"], roles[2]["group"]);
    assert_eq!(roles[0]["group"]["members"][1], json!({"job_id": "2", "role": "guest", "host": "3"}));
}

#[test]
fn definitions_are_numbered_over_all_blocks_of_a_role() {
    let board = file(BOARD);
    let guest = &roles(&split(&["--only", "1", "--device", &device(&board)], &two_guests()))[0];
    let tests = [&guest["actions"][2], &guest["actions"][3]];
    assert_eq!([&tests[0]["level"], &tests[0]["stage"], &tests[0]["timeout"]], [&json!("3"), &json!(0), &json!(240)]);
    assert_eq!([&tests[1]["level"], &tests[1]["stage"], &tests[1]["timeout"]], [&json!("4"), &json!(1), &json!(180)]);
    let git = json!([{
        "from": "git", "name": "smoke", "run": "0_smoke", "uuid": "1_1.1.3.1", "path": "smoke.yaml",
        "repository": "http://files.example/git/tests.git", "revision": "v1.2", "shallow": false, "history": true,
        "recursive": false, "parameters": {"LEVEL": "9", "SKIP": false}
    }]);
    assert_eq!(tests[0]["definitions"], git);
    let inline = json!([{
        "from": "inline", "name": "meet", "run": "1_meet", "uuid": "1_1.1.3.5", "path": "inline/meet.yaml",
        "definition": {
            "metadata": {"format": "Lava-Test Test Definition 1.0", "name": "meet"}, "install": {"deps": ["socat"]},
            "run": {"steps": ["lava-sync meet"]}
        },
        "skip_install": ["deps"], "expected": ["met"], "signal": "kmsg"
    }]);
    assert_eq!(tests[1]["definitions"], inline);
}

#[test]
fn addresses_are_rewritten_by_the_first_prefix_that_matches() {
    let rewrites =
        ["--rewrite", "http://files.example/a=file:///srv/a", "--rewrite", "http://files.example=http://[::1]:80"];
    let host = &roles(&split(&[&["--only", "3"], rewrites.as_slice()].concat(), &two_guests()))[0];
    let urls: Vec<_> = host["actions"][0]["resources"].as_array().expect("a list").iter().map(|r| &r["url"]).collect();
    assert_eq!(urls, ["file:///srv/a/vmlinuz", "file:///srv/a/board.dtb", "http://[::1]:80/root.tar.xz"]);
    assert_eq!(host["actions"][2]["definitions"][0]["repository"], "http://[::1]:80/git/tests.git");
}

#[test]
fn an_address_that_only_a_rewrite_makes_usable_is_usable() {
    let job = edited("http://files.example/a/vmlinuz", "scp://lab/vmlinuz");
    let host = &roles(&split(&["--only", "3", "--rewrite", "scp://lab=http://lab"], &job))[0];
    assert_eq!(host["actions"][0]["resources"][0]["url"], "http://lab/vmlinuz");
}

#[test]
fn a_secret_is_in_no_message() {
    let outcome = split(&[], &edited("job_name: two", "secrets: {KEY: hunter2}\njob_name: two"));
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("hunter2") && !outcome.stdout.contains("hunter2"));
}

#[test]
fn a_definition_may_come_from_an_archive_and_a_deploy_may_name_its_system() {
    let mut job = edited("to: tftp\n", "to: tftp\n    os: debian\n");
    let keys = "from: url, compression: xz, strip-components: 1, headers: {Accept: x}";
    let url =
        format!("{keys}, md5sum: 900150983cd24fb0d6963f7d28e17f72, repository: 'http://h/x', name: u, path: u.yaml");
    job = job.replacen("    definitions:\n", &format!("    definitions:\n    - {{{url}}}\n"), 1);
    let outcome = split(&[], &job);
    let messages: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let roles: Vec<_> =
        messages.iter().map(|message| &message["data"]).filter(|data| data["role"].is_string()).collect();
    let host = roles.iter().find(|role| role["role"] == "host").expect("there is a host");
    assert_eq!(host["actions"][0]["os"], "debian");
    let mut definitions = roles.iter().flat_map(|role| role["actions"][2]["definitions"].as_array().expect("a list"));
    let definition = definitions.find(|definition| definition["from"] == "url").expect("there is one");
    let fields = ["compression", "strip_components", "headers", "md5sum"].map(|field| definition[field].clone());
    assert_eq!(json!(fields), json!(["xz", 1, {"Accept": "x"}, "900150983cd24fb0d6963f7d28e17f72"]));
    assert!(definition.get("shallow").is_none() && definition["repository"].is_string());
}

#[test]
fn a_reader_that_has_gone_ends_the_tool() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut child = Command::new(pumice_tests::tool_path("job-split"));
    let job = data("jobs/two-guests.yaml");
    let status = child.args(["--only", "1"]).arg(job).stdout(writer).status().expect("the tool runs");
    assert_eq!(status.code(), Some(128 + 13));
}

#[test]
fn messages_are_kept_in_the_run_directory() {
    let directory = tempfile::tempdir().expect("a directory");
    let outcome = run(
        tool("job-split").args(["--only", "2", "--job-id", "2", "-"]).env("MN_RUNDIR", directory.path()),
        two_guests().as_bytes(),
    );
    let kept = std::fs::read_to_string(directory.path().join("2/job-split.jsonl")).expect("the copy is there");
    assert_eq!(outcome.stdout.lines().next(), kept.lines().next());
    assert!(!Path::new(&directory.path().join("3")).exists());
}

#[test]
fn an_empty_run_directory_is_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut command = tool("job-split");
    command.args(["--only", "2", "--job-id", "2", "-"]).env("MN_RUNDIR", "").current_dir(directory.path());
    assert_eq!(run(&mut command, two_guests().as_bytes()).status, 0);
    let left: Vec<_> = std::fs::read_dir(directory.path()).expect("a directory").collect();
    assert!(left.is_empty(), "{left:?}");
}
