//! Results come through whatever else stands on the console.

use crate::desk::{Desk, Ended};
use mn_console::journal::sealed;
use pumice_tests::console::{READY, RESULTS, guest};
use serde_json::Value;

const STARTED: &str = "<LAVA_SIGNAL_STARTRUN 0_smoke 101_1.1.3.1>";
const PASSED: &str = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=pwd RESULT=pass>";
const ENDED: &str = "<LAVA_SIGNAL_ENDRUN 0_smoke 101_1.1.3.1>";
const EXIT: &str = "<LAVA_TEST_RUNNER EXIT>";
const KERNEL: &str = "[   21.0] usb 1-1: new high-speed USB device number 2\r\n";
const OVER: &str = "\r\n<mn-end 101.0 0>\r\n\r\n<mn-end 101.0 0>\r\n# ";

/// The signals of [`STARTED`] to [`EXIT`] as the helpers on the board number them; three, and the runner's end.
fn numbered() -> [String; 4] {
    let seal = |number, text: &str| sealed("/lava-101/0", number, text);
    [seal(1, STARTED), seal(2, PASSED), seal(3, ENDED), seal(3, EXIT)]
}

/// A test with LAVA's own helpers, whose console prints this.
fn plain(output: &str) -> Ended {
    let mut desk = Desk::of(&guest());
    desk.hears("ready 101.0 $?\n");
    desk.says(READY);
    desk.hears("end 101.0 $?\n");
    desk.says(&format!("{output}{OVER}"));
    desk.ends()
}

/// A test with helpers that number their signals.
fn begin_numbered() -> Desk {
    let mut desk = Desk::of(&guest());
    desk.hears("ready 101.0 $?\n");
    desk.says(&READY.replace("127", "0"));
    desk.hears("MN_SIGNALS=1");
    desk.hears("end 101.0 $?\n");
    desk
}

fn passes(ended: &Ended, what: &str) {
    assert_eq!((ended.status, ended.results()), (0, RESULTS.map(str::to_owned).to_vec()), "{what}: {}", ended.stderr);
}

/// kernelci-core, pull request 559: "output is interrupted by the kernel messages".
#[test]
fn complaint_24_kernel_messages_between_output_and_signals_cost_no_result() {
    let output =
        format!("{KERNEL}{STARTED}\r\n/ro{KERNEL}ot\r\n[   22.0] no end of line {PASSED}{KERNEL}{ENDED}\r\n{EXIT}");
    passes(&plain(&output), "LAVA's helpers");
    let [started, passed, ended, exit] = numbered();
    let mut desk = begin_numbered();
    desk.says(&format!(
        "{KERNEL}{started}\r\n/ro{KERNEL}ot\r\n[   22.0] no end {passed}\r\n{KERNEL}{ended}\r\n{exit}\r\n"
    ));
    desk.says(OVER);
    let ended = desk.ends();
    ended.is_well();
    passes(&ended, "numbered");
}

/// test-definitions, bb8da647 and 788aa390: signals are lost that coincide with kernel messages.
#[test]
fn complaint_25_a_signal_that_coincides_with_a_kernel_message_is_said_again() {
    let [started, passed, ended, exit] = numbered();
    for at in [1, 8, 14, passed.len() - 9, passed.len() - 1] {
        let (begin, rest) = passed.split_at(at);
        let mut desk = begin_numbered();
        desk.says(&format!("{started}\r\n{begin}{KERNEL}{rest}\r\n{ended}\r\n{exit}\r\n{OVER}"));
        desk.hears("/lava-101/bin/lava-test-journal /lava-101/0 2;");
        desk.hears("end 101.0.1 $?\n");
        desk.says(&format!("\r\n{passed}\r\n\r\n<mn-end 101.0.1 0>\r\n"));
        passes(&desk.ends(), &format!("cut at {at}"));
    }
}

/// LAVA, 377dc7ee6: the test writes to the kernel's log, the runner to the console, and its EXIT is there first.
#[test]
fn complaint_26_an_exit_that_overtakes_the_end_of_a_run_fails_nothing() {
    let [started, passed, ended, exit] = numbered();
    let mut desk = begin_numbered();
    desk.says(&format!("{started}\r\n{exit}\r\n{passed}\r\n{ended}\r\n{OVER}"));
    let ended = desk.ends();
    ended.is_well();
    passes(&ended, "numbered");
    passes(&plain(&format!("{STARTED}\r\n{EXIT}\r\n{PASSED}\r\n{ENDED}\r\n")), "LAVA's helpers");
}

