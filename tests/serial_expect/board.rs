//! Boot, tests, and the records of both.

use crate::lab::{Lab, PASS, one_run};
use crate::running::{END, results};
use serde_json::{Value, json};

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
fn patterns_that_look_around_lead_a_boot() {
    let mut lab = Lab::host(&one_run(PASS));
    let dialogue = &mut lab.role["actions"][0]["dialogue"];
    dialogue[3]["prompt"] = json!(r"(?<!x)grub>(?!\w)");
    dialogue[4]["pattern"] = json!("Linux version (?!9)");
    dialogue[5]["prompts"] = json!([r"(\w)oot@board:(?!x)"]);
    let outcome = lab.start().outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    assert_eq!(lab.text("grub-lines"), "linux (tftp,10.0.0.1)/104/vmlinuz ${x}\ninitrd 104/initrd\nboot\n");
    assert!(
        outcome.stdout.contains("waiting for 'Linux version (?!9)' (looked for line by line)"),
        "{}",
        outcome.stdout
    );
}

#[test]
fn a_search_that_takes_too_many_steps_is_warned_of() {
    let mut lab = Lab::host("");
    lab.role["actions"][0]["dialogue"][1]["patterns"] = json!([r"(a|aa)+\1b"]);
    lab.role["actions"][0]["dialogue"][1]["timeout"] = json!(1);
    let line = "a".repeat(2000);
    lab.board_says("menu", &format!("{line}\nEnd\n"));
    let outcome = lab.start().outcome();
    let warning = r"warning: a match may be missing: a search with the pattern '(a|aa)+\\1b' took too many steps";
    let why = r"bootloader-interrupt: waited for '(a|aa)+\1b' (looked for line by line) in vain, 1 s; last seen: 'End'";
    assert_eq!((outcome.status, outcome.stderr), (124, format!("serial-expect: {warning}\nserial-expect: {why}\n")));
}

#[test]
fn a_pattern_whose_searches_take_too_long_is_given_up() {
    let mut lab = Lab::host("");
    lab.role["actions"][0]["dialogue"][1]["patterns"] = json!([r"(.*)\1login:", "End"]);
    lab.role["actions"][0]["dialogue"][3]["timeout"] = json!(1);
    let line = "a".repeat(170) + "\n";
    lab.board_says("menu", &format!("{}End\n", line.repeat(2000)));
    let outcome = lab.start().outcome();
    let warning = r"warning: the pattern '(.*)\\1login:' is given up: its searches take too long";
    let why = "bootloader-commands: waited for 'grub>' in vain";
    let stderr = format!("serial-expect: {warning}\nserial-expect: {why}");
    assert!(outcome.status == 124 && outcome.stderr.starts_with(&stderr), "{outcome:?}");
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
fn a_power_command_that_fails_is_run_again_where_the_boot_may_be_tried_again() {
    let mut lab = Lab::host("");
    let (first, power) = (lab.path("first"), lab.path("power"));
    let script = format!("if mkdir '{0}'; then exit 4; fi\necho on >'{1}'\n", first.display(), power.display());
    std::fs::write(lab.path("on.sh"), script).expect("a file");
    let boot = &mut lab.role["actions"][0];
    (boot["attempts"], boot["interval"]) = (json!(2), json!(0));
    lab.role["actions"].as_array_mut().expect("a list").truncate(1);
    let outcome = lab.start().outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    assert!(outcome.stdout.contains("trying again, as reset-device: cannot run 'hard_reset'"), "{}", outcome.stdout);
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
