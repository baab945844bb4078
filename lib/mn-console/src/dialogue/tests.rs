use super::*;
use serde_json::{Value, json};

const ERRORS: [&str; 2] = ["error: file '(.*)' not found", "error: no such device"];

fn boot() -> Boot {
    let login = json!({"step": "login", "login_prompt": "login:", "username": "root", "prompts": ["root@board:"], "kernel_messages": true, "name": "login-action", "timeout": 60});
    let steps = json!([
        {"step": "power", "command": "hard_reset", "name": "reset-device", "timeout": 60},
        {"step": "expect", "patterns": ["for a command-line"], "name": "bootloader-interrupt", "timeout": 60},
        {"step": "send", "text": "c", "newline": true, "name": "bootloader-interrupt", "timeout": 60},
        {"step": "commands", "prompt": "grub>", "lines": ["linux {KERNEL}", "devicetree {DTB}", "boot"], "errors": ERRORS, "name": "bootloader-commands", "timeout": 60},
        {"step": "kernel", "pattern": "Linux version [0-9]", "errors": ERRORS, "name": "auto-login-action", "timeout": 60},
        login,
        {"step": "shell", "prompts": ["root@board:"], "name": "expect-shell-connection", "timeout": 60},
    ]);
    boot_of(steps)
}

fn boot_of(steps: Value) -> Boot {
    serde_json::from_value(json!({"level": "2", "timeout": 300, "method": "grub-efi", "dialogue": steps})).unwrap()
}

