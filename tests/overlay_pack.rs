//! overlay-pack as its users see it.

#![allow(clippy::unwrap_used)]

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use pumice_tests::{data, tool, tool_path};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

/// No test takes longer.
const LIMIT: Duration = Duration::from_secs(60);

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

/// What a run of the tool gave.
struct Packed {
    lines: Vec<String>,
    stderr: String,
    status: i32,
}

impl Packed {
    /// The message in this place.
    fn message(&self, index: usize) -> Value {
        serde_json::from_str(&self.lines[index]).unwrap()
    }

    fn overlay(&self, index: usize) -> Value {
        self.message(index)["data"]["overlay"].clone()
    }

    /// Nothing but the end of the stream, and one line of reason.
    fn assert_refused(&self, status: i32, reason: &str) {
        let end = format!("{{\"v\":1,\"type\":\"end\",\"data\":{{\"status\":{status}}}}}");
        assert_eq!((&self.stderr, self.status), (&format!("overlay-pack: {reason}\n"), status));
        assert_eq!(self.lines, [end]);
    }
}

fn overlay_pack(input: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Packed {
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
fn pack(input: &str, into: &Path) -> Packed {
    overlay_pack(input, &["-o", into.to_str().unwrap()], &[])
}

fn stream(messages: &[Value]) -> String {
    let end = json!({"v": 1, "type": "end", "data": {"status": 0}});
    messages.iter().chain([&end]).map(|message| format!("{message}\n")).collect()
}

fn role(definitions: Value) -> Value {
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

fn inline(number: usize, name: &str, definition: Value) -> Value {
    json!({
        "from": "inline", "name": name, "run": format!("{number}_{name}"), "uuid": format!("4212_1.1.3.{}", 4 * number + 1),
        "path": format!("inline/{name}.yaml"), "definition": definition,
    })
}

fn git(number: usize, name: &str, repository: &str, path: &str) -> Value {
    json!({
        "from": "git", "name": name, "run": format!("{number}_{name}"), "uuid": format!("4212_1.1.3.{}", 4 * number + 1),
        "path": path, "repository": repository, "shallow": true, "history": false, "recursive": false,
    })
}

/// A definition from an archive.
fn archived(address: &str) -> Value {
    json!({"from": "url", "name": "d", "run": "0_d", "uuid": "1_1", "path": "a.yaml", "repository": address})
}

/// The definition with one field changed.
fn with(mut definition: Value, field: &str, value: Value) -> Value {
    definition[field] = value;
    definition
}

fn steps(steps: &[&str]) -> Value {
    json!({"metadata": {"name": "x"}, "run": {"steps": steps}})
}

/// Runs git in a directory, and gives its output.
fn run_git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"])
        .args(arguments)
        .envs([("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z"), ("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with a definition, an executable script and symbolic links.
fn repository() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    run_git(root, &["init", "--quiet", "--initial-branch=main"]);
    fs::create_dir_all(root.join("dir/scripts")).unwrap();
    fs::write(
        root.join("smoke.yaml"),
        "metadata: {format: Lava-Test Test Definition 1.0, name: smoke}\nrun:\n  steps: [dir/scripts/go.sh]\n",
    )
    .unwrap();
    fs::write(root.join("dir/scripts/go.sh"), "#!/bin/sh\necho gone\n").unwrap();
    fs::set_permissions(root.join("dir/scripts/go.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    // What the overlay writes goes over what a repository has.
    fs::write(root.join("run.sh"), "echo theirs\n").unwrap();
    symlink("../dir/./scripts/go.sh", root.join("dir/link")).unwrap();
    symlink("/etc/passwd", root.join("passwd.yaml")).unwrap();
    symlink(".", root.join("here")).unwrap();
    fs::write(root.join("a".repeat(120)), "").unwrap();
    run_git(root, &["add", "--all"]);
    run_git(root, &["commit", "--quiet", "--message=one"]);
    directory
}

fn url(directory: &Path) -> String {
    format!("file://{}", directory.display())
}

fn tar(arguments: &[&str], file: &Value) -> String {
    let file = file["file"].as_str().unwrap();
    let output = Command::new("tar").args(arguments).arg("-f").arg(file).env("TZ", "UTC").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A file of an archive.
fn member(overlay: &Value, name: &str) -> String {
    tar(&["--extract", "--gzip", "--to-stdout", name], overlay)
}

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
fn a_repository_is_taken_as_the_job_asks() {
    let (repository, out) = (repository(), tempfile::tempdir().unwrap());
    let root = repository.path();
    let first = run_git(root, &["rev-parse", "HEAD"]);
    run_git(root, &["checkout", "--quiet", "-b", "next"]);
    fs::write(root.join("next.yaml"), "metadata: {}\nrun: {steps: [ls]}\n").unwrap();
    run_git(root, &["add", "--all"]);
    run_git(root, &["commit", "--quiet", "--message=two"]);
    let second = run_git(root, &["rev-parse", "HEAD"]);
    run_git(root, &["checkout", "--quiet", "main"]);
    let of = |field: &str, value: Value, number, path| with(git(number, "d", &url(root), path), field, value);
    let next = with(of("history", json!(true), 2, "next.yaml"), "branch", json!("next"));
    let definitions = json!([
        of("branch", json!("next"), 0, "next.yaml"),
        of("revision", json!(first), 1, "smoke.yaml"),
        with(next.clone(), "shallow", json!(false)),
        with(next, "run", json!("3_d")),
    ]);
    let packed = pack(&stream(&[role(definitions)]), out.path());
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
    let overlay = packed.overlay(0);
    let commits: Vec<_> =
        overlay["runs"].as_array().unwrap().iter().map(|run| run["commit_id"].as_str().unwrap()).collect();
    assert_eq!(commits, [&second, &first, &second, &second]);
    let unpacked = tempfile::tempdir().unwrap();
    tar(&["--extract", "--gzip", "--directory", unpacked.path().to_str().unwrap()], &overlay);
    let run = |name: &str| unpacked.path().join("lava-4212/0/tests").join(name);
    // One commit is no history, whether the job refuses it or not.
    for name in ["0_d", "1_d", "3_d"] {
        assert!(!run(name).join(".git").exists(), "{name}");
    }
    assert_eq!(run_git(&run("2_d"), &["rev-list", "--count", "HEAD"]), "2");
}

#[test]
fn submodules_come_along_when_asked_for() {
    let (inner, outer, out) = (repository(), repository(), tempfile::tempdir().unwrap());
    run_git(outer.path(), &["submodule", "--quiet", "add", &url(inner.path()), "inner"]);
    run_git(outer.path(), &["commit", "--quiet", "--message=two"]);
    let definition = |name: &str, recursive: bool| {
        with(git(0, name, &url(outer.path()), "smoke.yaml"), "recursive", json!(recursive))
    };
    let input = stream(&[role(json!([definition("with", true), definition("without", false)]))]);
    let allowed = [("GIT_ALLOW_PROTOCOL", "file")];
    let packed = overlay_pack(&input, &["-o", out.path().to_str().unwrap()], &allowed);
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
    let listing = tar(&["--list", "--gzip"], &packed.overlay(0));
    assert!(listing.contains("/0_with/inner/smoke.yaml\n") && !listing.contains("/0_without/inner/smoke.yaml\n"));
    assert!(!listing.contains(".git\n") && !listing.contains(".git/\n"));
}

/// Serves the files of a directory over HTTP until the process ends; a git server without the
/// smart protocol is no more than that.
fn serve(directory: &Path) -> String {
    let (listener, directory) = (TcpListener::bind("127.0.0.1:0").unwrap(), directory.to_owned());
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.unwrap();
            let mut lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let path = request.split_whitespace().nth(1).unwrap_or("/").split('?').next().unwrap();
            let (status, body) = match fs::read(directory.join(&path[1..])) {
                Ok(body) => ("200 OK", body),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            // The client may have gone.
            let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&body));
        }
    });
    format!("http://{address}")
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
fn a_definition_that_cannot_be_fetched_or_used_is_named_and_nothing_is_written() {
    let (repository, out) = (repository(), tempfile::tempdir().unwrap());
    let root = repository.path();
    fs::write(root.join("broken.yaml"), "metadata:\n  name: x\n\trun: y\n").unwrap();
    fs::write(root.join("list.yaml"), "- a\n").unwrap();
    run_git(root, &["add", "--all"]);
    run_git(root, &["commit", "--quiet", "--message=two"]);
    let here = url(root);
    let of = |path: &str| git(0, "d", &here, path);
    let using = |path: &str| format!("cannot use the definition 'd' ('{path}' of '{here}'): ");
    let fetching = format!("cannot fetch the definition 'd' ('smoke.yaml' of '{here}'): ");
    let cases = [
        (git(0, "d", "file:///no/such.git", "a.yaml"), 3,
            "cannot fetch the definition 'd' ('a.yaml' of 'file:///no/such.git'): '/no/such.git' does not appear to be a git repository".to_owned()),
        (git(0, "d", "http://user:secret@127.0.0.1:1/x", "a.yaml"), 3,
            "cannot fetch the definition 'd' ('a.yaml' of 'http://127.0.0.1:1/x'): unable to access 'http://127.0.0.1:1/x/': ".to_owned()),
        (with(of("smoke.yaml"), "branch", json!("none")), 2, format!("{fetching}Remote branch none not found in upstream origin")),
        (with(of("smoke.yaml"), "revision", json!("none")), 2, format!("{fetching}invalid reference: none")),
        (with(of("smoke.yaml"), "revision", json!("--force")), 2,
            using("smoke.yaml") + "its revision is '--force', which git would misunderstand"),
        (git(0, "d", "--upload-pack=touch x", "a"), 2,
            "cannot use the definition 'd' ('a' of '--upload-pack=touch x'): its repository is '--upload-pack=touch x', which git would misunderstand".to_owned()),
        (of("none.yaml"), 2, using("none.yaml") + "cannot open it: No such file or directory"),
        (of("../x.yaml"), 2, using("../x.yaml") + "its path does not stay in the repository"),
        (of("passwd.yaml"), 2, using("passwd.yaml") + "its path leads out of the repository"),
        (of("broken.yaml"), 2, using("broken.yaml") + "2:9: "),
        (of("list.yaml"), 2, using("list.yaml") + "it is a list, not a map"),
        (archived("ftp://h/x.tar"), 2,
            "cannot fetch the definition 'd' ('a.yaml' of 'ftp://h/x.tar'): its address is not http, https or file".to_owned()),
        (archived("http://u:p@127.0.0.1:1/x.tar"), 3,
            "cannot fetch the definition 'd' ('a.yaml' of 'http://127.0.0.1:1/x.tar'): Connection refused".to_owned()),
        (with(archived("http://h/x.zip"), "compression", json!("zip")), 2,
            "cannot fetch the definition 'd' ('a.yaml' of 'http://h/x.zip'): its compression 'zip' is none of gz, bz2, xz, zstd".to_owned()),
        (with(archived("http://h/x"), "sha256sum", json!("abc")), 2,
            "cannot fetch the definition 'd' ('a.yaml' of 'http://h/x'): its sha256sum 'abc' is none".to_owned()),
        (archived("file:///no/such.tar"), 3,
            "cannot fetch the definition 'd' ('a.yaml' of 'file:///no/such.tar'): cannot open it: No such file or directory".to_owned()),
        (with(inline(0, "d", steps(&[])), "from", json!("bzr")), 2,
            "cannot use the definition 'd': 'from: bzr' is not supported by this version".to_owned()),
        (inline(0, "d", json!({"metadata": {}, "run": {"steps": [{"a": "b"}]}})), 2,
            "cannot use the definition 'd': item 1 of its 'run: steps' is a map, not text: put it in quotes".to_owned()),
        (with(inline(0, "d", steps(&[])), "path", json!("../../x")), 2,
            "cannot use the definition 'd': 'lava-4212/0/tests/0_d/../../x' does not stay in its directory".to_owned()),
        (with(inline(0, "d", steps(&[])), "run", json!("a/b")), 2,
            "cannot use the definition 'd': the run's name 'a/b' is not letters, digits, '_', '-' and '.'".to_owned()),
        (with(inline(0, "d", steps(&[])), "signal", json!("mail")), 2,
            "cannot use the definition 'd': its 'lava-signal' is 'mail', not stdout or kmsg".to_owned()),
    ];
    for (definition, status, reason) in cases {
        // The broken one comes second: what was done for the first is undone.
        let packed = pack(&stream(&[role(json!([inline(1, "good", steps(&["ls"])), definition]))]), out.path());
        let first = packed.stderr.lines().next().unwrap_or_default().to_owned();
        assert!(first.starts_with(&format!("overlay-pack: {reason}")), "{first}\nis not\n{reason}");
        packed.assert_refused(status, first.strip_prefix("overlay-pack: ").unwrap());
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0, "{reason}");
    }
}

#[test]
fn a_repository_without_a_commit_has_no_definition() {
    let (empty, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    run_git(empty.path(), &["init", "--quiet"]);
    let here = url(empty.path());
    let packed = pack(&stream(&[role(json!([git(0, "d", &here, "a.yaml")]))]), out.path());
    packed.assert_refused(
        2,
        &format!("cannot fetch the definition 'd' ('a.yaml' of '{here}'): the repository has no commit"),
    );
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

/// An archive of a directory with a definition, in a directory of its own.
fn archive(name: &str, arguments: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let top = directory.path().join("top");
    fs::create_dir(&top).unwrap();
    fs::write(top.join("a.yaml"), "metadata: {name: a}\nrun: {steps: [./go.sh]}\n").unwrap();
    fs::write(top.join("go.sh"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(top.join("go.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::hard_link(top.join("go.sh"), top.join("same.sh")).unwrap();
    symlink("go.sh", top.join("link")).unwrap();
    let status =
        Command::new("tar").args(arguments).arg("-cf").arg(name).arg("top").current_dir(directory.path()).status();
    assert!(status.unwrap().success());
    directory
}

#[test]
fn a_definition_comes_from_an_archive_on_a_server() {
    for (name, arguments, compression) in [
        ("x.tar", &[][..], Value::Null),
        ("x.tar.gz", &["--gzip"], json!("gz")),
        ("x.tar.xz", &["--xz"], json!("xz")),
        ("x.tar.bz2", &["--bzip2"], json!("bz2")),
    ] {
        let (served, out) = (archive(name, arguments), tempfile::tempdir().unwrap());
        let digest = Command::new("sha256sum").arg(served.path().join(name)).output().unwrap().stdout;
        let mut definition = archived(&format!("{}/{name}", serve(served.path())));
        definition["compression"] = compression;
        definition["strip_components"] = json!(1);
        definition["sha256sum"] = json!(String::from_utf8(digest).unwrap()[..64]);
        let packed = pack(&stream(&[role(json!([definition]))]), out.path());
        assert_eq!((packed.stderr.as_str(), packed.status), ("", 0), "{name}");
        let overlay = packed.overlay(0);
        let run = "lava-4212/0/tests/0_d";
        assert_eq!(member(&overlay, &format!("{run}/go.sh")), "#!/bin/sh\n");
        assert!(member(&overlay, &format!("{run}/testdef_metadata")).contains("branch_vcs: url\nproject_name: a\n"));
        let listing = tar(&["--list", "--verbose", "--gzip"], &overlay);
        assert!(listing.contains(&format!("{run}/link -> go.sh\n")), "{listing}");
        assert!(listing.contains(&format!("{run}/same.sh link to {run}/go.sh\n")), "{listing}");
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    }
}

#[test]
fn an_archive_that_is_not_the_one_is_refused() {
    let (served, out) = (archive("x.tar", &[]), tempfile::tempdir().unwrap());
    let address = format!("{}/x.tar", serve(served.path()));
    let refused = |definition: Value, status: i32, reason: &str| {
        let what =
            format!("cannot fetch the definition 'd' ('a.yaml' of '{}'): ", definition["repository"].as_str().unwrap());
        pack(&stream(&[role(json!([definition]))]), out.path()).assert_refused(status, &format!("{what}{reason}"));
        assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
    };
    let found = Command::new("md5sum").arg(served.path().join("x.tar")).output().unwrap().stdout;
    let found = String::from_utf8(found).unwrap()[..32].to_owned();
    let wrong = "0".repeat(32);
    let reason = format!("its md5sum is {found}, not {wrong} as the job says");
    refused(with(archived(&address), "md5sum", json!(wrong)), 2, &reason);
    refused(archived(&address.replace("x.tar", "none")), 3, "the server answers 404 Not Found");
    refused(with(archived(&address), "compression", json!("gz")), 2, "it is no archive: invalid gzip header");
    let packed = pack(&stream(&[role(json!([archived(&address)]))]), out.path());
    let what = format!("cannot use the definition 'd' ('a.yaml' of '{address}'): ");
    packed.assert_refused(2, &format!("{what}there is no such file in the archive"));
}

#[test]
fn four_members_clone_a_repository_once() {
    let (repository, run_dir, bin) = (repository(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let here = url(repository.path());
    // A git that keeps account of what is asked of the repository itself.
    let git_path =
        String::from_utf8(Command::new("sh").args(["-c", "command -v git"]).output().unwrap().stdout).unwrap();
    let git_path = git_path.trim_end();
    let fake = bin.path().join("git");
    let account = bin.path().join("account");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *'{here}'*) echo \"$1\" >>'{}' ;; esac\nexec {git_path} \"$@\"\n",
        account.display()
    );
    fs::write(&fake, script).unwrap();
    fs::set_permissions(&fake, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.path().display(), std::env::var("PATH").unwrap());
    let root = run_dir.path().to_str().unwrap().to_owned();
    let members: Vec<_> = (4212..4216)
        .map(|id| {
            let mut message = role(json!([git(0, "smoke", &here, "smoke.yaml")]));
            message["data"]["job_id"] = json!(id.to_string());
            let (path, root) = (path.clone(), root.clone());
            std::thread::spawn(move || overlay_pack(&stream(&[message]), &["--run-dir", &root], &[("PATH", &path)]))
        })
        .collect();
    let commit = run_git(repository.path(), &["rev-parse", "HEAD"]);
    for member in members {
        let packed = member.join().unwrap();
        assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
        assert_eq!(packed.overlay(0)["runs"][0]["commit_id"], json!(commit));
    }
    let asked = fs::read_to_string(account).unwrap();
    assert_eq!(asked.lines().filter(|&word| word == "clone").count(), 1, "{asked}");
}

#[test]
fn a_cache_is_brought_up_to_date_and_follows_the_default_branch() {
    let (repository, cache, out) = (repository(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let root = repository.path();
    let definition = git(0, "d", &url(root), "smoke.yaml");
    let commit = |definition: &Value| {
        let arguments = ["-o", out.path().to_str().unwrap(), "--cache", cache.path().to_str().unwrap()];
        let packed = overlay_pack(&stream(&[role(json!([definition]))]), &arguments, &[]);
        assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
        packed.overlay(0)["runs"][0]["commit_id"].as_str().unwrap().to_owned()
    };
    let first = commit(&definition);
    run_git(root, &["checkout", "--quiet", "-b", "next"]);
    run_git(root, &["branch", "--quiet", "-D", "main"]);
    run_git(root, &["commit", "--quiet", "--allow-empty", "--message=two"]);
    let second = run_git(root, &["rev-parse", "HEAD"]);
    assert_ne!(first, second);
    assert_eq!(commit(&definition), second);
    assert_eq!(commit(&with(definition, "revision", json!(first))), first);
}

#[test]
fn repositories_that_an_install_lists_are_in_the_definitions_directory() {
    let (repository, out) = (repository(), tempfile::tempdir().unwrap());
    let here = url(repository.path());
    let mut definition = steps(&["ls"]);
    definition["install"] = json!({"git-repos": [{"url": "WHERE", "branch": "main", "destination": "tools"}]});
    let order = with(inline(0, "d", definition.clone()), "parameters", json!({"WHERE": here}));
    let packed = pack(&stream(&[role(json!([order.clone()]))]), out.path());
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
    let listing = tar(&["--list", "--gzip"], &packed.overlay(0));
    assert!(listing.contains("/tests/0_d/tools/dir/scripts/go.sh\n") && !listing.contains("/tools/.git"), "{listing}");
    let skipping = with(order.clone(), "skip_install", json!(["git-repos"]));
    let listing = tar(&["--list", "--gzip"], &pack(&stream(&[role(json!([skipping]))]), out.path()).overlay(0));
    assert!(!listing.contains("/tools"), "{listing}");
    let missing = with(order, "parameters", json!({"WHERE": "file:///no/such.git"}));
    let missing = stream(&[role(json!([missing]))]);
    let reason = "cannot fetch 'file:///no/such.git' for the definition 'd': '/no/such.git' does not appear to be a git repository";
    pack(&missing, out.path()).assert_refused(3, reason);
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

/// A git that does as the test says, in front of PATH.
fn fake_git(script: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("git");
    fs::write(&file, format!("#!/bin/sh\necho $$ >'{}/pid'\n{script}\n", directory.path().display())).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
    (directory, path)
}

fn assert_killed(directory: &TempDir) {
    let pid = fs::read_to_string(directory.path().join("pid")).unwrap().trim().parse().unwrap();
    assert_eq!(kill(Pid::from_raw(pid), None), Err(Errno::ESRCH));
}

/// A repository with these files.
fn repository_of(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    run_git(directory.path(), &["init", "--quiet", "--initial-branch=main"]);
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    run_git(directory.path(), &["add", "--all"]);
    run_git(directory.path(), &["commit", "--quiet", "--message=one"]);
    directory
}

/// A definition that installs something, as a file.
fn installing(install: &str) -> String {
    format!("metadata: {{name: x}}\ninstall: {{{install}}}\nrun: {{steps: [ls]}}\n")
}

/// A host with these definitions, whose guests run those.
fn host(definitions: Value, guests: Value) -> Value {
    let mut message = role(definitions);
    message["data"]["guest_definitions"] = guests;
    message
}

/// A definition as a host's message names one of its guests.
fn of_guest(repository: &str, path: &str) -> Value {
    with(with(git(0, "theirs", repository, path), "run", json!("")), "uuid", json!(""))
}

/// The host's scripts that install, without a word on standard error.
fn installs<const N: usize>(message: Value, runs: [&str; N]) -> [String; N] {
    let out = tempfile::tempdir().unwrap();
    let packed = pack(&stream(&[message]), out.path());
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
    runs.map(|run| member(&packed.overlay(0), &format!("lava-4212/0/tests/{run}/install.sh")))
}

#[test]
fn a_definition_installs_the_packages_that_the_message_adds() {
    let texts = [installing("deps: [curl, jq], steps: [make]"), installing("steps: [make]")];
    let repository = repository_of(&[("own.yaml", &texts[0]), ("none.yaml", &texts[1])]);
    let here = url(repository.path());
    let adding = |definition: Value| with(definition, "deps", json!(["socat", "jq", "socat"]));
    let definitions = json!([
        adding(git(0, "own", &here, "own.yaml")),
        adding(git(1, "none", &here, "none.yaml")),
        adding(inline(2, "bare", steps(&["ls"]))),
        git(3, "other", &here, "own.yaml"),
    ]);
    let directory = |run: &str| format!("cd '/lava-4212/0/tests/{run}'\npwd\nmake\n");
    let scripts = installs(role(definitions), ["0_own", "1_none", "2_bare", "3_other"]);
    let expected = [
        format!("lava-install-packages curl jq socat || exit\n{}", directory("0_own")),
        format!("lava-install-packages socat jq || exit\n{}", directory("1_none")),
        "lava-install-packages socat jq || exit\n".to_owned(),
        format!("lava-install-packages curl jq || exit\n{}", directory("3_other")),
    ];
    assert_eq!(scripts, expected);
    for skipped in ["deps", "all"] {
        let skipping = with(adding(inline(0, "bare", steps(&["ls"]))), "skip_install", json!([skipped]));
        let out = tempfile::tempdir().unwrap();
        let packed = pack(&stream(&[role(json!([skipping]))]), out.path());
        assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
        assert!(!tar(&["--list", "--gzip"], &packed.overlay(0)).contains("install.sh"));
    }
}

#[test]
fn the_hosts_first_definition_installs_what_its_guests_definitions_need() {
    let text =
        installing("deps: [iperf3, socat, 'linux-$RELEASE'], deps-debian: [dnsutils], deps-fedora: [bind-utils]");
    let theirs = repository_of(&[("a.yaml", &text), ("b.yaml", &installing("deps: [socat, ethtool]"))]);
    let plain = repository_of(&[("own.yaml", &installing("deps: [curl, socat]"))]);
    let (guests, here) = (url(theirs.path()), url(plain.path()));
    let skipping = with(of_guest(&guests, "b.yaml"), "skip_install", json!(["deps"]));
    let named = json!([of_guest(&guests, "a.yaml"), of_guest(&guests, "b.yaml")]);
    let mut own = steps(&["ls"]);
    own["install"] = json!({"deps": ["socat"], "steps": ["make"]});
    for (first, named, expected) in [
        (inline(0, "d", own.clone()), &named, "socat iperf3 ethtool"),
        (inline(0, "d", steps(&["ls"])), &named, "iperf3 socat ethtool"),
        (git(0, "d", &here, "own.yaml"), &named, "curl socat iperf3 ethtool"),
        (with(git(0, "d", &here, "own.yaml"), "deps", json!(["jq"])), &named, "curl socat jq iperf3 ethtool"),
        (git(0, "d", &here, "own.yaml"), &json!([skipping]), "curl socat"),
    ] {
        let second = git(1, "second", &here, "own.yaml");
        let [first, second] = installs(host(json!([first, second]), named.clone()), ["0_d", "1_second"]);
        assert_eq!(first.lines().next().unwrap(), format!("lava-install-packages {expected} || exit"));
        assert_eq!(second, "lava-install-packages curl socat || exit\n");
    }
    // The guests are on the host's board: its operating system is theirs.
    let mut message = host(json!([inline(0, "d", steps(&["ls"]))]), named);
    message["data"]["actions"][0]["os"] = json!("debian");
    assert_eq!(installs(message, ["0_d"]), ["lava-install-packages iperf3 socat dnsutils ethtool || exit\n"]);
}

#[test]
fn a_guests_definition_that_cannot_be_read_is_a_warning_of_the_host() {
    let theirs = repository_of(&[("a.yaml", &installing("deps: [socat]")), ("list.yaml", "- a\n")]);
    let (here, out) = (url(theirs.path()), tempfile::tempdir().unwrap());
    let named = json!([
        of_guest("file:///no/such.git", "a.yaml"),
        of_guest(&here, "list.yaml"),
        of_guest(&here, "none.yaml"),
        of_guest(&here, "a.yaml"),
    ]);
    let definition = inline(0, "d", steps(&["ls"]));
    let packed = pack(&stream(&[host(json!([definition.clone()]), named.clone())]), out.path());
    let warning = "overlay-pack: warning: packages of a guest are not installed by the role 'server': cannot";
    let expected = format!(
        "\
{warning} fetch the definition 'theirs' ('a.yaml' of 'file:///no/such.git'): '/no/such.git' does not appear to be a git repository
{warning} use the definition 'theirs' ('list.yaml' of '{here}'): it is a list, not a map
{warning} use the definition 'theirs' ('none.yaml' of '{here}'): cannot open it: No such file or directory
"
    );
    assert_eq!((&packed.stderr, packed.status), (&expected, 0));
    let script = member(&packed.overlay(0), "lava-4212/0/tests/0_d/install.sh");
    assert_eq!(script, "lava-install-packages socat || exit\n");
    // Where no packages are to be installed, the repositories are not looked at.
    let skipping = with(definition, "skip_install", json!(["deps"]));
    let packed = pack(&stream(&[host(json!([skipping]), named)]), out.path());
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 0));
}

#[test]
fn a_guests_repository_that_does_not_answer_does_not_hold_the_host_up_for_good() {
    let (fake, path) = fake_git("exec sleep 1000");
    let out = tempfile::tempdir().unwrap();
    let named = json!([of_guest("https://h/r.git", "a.yaml")]);
    let mut message = host(json!([inline(0, "d", steps(&["ls"]))]), named);
    message["data"]["actions"][0]["timeout"] = json!(1);
    let packed = overlay_pack(&stream(&[message]), &["-o", out.path().to_str().unwrap()], &[("PATH", &path)]);
    assert_killed(&fake);
    let reason = "cannot fetch the definition 'theirs' ('a.yaml' of 'https://h/r.git'): out of time";
    let told = format!("overlay-pack: warning: packages of a guest are not installed by the role 'server': {reason}\n");
    assert_eq!((packed.stderr, packed.status, packed.lines.len()), (told, 0, 2));
}

#[test]
fn a_clone_that_takes_too_long_is_killed() {
    let (fake, path) = fake_git("exec sleep 1000");
    let out = tempfile::tempdir().unwrap();
    let mut message = role(json!([git(0, "d", "https://h/r.git", "a.yaml")]));
    message["data"]["actions"][0]["timeout"] = json!(1);
    let packed = overlay_pack(&stream(&[message]), &["-o", out.path().to_str().unwrap()], &[("PATH", &path)]);
    packed.assert_refused(124, "cannot fetch the definition 'd' ('a.yaml' of 'https://h/r.git'): out of time");
    assert_killed(&fake);
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
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
fn git_asks_nobody_and_serves_no_other_repository() {
    let script = "printf '%s ' \"$GIT_TERMINAL_PROMPT\" \"$LC_ALL\" \"$GIT_SSH_COMMAND\" \"[$GIT_DIR]\" >&2; exit 1";
    let (_fake, path) = fake_git(script);
    let out = tempfile::tempdir().unwrap();
    let input = stream(&[role(json!([git(0, "d", "git@h:r.git", "a.yaml")]))]);
    let environment = [("PATH", path.as_str()), ("GIT_DIR", "/nowhere")];
    let packed = overlay_pack(&input, &["-o", out.path().to_str().unwrap()], &environment);
    packed.assert_refused(3, "cannot fetch the definition 'd' ('a.yaml' of 'git@h:r.git'): 0 C ssh -oBatchMode=yes []");
}

#[test]
fn a_machine_without_git_is_told() {
    let out = tempfile::tempdir().unwrap();
    let input = stream(&[role(json!([git(0, "d", "https://h/r.git", "a.yaml")]))]);
    let packed = overlay_pack(&input, &["-o", out.path().to_str().unwrap()], &[("PATH", "/nowhere")]);
    let reason =
        "cannot fetch the definition 'd' ('a.yaml' of 'https://h/r.git'): cannot run 'git': No such file or directory";
    packed.assert_refused(3, reason);
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

#[test]
fn several_roles_get_an_overlay_each_and_the_run_directory_has_their_traces() {
    let run_dir = tempfile::tempdir().unwrap();
    let mut second = role(json!([inline(0, "d", steps(&["ls"]))]));
    second["data"]["job_id"] = json!("4213");
    second["data"]["device"] = Value::Null;
    let mut idle = second.clone();
    idle["data"]["job_id"] = json!("4214");
    idle["data"]["actions"].as_array_mut().unwrap().pop();
    let input = stream(&[role(json!([inline(0, "d", steps(&["ls"]))])), second, idle.clone()]);
    let packed = overlay_pack(&input, &[], &[("MN_RUNDIR", run_dir.path().to_str().unwrap())]);
    assert_eq!((packed.stderr.as_str(), packed.status, packed.lines.len()), ("", 0, 4));
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
    // A role without tests needs no overlay.
    assert_eq!(packed.message(2), idle);
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
        ("ls\n".to_owned(), 2, "cannot read the input: expected value at line 1 column 1"),
        (
            "{\"v\":2,\"type\":\"end\",\"data\":{}}\n".to_owned(),
            2,
            "cannot read the input: version 2 of the messages is not known, only 1",
        ),
        (" ".repeat(5 << 20), 2, "cannot read the input: a line is longer than 4194304 bytes"),
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
