//! job-split as its users see it.

use pumice_tests::{Outcome, data, run, tool};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A dictionary with a firmware menu, in LAVA's keys.
const BOARD: &str = r"hostname: board-7
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
fn split(arguments: &[&str], job: &str) -> Outcome {
    headlines(run(tool("job-split").args(arguments).arg("-"), job.as_bytes()))
}

fn headlines(outcome: Outcome) -> Outcome {
    let told = |line: &&str| {
        (line.starts_with("job-split: ") || line.starts_with("Try ")) && !line.starts_with("job-split: note: ")
    };
    let stderr = outcome.stderr.lines().filter(told).map(|line| format!("{line}\n")).collect();
    Outcome { stderr, ..outcome }
}

fn two_guests() -> String {
    std::fs::read_to_string(data("jobs/two-guests.yaml")).expect("the job is there")
}

/// The job with `old` replaced, which must be in it.
fn edited(old: &str, new: &str) -> String {
    let job = two_guests();
    assert!(job.contains(old), "'{old}' is in the job");
    job.replacen(old, new, 1)
}

/// A file with this text that lives as long as what is returned.
fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("it can be written");
    file
}

fn device(file: &tempfile::NamedTempFile) -> String {
    format!("board={}", file.path().display())
}

/// The role messages of a run that went well, and whose stream is whole.
fn roles(outcome: &Outcome) -> Vec<Value> {
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    let mut messages: Vec<Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect();
    assert_eq!(messages.pop(), Some(json!({"v": 1, "type": "end", "data": {"status": 0}})));
    messages.iter().map(|message| message["data"].clone()).collect()
}

/// Runs that split `job` and fail: status 2, these diagnostics, and an end that says so.
fn assert_refused(job: &str, expected: &[&str]) {
    let outcome = split(&["--only", "1"], job);
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    let expected: Vec<String> = expected.iter().map(|line| format!("job-split: stdin:{line}")).collect();
    assert_eq!(lines, expected);
    assert_eq!(outcome.status, 2);
    assert_eq!(outcome.stdout, "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":2}}\n");
}

/// The diagnostics of a run that only checks `job` with the dictionary `board`.
fn checked(job: &str, board: &str) -> (i32, String) {
    let board = file(board);
    let outcome = split(&["--check", "--device", &device(&board)], job);
    assert_eq!(outcome.stdout, "");
    (outcome.status, outcome.stderr.replace(&board.path().display().to_string(), "board.yaml"))
}

fn board_with(old: &str, new: &str) -> String {
    assert!(BOARD.contains(old), "'{old}' is in the dictionary");
    BOARD.replacen(old, new, 1)
}

/// What is always to be said about this job.
const DUPLICATE: &str = "stdin:94:9: duplicate key 'install': this one counts, the one at 89:9 does not";

/// What is to be said of its start: its host only has a definition that is fetched later.
const START: [&str; 2] = [
    "stdin:15:18: 'guest' waits 90 s here, and 'host' may need 360 s to deploy and boot",
    "stdin:15:18: 'guest' waits for the start that 'host' never sends: lava-send lava_start, unless what cannot be \
     followed helps",
];

/// All that is to be said of the job, and `more` after its start.
fn warnings(more: &[&str]) -> String {
    let all = START.iter().chain(more).chain([&DUPLICATE]);
    all.map(|line| format!("job-split: warning: {line}\n")).collect()
}

