//! The tool at work, and the jobs and dictionaries that it is given.

use pumice_tests::{Outcome, data, run, tool};
use serde_json::{Value, json};
use std::io::Write;

/// A dictionary with a firmware menu, in LAVA's keys.
pub const BOARD: &str = r"hostname: board-7
devicetype: board
character_delays: {boot: 5, deploy: 1, test: 2}
commands:
  connections:
    uart1: {connect: telnet console 7002}
    uart0: {connect: telnet console 7001, tags: [primary, telnet]}
  hard_reset: [pdu off 7, pdu on 7]
  power_off: pdu off 7
constants:
  posix: {lava_test_sh_cmd: /bin/ash, lava_test_results_dir: /var/lava-%s}
  grub-efi:
    interrupt-prompt: for a command-line
    interrupt-character: c
    interrupt-newline: false
    error-messages: ['error: no such device']
  kernel-start-message: Linux version [0-9]
parameters:
  interfaces: {target: {ip: 10.0.0.7}}
environment: {LAB: north}
actions:
  deploy:
    methods: {tftp: null, ssh: {user: tester, port: '2222'}}
  boot:
    methods:
      ssh: null
      grub-efi:
        menu_options: pxe
        parameters: {bootloader_prompt: 'grub>'}
        nfs:
          commands: ['linux (tftp,{SERVER_IP})/{KERNEL}', boot]
      uefi-menu:
        parameters:
          interrupt_prompt: boot selection will start in
          interrupt_string: ' '
          item_markup: ['[', ']']
          item_class: 0-9
          separator: ' '
          bootloader_prompt: 'Start:'
        pxe:
        - select: {items: [PXE Grub]}
timeouts:
  actions:
    reset-device: {seconds: 40}
    uefi-menu-interrupt: {minutes: 90}
";

/// What job-split says without the source lines below each diagnostic, and without notes.
pub fn split(arguments: &[&str], job: &str) -> Outcome {
    headlines(run(tool("job-split").args(arguments).arg("-"), job.as_bytes()))
}

pub fn headlines(outcome: Outcome) -> Outcome {
    let told = |line: &&str| {
        (line.starts_with("job-split: ") || line.starts_with("Try ")) && !line.starts_with("job-split: note: ")
    };
    let stderr = outcome.stderr.lines().filter(told).map(|line| format!("{line}\n")).collect();
    Outcome { stderr, ..outcome }
}

pub fn two_guests() -> String {
    std::fs::read_to_string(data("jobs/two-guests.yaml")).expect("the job is there")
}

/// The job with `old` replaced, which must be in it.
pub fn edited(old: &str, new: &str) -> String {
    let job = two_guests();
    assert!(job.contains(old), "'{old}' is in the job");
    job.replacen(old, new, 1)
}

#[test]
fn an_essential_role_is_marked_for_all() {
    let of = |job: &str| {
        let members = roles(&split(&["--only", "1"], job))[0]["group"]["members"].clone();
        let members = members.as_array().expect("a list").clone();
        members.iter().map(|member| member["essential"].clone()).collect::<Vec<_>>()
    };
    let essential = edited("device_type: board", "device_type: board\n        essential: yes");
    assert_eq!(of(&essential), [Value::Null, Value::Null, json!(true)]);
    assert_eq!(of(&essential.replace("essential: yes", "essential: false")), [Value::Null, Value::Null, Value::Null]);
}

/// A file with this text that lives as long as what is returned.
pub fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("it can be written");
    file
}

pub fn device(file: &tempfile::NamedTempFile) -> String {
    format!("board={}", file.path().display())
}

/// The role messages of a run that went well, and whose stream is whole.
pub fn roles(outcome: &Outcome) -> Vec<Value> {
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let mut messages: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(messages.pop(), Some(json!({"v": 1, "type": "end", "data": {"status": 0}})));
    messages.iter().map(|message| message["data"].clone()).collect()
}

/// Runs that split `job` and fail: status 2, these diagnostics, and an end that says so.
pub fn assert_refused(job: &str, expected: &[&str]) {
    let outcome = split(&["--only", "1"], job);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    let expected: Vec<String> = expected.iter().map(|line| format!("job-split: stdin:{line}")).collect();
    assert_eq!(lines, expected);
    assert_eq!(outcome.status, 2);
    assert_eq!(outcome.stdout, "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":2}}\n");
}

/// The diagnostics of a run that only checks `job` with the dictionary `board`.
pub fn checked(job: &str, board: &str) -> (i32, String) {
    let board = file(board);
    let outcome = split(&["--check", "--device", &device(&board)], job);
    assert_eq!(outcome.stdout, "");
    (outcome.status, outcome.stderr.replace(&board.path().display().to_string(), "board.yaml"))
}

pub fn board_with(old: &str, new: &str) -> String {
    assert!(BOARD.contains(old), "'{old}' is in the dictionary");
    BOARD.replacen(old, new, 1)
}

/// What is always to be said about this job.
pub const DUPLICATE: &str = "stdin:94:9: duplicate key 'install': this one counts, the one at 89:9 does not";

/// What is to be said of its start: its host only has a definition that is fetched later.
const START: [&str; 2] = [
    "stdin:15:18: 'guest' waits 90 s here, and 'host' may need 360 s to deploy and boot",
    "stdin:15:18: 'guest' waits for the start that 'host' never sends: lava-send lava_start, unless what cannot be \
     followed helps",
];

/// All that is to be said of the job, and `more` after its start.
pub fn warnings(more: &[&str]) -> String {
    let all = START.iter().chain(more).chain([&DUPLICATE]);
    all.map(|line| format!("job-split: warning: {line}\n")).collect()
}

/// Replaces in the job the first text of each case by the second; the diagnostic `job-split: PREFIXthird`
/// must come, and the status.
pub fn assert_told(arguments: &[&str], prefix: &str, status: i32, cases: &[(&str, &str, &str)]) {
    let mut failed = Vec::new();
    for (old, new, expected) in cases {
        let outcome = split(arguments, &edited(old, new));
        let line = format!("job-split: {prefix}{expected}");
        if outcome.status != status || !outcome.stderr.lines().any(|found| found == line) {
            failed.push(format!("{old} -> {new}: status {}\n  {line}\nnot in\n{}", outcome.status, outcome.stderr));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
