//! Recordings: made, played again, and tried with another dialogue.

use crate::lab::{Lab, MEMBERS, PASS, group, one_run};
use crate::running::{END, Running, await_text, results};
use nix::sys::signal::Signal;
use pumice_tests::broker::Broker;
use pumice_tests::{Outcome, data, tool};
use serde_json::{Value, json};
use std::path::Path;

/// A lab's role, recorded.
fn record(lab: &Lab) -> Outcome {
    Running::start(lab.command().arg("--record").arg(lab.path("cast")), &lab.message()).outcome()
}

fn replay_of(lab: &Lab, message: &str) -> Outcome {
    // Nothing of the lab is there any more for it.
    let mut command = tool("serial-expect");
    command.arg("--replay").arg(lab.path("cast")).env("MN_RUNDIR", "/no/such");
    Running::start(&mut command, message).outcome()
}

/// What was said, without the moments.
fn timeless(stdout: &str) -> Vec<Value> {
    let message = |line: &str| {
        let mut message: Value = serde_json::from_str(line).expect("a message");
        message["data"].as_object_mut().expect("an object").remove("at");
        message
    };
    stdout.lines().map(message).collect()
}

/// The replay says what the recorded role said: every message, the errors, the status.
fn assert_replays(lab: &Lab, recorded: &Outcome) {
    let replayed = replay_of(lab, &lab.message());
    assert_eq!(timeless(&replayed.stdout), timeless(&recorded.stdout));
    assert_eq!((replayed.status, &replayed.stderr), (recorded.status, &recorded.stderr));
}

fn events(path: &Path) -> Vec<(f64, String, String)> {
    let text = std::fs::read_to_string(path).expect("a recording");
    text.lines().skip(1).map(|line| serde_json::from_str(line).expect("an event")).collect()
}

/// All that was printed, or typed.
fn said(path: &Path, code: &str) -> String {
    events(path).into_iter().filter(|(_, event, _)| event == code).map(|(_, _, text)| text).collect()
}

fn check(dialogue: &Path, recordings: &[&Path]) -> Outcome {
    let mut command = tool("serial-expect");
    command.arg("check").arg(dialogue).args(recordings);
    Running::start(&mut command, "").outcome()
}

#[test]
fn a_role_is_recorded_as_an_asciicast_and_replayed_without_its_board() {
    let lab = Lab::host(&one_run(PASS));
    let recorded = record(&lab);
    assert_eq!((recorded.status, recorded.stderr.as_str()), (0, ""));
    let text = lab.text("cast");
    let header: Value = serde_json::from_str(text.lines().next().expect("a header")).expect("JSON");
    assert_eq!(
        (&header["version"], &header["width"], &header["height"], &header["title"]),
        (&json!(2), &json!(80), &json!(24), &json!("host 104"))
    );
    assert_eq!(said(&lab.path("cast"), "o"), lab.text("run/104/console.log"));
    assert!(said(&lab.path("cast"), "i").contains("initrd 104/initrd\n"));
    let times: Vec<f64> = events(&lab.path("cast")).iter().map(|(time, ..)| *time).collect();
    assert!(times.is_sorted(), "{times:?}");
    std::fs::remove_file(lab.path("off")).expect("a file");
    std::fs::remove_file(lab.path("power")).expect("a FIFO");
    assert_replays(&lab, &recorded);
    assert_eq!(lab.text("off"), "", "no power command is run");
}

#[test]
fn answers_of_the_broker_are_replayed_and_the_guests_too() {
    let mut lab = Lab::host(&one_run(
        "echo '<LAVA_MULTI_NODE> <LAVA_WAIT ready>'; read -r answer; echo \"heard: $answer\"
echo '<LAVA_MULTI_NODE> <LAVA_SYNC nobody>'; read -r answer; read -r answer; echo \"heard: $answer\"",
    ));
    lab.role["group"] = group(&MEMBERS);
    let broker = Broker::start(&MEMBERS, &[]);
    let mut guests = ["101", "102"].map(|id| broker.join(id));
    guests[0].ask(json!({"id": 1, "call": "send", "args": {"message": "ready", "data": {"ip": "10.0.0.1"}}}));
    let mut command = lab.command();
    command.arg("--record").arg(lab.path("cast")).env("MN_SOCKET", broker.socket());
    let running = Running::start(&mut command, &lab.message());
    await_text(&lab.path("run/104/console.log"), "<LAVA_SYNC nobody>");
    for guest in &mut guests {
        guest.ask(json!({"id": 2, "call": "leave"}));
    }
    let recorded = running.outcome();
    assert_eq!(recorded.status, 1);
    assert!(lab.text("run/104/console.log").contains("<LAVA_WAIT_COMPLETE 101:ip=10.0.0.1>"));
    assert!(recorded.stdout.contains("left: 101, 102"), "{}", recorded.stdout);
    drop(broker);
    assert_replays(&lab, &recorded);
}

