//! A guest's shell on a socket.

use crate::lab::skeleton;
use crate::running::{END, PATIENCE, Running, read_all};
use pumice_tests::tool;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use tempfile::TempDir;

/// A console that answers what is typed; gives all that was typed when it is closed.
pub struct Shell {
    pub path: PathBuf,
    _dir: TempDir,
    thread: JoinHandle<String>,
}

impl Shell {
    /// Waits for each first text to be typed and then says the second, in pieces of so many bytes.
    pub fn start(piece: usize, script: Vec<(String, String)>) -> Shell {
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

    pub fn typed(self) -> String {
        self.thread.join().expect("the script was played")
    }
}

pub fn read_some(stream: &mut UnixStream) -> String {
    let mut bytes = [0; 1024];
    let count = stream.read(&mut bytes).expect("something is typed");
    assert!(count > 0, "the console was closed before the script had ended");
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

/// The shell is there, and its overlay has LAVA's own helpers.
pub const READY: &str = "\r\n<mn-ready 101.0 127>\r\n";
pub const GUEST_RUN: &str = "[   21.0] usb 1-1: new device\r\n<LAVA_SIGNAL_STARTRUN 0_smoke 101_1.1.3.1>\r\n\
    + lava-test-case\r\n<LAVA_SIGNAL_STARTTC pwd>\r\n/root\r\n<LAVA_SIGNAL_ENDTC pwd>\r\n\
    <LAVA_SIGNAL_TESTCASE TEST_CASE_ID=pwd RESULT=pass UNITS=ms MEASUREMENT=1.5>\r\n\
    <LAVA_SIGNAL_[   22.0] kernel line\r\n<LAVA_SIGNAL_ENDRUN 0_smoke 101_1.1.3.1>\r\n<LAVA_TEST_RUNNER EXIT>\r\n\r\n<mn-end 101.0 0>\r\n# ";

pub fn guest(console: &str) -> String {
    let mut role = skeleton("101", "guest", "/lava-101");
    role["actions"]
        .as_array_mut()
        .expect("a list")
        .insert(0, json!({"action": "boot", "level": "2", "timeout": 60, "method": "ssh", "prompts": ["never"]}));
    role["console"] = json!(console);
    format!("{}\n{END}", json!({"v": 1, "type": "role", "data": role}))
}

/// The output with what differs from run to run replaced.
pub fn plain(stdout: &str) -> String {
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

pub const GUEST_OUTPUT: &str = r#"{"v":1,"type":"step","data":{"job_id":"101","role":"guest","tool":"serial-expect","at":"*","step":"test","text":"runs stage 0"}}
{"v":1,"type":"step","data":{"job_id":"101","role":"guest","tool":"serial-expect","at":"*","step":"run","text":"0_smoke"}}
{"v":1,"type":"result","data":{"definition":"0_smoke","case":"pwd","result":"pass","measurement":1.5,"units":"ms","starttc":142,"endtc":151,"job_id":"101","role":"guest","seq":0,"at":"*"}}
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
        assert!(typed.ends_with("printf '\\n<mn''-%s %s %s>\\n' end 101.0 $? end 101.0 $?\n"), "{typed}");
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
