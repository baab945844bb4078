//! The message, the command line, and what is kept of a conversation.

use crate::lab::{Lab, skeleton};
use crate::running::{END, Running};
use crate::shell::Shell;
use pumice_tests::{Outcome, run, tool};
use serde_json::{Value, json};

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
