//! Blocks other than definitions, and blocks that are done again or given up: scripts, monitors, commands.

use crate::lab::{Lab, MEMBERS, PASS, group, one_run};
use crate::running::{Running, await_text, results, test_results};
use pumice_tests::broker::Broker;
use pumice_tests::data;
use serde_json::{Value, json};

/// A board that boots to its bootloader's prompt, and then has this test.
fn uboot(test: Value) -> Lab {
    let mut lab = Lab::host("");
    lab.role["console"] = json!(format!("exec:{} {}", data("console/uboot.sh").display(), lab.dir.path().display()));
    lab.role.as_object_mut().expect("an object").remove("overlay");
    let step = |mut step: Value, name: &str| {
        (step["name"], step["timeout"]) = (json!(name), json!(30));
        step
    };
    let boot = json!({"action": "boot", "level": "1", "timeout": 30, "method": "bootloader", "prompts": ["=> "], "dialogue": [
        step(json!({"step": "power", "command": "hard_reset"}), "reset-device"),
        step(json!({"step": "expect", "patterns": ["Hit any key"]}), "bootloader-interrupt"),
        step(json!({"step": "send", "text": " ", "newline": true}), "bootloader-interrupt"),
        step(json!({"step": "commands", "prompt": "=>", "lines": []}), "bootloader-commands"),
    ]});
    let mut block = json!({"action": "test", "level": "2", "timeout": 30, "stage": 0});
    block.as_object_mut().expect("an object").extend(test.as_object().expect("an object").clone());
    lab.role["actions"] = json!([boot, block]);
    lab
}

/// The same with one script of these steps.
fn script(steps: Value) -> Lab {
    let script = json!({"name": "net", "prompts": ["=> "], "echo": "discard", "steps": steps});
    uboot(json!({"interactive": [script]}))
}

fn record(stdout: &str, case: &str) -> Value {
    let line = stdout.lines().find(|line| line.contains(&format!("\"case\":\"{case}\""))).expect("the case");
    serde_json::from_str::<Value>(line).expect("JSON")["data"].clone()
}

#[test]
fn a_script_is_played_at_a_bootloaders_prompt_without_any_overlay() {
    let lab = script(json!([
        {"name": "dhcp", "command": "dhcp", "successes": ["client bound"], "failures": [{"message": "TIMEOUT"}]},
        {"command": "setenv serverip {SERVER_IP}"},
        {"name": "loads", "command": "tftp {KERNEL}", "failures": [{"message": "TIMEOUT"}]},
        {"name": "bind", "command": "bind", "successes": ["bound"]},
    ]));
    let outcome = lab.start().outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (1, ""), "{}", outcome.stdout);
    let boot = ["lava/reset-device pass", "lava/bootloader-interrupt pass", "lava/bootloader-commands pass"];
    let test = ["net/dhcp pass", "net/loads fail", "net/bind fail", "lava/lava-test-interactive pass", "lava/job pass"];
    assert_eq!(results(&outcome.stdout), [boot.as_slice(), &test].concat());
    assert_eq!(record(&outcome.stdout, "loads")["extra"]["reason"], "'TIMEOUT' was seen");
    assert_eq!(record(&outcome.stdout, "bind")["extra"]["reason"], "the prompt came, and not 'bound'");
    assert_eq!((lab.text("environment"), lab.text("off")), ("serverip 10.0.0.1\n".into(), "off\n".into()));
    let (log, dhcp) = (lab.text("run/104/console.log"), record(&outcome.stdout, "dhcp"));
    let place = |key: &str| usize::try_from(dhcp[key].as_u64().expect("a place")).expect("a size");
    assert_eq!(&log[place("starttc")..place("endtc")], "dhcp\r\nBOOTP broadcast 1\r\nDHCP client bound");
}