/// LAVA, efd2e9074: a slow port mixes and swallows the lines of signals.
#[test]
fn complaint_26_lines_that_are_mixed_or_missing_are_asked_for() {
    let [started, passed, ended, exit] = numbered();
    let mut desk = begin_numbered();
    let mixed: String = passed.chars().zip(ended.chars()).flat_map(|(one, other)| [one, other]).collect();
    desk.says(&format!("{started}\r\n{mixed}\r\n{exit}\r\n{OVER}"));
    desk.hears("/lava-101/bin/lava-test-journal /lava-101/0 2-3;");
    desk.hears("end 101.0.1 $?\n");
    desk.says(&format!("\r\n{passed}\r\n{ended}\r\n\r\n<mn-end 101.0.1 0>\r\n"));
    passes(&desk.ends(), "mixed");
}

/// LAVA, 2ca48efb1: a missed end of line.
#[test]
fn complaint_26_signals_need_no_end_of_line() {
    passes(&plain(&format!("{STARTED}{PASSED}{ENDED}{EXIT}")), "LAVA's helpers");
    passes(&plain(&format!("{STARTED}\r{PASSED}\n\r{ENDED}\n{EXIT}\r\r\n")), "other ends of line");
    let mut desk = begin_numbered();
    desk.says(&format!("{}{OVER}", numbered().concat()));
    passes(&desk.ends(), "numbered");
}

/// test-definitions, 58035387: a name with a blank is recorded with a result that is part of the name.
#[test]
fn complaint_27_a_name_with_a_blank_makes_no_wrong_result() {
    let blank = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=kernel config RESULT=fail>";
    let ended = plain(&format!("{STARTED}\r\n{blank}\r\n{PASSED}\r\n{ENDED}\r\n{EXIT}\r\n"));
    assert_eq!(ended.results(), RESULTS, "what makes no sense is no result");
    assert!(ended.stderr.contains("'config' is no KEY=VALUE"), "{}", ended.stderr);
}

/// test-definitions, 9d309e1a: angle brackets in output are taken for signals.
#[test]
fn complaint_27_angle_brackets_in_output_are_no_signals() {
    let output = "#include <stdio.h>\r\n<<<>>> <LAVA_> <LAVA_SIGNAL> <LAVA_SIGNAL_ > <lava_signal_endrun x>\r\n\
        if (a<b && c>d) <mn-> <mn-end> <LAVA_TEST_RUNNER> <LAVA_MULTI_NODE> <b>\r\n";
    let ended = plain(&format!("{STARTED}\r\n{output}{PASSED}\r\n{output}{ENDED}\r\n{EXIT}\r\n"));
    ended.is_well();
    passes(&ended, "LAVA's helpers");
    let [started, passed, ended, exit] = numbered();
    let mut desk = begin_numbered();
    desk.says(&format!("{started}\r\n{output}{passed}\r\n{output}{ended}\r\n{exit}\r\n{OVER}"));
    let ended = desk.ends();
    ended.is_well();
    passes(&ended, "numbered");
}

/// neondatabase/autoscaling #1115: lines of the kernel cut other lines in the log. Every byte is kept with its time, and
/// a signal's place in the log is that of the signal.
#[test]
fn complaint_29_a_kernel_line_in_a_line_takes_nothing_out_of_the_log() {
    let case = "<LAVA_SIGNAL_STARTTC pwd>";
    let end = "<LAVA_SIGNAL_ENDTC pwd>";
    let output =
        format!("{STARTED}\r\n{case}\r\n{{\"level\":\"in{KERNEL}fo\"}}\r\n{end}\r\n{PASSED}\r\n{ENDED}\r\n{EXIT}\r\n");
    let ended = plain(&output);
    ended.is_well();
    let log = String::from_utf8(ended.log.clone()).expect("text");
    assert!(log.contains(&output), "{log}");
    let messages =
        ended.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("a message")["data"].clone());
    let record = messages.into_iter().find(|data| data["case"] == "pwd").expect("the case");
    let place = |key: &str| usize::try_from(record[key].as_u64().expect("a place")).expect("it fits");
    assert!(log[place("starttc")..place("endtc")].contains(&format!("in{KERNEL}fo")), "{record}");
}
