//! Boards and labs that fail, and tests that go wrong.

use crate::case::{Case, Cause};
use std::time::Duration;

const BOOT: &str = "    - 'root@mustang:'\n    timeout:\n      minutes: 4\n";
const BOOT_SECONDS: u64 = 6;
const LOGIN: &str = "      minutes: 3\n";
const LOGIN_SECONDS: u64 = 4;
/// A test may print the words of an old panic, and then it goes on.
const SILENCE: Duration = Duration::from_secs(8);
const START: &str = "          - lava-send lava_start\n";
const GUEST: &str = "          - lava-test-case members --shell \"lava-group | grep -c guest | grep -x 3\"\n";

/// All of them.
pub fn all() -> Vec<Case> {
    boards().into_iter().chain(tests()).chain(labs()).collect()
}

/// What goes wrong on the board's way to its shell. A boot that gets nowhere is told by its timeout.
fn boards() -> Vec<Case> {
    let vain = |step: &str, what: &str, seen: &str| {
        format!("member ID (host): {step}: waited for {what} in vain, ... s, and the boot's time is up; {seen}")
    };
    let silent = vain("uefi-menu-interrupt", "'...'", "the console was silent");
    let no_grub = vain("bootloader-interrupt", "'...'", "last seen: '...'");
    let stuck = vain("login-action", "'...' or '...'", "last seen: '...'");
    let no_file = "member ID (host): bootloader-commands: the bootloader failed: 'error: ...'";
    let panic = "member ID (host): login-action: the kernel panicked: '...'";
    let power = ("progress.jsonl", "running 'hard_reset'");
    let slow = |fault, cause, message: &str| Case {
        mark: Some(power),
        told_by: Some(("the host's boot", Duration::from_secs(BOOT_SECONDS))),
        ..board(fault, cause, 124, message)
    };
    vec![
        slow("silent", "the board is silent after its power has come", &silent),
        slow("no-grub", "the firmware finds no bootloader", &no_grub),
        Case {
            mark: Some(("4/console.jsonl", "error: timeout reading")),
            ..board("tftp-error", "the bootloader gets no file", 3, no_file)
        },
        Case {
            mark: Some(("4/console.jsonl", "Kernel panic")),
            ..board("panic-at-boot", "the kernel panics in the boot", 1, panic)
        },
        slow("hang-at-boot", "the kernel dies in the boot", &stuck),
        slow("no-login", "the system never asks for a login", &stuck),
    ]
}

fn board(fault: &'static str, cause: &str, status: i32, message: &str) -> Case {
    let short = BOOT.replace("minutes: 4", &format!("seconds: {BOOT_SECONDS}"));
    Case { edits: vec![(BOOT.to_owned(), short)], ..Case::new(cause, Cause::Fault(fault), status, message) }
}

/// What goes wrong in a test. The words that it says before are the mark.
fn tests() -> Vec<Case> {
    // Neither what a shell echoes of a step is the mark, nor what the kernel is heard by: it prints it.
    const PANIC: &str = "sh -c \"printf '[    9.000000] Kernel pan\\151c - not syncing: crash\\n' >/dev/console; busybox kill -STOP -1\"; sleep 1000";
    const RESTART: &str = "printf 'the caus\\145\\n'; reboot -f; sleep 1000";
    // What is sent has its answer when what was printed before has been heard.
    const DIE: &str = "for i in 1 2 3; do until ps | grep -q \"[l]ava-test-runner /lava-$i\"; do sleep 0.1; done; done; printf 'the caus\\145\\n'; lava-send said; killall -9 dropbear";
    let before = |step: &str| format!("          - '{}'\n{START}", step.replace('\'', "''"));
    let after = |step: &str| format!("{START}          - '{}'\n", step.replace('\'', "''"));
    let says = Some(("4/console.jsonl", "the cause"));
    let job = |cause, step: String, status, message| Case {
        edits: vec![(START.to_owned(), step)],
        mark: says,
        ..Case::new(cause, Cause::Itself, status, message)
    };
    vec![
        Case {
            mark: Some(("4/console.jsonl", "Kernel panic")),
            told_by: Some(("the silence that makes a panic's words true", SILENCE)),
            ..job(
                "the kernel panics in a test",
                before(PANIC),
                1,
                "member ID (host): test stage 0: the kernel panicked: '...'",
            )
        },
        job(
            "the board restarts in a test",
            before(RESTART),
            1,
            "member ID (host): test stage 0: the board has restarted: '...'",
        ),
        Case {
            mark: Some(("progress.jsonl", "logging in to")),
            ..job(
                "sshd refuses the guests' key",
                before("rm /root/.ssh/authorized_keys"),
                3,
                "member ID (guest): ssh-connect: cannot log in as 'root' at ... with '...': the key was refused; 'authorize: ssh' in the host's deploy lets it in",
            )
        },
        Case {
            edits: vec![
                (START.to_owned(), before("killall dropbear")),
                (LOGIN.to_owned(), LOGIN.replace("minutes: 3", &format!("seconds: {LOGIN_SECONDS}"))),
            ],
            mark: Some(("progress.jsonl", "logging in to")),
            told_by: Some(("a guest's boot", Duration::from_secs(LOGIN_SECONDS))),
            ..job(
                "sshd is not there",
                String::new(),
                124,
                "member ID (guest): ssh-connect: cannot connect to ...: Connection refused",
            )
        },
        job(
            "sshd dies under the guests",
            after(DIE),
            3,
            "member ID (guest): what the role uses is gone: lost the connection to the board: ...",
        ),
        Case {
            edits: vec![(GUEST.to_owned(), "          - lava-test-case wrong --shell false\n".to_owned())],
            mark: Some(("results.jsonl", "\"case\":\"wrong\"")),
            ..Case::new(
                "a guest's test fails",
                Cause::Itself,
                1,
                "member ID (guest): the test '1_ssh-client/wrong' failed",
            )
        },
    ]
}

/// What goes wrong on this machine.
fn labs() -> Vec<Case> {
    vec![
        Case {
            edits: vec![("/arm64/initrd.img".to_owned(), "/arm64/missing.img".to_owned())],
            ..Case::new(
                "an artefact is missing",
                Cause::Itself,
                3,
                "member ID (host): tftp-stage: cannot fetch '...'...",
            )
        },
        Case::new(
            "the disk is full",
            Cause::FullDisk,
            3,
            "member ID (host): tftp-stage: cannot ...: No space left on device",
        ),
    ]
}