fn staged() -> Object {
    json!({"KERNEL": "7/vmlinuz", "DTB": null}).as_object().unwrap().clone()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A dialogue with a board that answers from a script; keeps what was done.
struct Bench {
    dialogue: Dialogue,
    acts: Vec<Act>,
    now: Duration,
}

impl Bench {
    fn new(boot: &Boot) -> Bench {
        let dialogue = Dialogue::new(boot, &staged(), Duration::ZERO).unwrap();
        let mut bench = Bench { dialogue, acts: Vec::new(), now: seconds(1) };
        bench.acts = bench.dialogue.start(bench.now, seconds(1000));
        bench
    }

    fn powered(mut self) -> Bench {
        self.acts.extend(self.dialogue.powered(self.now));
        self
    }

    fn push(mut self, text: &str) -> Bench {
        for byte in text.as_bytes() {
            self.acts.extend(self.dialogue.push(&[*byte], self.now));
        }
        self.now += seconds(1);
        self
    }

    /// Plays the time up to `now` as an event loop would.
    fn until(mut self, now: Duration) -> Bench {
        while let Some(at) = self.dialogue.next_tick().filter(|at| *at <= now) {
            self.now = at;
            self.acts.extend(self.dialogue.tick(at));
        }
        self.now = now;
        self
    }

    fn settled(self) -> Bench {
        self.after(3)
    }

    fn after(self, time: u64) -> Bench {
        let now = self.now + seconds(time);
        self.until(now)
    }

    fn typed(&self) -> String {
        let typed = self.acts.iter().filter_map(|act| match act {
            Act::Type(typed) => Some(String::from_utf8_lossy(&typed.text).into_owned()),
            _ => None,
        });
        typed.collect()
    }

    fn failure(&self) -> (Fault, &str) {
        match self.acts.last() {
            Some(Act::Fail(fault, text)) => (*fault, text),
            other => panic!("no failure: {other:?}"),
        }
    }

    fn records(&self) -> Vec<(&str, &str)> {
        let records = self.acts.iter().filter_map(|act| match act {
            Act::Record(record) => Some((record["case"].as_str()?, record["result"].as_str()?)),
            _ => None,
        });
        records.collect()
    }
}

/// A board that has come to its kernel; GRUB takes the newline after the key for an empty command.
fn to_kernel() -> Bench {
    let bench =
        Bench::new(&boot()).powered().push("UEFI\r\nPress enter, or 'c' for a command-line\r\n\ngrub> \ngrub> ");
    bench.settled().push("linux\r\ngrub> ").push("boot\r\n[ 0.0] Linux version 6.1\r\n")
}

#[test]
fn a_board_that_boots_is_led_to_its_shell() {
    let bench = to_kernel();
    let bench = bench.push("[ 1.0] BUG: x\r\nboard login: ").push("root@board:~# ").push("\r\nroot@board:~# ");
    assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\nboot\nroot\n\n");
    assert_eq!(bench.acts.last(), Some(&Act::Ready));
    assert!(bench.acts.contains(&Act::Power("hard_reset".into())));
    let cases = [
        "reset-device",
        "bootloader-interrupt",
        "bootloader-commands",
        "auto-login-action",
        "kernel-messages",
        "login-action",
        "expect-shell-connection",
    ];
    assert_eq!(bench.records(), cases.map(|case| (case, "pass")));
}

#[test]
fn a_prompt_that_comes_twice_does_not_put_the_commands_ahead_of_the_board() {
    let bench = Bench::new(&boot()).powered().push("for a command-line\n\ngrub> \ngrub> ");
    assert_eq!(bench.typed(), "c\n");
    let bench = bench.settled();
    assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\n");
    let bench = bench.push("linux 7/vmlinuz\r\n").after(5);
    assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\n");
    assert_eq!(bench.push("grub> ").typed(), "c\nlinux 7/vmlinuz\nboot\n");
}

#[test]
fn a_bootloader_that_never_falls_silent_is_typed_to_all_the_same() {
    let mut bench = Bench::new(&boot()).powered().push("for a command-line\ngrub> ");
    for _ in 0..40 {
        bench.now += Duration::from_millis(100);
        let now = bench.now;
        bench.acts.extend(bench.dialogue.push(b".", now));
        bench.acts.extend(bench.dialogue.tick(now));
    }
    assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\n");
}

#[test]
fn a_shell_that_is_there_already_is_not_logged_in_to() {
    let bench = to_kernel().push("root@board:~# ").push("\r\nroot@board:~# ");
    assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\nboot\n\n");
    assert_eq!(bench.acts.last(), Some(&Act::Ready));
}

#[test]
fn an_error_of_the_bootloader_is_told_with_its_whole_line() {
    let bench = Bench::new(&boot())
        .powered()
        .push("for a command-line\r\ngrub> ")
        .settled()
        .push("linux\r\nerror: no such device: root.\r\ngrub>");
    assert_eq!(
        bench.failure(),
        (Fault::Lab, "bootloader-commands: the bootloader failed: 'error: no such device: root.'")
    );
    assert_eq!(bench.records().last(), Some(&("bootloader-commands", "fail")));
}

#[test]
fn an_error_without_end_of_line_is_told_after_a_moment() {
    let bench = Bench::new(&boot()).powered().push("for a command-line grub> error: no such device: a");
    let bench = bench.until(seconds(9));
    let text = "bootloader-commands: the bootloader failed: 'error: no such device: a'";
    assert_eq!(bench.failure().1, text);
}

#[test]
fn a_silent_board_is_told_from_one_that_hangs() {
    let bench = Bench::new(&boot()).powered().until(seconds(100));
    assert_eq!(
        bench.failure(),
        (Fault::Timeout, "bootloader-interrupt: waited for 'for a command-line' in vain, 60 s; the console was silent")
    );
    let bench = Bench::new(&boot()).powered().push("UEFI firmware\r\n").until(seconds(100));
    assert_eq!(
        bench.failure().1,
        "bootloader-interrupt: waited for 'for a command-line' in vain, 60 s; last seen: 'UEFI firmware'"
    );
}

#[test]
fn what_was_printed_before_the_reset_is_no_answer() {
    let mut dialogue = Dialogue::new(&boot(), &staged(), Duration::ZERO).unwrap();
    dialogue.push(b"for a command-line", seconds(0));
    dialogue.start(seconds(1), seconds(100));
    let acts = dialogue.powered(seconds(2));
    assert!(!acts.iter().any(|act| matches!(act, Act::Type(_))), "{acts:?}");
}

#[test]
fn the_whole_boot_has_a_limit_too() {
    let mut dialogue = Dialogue::new(&boot(), &staged(), Duration::ZERO).unwrap();
    dialogue.start(seconds(1), seconds(5));
    dialogue.powered(seconds(2));
    assert_eq!(dialogue.next_tick(), Some(seconds(5)));
    assert!(matches!(dialogue.tick(seconds(5)).last(), Some(Act::Fail(Fault::Timeout, _))));
    assert_eq!(dialogue.next_tick(), None);
}

#[test]
fn a_panic_is_named_with_its_first_line() {
    let panic = "[ 2.0] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n[ 2.0] CPU: 0\r\n";
    let bench = to_kernel().push(panic).after(12);
    let text = "login-action: the kernel panicked: '[ 2.0] Kernel panic - not syncing: VFS: Unable to mount root fs'";
    assert_eq!(bench.failure(), (Fault::Dead, text));
    assert_eq!(bench.records()[4..], [("kernel-messages", "fail"), ("login-action", "fail")]);
}

#[test]
fn a_prompt_after_a_panic_is_no_login() {
    let panic =
        "Kernel panic - not syncing: x\r\nlogin: root@board:\r\n---[ end Kernel panic - not syncing: x ]---\r\n";
    let bench = to_kernel().push(panic);
    assert_eq!(bench.failure().0, Fault::Dead);
}

#[test]
fn a_refused_login_is_the_jobs_fault() {
    let bench = to_kernel().push("login: ").push("\r\nLogin incorrect\r\n");
    assert_eq!(bench.failure(), (Fault::Wrong, "login-action: the login was refused: 'Login incorrect'"));
}

#[test]
fn a_login_prompt_that_was_lost_is_asked_for_again() {
    let bench = to_kernel().push("boa[ 9.0] usb 1-1\r\nrd log").after(12);
    assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\nboot\n\n");
    let bench = bench.push("\r\nboard login: ");
    assert!(bench.typed().ends_with("\n\nroot\n"));
}

#[test]
fn a_password_is_typed_and_marked_as_secret() {
    let boot = boot_of(
        json!([{"step": "login", "login_prompt": "login:", "username": "u", "password_prompt": "Password:", "password": "geheim", "login_commands": ["su"], "prompts": ["[#$] $"], "kernel_messages": false, "name": "login-action", "timeout": 60}]),
    );
    let bench = Bench::new(&boot).push("login: ").push("Password: ").push("\r\n$ ").until(seconds(5));
    assert_eq!(bench.typed(), "u\ngeheim\nsu\n");
    let secret = bench.acts.iter().filter(|act| matches!(act, Act::Type(typed) if typed.secret == Secret::Yes)).count();
    assert_eq!(secret, 1);
    assert_eq!(bench.push("# ").until(seconds(9)).acts.last(), Some(&Act::Ready));
}

#[test]
fn a_menu_entry_is_chosen_by_its_label() {
    let choose = |item| {
        boot_of(
            json!([{"step": "choose", "prompt": "Start:", "item": item, "item_markup": ["[", "]"], "item_class": "0-9", "separator": " ", "name": "grub-efi-menu-selector", "timeout": 60}]),
        )
    };
    let menu = "[1] Linaro Grub\r\n[2] LAVA PXE Grub\r\nStart:";
    assert_eq!(Bench::new(&choose("LAVA PXE Grub")).push(menu).typed(), "2\n");
    let bench = Bench::new(&choose("Shell")).push(menu);
    assert_eq!(bench.failure(), (Fault::Wrong, "grub-efi-menu-selector: there is no menu entry 'Shell'"));
}

#[test]
fn a_step_with_a_bad_pattern_is_named_before_anything_happens() {
    let boot = boot_of(json!([{"step": "expect", "patterns": ["("], "name": "bootloader-interrupt", "timeout": 1}]));
    let error = Dialogue::new(&boot, &staged(), Duration::ZERO).unwrap_err();
    assert_eq!(error.to_string(), "boot step 'bootloader-interrupt': cannot use the pattern '(': unclosed group");
}

#[test]
fn what_follows_the_last_prompt_is_handed_on() {
    let boot = boot_of(json!([{"step": "expect", "patterns": ["ready"], "name": "x", "timeout": 1}]));
    let mut bench = Bench::new(&boot);
    bench.acts.extend(bench.dialogue.push(b"ready <LAVA", bench.now));
    assert_eq!(bench.acts.last(), Some(&Act::Ready));
    assert_eq!(bench.dialogue.into_unread(), b" <LAVA");
}

#[test]
fn a_boot_that_fails_is_tried_again_from_its_reset() {
    let boot = Boot { attempts: Some(2), interval: Some(5), ..boot() };
    let bench = Bench::new(&boot).powered().push("'c' for a command-line\r\ngrub> ").settled();
    let bench = bench.push("error: no such device: hd0.\r\n");
    let again = "trying again, as bootloader-commands: the bootloader failed: 'error: no such device: hd0.'";
    assert_eq!(bench.acts.last(), Some(&Act::Step("bootloader-commands".into(), again.into())));
    assert_eq!(bench.dialogue.next_tick(), Some(bench.now + seconds(4)));
    let bench = bench.push("what the board said before its reset: grub> ").after(5);
    assert_eq!(bench.acts.iter().filter(|act| **act == Act::Power("hard_reset".into())).count(), 2);
    let bench = bench.powered().push("'c' for a command-line\r\ngrub> ").settled();
    let bench = bench.push("linux\r\ngrub> boot\r\nLinux version 6\r\nlogin: ").push("root@board:~# ");
    let bench = bench.push("root@board:~# ");
    assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\nc\nlinux 7/vmlinuz\nboot\nroot\n\n");
    assert_eq!(bench.acts.last(), Some(&Act::Ready));
    assert!(bench.records().iter().all(|(_, result)| *result == "pass"), "{:?}", bench.records());
}

#[test]
fn the_last_attempt_fails_the_boot_and_says_why() {
    let boot = Boot { attempts: Some(2), ..boot() };
    let died = "Linux version 6\r\nKernel panic - not syncing: x\r\n---[ end Kernel panic - not syncing: x ]---\r\n";
    let bench = Bench::new(&boot).powered().push("'c' for a command-line\r\ngrub> ").settled();
    let bench = bench.push("linux\r\ngrub> ").push(died).after(5);
    assert!(!bench.records().iter().any(|(_, result)| *result == "fail"), "{:?}", bench.records());
    let bench = bench.powered().push("'c' for a command-line\r\ngrub> ").after(100);
    assert_eq!(bench.failure().0, Fault::Timeout);
    assert_eq!(bench.records().last(), Some(&("bootloader-commands", "fail")));
}

#[test]
fn no_attempt_begins_after_the_boots_time() {
    for interval in [2000, u64::MAX] {
        let boot = Boot { attempts: Some(u32::MAX), interval: Some(interval), ..boot() };
        let bench = Bench::new(&boot).powered().push("'c' for a command-line\r\ngrub> ").settled();
        let bench = bench.push("error: no such device: hd0.\r\n");
        assert_eq!(bench.failure().0, Fault::Lab);
    }
}

#[test]
fn the_jobs_own_word_for_a_failed_boot_ends_it() {
    let login = json!({"step": "login", "login_prompt": "login:", "username": "root", "prompts": ["root@board:"],
        "failure_message": "emergency mode", "kernel_messages": true, "name": "login-action", "timeout": 60});
    let bench = Bench::new(&boot_of(json!([login]))).push("You are in emergency mode.\r\nlogin: ");
    let text = "login-action: the board says that it has failed: 'You are in emergency mode.'";
    assert_eq!(bench.failure(), (Fault::No, text));
}

#[test]
fn a_step_has_its_own_line_ending() {
    let menu = json!({"step": "choose", "prompt": "Start:", "item": "{KERNEL}", "item_markup": ["[", "]"],
        "item_class": "0-9", "separator": " ", "fallback": "Shell", "line_ending": "\r\n", "name": "m", "timeout": 60});
    let answer = json!({"step": "commands", "prompt": "address:", "lines": ["{KERNEL}"], "line_ending": "\r",
        "name": "m", "timeout": 60});
    let bench = Bench::new(&boot_of(json!([menu, answer]))).push("[1] Shell\r\n[2] 7/vmlinuz\r\nStart: ");
    assert_eq!(bench.push("The address: ").settled().typed(), "2\r\n7/vmlinuz\r");
}

/// A board with U-Boot, up to what is typed at its prompt.
fn uboot(first: Value) -> Bench {
    let steps = json!([
        first,
        {"step": "expect", "patterns": ["stop autoboot"], "name": "bootloader-interrupt", "timeout": 60},
        {"step": "send", "text": "", "newline": true, "name": "bootloader-interrupt", "timeout": 60},
        {"step": "commands", "prompt": "=>", "lines": ["bootz"], "name": "bootloader-commands", "timeout": 60},
    ]);
    let bench = Bench::new(&boot_of(steps)).powered();
    bench.push("\r\nU-Boot SPL 2022.04\r\nHit any key to stop autoboot: 3").push("\r\n=> ")
}

#[test]
fn the_first_words_of_uboot_are_those_of_the_reset_that_was_asked_for() {
    let reset = json!({"step": "power", "command": "hard_reset", "name": "reset-device", "timeout": 60});
    let bench = uboot(reset).settled();
    assert_eq!((bench.typed().as_str(), bench.acts.last()), ("\nbootz\n", Some(&Act::Ready)));
}

#[test]
fn a_board_that_begins_again_at_its_prompt_has_reset_itself() {
    let reset = json!({"step": "power", "command": "hard_reset", "name": "reset-device", "timeout": 60});
    let bench = uboot(reset).push("\r\nU-Boot SPL 2022.04\r\n");
    assert_eq!(bench.failure().1, "bootloader-commands: the board has reset itself: 'U-Boot SPL 2022.04'");
}

#[test]
fn a_power_switch_that_fails_once_is_tried_again() {
    let mut bench = Bench::new(&Boot { attempts: Some(2), ..boot() });
    let acts = bench.dialogue.unpowered("the switch is stuck", bench.now).unwrap();
    assert!(matches!(&acts[..], [.., Act::Step(..)]), "{acts:?}");
    let mut bench = bench.after(5);
    assert_eq!(bench.acts.iter().filter(|act| **act == Act::Power("hard_reset".into())).count(), 2);
    assert_eq!(bench.dialogue.unpowered("the switch is stuck", bench.now), None);
}

/// A board that is switched on and has to fall silent for two seconds before it is typed to.
fn quiet(errors: &[&str]) -> Bench {
    let boot = boot_of(json!([
        {"step": "power", "command": "hard_reset", "name": "reset-device", "timeout": 60},
        {"step": "quiet", "milliseconds": 2000, "errors": errors, "name": "hush", "timeout": 60},
        {"step": "send", "text": "go", "newline": true, "name": "hush", "timeout": 60},
    ]));
    Bench::new(&boot).powered()
}

#[test]
fn silence_is_waited_for_from_the_last_byte_on() {
    let chatter = || quiet(&[]).push("a\r\n").push("b\r\n").push("c");
    assert_eq!(chatter().until(seconds(4)).typed(), "");
    assert_eq!(chatter().until(seconds(5)).typed(), "go\n");
    assert_eq!(quiet(&[]).until(seconds(3)).typed(), "go\n", "a board that says nothing is silent");
}

#[test]
fn a_board_that_never_falls_silent_is_out_of_time() {
    let mut bench = quiet(&[]);
    for _ in 0..60 {
        bench = bench.push(".\r\n");
        let now = bench.now;
        bench = bench.until(now);
    }
    assert_eq!(bench.failure(), (Fault::Timeout, "hush: waited for 2 s of silence in vain, 60 s; last seen: '.'"));
}

#[test]
fn an_error_ends_the_wait_for_silence() {
    let bench = quiet(&["DRAM failed"]).push("U-Boot\r\nDRAM failed: no banks\r\n");
    assert_eq!(bench.failure(), (Fault::Lab, "hush: the bootloader failed: 'DRAM failed: no banks'"));
}