#[test]
fn a_prompt_that_never_comes_ends_the_role_in_time_and_is_named() {
    let mut lab = script(json!([{"name": "wait", "command": "hang"}, {"name": "next", "command": "dhcp"}]));
    lab.timeout(1, 1);
    let outcome = lab.start().outcome();
    let why = "interactive test 'net', 'wait': waited for '=> ' in vain, 1 s, and the test's time is up; last seen: '";
    assert_eq!(outcome.status, 124);
    assert!(outcome.stderr.starts_with(&format!("serial-expect: {why}")), "{}", outcome.stderr);
    assert_eq!(results(&outcome.stdout)[3..], ["net/wait fail", "lava/lava-test-interactive fail", "lava/job fail"]);
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_step_may_have_a_limit_of_its_own() {
    let mut lab = script(json!([{"name": "wait", "command": "hang"}]));
    lab.role["connection_timeouts"] = json!({"lava-test-interactive": 1});
    let outcome = lab.start().outcome();
    let why = "serial-expect: interactive test 'net', 'wait': waited for '=> ' in vain, 1 s; last seen: '";
    assert_eq!(outcome.status, 124);
    assert!(outcome.stderr.starts_with(why), "{}", outcome.stderr);
}

#[test]
fn a_failure_that_the_job_calls_fatal_ends_the_role_with_its_class() {
    for (exception, status, class) in
        [("InfrastructureError", 3, "Infrastructure"), ("JobError", 2, "Job"), ("TestError", 1, "Test")]
    {
        let failure = json!({"message": "TIMEOUT", "exception": exception, "error": "no server"});
        let lab = script(json!([{"name": "load", "command": "tftp x", "failures": [failure]}, {"command": "never"}]));
        let outcome = lab.start().outcome();
        let why = "interactive test 'net', 'load': no server: 'TIMEOUT' was seen: 'TIMEOUT'";
        assert_eq!((outcome.status, outcome.stderr), (status, format!("serial-expect: {why}\n")));
        assert_eq!(record(&outcome.stdout, "job")["error_type"], class);
        assert!(!lab.text("run/104/console.log").contains("never"));
    }
}

#[test]
fn a_console_that_closes_fails_the_step_that_runs() {
    let lab = script(json!([{"name": "last", "command": "die"}]));
    let outcome = lab.start().outcome();
    assert_eq!(outcome.status, 3);
    assert!(outcome.stderr.starts_with("serial-expect: lost the console: it has closed"), "{}", outcome.stderr);
    assert_eq!(results(&outcome.stdout)[3..], ["net/last fail", "lava/lava-test-interactive fail", "lava/job fail"]);
}

#[test]
fn what_other_members_send_is_typed_at_the_prompt() {
    let call = |request: &str, id: &str| json!({"request": request, "message_id": id});
    let mut send = call("send", "up");
    send["data"] = json!({"ip": "{SERVER_IP}", "peer": "{ip}"});
    let mut lab = script(json!([
        {"call": call("wait", "server")}, {"name": "ping", "command": "ping {ip}", "successes": ["host 10.0.0.7 is alive"]},
        {"call": send}, {"name": "met", "call": call("sync", "clients")},
    ]));
    lab.role["group"] = group(&MEMBERS);
    let broker = Broker::start(&MEMBERS, &[]);
    let [mut guest, mut other] = ["101", "102"].map(|id| broker.join(id));
    let running = lab.start_with(&broker);
    guest.ask(json!({"id": 1, "call": "send", "args": {"message": "server", "data": {"ip": "10.0.0.7"}}}));
    let got = guest.ask(json!({"id": 2, "call": "wait", "args": {"message": "up", "timeout": 30}}));
    assert_eq!(got["return"]["messages"], json!([{"from": "104", "data": {"ip": "10.0.0.1", "peer": "10.0.0.7"}}]));
    std::thread::scope(|scope| {
        for guest in [&mut guest, &mut other] {
            scope.spawn(move || {
                guest.ask(json!({"id": 3, "call": "sync", "args": {"message": "clients", "timeout": 30}}));
                guest.ask(json!({"id": 4, "call": "leave"}));
            });
        }
    });
    let outcome = running.outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    let expected = ["net/multinode-wait-server pass", "net/ping pass", "net/multinode-send-up pass", "net/met pass"];
    assert_eq!(test_results(&outcome.stdout), expected);
}

#[test]
fn a_call_that_the_broker_refuses_ends_the_role() {
    let mut lab = script(json!([{"call": {"request": "sync", "message_id": "clients"}}, {"command": "never"}]));
    lab.role["group"] = group(&MEMBERS);
    let broker = Broker::start(&MEMBERS, &[]);
    for id in ["101", "102"] {
        broker.join(id).ask(json!({"id": 1, "call": "leave"}));
    }
    let outcome = lab.start_with(&broker).outcome();
    assert_eq!(outcome.status, 1);
    let why = "serial-expect: interactive test 'net', 'lava-sync clients': 'lava-sync clients' failed: ";
    assert!(outcome.stderr.starts_with(why), "{}", outcome.stderr);
    assert_eq!(test_results(&outcome.stdout), ["net/multinode-sync-clients fail"]);
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_pattern_that_cannot_be_used_is_status_2_before_anything_is_touched() {
    let lab = script(json!([{"name": "a", "command": "a", "successes": ["("]}]));
    let outcome = lab.start().outcome();
    let why = "interactive test 'net': cannot use the pattern '(': unclosed group";
    assert_eq!((outcome.status, outcome.stderr), (2, format!("serial-expect: {why}\n")));
    assert_eq!(lab.text("off"), "");
}

/// An application that the bootloader starts, and a monitor of what it prints until this.
fn monitored(end: &str) -> Lab {
    let monitor = json!({"name": "tests", "start": "BOOTING ZEPHYR", "end": end, "fixupdict": {"PASS": "pass", "FAIL": "fail"},
        "pattern": r"(?P<result>PASS|FAIL) - (?P<test_case_id>\w+) in (?P<measurement>[0-9.]+) (?P<units>\w+)"});
    let mut lab = uboot(json!({"monitors": [monitor]}));
    let start = json!({"name": "start", "prompts": [], "steps": [{"command": "go", "wait_for_prompt": false}]});
    let script = json!({"action": "test", "level": "2", "timeout": 30, "stage": 0, "interactive": [start]});
    lab.role["actions"].as_array_mut().expect("a list").insert(1, script);
    lab
}

#[test]
fn a_monitor_finds_results_in_what_a_board_prints_by_itself() {
    let lab = monitored("EXECUTION SUCCESSFUL");
    let outcome = lab.start().outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (1, ""), "{}", outcome.stdout);
    let expected = ["tests/ping pass", "tests/disk fail", "lava/lava-test-monitor pass", "lava/job pass"];
    assert_eq!(results(&outcome.stdout)[4..], expected);
    let ping = record(&outcome.stdout, "ping");
    assert_eq!((&ping["measurement"], &ping["units"]), (&json!(1.5), &json!("ms")));
}

#[test]
fn a_monitor_whose_end_never_comes_has_recorded_what_came() {
    let mut lab = monitored("NEVER");
    lab.timeout(2, 4);
    let outcome = lab.start().outcome();
    assert_eq!(outcome.status, 124);
    let why = "serial-expect: monitor 'tests': waited for its end 'NEVER' in vain, 4 s; last seen: 'PROJECT EXECUTION SUCCESSFUL'\n";
    assert_eq!(outcome.stderr, why);
    let expected = ["tests/ping pass", "tests/disk fail", "lava/lava-test-monitor fail", "lava/job fail"];
    assert_eq!(results(&outcome.stdout)[4..], expected);
}

/// A script that also runs a command of the dictionary's users, which writes down what is done.
fn commanded(line: &str) -> Lab {
    let mut lab = script(json!([{"name": "dhcp", "command": "dhcp"}]));
    let note = lab.path("relay").display().to_string();
    std::fs::write(lab.path("relay.sh"), format!("echo \"$1\" >>'{note}'\n")).expect("a file");
    let relay = format!("sh {}", lab.path("relay.sh").display());
    lab.role["device"]["commands"]["nand"] = json!([format!("{relay} first"), line.replace("relay", &relay)]);
    lab.role["device"]["undo"] = json!({"nand": [format!("{relay} undone")]});
    let command = json!({"action": "command", "level": "1", "timeout": 20, "name": "nand"});
    lab.role["actions"].as_array_mut().expect("a list").insert(0, command);
    lab
}

#[test]
fn a_command_of_the_dictionary_is_run_in_its_place_and_undone_at_the_end() {
    let lab = commanded("relay second");
    let outcome = lab.start().outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    assert_eq!(lab.text("relay"), "first\nsecond\nundone\n");
    assert_eq!(results(&outcome.stdout)[..2], ["lava/user-command pass", "lava/reset-device pass"]);
    assert_eq!(record(&outcome.stdout, "user-command")["extra"], json!({"command": "nand"}));
    let held = lab.text("run/104/held");
    assert_eq!(held.lines().filter(|line| line.starts_with('+')).count(), 2, "{held}");
    assert_eq!(held.lines().filter(|line| line.starts_with('-')).count(), 2, "{held}");
}

#[test]
fn a_command_that_fails_ends_the_role_and_is_undone() {
    let lab = commanded("sh -c 'echo it is stuck; exit 7'");
    let outcome = lab.start().outcome();
    let why = "cannot run 'nand': 'sh -c echo it is stuck; exit 7' exited with status 7: 'it is stuck'";
    assert_eq!((outcome.status, outcome.stderr), (3, format!("serial-expect: {why}\n")));
    assert_eq!(results(&outcome.stdout), ["lava/user-command fail", "lava/job fail"]);
    assert_eq!((lab.text("relay"), lab.text("off")), ("first\nundone\n".into(), String::new()));
}

#[test]
fn a_command_that_hangs_is_ended_in_time() {
    let mut lab = commanded("sleep 1000");
    lab.timeout(0, 1);
    let outcome = lab.start().outcome();
    let why = "cannot run 'nand': the time of its block is up";
    assert_eq!((outcome.status, outcome.stderr), (124, format!("serial-expect: {why}\n")));
    assert_eq!(lab.text("relay"), "first\nundone\n");
}

#[test]
fn a_command_that_the_dictionary_does_not_have_is_status_2() {
    let mut lab = commanded("true");
    lab.role["actions"][0]["name"] = json!("nad");
    let outcome = lab.start().outcome();
    let why = "cannot run the command 'nad': the dictionary has none of that name";
    assert_eq!((outcome.status, outcome.stderr), (2, format!("serial-expect: {why}\n")));
    assert_eq!(lab.text("relay"), "");
}

/// A host whose console is its shell's own terminal, so that it can be interrupted; its test is run as `how` says.
fn host(runner: &str, how: Value) -> Lab {
    let mut lab = Lab::host(runner);
    let board = data("console/board.sh");
    lab.role["console"] = json!(format!("exec:setsid -cw {} {}", board.display(), lab.dir.path().display()));
    lab.role["actions"][1].as_object_mut().expect("an object").extend(how.as_object().expect("an object").clone());
    std::fs::create_dir(lab.path("lava-104/0")).expect("a directory");
    std::fs::write(lab.path("lava-104/0/lava-test-runner.conf"), "").expect("a file");
    lab
}

/// The list of a stage is used up by its first run, as the runner does it.
const USE_UP: &str = "mv \"$1/lava-test-runner.conf\" \"$1/lava-test-runner.conf-17\" || exit 1";

#[test]
fn a_test_whose_time_is_up_may_be_skipped_and_the_next_block_runs_in_the_same_shell() {
    let runner = format!(
        "case $1 in */0) {}; exec sleep 1000;; esac\n{}",
        "echo '<LAVA_SIGNAL_STARTRUN 0_smoke u>'",
        "echo '<LAVA_SIGNAL_STARTRUN 1_next u1>'; echo '<LAVA_SIGNAL_ENDRUN 1_next u1>'"
    );
    let mut lab = host(&runner, json!({"timeout": 5, "on_timeout": "skip"}));
    lab.role["overlay"]["runs"][1]["stage"] = json!(1);
    let next = json!({"action": "test", "level": "4", "timeout": 30, "stage": 1, "definitions": []});
    lab.role["actions"].as_array_mut().expect("a list").push(next);
    let outcome = lab.start().outcome();
    assert_eq!(outcome.status, 1, "{}", outcome.stderr);
    let why = "test stage 0: timed out after 5 s; '0_smoke' was running, last seen: '";
    assert!(outcome.stderr.starts_with(&format!("serial-expect: warning: {why}")), "{}", outcome.stderr);
    assert!(outcome.stderr.ends_with("; the job goes on, as it says\n"), "{}", outcome.stderr);
    let expected = ["lava/0_smoke fail", "lava/lava-test-shell fail", "lava/1_next pass", "lava/job pass"];
    assert_eq!(results(&outcome.stdout)[7..], expected);
    let reason = record(&outcome.stdout, "lava-test-shell")["extra"]["reason"].clone();
    assert!(reason.as_str().is_some_and(|reason| reason.starts_with(why)), "{reason}");
}

#[test]
fn a_test_that_raises_is_run_again_until_it_comes_to_its_end() {
    let raise = "if mkdir \"$1/first\" 2>/dev/null; then echo '<LAVA_SIGNAL_TESTRAISE no disk>'; exec sleep 1000; fi";
    let lab =
        host(&format!("{USE_UP}\n{}", one_run(&format!("{raise}\n{PASS}"))), json!({"attempts": 3, "interval": 0}));
    let outcome = lab.start().outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    let expected = ["lava/0_smoke fail", "0_smoke/a pass", "lava/0_smoke pass", "lava/job pass"];
    assert_eq!(results(&outcome.stdout)[7..], expected);
    assert_eq!(
        (record(&outcome.stdout, "0_smoke")["attempt"].clone(), record(&outcome.stdout, "a")["attempt"].clone()),
        (json!(1), json!(2))
    );
    assert_eq!(record(&outcome.stdout, "job").get("attempt"), None);
    assert!(outcome.stdout.contains("running it again: test stage 0: no disk"), "{}", outcome.stdout);
}

#[test]
fn a_test_that_never_comes_to_its_end_fails_after_its_last_attempt() {
    let lab = host(
        &one_run("echo '<LAVA_SIGNAL_TESTRAISE no disk>'; exec sleep 1000"),
        json!({"attempts": 2, "interval": 0}),
    );
    let outcome = lab.start().outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (1, "serial-expect: test stage 0: no disk\n"));
    assert_eq!(results(&outcome.stdout)[7..], ["lava/0_smoke fail", "lava/0_smoke fail", "lava/job fail"]);
}

