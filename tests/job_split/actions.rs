//! Blocks other than definitions: scripts, monitors, commands, boots to a bootloader, and how often each is done.

use crate::splitting::{device, file, roles, split};
use pumice_tests::{Outcome, data, run, tool};
use serde_json::{Value, json};

const BOARD: &str = "hostname: board-1
devicetype: board
commands:
  connect: telnet lab 7001
  hard_reset: pdu cycle 1
  power_off: pdu off 1
  users:
    boot_from_nand: {do: relay 1 off, undo: [relay 1 on, relay 2 on]}
    light: {do: lamp on}
constants:
  kernel-start-message: Linux version
  u-boot: {interrupt-prompt: Hit any key, interrupt-character: ' ', error-messages: [TIMEOUT]}
actions:
  boot:
    methods:
      u-boot: {parameters: {bootloader_prompt: '=>'}, run: {commands: [dhcp, run x]}}
";

/// A job for one board with these blocks.
fn job(blocks: &str) -> String {
    format!(
        "job_name: x\ndevice_type: board\nvisibility: public\ntimeouts: {{job: {{minutes: 20}}}}\nactions:\n{blocks}"
    )
}

fn told(blocks: &str) -> Outcome {
    let board = file(BOARD);
    split(&["--device", &device(&board)], &job(blocks))
}

fn role(blocks: &str) -> Value {
    roles(&told(blocks)).remove(0)
}

/// What is said of blocks that are wrong.
fn wrong(blocks: &str) -> String {
    let outcome = told(blocks);
    assert_eq!(outcome.status, 2, "{}", outcome.stderr);
    outcome.stderr
}

const BOOT: &str =
    "- boot: {method: bootloader, bootloader: u-boot, commands: [], prompts: ['=> '], timeout: {minutes: 1}}\n";