/// Replaces in the job the first text of each case by the second; the diagnostic `job-split: PREFIXthird`
/// must come, and the status.
fn assert_told(arguments: &[&str], prefix: &str, status: i32, cases: &[(&str, &str, &str)]) {
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
fn a_guest_sees_of_the_board_only_what_it_may() {
    let board = file(BOARD);
    let roles = roles(&split(&["--only", "2", "--device", &device(&board)], &two_guests()));
    let device = json!({
        "hostname": "board-7", "type": "board", "character_delays": {"boot": 0, "test": 0}, "shell": "/bin/ash",
        "results_dir": "/var/lava-2", "ssh": {"user": "tester", "port": 2222}
    });
    assert_eq!(roles[0]["device"], device);
    assert_eq!(roles[0]["host"], "3");
    assert_eq!(roles[0]["start"], json!({"role": "host", "timeout": 90}));
    assert_eq!(roles[0]["timeouts"], json!({"job": 1800, "connection": 30, "call": 30}));
    assert_eq!(roles[0]["environment"], json!({"COLOUR": "blue", "DEPTH": 3}));
    let call = json!({
        "action": "prepare-scp-overlay", "request": "wait", "message_id": "address", "data": {"ip": "$ip"}, "timeout": 90
    });
    assert_eq!(roles[0]["actions"][0]["calls"], json!([call]));
}

#[test]
fn the_host_sees_the_whole_board() {
    let board = file(BOARD);
    let roles = roles(&split(&["--only", "3", "--device", &device(&board)], &two_guests()));
    let device = json!({
        "hostname": "board-7", "type": "board", "connect": "exec:telnet console 7001",
        "commands": {"hard_reset": ["pdu off 7", "pdu on 7"], "power_off": ["pdu off 7"]},
        "character_delays": {"boot": 5, "test": 2}, "target_ip": "10.0.0.7", "shell": "/bin/ash",
        "results_dir": "/var/lava-3", "ssh": {"user": "tester", "port": 2222}, "environment": {"LAB": "north"}
    });
    assert_eq!(roles[0]["device"], device);
    assert_eq!(roles[0]["timeouts"]["call"], 600);
    assert_eq!(roles[0].get("start"), None);
    let names: Vec<_> = roles[0]["actions"][0]["resources"].as_array().expect("a list").iter().collect();
    assert_eq!(names[0]["name"], "kernel");
    assert_eq!(names[1]["sha256sum"].as_str().map(str::len), Some(64));
    assert_eq!(names[2]["prefix"], "root/");
}

#[test]
fn the_dialogue_follows_the_dictionary_and_the_job() {
    let board = file(BOARD);
    let roles = roles(&split(&["--only", "3", "--device", &device(&board)], &two_guests()));
    let errors = json!(["error: no such device"]);
    let prompts = json!(["root@board:"]);
    let expected = json!([
        {"step": "power", "command": "hard_reset", "name": "reset-device", "timeout": 40},
        // The dictionary allows 90 minutes, the boot only its own 3.
        {"step": "expect", "patterns": ["boot selection will start in"], "name": "uefi-menu-interrupt", "timeout": 180},
        {"step": "send", "text": " ", "newline": false, "name": "uefi-menu-interrupt", "timeout": 180},
        {"step": "choose", "prompt": "Start:", "item": "PXE Grub", "item_markup": ["[", "]"], "item_class": "0-9",
         "separator": " ", "name": "grub-efi-menu-selector", "timeout": 180},
        {"step": "expect", "patterns": ["for a command-line"], "name": "bootloader-interrupt", "timeout": 180},
        {"step": "send", "text": "c", "newline": false, "name": "bootloader-interrupt", "timeout": 180},
        {"step": "commands", "prompt": "grub>", "lines": ["linux (tftp,{SERVER_IP})/{KERNEL}", "boot"],
         "character_delay": 5, "errors": errors, "name": "bootloader-commands", "timeout": 70},
        {"step": "kernel", "pattern": "Linux version [0-9]", "errors": errors, "name": "auto-login-action", "timeout": 180},
        {"step": "login", "login_prompt": "login:", "username": "root", "password_prompt": "Password:",
         "password": "letmein", "login_commands": ["stty cols 200"], "prompts": prompts, "kernel_messages": true,
         "name": "login-action", "timeout": 50},
        {"step": "shell", "prompts": prompts, "name": "expect-shell-connection", "timeout": 180}
    ]);
    assert_eq!(roles[0]["actions"][1]["dialogue"], expected);
}

#[test]
fn a_job_can_change_its_dialogue() {
    let job = edited(
        "    commands: nfs\n",
        "    commands: [insmod gzio, boot]\n    reset: false\n    ignore_kernel_messages: true\n    parameters:\n      \
         kernel-start-message: ''\n      bootloader-final-message: Booting\n",
    );
    let board = file(&board_with("interrupt-character: c", "interrupt_ctrl_list: [c]"));
    let roles = roles(&split(&["--only", "3", "--device", &device(&board)], &job));
    let dialogue = roles[0]["actions"][1]["dialogue"].as_array().expect("a list").clone();
    let steps: Vec<_> = dialogue.iter().map(|step| step["step"].as_str().expect("a word")).collect();
    assert_eq!(steps, ["expect", "send", "choose", "expect", "send", "commands", "login", "shell"]);
    assert_eq!(dialogue[4]["text"], "\u{3}");
    assert_eq!(dialogue[5]["lines"], json!(["insmod gzio", "boot"]));
    assert_eq!(dialogue[5]["final_message"], "Booting");
    assert_eq!(dialogue[6]["kernel_messages"], false);
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
fn a_board_without_ssh_numbers_its_actions_otherwise() {
    let board = file(&board_with("ssh: {user: tester, port: '2222'}", "nfs: null"));
    let host = &roles(&split(&["--only", "3", "--device", &device(&board)], &two_guests()))[0];
    assert_eq!(host["actions"][0]["overlay_level"], "1.1.3");
    assert_eq!(host["actions"][2]["definitions"][0]["uuid"], "3_1.1.2.1");
    assert_eq!(host["device"]["ssh"], json!({"user": "root", "port": 22}));
}

#[test]
fn without_a_dictionary_there_is_no_device_and_a_warning() {
    let outcome = split(&[], &two_guests());
    let warning = "stdin:17:7: no dictionary for the device type 'board': give --device board=FILE";
    assert_eq!(outcome.stderr, warnings(&[warning]));
    let roles = roles(&Outcome { stderr: String::new(), ..outcome });
    assert_eq!((&roles[0]["device"], &roles[2]["device"]), (&Value::Null, &Value::Null));
    assert_eq!(roles[2]["actions"][1].get("dialogue"), None);
    assert_eq!(roles[2]["actions"][0]["overlay_level"], "1.1.4");
}

#[test]
fn dictionaries_of_a_type_are_used_in_the_order_given() {
    let lone = "lone: {count: 2, device_type: board}\n      host:";
    let job = edited("host:\n        count", &format!("{lone}\n        count"));
    let job = job.replace("role: [host]", "role: [host, lone]").replace("[host, guest]", "[lone, host, guest]");
    let boards = ["one", "two", "three"].map(|name| file(&board_with("board-7", name)));
    let types = boards.each_ref().map(device);
    let given = |count: usize| types[..count].iter().flat_map(|board| ["--device", board]).collect::<Vec<_>>();
    let outcome = split(&given(3), &job);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let hosts = roles(&Outcome { stderr: String::new(), ..outcome });
    let names: Vec<_> = hosts.iter().map(|role| role["device"]["hostname"].as_str().expect("a name")).collect();
    assert_eq!(names, ["three", "three", "one", "two", "three"]);
    let outcome = split(&given(2), &job);
    assert_eq!(outcome.status, 2);
    let error = "more boards of type 'board' than dictionaries: give --device board=FILE for each";
    assert!(outcome.stderr.contains(&format!("job-split: stdin:18:7: {error}\n")), "{}", outcome.stderr);
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
fn a_check_says_everything_and_writes_nothing() {
    assert_eq!(checked(&two_guests(), BOARD), (0, warnings(&[])));
    let job = edited("count: 2", "count: two").replace("to: tftp", "to: elsewhere");
    let (status, stderr) = checked(&job, &board_with("hostname: board-7", "hostname: 7"));
    let expected = [
        "stdin:12:16: expected an integer, found text".to_owned(),
        "warning: stdin:24:9: deploy method 'elsewhere' is not supported by this version".to_owned(),
        format!("warning: {DUPLICATE}"),
        "board.yaml:1:11: expected text, found the integer 7: quote it as '7'".to_owned(),
    ];
    assert_eq!(stderr.lines().collect::<Vec<_>>(), expected.map(|line| format!("job-split: {line}")));
    assert_eq!(status, 2);
}

#[test]
fn roles_that_do_not_fit_together_are_refused() {
    assert_told(
        &["--only", "1"],
        "stdin:",
        2,
        &[
            (
                "connection: ssh\n",
                "connection: ssh\n        device_type: board\n",
                "11:9: a role has a device_type or a connection, not both: remove one",
            ),
            ("        device_type: board\n", "", "18:9: a role needs a device_type or a connection"),
            ("        host_role: host\n", "", "11:9: missing key 'host_role'"),
            ("host_role: host", "host_role: hots", "14:20: role 'hots' does not exist: did you mean 'host'?"),
            ("host_role: host", "host_role: guest", "14:20: a host_role is a role with a device_type"),
            ("expect_role: host", "expect_role: nobody", "13:22: role 'nobody' does not exist"),
            (
                "expect_role: host",
                "expect_role: guest",
                "15:18: role 'guest' waits for its own lava_start: expect_role must name another role",
            ),
            ("count: 1", "count: 2", "18:16: a host_role has one member: count is 2"),
            ("count: 1", "count: 0", "18:16: a host_role has one member: count is 0"),
            ("count: 2", "count: -1", "12:16: count -1 is not 0 to 1024"),
            ("count: 2", "count: 3000", "12:16: count 3000 is not 0 to 1024"),
            ("        count: 2\n", "", "11:9: missing key 'count'"),
            ("device_type: board", "device_type: ''", "19:22: 'device_type' is empty"),
            (
                "      guest:\n",
                "      a guest:\n",
                "10:7: role 'a guest' is not 1 to 64 letters, digits, dots, hyphens and underscores",
            ),
        ],
    );
}

#[test]
fn pairs_of_keys_come_together() {
    assert_refused(
        &edited("        host_role: host\n", ""),
        &["11:9: missing key 'host_role'", "13:9: 'expect_role' without 'host_role': give both"],
    );
    assert_refused(
        &edited("        expect_role: host\n", ""),
        &[
            "13:9: 'host_role' without 'expect_role': give both",
            "14:18: 'request: lava-start' needs the expect_role whose lava_start is awaited",
        ],
    );
    let job = edited("connection: ssh\n", "connection: ssh\n        device: board-1\n        worker: lab\n");
    assert_refused(
        &job,
        &[
            "12:9: 'device' of a connection role: it runs on its host's board",
            "12:17: 'device' names one board, and count is 2",
            "13:9: 'worker' of a connection role: it runs on its host's board",
        ],
    );
}

#[test]
fn a_board_that_is_pinned_is_one_board() {
    let job = edited("device_type: board", "device_type: board\n        device: board-1");
    let outcome = split(&["--check"], &job);
    assert_eq!(outcome.status, 0);
    assert!(outcome.stderr.contains("stdin:20:9: 'device' is ignored: boards are chosen by --device\n"));
}

#[test]
fn blocks_that_a_role_cannot_run_are_refused() {
    let order = "an order of actions other than one deploy, one boot, then tests is not supported by this version";
    let unnamed = edited("- deploy:\n    role: [host]\n", "- deploy:\n");
    assert_refused(&unnamed, &["23:5: missing key 'role'"]);
    assert_refused(&edited("role: [host]", "role: []"), &["23:11: 'role' names no role"]);
    let elsewhere = edited("- deploy:\n    role: [host]\n", "- deploy:\n    role: [guest]\n");
    let outcome = split(&["--check"], &elsewhere);
    for line in [format!("36:3: role 'guest': {order}"), format!("47:3: role 'host': {order}")] {
        assert!(outcome.stderr.contains(&format!("job-split: warning: stdin:{line}\n")), "{}", outcome.stderr);
    }
    let idle = edited("\nactions:\n", "\n      idle: {count: 1, device_type: board}\nactions:\n");
    assert_refused(&idle, &["21:7: no action names the role 'idle'"]);
    let swapped = edited("      guest:\n", "      guets:\n");
    let guets = "role 'guest' does not exist: did you mean 'guets'?";
    let told = [(37, 12), (61, 12), (66, 18), (77, 12)].map(|(line, column)| format!("{line}:{column}: {guets}"));
    let mut expected = vec!["10:7: no action names the role 'guets'"];
    expected.extend(told.iter().map(String::as_str));
    assert_refused(&swapped, &expected);
}

#[test]
fn errors_in_actions_have_their_place_and_their_mend() {
    assert_told(
        &["--only", "1"],
        "stdin:",
        2,
        &[
            ("to: tftp", "to: tfpt", "24:9: unknown deploy method 'tfpt': did you mean 'tftp'?"),
            (
                "request: lava-wait\n",
                "request: lava-send\n",
                "43:18: a call of 'prepare-scp-overlay' is a 'lava-wait', not a 'lava-send'",
            ),
            (
                "request: lava-wait\n",
                "request: lava-wiat\n",
                "43:18: request 'lava-wiat' is not one of lava-send, lava-wait, lava-wait-all, lava-sync: did you mean 'lava-wait'?",
            ),
            ("role: [host]", "role: [hosts]", "23:12: role 'hosts' does not exist: did you mean 'host'?"),
            ("- deploy:\n", "- depoly:\n", "22:3: unknown action 'depoly': did you mean 'deploy'?"),
            (
                "- deploy:\n    role: [host]",
                "- boot: {}\n  deploy:\n    role: [host]",
                "22:3: an action is a mapping with one key, 'deploy', 'boot', 'test' or 'command'",
            ),
            (
                "to: tftp",
                "to: tftp\n    timeout: {hours: 1}",
                "25:14: timeout of 3600 seconds is longer than the job's 1800",
            ),
            ("authorize: ssh", "authorize: telnet", "25:16: authorize 'telnet' is not 'ssh'"),
            (
                "http://files.example/a/vmlinuz",
                "files/vmlinuz",
                "27:12: url 'files/vmlinuz' has no scheme, as in http://",
            ),
            ("http://files.example/a/vmlinuz", "http://a/b/", "27:12: url 'http://a/b/' names no file"),
            ("url: http://files.example/a/vmlinuz", "type: image", "27:7: missing key 'url'"),
            ("type: image", "type: bootz", "28:13: type 'bootz' is not one of image, uimage, zimage"),
            (
                "compression: xz",
                "compression: x",
                "34:20: compression 'x' is not one of gz, xz, bz2, zstd, zip: did you mean 'xz'?",
            ),
            ("prefix: root/", "prefix: /root", "35:15: prefix '/root' must be relative and end in a slash"),
            ("'0123456789abcdef0", "'0", "31:18: 'sha256sum' is not 64 hexadecimal digits"),
            (
                "      - action: prepare-scp-overlay\n        request",
                "        action: prepare-scp-overlay\n        request",
                "42:9: calls are a list: begin this one with '- '",
            ),
            (
                "{ip: $ip}",
                "{ip: ip}",
                "45:18: nothing is picked up: give the key of the address a value that begins with '$'",
            ),
            (
                "hostID: address",
                "hostID: adress",
                "64:17: hostID 'adress' is not the messageID 'address' of the call at 42:9",
            ),
            ("host_key: ip}", "host_key: ipv6}", "64:17: host_key 'ipv6' is no key of the message of the call at 42:9"),
            ("      username: root\n", "", "52:7: missing key 'username'"),
            ("      password: letmein\n", "", "52:7: 'password' and 'password_prompt' come together: give both"),
            ("[stty cols 200]", "[]", "52:7: 'login_commands' is empty"),
            ("prompts: 'root@board:'", "prompts: []", "57:14: 'prompts' is empty"),
            (
                "prompts: 'root@board:'",
                "prompts: 12:30",
                "57:14: expected text, found the integer 750: quote it as '12:30'",
            ),
            (
                "from: git",
                "from: inlin",
                "69:13: a definition comes from 'git', 'inline' or 'url', not 'inlin': did you mean 'inline'?",
            ),
            ("name: smoke", "name: smo.ke", "72:13: name 'smo.ke' is not of letters, digits, underscores and hyphens"),
            ("name: smoke", "name: lava", "72:13: name 'lava' is reserved: choose another"),
            ("name: smoke", "name: meet", "79:7: name 'meet' is taken by the definition at 69:7"),
            (
                "skip_install: [deps]",
                "skip_install: [dep]",
                "84:21: 'dep' is no part of an install: keys, sources, deps, steps, git-repos, all: did you mean 'deps'?",
            ),
            ("lava-signal: kmsg", "lava-signal: dmesg", "82:20: 'lava-signal' is 'dmesg': it is 'stdout' or 'kmsg'"),
            (
                "Definition 1.0",
                "Definition 2.0",
                "87:19: format 'Lava-Test Test Definition 2.0' is not 'Lava-Test Test Definition 1.0'",
            ),
            ("- lava-sync meet", "- lava-sync: meet", "93:13: expected text, found a mapping"),
        ],
    );
}

#[test]
fn errors_in_the_job_itself_are_told() {
    assert_told(
        &["--only", "1"],
        "stdin:",
        2,
        &[
            ("job_name: two guests on one board\n", "", "1:1: missing key 'job_name'"),
            ("  job: {minutes: 30}\n", "", "3:3: missing key 'job'"),
            (
                "protocols:\n",
                "device_type: board\nprotocols:\n",
                "7:1: 'device_type' of a multinode job belongs to its roles: move it there",
            ),
            ("actions:\n- deploy", "action:\n- deploy", "1:1: missing key 'actions'"),
        ],
    );
    assert_refused("- a\n", &["1:1: expected a mapping, found a list"]);
    assert_refused("", &["1:1: expected a mapping, found nothing"]);
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
fn what_no_stage_can_do_is_a_warning_until_it_is_run() {
    assert_told(
        &["--check"],
        "warning: stdin:",
        0,
        &[
            (
                "connection: ssh\n",
                "connection: telnet\n",
                "11:21: connection 'telnet' is not supported by this version",
            ),
            (
                "device_type: board",
                "device_type: board\n        essential: yes",
                "20:20: 'essential: true' is not supported by this version",
            ),
            (
                "- deploy:\n",
                "- command: {name: x, role: [host]}\n- deploy:\n",
                "22:3: action 'command' is not supported by this version",
            ),
            (
                "http://files.example/a/vmlinuz",
                "scp://a/b",
                "27:12: scheme 'scp' of 'scp://a/b' is not supported by this version",
            ),
            ("prefix: root/", "archive: tar", "35:7: 'archive' of the nfsrootfs is not supported by this version"),
            (
                "action: prepare-scp-overlay",
                "action: scp-overlay",
                "42:17: a call of action 'scp-overlay' is not supported by this version",
            ),
            ("method: grub-efi", "method: grub", "49:13: boot method 'grub' is not supported by this version"),
            (
                "method: grub-efi",
                "method: grub-efi\n    transfer_overlay: {}",
                "50:5: 'transfer_overlay' of a boot is not supported by this version",
            ),
            (
                "    definitions:\n",
                "    interactive: []\n    definitions:\n",
                "68:5: 'interactive' of a test is not supported by this version",
            ),
            (
                "  lava-multinode:\n",
                "  lava-xnbd: {port: auto}\n  lava-multinode:\n",
                "8:3: 'lava-xnbd' of the protocols is not supported by this version",
            ),
        ],
    );
}

#[test]
fn what_is_probably_a_mistake_is_a_warning() {
    assert_told(
        &["--check"],
        "warning: stdin:",
        0,
        &[
            (
                "  action: {minutes: 3}",
                "  acton: {minutes: 3}",
                "4:3: unknown key 'acton' of the job's timeouts is ignored: did you mean 'action'?",
            ),
            (
                "request: lava-start",
                "request: lava_start",
                "15:18: request 'lava_start' has no effect: did you mean 'lava-start'?",
            ),
            (
                "['root@board:']",
                "['root@boards:']",
                "63:5: prompts differ from those of 'host', whose system this is, at 57:5",
            ),
            (
                "  action: {minutes: 3}",
                "  action: {seconds: 0}",
                "4:11: timeout of 0 seconds: 30 are taken, as LAVA does",
            ),
        ],
    );
}

#[test]
fn errors_in_a_dictionary_have_their_place() {
    let mut failed = Vec::new();
    for (old, new, expected) in [
        ("hostname: board-7\n", "", "board.yaml:1:1: missing key 'hostname'"),
        (
            "  connections:\n",
            "  connect: telnet a 1\n  connections:\n",
            "board.yaml:5:3: 'connect' and 'connections' exclude each other: remove one",
        ),
        (
            "tags: [primary, telnet]",
            "tags: [telnet]",
            "board.yaml:6:5: one of several connections must be tagged 'primary'",
        ),
        (
            "  hard_reset: [pdu off 7, pdu on 7]\n",
            "",
            "warning: board.yaml:5:3: a dictionary without 'hard_reset', or a reset by software, is not supported by this version",
        ),
        (
            "/var/lava-%s",
            "/var/lava",
            "board.yaml:11:62: results directory '/var/lava' is not an absolute path with one %s for the job id",
        ),
        (
            "    interrupt-prompt: for a command-line\n",
            "",
            "board.yaml:13:5: missing key 'interrupt-prompt' in constants: grub-efi",
        ),
        ("port: '2222'", "port: 0", "board.yaml:23:53: 'port' is not 1 to 65535"),
        ("bootloader_prompt: 'grub>'", "prompt: 'grub>'", "board.yaml:29:21: missing key 'bootloader_prompt'"),
        (
            "menu_options: pxe",
            "menu_options: pex",
            "board.yaml:33:9: 'uefi-menu' has no options 'pex': did you mean 'pxe'?",
        ),
        (
            "{items: [PXE Grub]}",
            "{items: [PXE Grub], fallback: x}",
            "warning: board.yaml:41:39: 'fallback' of a menu's select is not supported by this version",
        ),
        (
            "      grub-efi:\n        menu",
            "      grub:\n        menu",
            "board.yaml:26:7: the dictionary has no boot method 'grub-efi'",
        ),
        (
            "        nfs:\n",
            "        nfz:\n",
            "stdin:50:15: the dictionary of 'board-7' has no commands 'nfs': did you mean 'nfz'?",
        ),
        (
            "['error: no such device']",
            "['error: (no such device']",
            "board.yaml:16:22: cannot use the pattern 'error: (no such device': unclosed group",
        ),
        (
            "character_delays: {boot: 5",
            "character_delays: {boot: 1.5",
            "board.yaml:3:26: expected an integer, found the number 1.5",
        ),
        (
            "hostname: board-7\n",
            "hostname: board-7\n\tx: y\n",
            "board.yaml:1:11: tab in the lines of this value: use spaces",
        ),
    ] {
        let (status, stderr) = checked(&two_guests(), &board_with(old, new));
        let line = format!("job-split: {expected}");
        if status != if expected.starts_with("warning") { 0 } else { 2 } || !stderr.lines().any(|found| found == line) {
            failed.push(format!("{old} -> {new}: status {status}\n  {line}\nnot in\n{stderr}"));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_dictionary_of_another_type_is_not_even_opened() {
    let outcome = split(&["--check", "--device", "other=/no/such/file"], &two_guests());
    assert_eq!(outcome.status, 0);
    let outcome = split(&["--check", "--device", "board=/no/such/file"], &two_guests());
    let error = "job-split: cannot read '/no/such/file': No such file or directory\n";
    assert_eq!(outcome, Outcome { status: 2, stdout: String::new(), stderr: error.to_owned() });
}

#[test]
fn a_console_may_be_given_as_a_specification() {
    for (connect, expected) in [
        ("unix:/run/board", "unix:/run/board"),
        ("'/dev/ttyUSB0,9600'", "/dev/ttyUSB0,9600"),
        ("cu -l x", "exec:cu -l x"),
    ] {
        let board = file(&board_with("telnet console 7001", connect));
        let host = &roles(&split(&["--only", "3", "--device", &device(&board)], &two_guests()))[0];
        assert_eq!(host["device"]["connect"], expected);
    }
}

#[test]
fn a_wrong_command_line_is_status_2_and_names_the_help() {
    for (arguments, expected) in [
        (&["--job-id", "0"][..], "invalid value '0' for '--job-id <N>': 0 is not in 1..=999999999999"),
        (&["--device", "board"], "invalid value 'board' for '--device <TYPE=FILE>': a device is given as TYPE=FILE"),
        (&["--rewrite", "x"], "invalid value 'x' for '--rewrite <OLD=NEW>': a rewrite is given as OLD=NEW"),
        (&["--group", "a b"], "group 'a b' is not 1 to 64 letters, digits, dots, hyphens and underscores"),
        (
            &["--param", "1=2"],
            "invalid value '1=2' for '--param <KEY=VALUE>': a parameter is given as KEY=VALUE, the key a name of the shell",
        ),
        (&["-W", "all"], "invalid value 'all' for '-W <error>'"),
    ] {
        let outcome = split(arguments, &two_guests());
        let stderr = format!("job-split: {expected}\nTry 'job-split --help' for more information.\n");
        assert_eq!(outcome, Outcome { status: 2, stdout: String::new(), stderr });
    }
}

#[test]
fn a_member_that_does_not_exist_is_refused() {
    let outcome = split(&["--only", "7"], &two_guests());
    assert_eq!(outcome.stderr, "job-split: no member '7': the members are 1 to 3\n");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (2, "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":2}}\n"));
}

#[test]
fn a_job_that_cannot_be_read_is_status_2() {
    let outcome = run(tool("job-split").arg("/no/such/job.yaml"), b"");
    assert_eq!(outcome.stderr, "job-split: cannot read '/no/such/job.yaml': No such file or directory\n");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (2, "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":2}}\n"));
}

#[test]
fn diagnostics_name_the_job_as_it_was_given() {
    let job = file("a: [\n");
    let name = job.path().display();
    let outcome = run(tool("job-split").arg(job.path()), b"");
    assert!(outcome.stderr.starts_with(&format!("job-split: {name}:2:1: not YAML: ")), "{}", outcome.stderr);
    assert_eq!(outcome.status, 2);
}

#[test]
fn hostile_jobs_are_refused_in_no_time() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", ")));
    }
    let many = "x".repeat(5 << 20);
    let started = Instant::now();
    for (job, expected) in [
        (bomb.as_bytes(), "document too large: more than 100000 values or 16777216 bytes, aliases expanded"),
        ("[".repeat(20_000).as_bytes(), "nested too deep: more than 64 levels"),
        ("- ".repeat(20_000).as_bytes(), "nested too deep: more than 64 levels"),
        (b"job_name: a\0b\n", "control character U+0000 is not allowed in YAML"),
        (b"job_name: caf\xe9\n", "byte 0xE9 is not UTF-8: save the file as UTF-8"),
        (many.as_bytes(), "file too large: 4194305 bytes, the limit is 4194304"),
        (b"a: 1\n---\nb: 2\n", "a second document starts here: a file holds one"),
    ] {
        let outcome = headlines(run(tool("job-split").args(["--check", "-"]), job));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""), "{expected}");
        assert!(outcome.stderr.ends_with(&format!(": {expected}\n")), "{}", outcome.stderr);
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
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
