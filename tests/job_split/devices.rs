//! What the dictionary of a board does to the messages.

use crate::splitting::{BOARD, board_with, checked, device, edited, file, roles, split, two_guests, warnings};
use pumice_tests::{Outcome, run, tool};
use serde_json::{Value, json};

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
fn a_pattern_that_is_looked_for_line_by_line_is_named() {
    let board = file(&board_with("['error: no such device']", r"['(?<!last )error: no such device', '(x)\1']"));
    let arguments = ["--check", "--device", &device(&board), "-"];
    let outcome = run(tool("job-split").args(arguments), two_guests().as_bytes());
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let path = board.path().display();
    for (place, pattern) in [("16:22", "(?<!last )error: no such device"), ("16:57", r"(x)\\1")] {
        let note = format!("job-split: note: {path}:{place}: the pattern '{pattern}' is looked for line by line\n");
        assert!(outcome.stderr.contains(&note), "{}", outcome.stderr);
    }
    let (status, stderr) = checked(&two_guests(), &board_with("['error: no such device']", "['(?<=a+)b']"));
    let error = "board.yaml:16:22: cannot use the pattern '(?<=a+)b': a look-behind needs a fixed length\n";
    assert!(status == 2 && stderr.contains(error), "{stderr}");
}

#[test]
fn a_board_that_is_pinned_is_one_board() {
    let job = edited("device_type: board", "device_type: board\n        device: board-1");
    let outcome = split(&["--check"], &job);
    assert_eq!(outcome.status, 0);
    assert!(outcome.stderr.contains("stdin:20:9: 'device' is ignored: boards are chosen by --device\n"));
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
            "board.yaml:1:1: missing key 'shutdown-message' in constants: a board without 'hard_reset' is restarted by its shell",
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
        ("{items: [PXE Grub]}", "{wait: x}", "board.yaml:41:19: a select has 'items', 'escape' or 'enter'"),
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
