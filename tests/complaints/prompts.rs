//! A prompt is found where it is, and nowhere else.

use crate::desk::{Desk, commands, kernel, login};

/// labgrid #546 and #545: what init says stands in the middle of the login prompt, which does not come again by itself.
#[test]
fn complaint_23_a_login_prompt_that_init_writes_over_is_asked_for_again() {
    let mut desk = Desk::boot(&[login("root@board:~# ", &[])]);
    desk.says("\r\nboard lo[  OK  ] Started Serial Getty on ttyS0.\r\ngin");
    // Nothing more comes until somebody types.
    desk.hears("\n");
    desk.says("\r\nboard login: ");
    desk.hears("root\n");
    desk.says("\r\nroot@board:~# ");
    let ended = desk.ends();
    ended.is_well();
    assert_eq!(ended.typed(), "\nroot\n");
}

/// labgrid #296: '# ' is found in the words of U-Boot.
#[test]
fn complaint_23_a_prompt_is_not_found_in_flattened_device_tree() {
    for prompt in ["# ", "# $"] {
        let mut desk = Desk::boot(&[commands(&["boot"], 0), kernel(), login(prompt, &["true"])]);
        desk.says("=> ");
        desk.hears("boot\n");
        desk.says("## Flattened Device Tree blob at 82000000\r\n");
        desk.says("   Booting using the fdt blob\r\n## Loading init Ramdisk ...\r\n");
        desk.says("[    0.0] Linux version 6.1.0\r\nboard login: ");
        desk.hears("root\n");
        desk.says("\r\n# ");
        desk.hears("true\n");
        desk.says("# ");
        let ended = desk.ends();
        ended.is_well();
        ended.typed_after("root", "login: ", 1);
        ended.typed_after("true", "\r\n# ", 1);
    }
}

/// The same without a kernel's first line to wait for: a prompt stands at the end of what was printed.
#[test]
fn complaint_23_a_prompt_that_asks_for_the_end_is_not_found_before_more_text() {
    let mut desk = Desk::boot(&[login("# $", &["true"])]);
    desk.says("## Flattened Device Tree blob at 82000000\r\n## Loading init Ramdisk ...\r\nwelcome\r\n# ");
    desk.hears("true\n");
    desk.says("# ");
    let ended = desk.ends();
    ended.is_well();
    ended.typed_after("true", "\r\n# ", 1);
    assert_eq!(ended.typed(), "true\n");
}

/// labgrid #1397: bash says '\x1b[?2004h' before its prompt, and busybox asks for the cursor behind it.
#[test]
fn complaint_23_terminal_sequences_around_a_prompt_do_not_hide_it() {
    for (prompt, shown) in [
        ("root@board:~# ", "\x1b[?2004hroot@board:~# "),
        ("root@board:~# $", "\x1b[?2004hroot@board:~# "),
        ("root@board:~# $", "root@board:~# \x1b[6n"),
        ("root@board:~# $", "\x1b[01;32mroot@board:~# \x1b[0m"),
    ] {
        let mut desk = Desk::boot(&[login(prompt, &["true"])]);
        desk.says("\r\nboard login: ");
        desk.hears("root\n");
        desk.says(&format!("\x1b[?2004l\r\nWelcome\r\n{shown}"));
        desk.hears("true\n");
        desk.says(&format!("\x1b[?2004l\r{shown}"));
        let ended = desk.ends();
        ended.is_well();
        assert_eq!(ended.typed(), "root\ntrue\n", "{}", shown.escape_debug());
    }
}

/// labgrid #945: a bootloader that says its prompt, then more, then its prompt again.
#[test]
fn complaint_23_a_bootloader_that_says_its_prompt_twice_is_not_typed_ahead_of() {
    let mut desk = Desk::boot(&[commands(&["first", "second"], 0)]);
    desk.says("=> \r\nEthernet: ready\r\n=> ");
    desk.hears("first\n");
    desk.says("first\r\nok\r\n=> ");
    desk.hears("second\n");
    let ended = desk.ends();
    ended.is_well();
    ended.typed_after("first", "=> ", 2);
    ended.typed_after("second", "=> ", 3);
}

/// labgrid #77: a getty that asks again.
#[test]
fn complaint_23_a_login_that_is_refused_is_told_and_not_waited_for() {
    let mut desk = Desk::boot(&[login("root@board:~# ", &[])]);
    desk.says("board login: ");
    desk.hears("root\n");
    desk.says("\r\nLogin incorrect\r\nboard login: ");
    let ended = desk.ends();
    assert_eq!((ended.status, ended.typed().as_str()), (2, "root\n"));
    assert!(ended.stderr.contains("the login was refused"), "{}", ended.stderr);
}
