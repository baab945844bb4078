//! What is in an overlay, and that it is the same each time.

use crate::packing::{inline, member, overlay_pack, pack, role, steps, stream, tar, with};
use crate::repositories::{git, repository, run_git, url};
use pumice_tests::tool_path;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

/// What stands in bin/.
const HELPERS: [&str; 34] = [
    "lava-add-keys",
    "lava-add-sources",
    "lava-background-process-start",
    "lava-background-process-stop",
    "lava-common-functions",
    "lava-echo-config",
    "lava-echo-ipv4",
    "lava-group",
    "lava-install-packages",
    "lava-installed-packages",
    "lava-multi-node.lib",
    "lava-os-build",
    "lava-packages.lib",
    "lava-probe-channel",
    "lava-probe-ip",
    "lava-role",
    "lava-self",
    "lava-send",
    "lava-sync",
    "lava-target-ip",
    "lava-target-mac",
    "lava-target-storage",
    "lava-test-case",
    "lava-test-event",
    "lava-test-feedback",
    "lava-test-journal",
    "lava-test-raise",
    "lava-test-reference",
    "lava-test-runner",
    "lava-test-set",
    "lava-test-shell",
    "lava-test-signal",
    "lava-wait",
    "lava-wait-all",
];

#[test]
fn an_archive_has_these_members_with_these_modes_and_owners() {
    let (repository, out) = (repository(), tempfile::tempdir().unwrap());
    let installing =
        json!({"metadata": {"name": "x", "os": ["debian"]}, "install": {"deps": ["curl"]}, "run": {"steps": []}});
    let definitions = json!([inline(0, "first", installing), git(1, "smoke", &url(repository.path()), "smoke.yaml")]);
    let packed = pack(&stream(&[role(definitions)]), out.path());
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
    let listing = tar(&["--list", "--verbose", "--gzip"], &packed.overlay(0));
    // The sizes are those of what is tested elsewhere.
    let mut lines: Vec<_> = listing
        .lines()
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            format!("{} {} {}", words[0], words[1], words[3..].join(" "))
        })
        .collect();
    let helpers: Vec<_> = lines.extract_if(.., |line| line.contains("/bin/lava-")).collect();
    let expected = HELPERS.map(|name| format!("-rwxr-xr-x root/root 1980-01-02 00:00 lava-4212/bin/{name}"));
    assert_eq!(helpers, expected);
    let long = "a".repeat(120);
    let expected = format!(
        "\
drwxr-xr-x root/root 1980-01-02 00:00 lava-4212/
drwxr-xr-x root/root 1980-01-02 00:00 lava-4212/0/
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/lava-test-runner.conf
drwxr-xr-x root/root 1980-01-02 00:00 lava-4212/0/tests/
drwxr-xr-x root/root 1980-01-02 00:00 lava-4212/0/tests/0_first/
drwxr-xr-x root/root 1980-01-02 00:00 lava-4212/0/tests/0_first/inline/
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/tests/0_first/inline/first.yaml
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/tests/0_first/install.sh
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/tests/0_first/run.sh
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/tests/0_first/testdef.yaml
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/tests/0_first/testdef_metadata
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/tests/0_first/uuid
drwxr-xr-x root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/{long}
drwxr-xr-x root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/dir/
lrwxrwxrwx root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/dir/link -> ../dir/./scripts/go.sh
drwxr-xr-x root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/dir/scripts/
-rwxr-xr-x root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/dir/scripts/go.sh
lrwxrwxrwx root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/here -> .
lrwxrwxrwx root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/passwd.yaml -> /etc/passwd
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/run.sh
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/smoke.yaml
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/testdef.yaml
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/testdef_metadata
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/0/tests/1_smoke/uuid
drwxr-xr-x root/root 1980-01-02 00:00 lava-4212/bin/
-rw-r--r-- root/root 1980-01-02 00:00 lava-4212/environment
drwxr-xr-x root/root 1980-01-02 00:00 lava-4212/results/
drwxr-xr-x root/root 1980-01-02 00:00 lava-4212/tests/
"
    );
    assert_eq!(lines.join("\n") + "\n", expected);
    let numeric = tar(&["--list", "--verbose", "--gzip", "--numeric-owner"], &packed.overlay(0));
    assert!(numeric.lines().all(|line| line.split_whitespace().nth(1) == Some("0/0")));
}

