//! serial-expect as its users see it: a role message in, a scripted board on the console, results out.

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use pumice_tests::broker::{Broker, process};
use pumice_tests::{Outcome, data, run, tool};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// How long anything may take before a test has failed.
const PATIENCE: Duration = Duration::from_secs(30);

const END: &str = "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":0}}\n";

// ---------------------------------------------------------------- the tool

/// A running serial-expect whose standard input is held open, as a holder holds it.
struct Running {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: JoinHandle<String>,
}

fn read_all(mut from: impl Read) -> String {
    let mut bytes = Vec::new();
    match from.read_to_end(&mut bytes) {
        // A socket that is closed before all was read of it says so to the other end.
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
        read => drop(read.expect("a pipe can be read")),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Running {
    fn start(command: &mut Command, input: &str) -> Running {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the tool runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(input.as_bytes()).expect("the tool reads");
        let (out, err) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let (sender, stdout) = channel();
        std::thread::spawn(move || sender.send(read_all(out)));
        let stderr = std::thread::spawn(move || read_all(err));
        Running { child, stdin: Some(stdin), stdout, stderr }
    }

    fn signal(&self, signal: Signal) {
        kill(process(&self.child), signal).expect("the tool is there");
    }

    fn say(&mut self, line: &str) {
        self.stdin.as_mut().expect("an input").write_all(line.as_bytes()).expect("the tool reads");
    }

    fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end.
    fn outcome(mut self) -> Outcome {
        let stdout = self.stdout.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            self.child.kill().expect("the tool is there");
            panic!("serial-expect hangs; it said: {:?}", self.stdout.recv())
        });
        let status = self.child.wait().expect("the tool ends");
        let stderr = self.stderr.join().expect("a reader ends");
        Outcome { status: status.code().expect("no signal"), stdout, stderr }
    }
}

/// The results in an output: `definition/case result`.
fn results(stdout: &str) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let messages = stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("a message"));
    let results = messages.filter(|message| message["type"] == "result").map(|message| message["data"].clone());
    results
        .map(|data| format!("{}/{} {}", text(&data["definition"]), text(&data["case"]), text(&data["result"])))
        .collect()
}

/// Those of the tests, without the suite `lava`.
fn test_results(stdout: &str) -> Vec<String> {
    results(stdout).into_iter().filter(|result| !result.starts_with("lava/")).collect()
}

/// Waits for a file that another process writes.
fn await_text(path: &Path, text: &str) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !std::fs::read_to_string(path).unwrap_or_default().contains(text) {
        assert!(std::time::Instant::now() < deadline, "'{text}' never came in '{}'", path.display());
        std::thread::yield_now();
    }
}

// ---------------------------------------------------------------- the board on a terminal

const MEMBERS: [(&str, &str, Option<&str>); 3] =
    [("101", "guest", Some("104")), ("102", "guest", Some("104")), ("104", "host", None)];

fn group(members: &[(&str, &str, Option<&str>)]) -> Value {
    let member = |(id, role, host): &(&str, &str, Option<&str>)| match host {
        Some(host) => json!({"job_id": id, "role": role, "host": host}),
        None => json!({"job_id": id, "role": role}),
    };
    json!({"name": "0b6e", "size": members.len(), "members": members.iter().map(member).collect::<Vec<_>>()})
}

/// A directory with a board in it: its power, its overlay, and the run directory.
struct Lab {
    dir: TempDir,
    role: Value,
}

