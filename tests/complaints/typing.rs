//! What is typed comes as it was meant.

use crate::desk::{Desk, commands, login, step};
use pumice_tests::console::{RESULTS, guest};
use serde_json::json;
use std::time::{Duration, Instant};

/// labgrid #1749: 'mesg -n 1'. What a getty or a shell finds before it is ready it throws away.
#[test]
fn complaint_22_the_first_characters_of_a_command_are_not_lost() {
    let mut desk = Desk::boot(&[login("root@board:~# ", &["dmesg -n 1"])]);
    desk.says("board login: ");
    desk.hears("root\n");
    desk.says("\r\nLast login: Sun Nov 22\r\n[    9.1] random: crng init done\r\n");
    desk.says("root@board:~# ");
    desk.hears("dmesg -n 1\n");
    desk.says("dmesg -n 1\r\nroot@board:~# ");
    let ended = desk.ends();
    ended.is_well();
    ended.typed_after("dmesg -n 1", "root@board:~# ", 1);
    assert_eq!(ended.typed(), "root\ndmesg -n 1\n");
}

/// A shell that has lost the beginning of a question all the same is asked again.
#[test]
fn complaint_22_a_shell_that_swallows_the_first_characters_is_asked_again() {
    let mut desk = Desk::of(&guest());
    desk.hears("ready 101.0 $?\n");
    desk.says("va-101/bin/lava-test-journal: not found\r\n# ");
    desk.terminal.plays_guest();
    let ended = desk.ends();
    ended.is_well();
    assert_eq!(ended.results(), RESULTS);
}

/// labgrid #1765, #1708 and #1763: "nothing guarantees that the kernel log is on its own line".
#[test]
fn complaint_22_a_kernel_line_within_a_marker_or_before_a_prompt_is_no_hang() {
    let kernel = "[   12.3] usb 1-1: new high-speed USB device\r\n";
    let mut desk = Desk::of(&guest());
    desk.hears("ready 101.0 $?\n");
    // Torn; the next answer is whole, and stands behind a kernel line without end.
    desk.says(&format!("\r\n<mn-rea{kernel}dy 101.0 127>\r\n{kernel}# "));
    desk.hears("ready 101.0 $?\n");
    desk.says(&format!("[   17.0] audit: <mn-ready 101.0 127>{kernel}# "));
    desk.hears("end 101.0 $?\n");
    desk.says("<LAVA_SIGNAL_STARTRUN 0_smoke u>\r\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=pwd RESULT=pass>\r\n");
    desk.says("<LAVA_SIGNAL_ENDRUN 0_smoke u>\r\n<LAVA_TEST_RUNNER EXIT>\r\n");
    desk.says(&format!("\r\n<mn-end 10{kernel}1.0 0>\r\n\r\n<mn-end 101.0 0>\r\n"));
    let ended = desk.ends();
    assert_eq!((ended.status, ended.results()), (0, RESULTS.map(str::to_owned).to_vec()), "{}", ended.stderr);
}

/// tio #302 and others: lines are sent as the other side asks for them, not as fast as they can be.
#[test]
fn complaint_30_every_line_waits_for_its_prompt() {
    let mut desk = Desk::boot(&[commands(&["setenv a 1", "setenv b 2", "boot"], 0), login("# $", &[])]);
    desk.says("U-Boot 2024.01\r\n=> ");
    desk.hears("setenv a 1\n");
    desk.says("setenv a 1\r\n");
    desk.says("=> ");
    desk.hears("setenv b 2\n");
    desk.says("=> ");
    desk.hears("boot\n");
    desk.says("\r\nLinux\r\n# ");
    let ended = desk.ends();
    ended.is_well();
    for (times, line) in ["setenv a 1", "setenv b 2", "boot"].iter().enumerate() {
        ended.typed_after(line, "=> ", times + 1);
    }
}

/// tio #341: of several patterns, the one that comes.
#[test]
fn complaint_30_several_patterns_are_awaited_at_once() {
    let either = step(json!({"step": "expect", "patterns": ["Hit any key", "autoboot in [0-9]+", "=> "]}));
    let key = step(json!({"step": "send", "text": " ", "newline": false}));
    for words in ["U-Boot\r\nHit any key to stop", "autoboot in 10", "=> "] {
        let mut desk = Desk::boot(&[either.clone(), key.clone()]);
        desk.says(words);
        desk.hears(" ");
        desk.ends().is_well();
    }
}

/// LAVA's own page on debugging: 'erverip' for 'set serverip'. A board that takes one character in 10 ms gets no more.
#[test]
fn complaint_31_a_line_comes_whole_in_order_and_no_faster_than_the_board_takes_it() {
    let line = "set serverip 192.0.2.1";
    let before = Instant::now();
    let mut desk = Desk::boot(&[commands(&[line], 10), login("# $", &[])]);
    desk.says("=> ");
    desk.hears(&format!("{line}\n"));
    let slowest = Duration::from_millis(10) * u32::try_from(line.len()).expect("a short line");
    assert!(before.elapsed() >= slowest, "{:?}", before.elapsed());
    desk.says("# ");
    let ended = desk.ends();
    ended.is_well();
    assert_eq!(ended.typed(), format!("{line}\n"));
}

/// A line that is longer than what a port takes at once, of which nothing is left out.
#[test]
fn complaint_31_a_line_that_the_port_takes_in_parts_comes_whole() {
    let long = format!("setenv bootargs {}", (0..4000).map(|number| format!("{number} ")).collect::<String>());
    let mut desk = Desk::boot(&[commands(&[&long], 0), login("# $", &[])]);
    desk.says("=> ");
    desk.hears(&format!("{long}\n"));
    desk.says("# ");
    desk.ends().is_well();
}
