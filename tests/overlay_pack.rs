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
    assert!(helpers.iter().all(|line| line.starts_with("-rwxr-xr-x root/root 1980-01-02 00:00 lava-4212/bin/lava-")));
    assert_eq!(helpers.len(), 24);
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
    let install = "lava-install-packages curl jq\ncd '/lava-4212/0/tests/0_first'\npwd\nmake\n";
    assert_eq!(run("0_first/install.sh"), format!("{parameters}{install}"));
    assert!(run("0_first/run.sh").starts_with(&format!("{parameters}set -e\nset -x\nexport TESTRUN_ID='0_first'\n")));
    let commit = run_git(repository.path(), &["rev-parse", "HEAD"]);
    let metadata =
        format!("os: ''\ndevices: ''\nenvironment: ''\nbranch_vcs: git\nproject_name: smoke\ncommit_id: {commit}\n");
    assert_eq!(run("1_smoke/testdef_metadata"), metadata);
    assert!(run("1_smoke/run.sh").contains("\nset -x\ndir/scripts/go.sh\nset +x\n"));
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
        (json!({"from": "url", "name": "d", "run": "0_d", "uuid": "1_1", "path": "a.yaml", "repository": "http://h/x.tar"}), 2,
            "cannot use the definition 'd' ('a.yaml' of 'http://h/x.tar'): 'from: url' is not supported by this version".to_owned()),
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
    assert!(member(&packed.overlay(0), "lava-4212/0/tests/0_d/run.sh").contains("\nset -x\nb\nset +x\n"));
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
    let (fake, path) = fake_git("kill -TERM $PPID; exec sleep 1000");
    let out = tempfile::tempdir().unwrap();
    let input = stream(&[role(json!([git(0, "d", "https://h/r.git", "a.yaml")]))]);
    let packed = overlay_pack(&input, &["-o", out.path().to_str().unwrap()], &[("PATH", &path)]);
    assert_eq!((packed.stderr.as_str(), packed.status), ("", 143));
    assert_eq!(packed.lines, [r#"{"v":1,"type":"end","data":{"status":143}}"#]);
    assert_killed(&fake);
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
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