impl Lab {
    /// A host whose runner is this shell script, in which $1 is the stage's directory.
    fn host(runner: &str) -> Lab {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::create_dir(path("run")).expect("a directory");
        nix::unistd::mkfifo(&dir.path().join("power"), Mode::S_IRWXU).expect("a FIFO");
        install(&dir.path().join("lava-104"), runner);
        std::fs::write(path("on.sh"), format!("echo on >'{}'\n", path("power"))).expect("a file");
        std::fs::write(path("off.sh"), format!("echo off >>'{}'\n", path("off"))).expect("a file");
        let commands =
            json!({"hard_reset": [format!("sh {}", path("on.sh"))], "power_off": [format!("sh {}", path("off.sh"))]});
        let board = data("console/board.sh");
        let mut role = skeleton("104", "host", &path("lava-104"));
        role["console"] = json!(format!("exec:{} {}", board.display(), dir.path().display()));
        role["device"]["commands"] = commands;
        role["staged"] =
            json!({"SERVER_IP": "10.0.0.1", "KERNEL": "104/vmlinuz", "RAMDISK": "104/initrd", "DTB": null});
        let actions = role["actions"].as_array_mut().expect("a list");
        actions.insert(0, boot());
        Lab { dir, role }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What the board prints from one point on.
    fn board_says(&self, point: &str, text: &str) {
        std::fs::write(self.path(point), text).expect("a file");
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn message(&self) -> String {
        format!("{}\n{END}", json!({"v": 1, "type": "role", "data": self.role}))
    }

    fn command(&self) -> Command {
        let mut command = tool("serial-expect");
        command.arg("--run-dir").arg(self.path("run"));
        command
    }

    fn start(&self) -> Running {
        Running::start(&mut self.command(), &self.message())
    }

    fn start_with(&self, broker: &Broker) -> Running {
        Running::start(self.command().env("MN_SOCKET", broker.socket()), &self.message())
    }

    fn timeout(&mut self, action: usize, seconds: u64) {
        self.role["actions"][action]["timeout"] = json!(seconds);
    }
}

/// An overlay of which only the runner is there.
fn install(directory: &Path, runner: &str) {
    std::fs::create_dir_all(directory.join("bin")).expect("a directory");
    std::fs::write(directory.join("environment"), "export LAVA_JOB_ID=104\n").expect("a file");
    let path = directory.join("bin/lava-test-runner");
    std::fs::write(&path, format!("#!/bin/sh\n{runner}\nprintf '<LAVA_TEST_RUNNER EXIT>\\n'\n")).expect("a file");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
}

/// A role message without console, of a group of its own.
fn skeleton(id: &str, role: &str, directory: &str) -> Value {
    json!({
        "job_id": id, "role": role, "sub_id": 0, "job_name": "test", "group": group(&[(id, role, None)]),
        "timeouts": {"job": 300, "connection": 20, "call": 20},
        "device": {"hostname": "board", "type": "model", "shell": "/bin/sh", "results_dir": directory,
            "ssh": {"user": "root", "port": 22}},
        "actions": [{"action": "test", "level": "3", "timeout": 60, "stage": 0, "definitions": []}],
        "overlay": {"file": "/overlay.tar.gz", "sha256": "00", "size": 1, "directory": directory, "runs": [
            {"run": "0_smoke", "uuid": format!("{id}_1.1.3.1"), "stage": 0, "from": "git", "name": "smoke", "path": "smoke.yaml",
             "repository": "http://x/t.git", "commit_id": "abc"},
            {"run": "1_next", "uuid": format!("{id}_1.1.3.5"), "stage": 0, "from": "inline", "name": "next", "path": "next.yaml"}]}
    })
}

fn boot() -> Value {
    let errors = json!(["error: timeout reading", "error: file '(.*)' not found"]);
    let prompts = json!(["root@board:"]);
    let step = |step: Value, name: &str| {
        let mut step = step;
        step["name"] = json!(name);
        step["timeout"] = json!(60);
        step
    };
    json!({"action": "boot", "level": "2", "timeout": 60, "method": "grub-efi", "prompts": prompts, "dialogue": [
        step(json!({"step": "power", "command": "hard_reset"}), "reset-device"),
        step(json!({"step": "expect", "patterns": ["for a command-line"]}), "bootloader-interrupt"),
        step(json!({"step": "send", "text": "c", "newline": true}), "bootloader-interrupt"),
        step(json!({"step": "commands", "prompt": "grub>", "errors": errors, "lines": [
            "linux (tftp,{SERVER_IP})/{KERNEL} ${x}", "devicetree {DTB}", "initrd {RAMDISK}", "boot"]}), "bootloader-commands"),
        step(json!({"step": "kernel", "pattern": "Linux version [0-9]", "errors": errors}), "auto-login-action"),
        step(json!({"step": "login", "login_prompt": "login:", "username": "root", "prompts": prompts, "kernel_messages": true}), "login-action"),
        step(json!({"step": "shell", "prompts": prompts}), "expect-shell-connection"),
    ]})
}

/// A runner that runs one definition, in which these lines stand.
fn one_run(lines: &str) -> String {
    format!(
        "echo '<LAVA_SIGNAL_STARTRUN 0_smoke 104_1.1.3.1>'\n{lines}\necho '<LAVA_SIGNAL_ENDRUN 0_smoke 104_1.1.3.1>'"
    )
}

const PASS: &str = "echo '<LAVA_SIGNAL_STARTTC a>'; echo output; echo '<LAVA_SIGNAL_ENDTC a>'
echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>'";

#[test]
fn a_board_is_booted_tested_and_switched_off() {
    let lab = Lab::host(&one_run(PASS));
    let outcome = lab.start().outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    let expected = [
        "lava/reset-device pass",
        "lava/bootloader-interrupt pass",
        "lava/bootloader-commands pass",
        "lava/auto-login-action pass",
        "lava/kernel-messages pass",
        "lava/login-action pass",
        "lava/expect-shell-connection pass",
        "0_smoke/a pass",
        "lava/0_smoke pass",
        "lava/job pass",
    ];
    assert_eq!(results(&outcome.stdout), expected);
    assert!(outcome.stdout.ends_with(END));
    assert_eq!(lab.text("grub-lines"), "linux (tftp,10.0.0.1)/104/vmlinuz ${x}\ninitrd 104/initrd\nboot\n");
    assert_eq!(lab.text("user"), "root\n");
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn the_run_directory_has_the_console_the_results_and_what_was_held() {
    let lab = Lab::host(&one_run(PASS));
    let outcome = lab.start().outcome();
    let lines = |name: &str| lab.text(name).lines().map(str::to_owned).collect::<Vec<_>>();
    let of_kind = |kind: &str| {
        let kind = format!("\"type\":\"{kind}\"");
        outcome.stdout.lines().filter(|line| line.contains(&kind)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines("run/results.jsonl"), of_kind("result"));
    assert_eq!(lines("run/progress.jsonl").len(), of_kind("step").len());
    let held = lines("run/104/held");
    assert_eq!(held.len(), 2, "{held:?}");
    assert!(held[0].ends_with(&format!(" serial-expect sh {}", lab.path("off.sh").display())), "{held:?}");
    assert_eq!(held[1], held[0].split(' ').next().expect("a key").replace('+', "-"));

    let log = lab.text("run/104/console.log");
    let case = of_kind("result").into_iter().find(|line| line.contains("\"case\":\"a\"")).expect("the case");
    let case: Value = serde_json::from_str(&case).expect("JSON");
    let place = |key: &str| usize::try_from(case["data"][key].as_u64().expect("a place")).expect("a size");
    assert_eq!(&log[place("starttc")..place("endtc")], "\r\noutput\r\n");

    let console: Vec<Value> =
        lines("run/104/console.jsonl").iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let heard = console.iter().filter(|message| message["data"]["direction"] == "in");
    assert_eq!(heard.map(|message| message["data"]["text"].as_str().expect("text")).collect::<String>(), log);
    assert!(console.iter().any(|message| message["data"]["direction"] == "out" && message["data"]["text"] == "root\n"));
}

#[test]
fn a_failed_test_is_status_1_and_the_job_has_passed() {
    let lab = Lab::host(&one_run("echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RESULT=fail>'"));
    let outcome = lab.start().outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (1, ""));
    assert_eq!(results(&outcome.stdout)[7..], ["0_smoke/b fail", "lava/0_smoke pass", "lava/job pass"]);
    assert!(outcome.stdout.ends_with("{\"v\":1,\"type\":\"end\",\"data\":{\"status\":1}}\n"));
}

#[test]
fn a_definition_that_dies_is_recorded_and_the_next_one_runs() {
    let runner = "echo '<LAVA_SIGNAL_STARTRUN 0_smoke u0>'\necho '<LAVA_SIGNAL_STARTRUN 1_next u1>'\necho '<LAVA_SIGNAL_ENDRUN 1_next u1>'";
    let outcome = Lab::host(runner).start().outcome();
    assert_eq!(outcome.status, 1);
    assert_eq!(results(&outcome.stdout)[7..], ["lava/0_smoke fail", "lava/1_next pass", "lava/job pass"]);
}

#[test]
fn lava_test_raise_ends_the_job_and_the_board_is_switched_off() {
    let lab = Lab::host(&one_run("echo '<LAVA_SIGNAL_TESTRAISE no disk>'; exec sleep 100"));
    let outcome = lab.start().outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (1, "serial-expect: test stage 0: no disk\n"));
    assert_eq!(results(&outcome.stdout)[7..], ["lava/0_smoke fail", "lava/job fail"]);
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_runner_that_is_not_there_is_named() {
    let lab = Lab::host("");
    std::fs::remove_file(lab.path("lava-104/environment")).expect("a file");
    let outcome = lab.start().outcome();
    assert_eq!(outcome.status, 3);
    assert!(
        outcome.stderr.starts_with("serial-expect: test stage 0: the test runner ran nothing, status 1; "),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_silent_board_is_given_up_in_time() {
    let mut lab = Lab::host("");
    lab.board_says("menu", "");
    lab.timeout(0, 1);
    let outcome = lab.start().outcome();
    let why = "bootloader-interrupt: waited for 'for a command-line' in vain, 1 s, and the boot's time is up; last seen: 'UEFI firmware'";
    assert_eq!((outcome.status, outcome.stderr), (124, format!("serial-expect: {why}\n")));
    assert_eq!(results(&outcome.stdout), ["lava/reset-device pass", "lava/bootloader-interrupt fail", "lava/job fail"]);
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn an_error_of_the_bootloader_is_told_in_its_own_words() {
    let lab = Lab::host("");
    lab.board_says("grub", "\nerror: timeout reading '104/vmlinuz'.\n");
    let outcome = lab.start().outcome();
    let why = "bootloader-commands: the bootloader failed: 'error: timeout reading '104/vmlinuz'.'";
    assert_eq!((outcome.status, outcome.stderr), (3, format!("serial-expect: {why}\n")));
    assert!(outcome.stdout.contains("\"error_type\":\"Infrastructure\""));
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_panic_is_named_and_recorded() {
    let lab = Lab::host("");
    let panic = "[ 2.0] Kernel panic - not syncing: VFS: Unable to mount root fs\n[ 2.0] CPU: 0\n";
    lab.board_says("boot", &format!("{panic}[ 2.0] ---[ end Kernel panic - not syncing: VFS ]---\n"));
    let outcome = lab.start().outcome();
    let why = "login-action: the kernel panicked: '[ 2.0] Kernel panic - not syncing: VFS: Unable to mount root fs'";
    assert_eq!((outcome.status, outcome.stderr), (1, format!("serial-expect: {why}\n")));
    assert_eq!(results(&outcome.stdout)[4..], ["lava/kernel-messages fail", "lava/login-action fail", "lava/job fail"]);
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_prompt_that_never_comes_is_status_124() {
    let mut lab = Lab::host("");
    lab.role["actions"][0]["dialogue"][6]["prompts"] = json!(["nobody@nowhere"]);
    lab.role["actions"][0]["dialogue"][6]["timeout"] = json!(1);
    let outcome = lab.start().outcome();
    let why = "expect-shell-connection: waited for 'nobody@nowhere' in vain, 1 s; last seen: 'root@board:~#'";
    assert_eq!((outcome.status, outcome.stderr), (124, format!("serial-expect: {why}\n")));
}

#[test]
fn a_power_command_that_fails_is_told_with_its_last_line() {
    let mut lab = Lab::host("");
    std::fs::write(lab.path("on.sh"), "echo asking the switch\necho outlet 7 is unknown >&2\nexit 4\n")
        .expect("a file");
    lab.role["device"]["commands"]["hard_reset"] = json!([format!("sh {}", lab.path("on.sh").display()), "false"]);
    let outcome = lab.start().outcome();
    let line = format!("sh {}", lab.path("on.sh").display());
    let why = format!("cannot run 'hard_reset': '{line}' exited with status 4: 'outlet 7 is unknown'");
    assert_eq!((outcome.status, outcome.stderr), (3, format!("serial-expect: {why}\n")));
    assert_eq!(lab.text("off"), "off\n", "a reset that failed may have switched the board on");
}

#[test]
fn a_power_command_that_hangs_is_ended_in_time() {
    let mut lab = Lab::host("");
    lab.role["device"]["commands"]["hard_reset"] = json!(["sleep 1000"]);
    lab.timeout(0, 1);
    let outcome = lab.start().outcome();
    assert_eq!(outcome.status, 124);
    assert!(outcome.stderr.starts_with("serial-expect: reset-device: timed out after 1 s, "), "{}", outcome.stderr);
}

#[test]
fn a_signal_switches_the_board_off_and_records_what_was_running() {
    let lab = Lab::host("echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'; exec sleep 1000");
    let running = lab.start();
    await_text(&lab.path("run/104/console.log"), "STARTRUN 0_smoke u>");
    running.signal(Signal::SIGTERM);
    let outcome = running.outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (143, "serial-expect: ended by SIGTERM\n"));
    assert_eq!(results(&outcome.stdout)[7..], ["lava/0_smoke fail", "lava/job fail"]);
    assert!(outcome.stdout.contains("\"error_type\":\"Canceled\""));
    assert!(outcome.stdout.ends_with("{\"v\":1,\"type\":\"end\",\"data\":{\"status\":143}}\n"));
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn signals_that_come_together_are_one() {
    let lab = Lab::host("echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'; exec sleep 1000");
    let running = lab.start();
    await_text(&lab.path("run/104/console.log"), "STARTRUN 0_smoke u>");
    running.signal(Signal::SIGSTOP);
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCONT] {
        running.signal(signal);
    }
    assert!([129, 130, 143].contains(&running.outcome().status));
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_second_signal_ends_a_power_off_that_hangs() {
    let lab = Lab::host("echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'; exec sleep 1000");
    let began = lab.path("off").display().to_string();
    std::fs::write(lab.path("off.sh"), format!("echo began >'{began}'; exec sleep 1000\n")).expect("a file");
    let running = lab.start();
    await_text(&lab.path("run/104/console.log"), "STARTRUN 0_smoke u>");
    running.signal(Signal::SIGTERM);
    await_text(&lab.path("off"), "began");
    running.signal(Signal::SIGTERM);
    let outcome = running.outcome();
    assert_eq!(outcome.status, 143);
    assert_eq!(outcome.stderr, "serial-expect: warning: ended by SIGTERM\nserial-expect: ended by SIGTERM\n");
    assert_eq!(lab.text("run/104/held").lines().count(), 1, "what is held is not struck out");
}

#[test]
fn a_signal_before_the_role_message_ends_the_wait_for_it() {
    let lab = Lab::host("");
    let running = Running::start(&mut lab.command(), "{\"v\":1,\"type\":\"step\",\"data\":{}}\n");
    await_signals_are_caught(&running.child);
    running.signal(Signal::SIGINT);
    let outcome = running.outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (130, "serial-expect: ended by SIGINT\n"));
    assert_eq!(outcome.stdout, "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":130}}\n");
    assert_eq!(lab.text("off"), "");
}

/// Waits until a process has a handler for SIGINT.
fn await_signals_are_caught(child: &Child) {
    let deadline = std::time::Instant::now() + PATIENCE;
    let path = format!("/proc/{}/status", child.id());
    let caught = || {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim().to_owned();
        u64::from_str_radix(&mask, 16).unwrap_or(0) & 2 != 0
    };
    while !caught() {
        assert!(std::time::Instant::now() < deadline, "SIGINT is never caught");
        std::thread::yield_now();
    }
}

#[test]
fn a_holder_that_ends_takes_the_role_with_it() {
    let lab = Lab::host("echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'; exec sleep 1000");
    let mut running = lab.start();
    await_text(&lab.path("run/104/console.log"), "STARTRUN 0_smoke u>");
    running.close_input();
    let outcome = running.outcome();
    let why = "what the role uses is gone: the stage before has ended";
    assert_eq!((outcome.status, outcome.stderr), (3, format!("serial-expect: {why}\n")));
    assert_eq!(results(&outcome.stdout)[7..], ["lava/0_smoke fail", "lava/job fail"]);
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_holders_last_word_is_the_reason() {
    let lab = Lab::host("echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'; exec sleep 1000");
    let mut running = lab.start();
    await_text(&lab.path("run/104/console.log"), "STARTRUN 0_smoke u>");
    running.say("{\"v\":1,\"type\":\"gone\",\"data\":{\"status\":3,\"reason\":\"the export was lost\"}}\n");
    let outcome = running.outcome();
    assert_eq!(
        (outcome.status, outcome.stderr.as_str()),
        (3, "serial-expect: what the role uses is gone: the export was lost\n")
    );
}

#[test]
fn a_reader_that_goes_away_does_not_leave_the_board_on() {
    let dir = tempfile::tempdir().expect("a directory");
    let go = dir.path().join("go");
    nix::unistd::mkfifo(&go, Mode::S_IRWXU).expect("a FIFO");
    let begin = "echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'";
    let lab = Lab::host(&format!("{begin}; read -r go <'{}'; {PASS}; exec sleep 1000", go.display()));
    let mut command = lab.command();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the tool runs");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(lab.message().as_bytes()).expect("the tool reads");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|line| line.expect("a line").contains("\"step\":\"run\"")));
    drop(lines);
    std::fs::write(&go, "go\n").expect("the board reads");
    let output = child.wait_with_output().expect("the tool ends");
    drop(stdin);
    assert_eq!(Outcome::from(output), Outcome { status: 141, stdout: String::new(), stderr: String::new() });
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_message_from_a_file_needs_no_holder() {
    let lab = Lab::host(&one_run(PASS));
    std::fs::write(lab.path("message"), lab.message()).expect("a file");
    let input = std::fs::File::open(lab.path("message")).expect("a file");
    let output = lab.command().stdin(input).output().expect("the tool runs");
    assert_eq!(Outcome::from(output).status, 0);
}

// ---------------------------------------------------------------- with a broker

/// A host of a group of three that is told apart from its guests.
fn host_of_three(runner: &str) -> (Lab, Broker) {
    let mut lab = Lab::host(runner);
    lab.role["group"] = group(&MEMBERS);
    (lab, Broker::start(&MEMBERS, &[]))
}

/// What a helper on the board does: ask, and read the answer from the terminal.
fn helper(request: &str) -> String {
    format!(
        "echo '<LAVA_MULTI_NODE> <LAVA_{request}>'; while read -r answer; do case $answer in *_COMPLETE*) break;; esac; done\necho \"heard: $answer\""
    )
}

#[test]
fn requests_of_the_board_reach_the_others_and_their_answers_the_board() {
    let (lab, broker) = host_of_three(&one_run(&format!(
        "echo '<LAVA_MULTI_NODE> <LAVA_SEND ipv4 ipaddr=10.0.0.2 name=a b>'\n{}\n{}",
        helper("WAIT_ALL ready guest"),
        helper("SYNC clients")
    )));
    let guests: Vec<_> = ["101", "102"].map(|id| broker.join(id)).into_iter().collect();
    let running = lab.start_with(&broker);
    for (at, mut guest) in guests.into_iter().enumerate() {
        std::thread::spawn(move || {
            let got = guest.ask(json!({"id": 1, "call": "wait", "args": {"message": "ipv4", "timeout": 30}}));
            assert_eq!(
                got["return"]["messages"],
                json!([{"from": "104", "data": {"ipaddr": "10.0.0.2", "name": "a b"}}])
            );
            guest.ask(json!({"id": 2, "call": "send", "args": {"message": "ready", "data": {"n": at.to_string()}}}));
            guest.ask(json!({"id": 3, "call": "sync", "args": {"message": "clients", "timeout": 30}}));
            guest.ask(json!({"id": 4, "call": "leave"}));
        });
    }
    let outcome = running.outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    let expected = [
        "0_smoke/multinode-send-ipv4 pass",
        "0_smoke/multinode-wait_all-ready pass",
        "0_smoke/multinode-sync-clients pass",
    ];
    assert_eq!(test_results(&outcome.stdout), expected);
    let log = lab.text("run/104/console.log");
    let heard: Vec<&str> = log.lines().filter(|line| line.starts_with("heard: ")).collect();
    let both = ["101:n=0 102:n=1", "102:n=1 101:n=0"].map(|data| format!("heard: <LAVA_WAIT_ALL_COMPLETE {data}>"));
    assert!(both.contains(&heard[0].trim().to_owned()), "{heard:?}");
    assert_eq!(heard[1].trim(), "heard: <LAVA_SYNC_COMPLETE>");
}

#[test]
fn the_board_stays_on_until_its_guests_have_left() {
    let (lab, broker) = host_of_three(&one_run(PASS));
    let mut guests = ["101", "102"].map(|id| broker.join(id));
    let running = lab.start_with(&broker);
    await_text(&lab.path("run/progress.jsonl"), "waiting for the guests");
    assert_eq!(lab.text("off"), "");
    for guest in &mut guests {
        guest.ask(json!({"id": 1, "call": "leave"}));
    }
    let outcome = running.outcome();
    assert_eq!((outcome.status, lab.text("off").as_str()), (0, "off\n"));
    assert!(outcome.stdout.contains("left: 101, 102"), "{}", outcome.stdout);
}

#[test]
fn guests_that_do_not_leave_are_not_waited_for_without_end() {
    let (lab, broker) = host_of_three(&one_run(PASS));
    let _guests = ["101", "102"].map(|id| broker.join(id));
    let mut command = lab.command();
    command.env("MN_SOCKET", broker.socket()).args(["--drain-timeout", "0.5"]);
    let outcome = Running::start(&mut command, &lab.message()).outcome();
    assert_eq!((outcome.status, lab.text("off").as_str()), (124, "off\n"));
    assert!(outcome.stderr.starts_with("serial-expect: "), "{}", outcome.stderr);
}

#[test]
fn a_wait_for_one_who_has_left_fails_its_case_and_the_run_goes_on() {
    let (lab, broker) = host_of_three(&one_run(&format!("{}\n{PASS}", helper("SYNC clients"))));
    for id in ["101", "102"] {
        broker.join(id).ask(json!({"id": 1, "call": "leave"}));
    }
    let outcome = lab.start_with(&broker).outcome();
    assert_eq!(outcome.status, 1);
    assert_eq!(test_results(&outcome.stdout), ["0_smoke/multinode-sync-clients fail", "0_smoke/a pass"]);
    assert!(outcome.stderr.starts_with("serial-expect: warning: 'sync clients' failed: "), "{}", outcome.stderr);
    assert!(lab.text("run/104/console.log").contains("heard: <LAVA_SYNC_COMPLETE nack>"));
}

#[test]
fn a_broker_that_dies_ends_the_role() {
    let (lab, mut broker) = host_of_three(&one_run(&helper("WAIT never")));
    let running = lab.start_with(&broker);
    await_text(&lab.path("run/104/console.log"), "<LAVA_WAIT never>");
    broker.end(Signal::SIGKILL);
    let outcome = running.outcome();
    assert_eq!(outcome.status, 3);
    assert!(outcome.stderr.starts_with("serial-expect: lost the broker: "), "{}", outcome.stderr);
    assert_eq!(test_results(&outcome.stdout), ["0_smoke/multinode-wait-never fail"]);
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn without_a_broker_one_member_works_alone_and_is_refused() {
    let lab = Lab::host(&one_run(&helper("WAIT never")));
    let outcome = lab.start().outcome();
    assert_eq!(outcome.status, 1);
    assert_eq!(outcome.stderr, "serial-expect: warning: 'wait never' failed: there is no broker\n");
    let mut lab = Lab::host("");
    lab.role["group"] = group(&MEMBERS);
    let outcome = lab.start().outcome();
    assert_eq!(outcome.status, 3);
    assert!(outcome.stderr.starts_with("serial-expect: cannot reach the broker: "), "{}", outcome.stderr);
    assert_eq!(lab.text("off"), "");
}

// ---------------------------------------------------------------- the guest's shell on a socket

/// A console that answers what is typed; gives all that was typed when it is closed.
struct Shell {
    path: PathBuf,
    _dir: TempDir,
    thread: JoinHandle<String>,
}

impl Shell {
    /// Waits for each first text to be typed and then says the second, in pieces of so many bytes.
    fn start(piece: usize, script: Vec<(String, String)>) -> Shell {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("console.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a connection");
            stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
            let mut typed = String::new();
            let mut seen = 0;
            for (awaited, answer) in script {
                while !typed[seen..].contains(&awaited) {
                    typed.push_str(&read_some(&mut stream));
                }
                seen = typed.len();
                for piece in answer.as_bytes().chunks(piece) {
                    stream.write_all(piece).expect("the tool reads");
                }
            }
            typed + &read_all(stream)
        });
        Shell { path, _dir: dir, thread }
    }

    fn typed(self) -> String {
        self.thread.join().expect("the script was played")
    }
}

fn read_some(stream: &mut UnixStream) -> String {
    let mut bytes = [0; 1024];
    let count = stream.read(&mut bytes).expect("something is typed");
    assert!(count > 0, "the console was closed before the script had ended");
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

const READY: &str = "\r\n<mn-ready 101.0 0>\r\n";
const GUEST_RUN: &str = "[   21.0] usb 1-1: new device\r\n<LAVA_SIGNAL_STARTRUN 0_smoke 101_1.1.3.1>\r\n\
    + lava-test-case\r\n<LAVA_SIGNAL_STARTTC pwd>\r\n/root\r\n<LAVA_SIGNAL_ENDTC pwd>\r\n\
    <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=pwd RESULT=pass UNITS=ms MEASUREMENT=1.5>\r\n\
    <LAVA_SIGNAL_[   22.0] kernel line\r\n<LAVA_SIGNAL_ENDRUN 0_smoke 101_1.1.3.1>\r\n<LAVA_TEST_RUNNER EXIT>\r\n\r\n<mn-end 101.0 0>\r\n# ";

fn guest(console: &str) -> String {
    let mut role = skeleton("101", "guest", "/lava-101");
    role["actions"]
        .as_array_mut()
        .expect("a list")
        .insert(0, json!({"action": "boot", "level": "2", "timeout": 60, "method": "ssh", "prompts": ["never"]}));
    role["console"] = json!(console);
    format!("{}\n{END}", json!({"v": 1, "type": "role", "data": role}))
}

/// The output with what differs from run to run replaced.
fn plain(stdout: &str) -> String {
    let mut out = String::new();
    for line in stdout.lines() {
        let mut message: Value = serde_json::from_str(line).expect("a message");
        for key in ["at", "duration"] {
            if let Some(value) = message["data"].get_mut(key) {
                *value = json!("*");
            }
        }
        out.push_str(&format!("{message}\n"));
    }
    out
}

const GUEST_OUTPUT: &str = r#"{"v":1,"type":"step","data":{"job_id":"101","role":"guest","tool":"serial-expect","at":"*","step":"test","text":"runs stage 0"}}
{"v":1,"type":"step","data":{"job_id":"101","role":"guest","tool":"serial-expect","at":"*","step":"run","text":"0_smoke"}}
{"v":1,"type":"result","data":{"definition":"0_smoke","case":"pwd","result":"pass","measurement":1.5,"units":"ms","starttc":140,"endtc":149,"job_id":"101","role":"guest","seq":0,"at":"*"}}
{"v":1,"type":"result","data":{"definition":"lava","case":"0_smoke","uuid":"101_1.1.3.1","repository":"http://x/t.git","path":"smoke.yaml","duration":"*","result":"pass","revision":"unspecified","namespace":"common","commit_id":"abc","job_id":"101","role":"guest","seq":1,"at":"*"}}
{"v":1,"type":"result","data":{"definition":"lava","case":"job","result":"pass","job_id":"101","role":"guest","seq":2,"at":"*"}}
{"v":1,"type":"end","data":{"status":0}}
"#;

#[test]
fn a_guests_shell_is_used_as_it_is_however_its_bytes_are_cut() {
    for piece in [1, 2, 7, 100_000] {
        let script =
            vec![("ready 101.0".into(), READY.into()), ("lava-test-runner /lava-101/0".into(), GUEST_RUN.into())];
        let shell = Shell::start(piece, script);
        let message = guest(&format!("unix:{}", shell.path.display()));
        let outcome = Running::start(&mut tool("serial-expect"), &message).outcome();
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
        assert_eq!(plain(&outcome.stdout), GUEST_OUTPUT, "in pieces of {piece}");
        let typed = shell.typed();
        assert_eq!(typed.lines().count(), 2, "{typed}");
        assert!(typed.ends_with("printf '\\n<mn''-%s %s %s>\\n' end 101.0 $?\n"), "{typed}");
    }
}

#[test]
fn a_shell_that_closes_is_lost_with_the_holders_reason() {
    let shell = Shell::start(100, vec![("ready 101.0".into(), format!("{READY}bye"))]);
    let message = guest(&format!("unix:{}", shell.path.display()));
    let mut running = Running::start(&mut tool("serial-expect"), &message);
    running.say("{\"v\":1,\"type\":\"gone\",\"data\":{\"status\":3,\"reason\":\"the connection was reset\"}}\n");
    let outcome = running.outcome();
    assert_eq!(
        (outcome.status, outcome.stderr.as_str()),
        (3, "serial-expect: what the role uses is gone: the connection was reset\n")
    );
}

#[test]
fn a_console_that_closes_by_itself_is_lost() {
    let message = guest("exec:printf 'hello\\n'");
    let outcome = Running::start(&mut tool("serial-expect"), &message).outcome();
    let why = "lost the console: it has closed; last seen: 'hello'";
    assert_eq!((outcome.status, outcome.stderr), (3, format!("serial-expect: {why}\n")));
}

#[test]
fn a_board_that_floods_the_console_takes_bounded_memory() {
    let flood = "x".repeat(999) + "\n";
    let text = format!("<LAVA_SIGNAL_STARTRUN 0_smoke u>\n<LAVA_SIGNAL_TESTRAISE {}", flood.repeat(40_000));
    let script = vec![
        ("ready 101.0".into(), READY.into()),
        ("lava-test-runner /lava-101/0".into(), text),
        (String::new(), "> <LAVA_TEST_RUNNER EXIT>\n<mn-end 101.0 0>\n".into()),
    ];
    let shell = Shell::start(64 * 1024, script);
    let message = guest(&format!("unix:{}", shell.path.display()));
    let mut running = Running::start(&mut tool("serial-expect"), &message);
    let peak = peak_memory(&mut running);
    let outcome = running.outcome();
    assert_eq!(outcome.status, 1);
    assert!(
        outcome
            .stderr
            .starts_with("serial-expect: warning: a signal is too long and left out: '<LAVA_SIGNAL_TESTRAISE xxx")
    );
    assert!(peak < 30 * 1024, "{peak} KiB");
}

/// The most memory a process has used until its end, in KiB.
fn peak_memory(running: &mut Running) -> u64 {
    let path = format!("/proc/{}/status", running.child.id());
    let mut peak = 0;
    while running.child.try_wait().expect("a child").is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB").trim().to_owned();
        peak = line.trim_end_matches(" kB").parse().unwrap_or(0).max(peak);
        std::thread::yield_now();
    }
    peak
}

// ---------------------------------------------------------------- consoles and messages

#[test]
fn a_tcp_port_is_a_console() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let board = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut bytes = [0; 512];
        assert!(stream.read(&mut bytes).expect("the shell is asked") > 0);
        stream.write_all(READY.as_bytes()).expect("the tool reads");
        assert!(stream.read(&mut bytes).expect("the runner is typed") > 0);
        stream.write_all(GUEST_RUN.as_bytes()).expect("the tool reads");
        assert_eq!(stream.read(&mut bytes).expect("the end"), 0);
    });
    let mut command = tool("serial-expect");
    command.arg("-c").arg(format!("tcp:{address}"));
    let outcome = Running::start(&mut command, &guest("unix:/no/such")).outcome();
    assert_eq!(plain(&outcome.stdout), GUEST_OUTPUT);
    board.join().expect("the board was used as a board");
}

#[test]
fn a_serial_port_is_a_console() {
    let pty = nix::pty::openpty(None, None).expect("a terminal");
    let mut mode = nix::sys::termios::tcgetattr(&pty.slave).expect("a mode");
    nix::sys::termios::cfmakeraw(&mut mode);
    nix::sys::termios::tcsetattr(&pty.slave, nix::sys::termios::SetArg::TCSANOW, &mode).expect("a mode");
    let port = nix::unistd::ttyname(&pty.slave).expect("a name");
    let mut board = std::fs::File::from(pty.master);
    let running = {
        let mut command = tool("serial-expect");
        command.arg("-c").arg(format!("{},115200n8", port.display()));
        Running::start(&mut command, &guest("unix:/no/such"))
    };
    for (awaited, answer) in [("ready 101.0", READY), ("lava-test-runner /lava-101/0", GUEST_RUN)] {
        let mut typed = String::new();
        while !(typed.contains(awaited) && typed.ends_with('\n')) {
            let mut bytes = [0; 512];
            let count = board.read(&mut bytes).expect("something is typed");
            typed.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        board.write_all(answer.as_bytes()).expect("the tool reads");
    }
    assert_eq!(plain(&running.outcome().stdout), GUEST_OUTPUT);
}

#[test]
fn a_console_that_cannot_be_opened_is_named_before_anything_is_touched() {
    let mut lab = Lab::host("");
    for (console, status, why) in [
        ("/dev/no-such-port", 3, "cannot open '/dev/no-such-port': No such file or directory"),
        ("unix:/no/such", 3, "connect to '/no/such': No such file or directory"),
        ("exec:/no/such", 3, "run the console command '/no/such': No such file or directory"),
        (
            "telnet host",
            2,
            "cannot use the console 'telnet host': it begins with exec:, unix:, tcp: or a device's path",
        ),
    ] {
        lab.role["console"] = json!(console);
        let outcome = lab.start().outcome();
        assert_eq!(outcome.status, status, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
        assert_eq!(results(&outcome.stdout), ["lava/job fail"]);
    }
    assert_eq!(lab.text("off"), "");
}

#[test]
fn what_is_wrong_with_a_message_is_status_2_before_anything_is_touched() {
    let wrong = |change: &dyn Fn(&mut Value), why: &str| {
        let mut lab = Lab::host("");
        change(&mut lab.role);
        let outcome = lab.start().outcome();
        assert_eq!((outcome.status, outcome.stderr), (2, format!("serial-expect: {why}\n")));
        assert_eq!(lab.text("off"), "");
    };
    let why = "boot step 'bootloader-interrupt': cannot use the pattern '(': unclosed group";
    wrong(&|role| role["actions"][0]["dialogue"][1]["patterns"] = json!(["("]), why);
    let why = "cannot boot the board: its dictionary has no command 'hard_reset'";
    wrong(&|role| role["device"]["commands"] = json!({}), why);
    let why = "cannot run 'power_off': 'pdu 'off' is empty or a quote is open";
    wrong(&|role| role["device"]["commands"]["power_off"] = json!(["pdu 'off"]), why);
    let why = "cannot run the tests: the message has no overlay; put 'overlay-pack' before";
    wrong(&|role| drop(role.as_object_mut().expect("an object").remove("overlay")), why);
    let why = "cannot find the console: the message has none; name it with '-c'";
    wrong(&|role| drop(role.as_object_mut().expect("an object").remove("console")), why);
}

#[test]
fn a_second_role_is_refused_and_an_earlier_status_passed_on() {
    let lab = Lab::host("");
    let role = lab.message().replace(END, "");
    let outcome = run(&mut lab.command(), format!("{role}{role}{END}").as_bytes());
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.contains("second role message"), "{}", outcome.stderr);
    let failed = "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":124}}\n";
    let outcome = run(&mut lab.command(), format!("{role}{failed}").as_bytes());
    assert_eq!(outcome, Outcome { status: 124, stdout: failed.into(), stderr: String::new() });
    let outcome = run(&mut lab.command(), role.as_bytes());
    assert_eq!((outcome.status, outcome.stderr.as_str()), (3, "serial-expect: input ended early\n"));
}