#[test]
fn the_files_of_a_definition_say_what_lava_says() {
    let (repository, out) = (repository(), tempfile::tempdir().unwrap());
    let definition = json!({
        "metadata": {"format": "Lava-Test Test Definition 1.0", "name": "first one", "os": ["debian"], "description": "no"},
        "params": {"COUNT": 3, "FAST": false},
        "install": {"deps": ["curl", "jq"], "steps": ["make"]},
        "run": {"steps": ["ls", "for i in a b; do\n  echo $i\ndone"]},
    });
    let first = with(inline(0, "first", definition), "parameters", json!({"FAST": "maybe", "NEW": null}));
    let definitions = json!([first, git(1, "smoke", &url(repository.path()), "smoke.yaml")]);
    let packed = pack(&stream(&[role(definitions)]), out.path());
    let overlay = packed.overlay(0);
    let run = |name: &str| member(&overlay, &format!("lava-4212/0/tests/{name}"));
    assert_eq!(
        member(&overlay, "lava-4212/0/lava-test-runner.conf"),
        "/lava-4212/0/tests/0_first\n/lava-4212/0/tests/1_smoke\n"
    );
    let environment = "\
export SOC='x-gene'
export GREETING='it'\\''s'
export LEVELS_0=1
export LEVELS_1=1
export LAVA_JOB_ID='4212'
export LAVA_JOB_TAGS=''
export LAVA_DISPATCHER_PREFIX=''
export LAVA_DEVICE_HOSTNAME='board-1'
export LAVA_DEVICE_TYPE='mustang'
";
    assert_eq!(member(&overlay, "lava-4212/environment"), environment);
    assert_eq!(run("0_first/uuid"), "4212_1.1.3.1");
    let testdef = "\
metadata:
  format: Lava-Test Test Definition 1.0
  name: first one
  os:
  - debian
  description: 'no'
params:
  COUNT: 3
  FAST: false
install:
  deps:
  - curl
  - jq
  steps:
  - make
run:
  steps:
  - ls
  - |-
    for i in a b; do
      echo $i
    done
";
    assert_eq!(run("0_first/testdef.yaml"), testdef);
    assert_eq!(run("0_first/inline/first.yaml"), testdef);
    let metadata = "os:\n- debian\ndevices: ''\nenvironment: ''\nbranch_vcs: inline\nproject_name: first one\n";
    assert_eq!(run("0_first/testdef_metadata"), metadata);
    let parameters = "COUNT='3'\nFAST='maybe'\nNEW=''\n";
    let install = "lava-install-packages curl jq || exit\ncd '/lava-4212/0/tests/0_first'\npwd\nmake\n";
    assert_eq!(run("0_first/install.sh"), format!("{parameters}{install}"));
    assert!(run("0_first/run.sh").starts_with(&format!("{parameters}set -e\nset -x\nexport TESTRUN_ID='0_first'\n")));
    let commit = run_git(repository.path(), &["rev-parse", "HEAD"]);
    let metadata =
        format!("os: ''\ndevices: ''\nenvironment: ''\nbranch_vcs: git\nproject_name: smoke\ncommit_id: {commit}\n");
    assert_eq!(run("1_smoke/testdef_metadata"), metadata);
    assert!(run("1_smoke/run.sh").contains("2>/dev/null\ndir/scripts/go.sh\nset +x\n"));
    assert!(
        member(&overlay, "lava-4212/bin/lava-self").starts_with("#!/bin/sh\n\nLAVA_HOSTNAME='4212'\n\n# lava-self: ")
    );
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let repository = repository();
    let definitions =
        json!([inline(0, "first", steps(&["ls"])), git(1, "smoke", &url(repository.path()), "smoke.yaml")]);
    let input = stream(&[role(definitions)]);
    let bytes = |umask: &str| {
        let out = tempfile::tempdir().unwrap();
        let tool = tool_path("overlay-pack");
        let script = format!("umask {umask}; exec \"$0\" -o \"$1\"");
        let output = assert_cmd::Command::new("sh")
            .arg("-c")
            .arg(script)
            .arg(tool)
            .arg(out.path())
            .write_stdin(input.as_str())
            .output();
        assert!(output.unwrap().status.success());
        fs::read(out.path().join("4212-overlay-1.1.4.tar.gz")).unwrap()
    };
    let first = bytes("022");
    // gzip's header: no flags, so no name; no time.
    assert_eq!(first[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    // Files of a clone get the modes of another umask, and other times and inodes.
    assert!(first == bytes("077"));
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let (repository, out) = (repository(), tempfile::tempdir().unwrap());
    // Something that takes more than one thread's share.
    let large: String = (0..200_000).map(|number| format!("{number}\n")).collect();
    fs::write(repository.path().join("large"), large).unwrap();
    run_git(repository.path(), &["add", "--all"]);
    run_git(repository.path(), &["commit", "--quiet", "--message=two"]);
    let input = stream(&[role(json!([git(0, "smoke", &url(repository.path()), "smoke.yaml")]))]);
    let bytes = |threads: &str| {
        let packed = overlay_pack(&input, &["-o", out.path().to_str().unwrap(), "--threads", threads], &[]);
        assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
        fs::read(packed.overlay(0)["file"].as_str().unwrap()).unwrap()
    };
    let one = bytes("1");
    assert!(one.len() > 256 << 10 && one == bytes("2") && one == bytes("7"));
}

#[test]
fn an_archive_may_have_another_name() {
    let out = tempfile::tempdir().unwrap();
    let named = |name: &str, messages: &[Value]| {
        overlay_pack(&stream(messages), &["-o", out.path().to_str().unwrap(), "--name", name], &[])
    };
    let message = role(json!([inline(0, "d", steps(&["ls"]))]));
    let packed = named("lava-{job_id}-{role}-{level}.tgz", std::slice::from_ref(&message));
    assert!(packed.overlay(0)["file"].as_str().unwrap().ends_with("/lava-4212-server-1.1.4.tgz"));
    let reason = "cannot pack the role 'server': its archive cannot have the name 'a/b'";
    named("a/b", std::slice::from_ref(&message)).assert_refused(2, reason);
    let twice = named("x", &[message.clone(), message]);
    let reason = "overlay-pack: cannot pack the role 'server': 'x' is the archive of another role already\n";
    assert_eq!((twice.stderr.as_str(), twice.status), (reason, 2));
}

#[test]
fn a_list_says_what_would_be_inside_and_writes_nothing() {
    let out = tempfile::tempdir().unwrap();
    let message = role(json!([inline(0, "d", steps(&["ls"]))]));
    let packed =
        overlay_pack(&stream(std::slice::from_ref(&message)), &["--list", "-o", out.path().to_str().unwrap()], &[]);
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
    assert_eq!(packed.lines[0], "4212-overlay-1.1.4.tar.gz:");
    assert_eq!(packed.lines[1], "drwxr-xr-x         0 lava-4212/");
    assert!(packed.lines.contains(&"-rw-r--r--        12 lava-4212/0/tests/0_d/uuid".to_owned()));
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    // The same names as in the archive itself.
    let archived = tar(&["--list", "--gzip"], &pack(&stream(&[message]), out.path()).overlay(0));
    let listed: Vec<_> = packed.lines[1..].iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(listed, archived.lines().collect::<Vec<_>>());
}

#[test]
fn the_tests_learn_the_dispatchers_address_where_it_is_known() {
    let out = tempfile::tempdir().unwrap();
    let message = role(json!([inline(0, "d", steps(&["ls"]))]));
    let environment = |message: Value, arguments: &[&str]| {
        let arguments = [&["-o", out.path().to_str().unwrap()], arguments].concat();
        member(&overlay_pack(&stream(&[message]), &arguments, &[]).overlay(0), "lava-4212/environment")
    };
    let given = environment(message.clone(), &["--dispatcher-ip", "192.0.2.1"]);
    assert!(
        given.contains("\nexport LAVA_JOB_ID='4212'\nexport LAVA_DISPATCHER_IP='192.0.2.1'\nexport LAVA_JOB_TAGS=''\n")
    );
    let mut staged = message;
    staged["data"]["staged"] = json!({"LAVA_DISPATCHER_IP": "192.0.2.2"});
    assert!(environment(staged, &[]).contains("\nexport LAVA_DISPATCHER_IP='192.0.2.2'\n"));
}

#[test]
fn secrets_are_on_the_board_and_nowhere_else() {
    let run_dir = tempfile::tempdir().unwrap();
    let root = run_dir.path();
    fs::write(root.join("job.yaml"), "job_name: x\nsecrets: {TOKEN: hunter2, PHRASE: it's so}\n").unwrap();
    let input = stream(&[role(json!([inline(0, "d", steps(&["ls"]))]))]);
    let packed = overlay_pack(&input, &["-v", "--run-dir", root.to_str().unwrap()], &[]);
    assert_eq!(packed.status, 0, "{}", packed.stderr);
    let text = member(&packed.overlay(0), "lava-4212/secrets");
    assert_eq!(text, "TOKEN=hunter2\nPHRASE='it'\\''s so'\n");
    let logged = fs::read_to_string(root.join("progress.jsonl")).unwrap() + &packed.stderr + &packed.lines.concat();
    assert!(!logged.contains("hunter2"), "{logged}");
    let file = root.join("mine");
    fs::write(&file, "OTHER: 7\n").unwrap();
    let packed = overlay_pack(&input, &["--run-dir", root.to_str().unwrap(), "--secrets", file.to_str().unwrap()], &[]);
    assert_eq!(member(&packed.overlay(0), "lava-4212/secrets"), "OTHER=7\n");
    let reason = "cannot open '/no/such': No such file or directory";
    overlay_pack(&input, &["--secrets", "/no/such"], &[]).assert_refused(3, reason);
}

#[test]
fn a_parameter_reaches_the_test_whatever_it_contains() {
    let out = tempfile::tempdir().unwrap();
    let all: String = (1..=0x17f).filter_map(char::from_u32).collect();
    for value in
        [all.as_str(), "'", "''", "\\'", "$(touch x)`touch y`", "-n", "\n", " a\n\n", "\"; exit 3; \"", "!!", "\\\\n"]
    {
        let definition = with(inline(0, "d", steps(&[])), "parameters", json!({"VALUE": value}));
        let packed = pack(&stream(&[role(json!([definition]))]), out.path());
        let script = member(&packed.overlay(0), "lava-4212/0/tests/0_d/run.sh");
        let assignments = script.split("set -e\n").next().unwrap();
        for shell in [&["dash"][..], &["bash"], &["busybox", "sh"]] {
            let output = Command::new(shell[0])
                .args(&shell[1..])
                .arg("-c")
                .arg(format!("{assignments}printf %s. \"$VALUE\""))
                .output()
                .unwrap();
            assert_eq!(output.stdout, format!("{value}.").as_bytes(), "{shell:?} {value:?}");
        }
    }
}