#[test]
fn roles_that_failed_fail_again_in_no_time() {
    let panic = "[ 2.0] Kernel panic - not syncing: VFS: Unable to mount root fs\n[ 2.0] CPU: 0\n";
    for (point, text, status) in
        [("menu", "", 124), ("grub", "\nerror: timeout reading '104/vmlinuz'.\n", 3), ("boot", panic, 1)]
    {
        let mut lab = Lab::host("");
        lab.board_says(point, text);
        lab.timeout(0, 2);
        let recorded = record(&lab);
        assert_eq!(recorded.status, status, "{}", recorded.stderr);
        assert_replays(&lab, &recorded);
    }
}

#[test]
fn a_power_command_that_failed_and_a_signal_are_replayed() {
    let mut lab = Lab::host("");
    lab.role["device"]["commands"]["power_off"] = json!(["false"]);
    let recorded = record(&lab);
    assert_eq!(recorded.status, 3);
    assert_replays(&lab, &recorded);

    let lab = Lab::host(&one_run("echo here; exec sleep 100"));
    let running = Running::start(lab.command().arg("--record").arg(lab.path("cast")), &lab.message());
    await_text(&lab.path("run/104/console.log"), "\nhere");
    running.signal(Signal::SIGTERM);
    let recorded = running.outcome();
    assert_eq!(recorded.status, 143);
    assert_replays(&lab, &recorded);
}

#[test]
fn bytes_that_are_no_text_come_back_and_characters_stay_whole() {
    let print = r"printf '\303'; sleep 0.001; printf '\251 \377\000\342\202 \356\276\200 '; printf '\360\237'";
    let lab = Lab::host(&one_run(&format!("{print}\n{PASS}")));
    let recorded = record(&lab);
    assert_eq!(recorded.status, 0, "{}", recorded.stderr);
    assert!(said(&lab.path("cast"), "o").contains("\u{e9} \u{efff}\0\u{efe2}\u{ef82} \u{efee}\u{efbe}\u{ef80} "));
    let mut command = tool("serial-expect");
    command.arg("--replay").arg(lab.path("cast")).arg("--run-dir").arg(lab.path("again"));
    std::fs::create_dir(lab.path("again")).expect("a directory");
    assert_eq!(Running::start(&mut command, &lab.message()).outcome().status, 0);
    let bytes = |name: &str| std::fs::read(lab.path(name)).expect("a log");
    assert_eq!(bytes("again/104/console.log"), bytes("run/104/console.log"));
    assert!(!lab.path("again/104/held").exists());
}

#[test]
fn a_password_is_in_no_recording() {
    let mut lab = Lab::host("");
    let login = &mut lab.role["actions"][0]["dialogue"][5];
    login["password_prompt"] = json!("Last login");
    login["password"] = json!("s3cret-word");
    let _ = record(&lab);
    let text = lab.text("cast");
    assert!(text.contains("\"m\", \"password\""), "{text}");
    assert!(!said(&lab.path("cast"), "i").contains("s3cret-word"));
}

#[test]
fn a_recording_that_was_cut_off_ends_by_the_timeout_in_its_own_time() {
    let lab = Lab::host(&one_run(PASS));
    assert_eq!(record(&lab).status, 0);
    let text = lab.text("cast");
    let cut = text.find("Linux version 6").expect("a kernel");
    std::fs::write(lab.path("cast"), &text[..cut]).expect("a file");
    let outcome = replay_of(&lab, &lab.message());
    assert_eq!(outcome.status, 124, "{}", outcome.stderr);
    assert!(
        outcome.stderr.starts_with("serial-expect: auto-login-action: waited for 'Linux version [0-9]' in vain, 60 s")
    );
    assert_eq!(results(&outcome.stdout).last().map(String::as_str), Some("lava/job fail"));
}