#[test]
fn a_block_is_repeated_whether_or_not_it_fails() {
    let lab = host(&format!("{USE_UP}\n{}", one_run(PASS)), json!({"repeat": 2}));
    let outcome = lab.start().outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    let once = ["0_smoke/a pass", "lava/0_smoke pass"];
    assert_eq!(results(&outcome.stdout)[7..], [once.as_slice(), &once, &["lava/job pass"]].concat());
    let mut lab = script(json!([{"command": "tftp x", "failures": [{"message": "TIMEOUT"}]}]));
    lab.role["actions"][1]["repeat"] = json!(2);
    let outcome = lab.start().outcome();
    assert_eq!((outcome.status, outcome.stdout.matches("lava-test-interactive").count()), (1, 2), "{}", outcome.stderr);
}

#[test]
fn an_answer_to_a_call_of_a_skipped_test_is_not_another_calls() {
    let runner = "case $1 in */0) echo '<LAVA_MULTI_NODE> <LAVA_WAIT late>'; exec sleep 1000;; esac";
    let mut lab = host(runner, json!({"timeout": 5, "on_timeout": "skip"}));
    lab.role["group"] = group(&MEMBERS);
    lab.role["overlay"]["runs"] = json!([]);
    let ask =
        json!({"name": "s", "prompts": ["board:"], "steps": [{"call": {"request": "wait", "message_id": "later"}}]});
    let block = json!({"action": "test", "level": "4", "timeout": 30, "stage": 1, "interactive": [ask]});
    lab.role["actions"].as_array_mut().expect("a list").push(block);
    let broker = Broker::start(&MEMBERS, &[]);
    let [mut guest, mut other] = ["101", "102"].map(|id| broker.join(id));
    let running = Running::start(lab.command().env("MN_SOCKET", broker.socket()), &lab.message());
    await_text(&lab.path("run/progress.jsonl"), "lava-wait later");
    guest.ask(json!({"id": 1, "call": "send", "args": {"message": "late", "data": {}}}));
    guest.ask(json!({"id": 2, "call": "send", "args": {"message": "later", "data": {}}}));
    guest.ask(json!({"id": 3, "call": "leave"}));
    other.ask(json!({"id": 3, "call": "leave"}));
    let outcome = running.outcome();
    assert_eq!(test_results(&outcome.stdout), ["s/multinode-wait-later pass"], "{}", outcome.stderr);
}