#[test]
fn a_password_is_never_recorded() {
    let script = vec![
        ("\n".into(), "login: ".into()),
        ("me\n".into(), "Password: ".into()),
        ("geheim\n".into(), "\r\nme@board$ ".into()),
    ];
    let shell = Shell::start(100, script);
    let dir = tempfile::tempdir().expect("a directory");
    let mut role = skeleton("101", "host", "/lava-101");
    let login = json!({"step": "login", "login_prompt": "login:", "username": "me", "password_prompt": "Password:",
        "password": "geheim", "prompts": ["me@board"], "kernel_messages": false, "name": "login-action", "timeout": 30});
    let wake = json!({"step": "send", "text": "", "newline": true, "name": "wake", "timeout": 30});
    role["actions"] =
        json!([{"action": "boot", "level": "2", "timeout": 30, "method": "minimal", "dialogue": [wake, login]}]);
    role["console"] = json!(format!("unix:{}", shell.path.display()));
    let message = format!("{}\n{END}", json!({"v": 1, "type": "role", "data": role}));
    let mut command = tool("serial-expect");
    let outcome = Running::start(command.arg("--run-dir").arg(dir.path()).arg("-vv"), &message).outcome();
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert_eq!(shell.typed(), "\nme\ngeheim\n");
    for name in ["console.jsonl", "console.log", "serial-expect.jsonl"] {
        let text = std::fs::read_to_string(dir.path().join("101").join(name)).expect("a file");
        assert!(!text.contains("geheim"), "{name}: {text}");
    }
    assert!(!outcome.stdout.contains("geheim") && !outcome.stderr.contains("geheim"));
}

#[test]
fn help_names_every_option() {
    let outcome = run(tool("serial-expect").arg("--help"), b"");
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    for option in ["--console", "--run-dir", "--drain-timeout", "--verbose"] {
        assert!(outcome.stdout.contains(option), "{}", outcome.stdout);
    }
    let outcome = run(tool("serial-expect").args(["--drain-timeout", "0"]), b"");
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.starts_with("serial-expect: --drain-timeout '0' is no time"), "{}", outcome.stderr);
}