#[test]
fn a_changed_prompt_is_checked_against_recorded_boards() {
    let mut lab = Lab::host(&one_run(PASS));
    assert_eq!(record(&lab).status, 0);
    let (good, other) = (lab.path("good.cast"), lab.path("other.cast"));
    std::fs::rename(lab.path("cast"), &good).expect("a file");
    lab.role["actions"][0]["dialogue"][3]["prompt"] = json!("barebox>");
    let dialogue = lab.path("role.jsonl");
    let original = Lab::host("").message();
    std::fs::write(&dialogue, original).expect("a file");
    std::fs::write(&other, lab_text(&good).replace("grub> ", "barebox> ")).expect("a file");
    let outcome = check(&dialogue, &[&good]);
    assert_eq!((outcome.status, outcome.stdout), (0, format!("{}: ok\n", good.display())));

    std::fs::write(&dialogue, lab.message()).expect("a file");
    let outcome = check(&dialogue, &[&good, &other]);
    let why = "bootloader-commands: waited for 'barebox>' in vain, 60 s, and the boot's time is up; last seen: 'grub>'";
    let said = format!("{}: {why}\n{}: ok\n", good.display(), other.display());
    assert_eq!((outcome.status, outcome.stdout, outcome.stderr), (1, said, String::new()));
}

fn lab_text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file")
}

#[test]
fn a_boot_that_failed_when_it_was_recorded_may_fail_again() {
    let mut lab = Lab::host("");
    lab.board_says("grub", "\nerror: timeout reading '104/vmlinuz'.\n");
    lab.timeout(0, 5);
    assert_eq!(record(&lab).status, 3);
    std::fs::write(lab.path("role.jsonl"), lab.message()).expect("a file");
    let outcome = check(&lab.path("role.jsonl"), &[&lab.path("cast")]);
    let why = "bootloader-commands: the bootloader failed: 'error: timeout reading '104/vmlinuz'.'";
    assert_eq!(
        (outcome.status, outcome.stdout),
        (0, format!("{}: ok, as recorded: {why}\n", lab.path("cast").display()))
    );
}

#[test]
fn what_is_no_recording_is_told_with_its_line() {
    let lab = Lab::host("");
    for (text, why) in [
        ("", "it has no header"),
        ("{\"version\":1}\n", "its version is 1, not 2"),
        ("{\"version\":2}\n[1, \"o\", \"x\"]\n[\n", "line 3: it is no event: [SECONDS, \"CODE\", \"TEXT\"]"),
    ] {
        std::fs::write(lab.path("cast"), text).expect("a file");
        let outcome = replay_of(&lab, &lab.message());
        let line = format!("serial-expect: cannot play '{}': {why}\n", lab.path("cast").display());
        assert_eq!((outcome.status, outcome.stderr), (2, line));
    }
    std::fs::write(lab.path("role.jsonl"), END).expect("a file");
    let outcome = check(&lab.path("role.jsonl"), &[&lab.path("cast")]);
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.ends_with("no role boots a board\n"), "{}", outcome.stderr);
}

/// The boards of tests/data/console: NAME.cast was recorded while NAME.role.jsonl ran, whose results, without their
/// moments, are in NAME.results.jsonl. The board model, as it is, with a panic, behind a line of 19,200 baud, and behind
/// one that garbles signals; with U-Boot; with a kernel described in its firmware's menus; and the QEMU board.
const BOARDS: [(&str, i32); 7] =
    [("model", 0), ("panic", 1), ("slow", 0), ("garbled", 0), ("uboot", 0), ("uefi-menu", 0), ("qemu", 0)];

#[test]
fn recorded_boards_give_the_results_that_they_gave() {
    for (name, status) in BOARDS {
        let file = |kind: &str| data(&format!("console/{name}.{kind}"));
        let mut command = tool("serial-expect");
        command.arg("--replay").arg(file("cast"));
        let outcome = Running::start(&mut command, &lab_text(&file("role.jsonl"))).outcome();
        assert_eq!(outcome.status, status, "{name}: {}", outcome.stderr);
        let results: Vec<Value> =
            timeless(&outcome.stdout).into_iter().filter(|message| message["type"] == "result").collect();
        let expected = lab_text(&file("results.jsonl"));
        let expected: Vec<Value> =
            expected.lines().map(|line| serde_json::from_str(line).expect("a message")).collect();
        assert_eq!(results, expected, "{name}");
    }
}

#[test]
fn recorded_boards_boot() {
    for (name, _) in BOARDS {
        let cast = data(&format!("console/{name}.cast"));
        let outcome = check(&data(&format!("console/{name}.role.jsonl")), &[&cast]);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
        assert!(outcome.stdout.starts_with(&format!("{}: ok", cast.display())), "{}", outcome.stdout);
    }
    let (dialogue, board) = (data("console/qemu.role.jsonl"), data("console/model.cast"));
    let outcome = check(&dialogue, &[&board]);
    assert!(
        outcome.status == 1 && outcome.stdout.contains(": bootloader-interrupt: waited for "),
        "{}",
        outcome.stdout
    );
}