#[test]
fn a_boot_ends_at_the_bootloaders_prompt() {
    let boot = role(BOOT)["actions"][0].clone();
    let words: Vec<&str> =
        boot["dialogue"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!((boot["method"].as_str(), words), (Some("bootloader"), vec!["power", "expect", "send", "commands"]));
    assert_eq!((&boot["dialogue"][3]["lines"], &boot["dialogue"][3]["prompt"]), (&json!([]), &json!("=>")));
    let typed = role(&BOOT.replace("[]", "run"));
    let last = &typed["actions"][0]["dialogue"][4];
    let expected = json!({"step": "expect", "patterns": ["=> "], "errors": ["TIMEOUT"], "name": "bootloader-commands", "timeout": 60});
    assert_eq!(last, &expected, "the last command has to end");
}

#[test]
fn a_boot_to_a_prompt_is_for_bootloaders_and_not_for_definitions() {
    let minimal = told(&BOOT.replace("bootloader: u-boot", "bootloader: minimal")).stderr;
    assert!(minimal.contains("6:42: bootloader 'minimal' is not supported by this version"), "{minimal}");
    let definitions = format!(
        "- deploy: {{to: tftp, kernel: {{url: 'http://a/b'}}}}\n{BOOT}- test: {{definitions: [{{from: git, repository: 'http://a/b', path: a, name: a}}]}}\n"
    );
    let text = "7:3: definitions run in a system's shell, and this boot ends at the bootloader's prompt";
    assert!(wrong(&definitions).contains(text));
    let shell = definitions.replace(
        "method: bootloader, bootloader: u-boot, commands: [], prompts: ['=> ']",
        "method: u-boot, commands: run",
    );
    assert!(wrong(&shell).contains("7:9: missing key 'prompts'"));
}

#[test]
fn a_script_is_in_the_message_as_the_job_has_it() {
    let test = "- test:
    timeout: {minutes: 4}
    interactive:
    - name: net work
      prompts: ['=> ', '/ # ']
      echo: discard
      script:
      - {name: dhcp, command: dhcp, successes: [{message: bound}],
         failures: [{message: TIMEOUT, exception: InfrastructureError, error: no lease}]}
      - command:
      - {delay: 3, command: 'boot', wait_for_prompt: no, successes: [{message: Starting kernel}]}
";
    let role = role(&format!("{BOOT}{test}"));
    let expected = json!({"action": "test", "level": "2", "timeout": 240, "stage": 0, "interactive": [
        {"name": "net work", "prompts": ["=> ", "/ # "], "echo": "discard", "steps": [
            {"name": "dhcp", "command": "dhcp", "successes": ["bound"],
             "failures": [{"message": "TIMEOUT", "exception": "InfrastructureError", "error": "no lease"}]},
            {},
            {"delay": 3, "command": "boot", "successes": ["Starting kernel"], "wait_for_prompt": false}]}]});
    assert_eq!(role["actions"][1], expected);
    assert_eq!(role.get("overlay"), None);
}

#[test]
fn a_monitor_is_in_the_message_as_the_job_has_it() {
    let test = r"- test:
    monitors:
    - name: tests
      start: BOOTING
      end: DONE
      pattern: '(?P<test_case_id>\w+) (?P<result>\w+)'
      fixupdict: {OK: pass}
      expected: [a]
";
    let role = role(&format!("{BOOT}{test}"));
    let monitor = json!({"name": "tests", "start": "BOOTING", "end": "DONE", "fixupdict": {"OK": "pass"},
        "pattern": r"(?P<test_case_id>\w+) (?P<result>\w+)", "expected": ["a"]});
    assert_eq!(role["actions"][1]["monitors"], json!([monitor]));
}

#[test]
fn commands_of_the_dictionary_stand_where_the_job_has_them() {
    let role = role(&format!(
        "- command: {{name: boot_from_nand, timeout: {{seconds: 9}}}}\n{BOOT}- command: {{name: hard_reset}}\n"
    ));
    let command = json!({"action": "command", "level": "1", "timeout": 9, "name": "boot_from_nand"});
    assert_eq!(role["actions"][0], command);
    assert_eq!(role["actions"][2]["name"], "hard_reset");
    let commands = json!({"boot_from_nand": ["relay 1 off"], "hard_reset": ["pdu cycle 1"], "light": ["lamp on"], "power_off": ["pdu off 1"]});
    assert_eq!(role["device"]["commands"], commands);
    assert_eq!(role["device"]["undo"], json!({"boot_from_nand": ["relay 1 on", "relay 2 on"]}));
}

#[test]
fn a_command_that_the_dictionary_does_not_have_is_told_with_its_place() {
    let stderr = wrong(&format!("{BOOT}- command: {{name: boot_from_nad}}\n"));
    let text = "job-split: stdin:7:19: the dictionary of 'board-1' has no command 'boot_from_nad': did you mean 'boot_from_nand'?\n";
    assert_eq!(stderr, text);
}

#[test]
fn what_is_wrong_with_a_test_is_told_with_its_place() {
    let script =
        |script: &str| format!("{BOOT}- test: {{interactive: [{{name: a, prompts: ['=>'], script: [{script}]}}]}}\n");
    let no_prompt = script("{command: x}").replace("['=>']", "[]");
    for (blocks, expected) in [
        (script("{command: x, successes: [{message: '('}]}"), "7:95: cannot use the pattern '(': unclosed group"),
        (
            script("{command: x, failures: [{message: a, exception: Error}]}"),
            "exception 'Error' is not one of InfrastructureError, JobError, TestError",
        ),
        (script("{}"), "a step does nothing: give 'command', 'delay' or a call"),
        (script(""), "'script' is empty"),
        (script("{command: x}").replace("name: a", "name: lava"), "name 'lava' is reserved: choose another"),
        (script("{command: x}").replace("name: a", "name: a, echo: keep"), "echo 'keep' is not 'discard'"),
        (no_prompt, "there is no prompt to wait for: give 'prompts', or 'wait_for_prompt: false'"),
        (
            format!("{BOOT}- test: {{monitors: [{{name: a, start: b, end: c, pattern: x}}]}}\n"),
            "7:58: cannot use the pattern 'x': it has no group 'test_case_id'",
        ),
        (
            format!("{BOOT}- test: {{monitors: [{{name: a, start: b, pattern: '(?P<test_case_id>x)'}}]}}\n"),
            "missing key 'end'",
        ),
        (
            format!("{BOOT}- test: {{monitors: [], interactive: []}}\n"),
            "7:10: a test has 'interactive' or 'monitors', not both: make two of it",
        ),
        (
            script("{command: x}") + &script("{command: y}").replace(BOOT, ""),
            "8:24: name 'a' is taken by the test at 7:24",
        ),
    ] {
        let stderr = wrong(&blocks);
        assert!(stderr.contains(expected), "{blocks}: {stderr}");
    }
}

#[test]
fn how_often_a_test_runs_and_what_follows_its_timeout_is_in_the_message() {
    let script = "interactive: [{name: a, prompts: ['=>'], script: [{command: x}]}]";
    let blocks = format!(
        "{}- test: {{timeout: {{minutes: 2, skip: yes}}, failure_retry: 3, failure_retry_interval: 5, {script}}}\n\
         - test: {{repeat: 2, {}}}\n",
        BOOT.replace("{method", "{repeat: 4, method"),
        script.replace("name: a", "name: b")
    );
    let actions = role(&blocks)["actions"].clone();
    assert_eq!((&actions[0]["repeat"], &actions[0]["attempts"]), (&json!(4), &Value::Null));
    let keys = ["attempts", "interval", "on_timeout", "repeat"].map(|key| actions[1][key].clone());
    assert_eq!(keys, [json!(3), json!(5), json!("skip"), Value::Null]);
    assert_eq!(actions[2]["repeat"], 2);
}

#[test]
fn what_lava_ignores_in_a_multinode_test_is_a_note() {
    let path = data("check/right-one-sync.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let job = text.replacen("timeout: {minutes: 9}", "timeout: {minutes: 9, skip: true}\n    failure_retry: 2", 1);
    let device = format!("mustang={}", data("devices/qemu-mustang.yaml").display());
    let outcome = run(tool("job-split").args(["--check", "--device", &device, "-"]), job.as_bytes());
    for line in [
        "note: stdin:27:14: LAVA ends a multinode job at a test's timeout all the same; here the next block runs",
        "note: stdin:28:5: LAVA ignores 'failure_retry' of a multinode test; here the block runs again, and makes its calls again",
    ] {
        assert!(outcome.stderr.contains(line), "{}", outcome.stderr);
    }
    assert_eq!(outcome.status, 0);
}

#[test]
fn boots_tests_and_commands_may_alternate_and_stages_count_those_of_a_shell() {
    let definitions = |name: &str| {
        format!("- test: {{definitions: [{{from: git, repository: 'http://a/b', path: a, name: {name}}}]}}\n")
    };
    let script = |name: &str| {
        format!("- test: {{interactive: [{{name: {name}, prompts: ['=>'], script: [{{command: x}}]}}]}}\n")
    };
    let boot = "- boot: {method: u-boot, commands: run, prompts: ['#']}\n".to_owned();
    let deploy = "- deploy: {to: tftp, kernel: {url: 'http://a/b'}}\n".to_owned();
    let blocks =
        [deploy, BOOT.to_owned(), script("s"), boot.clone(), definitions("a"), boot, script("t"), definitions("b")];
    let actions = role(&blocks.concat())["actions"].clone();
    let kind = |action: &Value| format!("{} {}", action["action"].as_str().unwrap(), action["stage"]);
    let kinds: Vec<String> = actions.as_array().unwrap().iter().map(kind).collect();
    let expected = ["deploy null", "boot null", "test 0", "boot null", "test 0", "boot null", "test 1", "test 1"];
    assert_eq!(kinds, expected);
}
