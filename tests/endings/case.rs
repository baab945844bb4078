//! What is done to a run, and how it has to end.

use crate::moment::Random;
use nix::sys::signal::Signal;
use std::time::Duration;

/// One run.
pub struct Case {
    pub name: String,
    pub cause: Cause,
    /// The statuses that fit.
    pub statuses: &'static [i32],
    /// What the line of the first cause holds.
    pub says: &'static str,
    /// The time within which all must have ended after the cause.
    pub limit: Duration,
    /// Lines of the job or of the device's dictionary: what is replaced, and by what.
    pub edits: Vec<(&'static str, &'static str)>,
}

/// What is done.
pub enum Cause {
    /// mn-run gets a signal so long after its start.
    Signal(Signal, Duration),
    /// The tool of the member, or of none, is killed so long after the run's start, or as soon after that as it is there.
    Kill(&'static str, Option<&'static str>, Duration),
    /// The board has a fault.
    Fault(&'static str),
    /// The run directory is on a small disk.
    FullDisk,
    /// The job or the dictionary is such.
    Itself,
}

/// Members end 15 seconds after a cause at the latest.
const LIMIT: Duration = Duration::from_secs(15);
/// What only a time can tell has 3 to 5 seconds in the edited dictionary and job.
const TOLD_BY_TIME: Duration = Duration::from_secs(25);

/// All cases, or a sample of them.
pub fn all(full: bool, random: &mut Random, usual: Duration) -> Vec<Case> {
    let mut cases = signals(if full { 20 } else { 1 }, random, usual);
    cases.extend(kills(if full { 10 } else { 1 }, random, usual));
    cases.extend(boards());
    cases.extend(tests());
    cases
}

fn case(name: String, cause: Cause, statuses: &'static [i32], says: &'static str) -> Case {
    Case { name, cause, statuses, says, limit: LIMIT, edits: Vec::new() }
}

fn signals(count: usize, random: &mut Random, usual: Duration) -> Vec<Case> {
    let mut cases = Vec::new();
    for (signal, statuses) in
        [(Signal::SIGINT, &[130, 0][..]), (Signal::SIGTERM, &[143, 0]), (Signal::SIGHUP, &[129, 0])]
    {
        for _ in 0..count {
            let at = random.before(usual);
            cases.push(case(format!("{signal} at {at:.2?}"), Cause::Signal(signal, at), statuses, signal.as_str()));
        }
    }
    cases
}

/// A tool, the member whose stage it is, the statuses that fit, and what is said.
type Victim = (&'static str, Option<&'static str>, &'static [i32], &'static str);

const VICTIMS: [Victim; 10] = [
    ("job-split", Some("4"), &[3, 0], "job-split"),
    ("overlay-pack", Some("4"), &[3, 0], "overlay-pack"),
    ("tftp-stage", Some("4"), &[3, 0], "member 4 (host): tftp-stage"),
    ("serial-expect", Some("4"), &[137, 0], "member 4 (host): serial-expect"),
    ("job-split", Some("1"), &[3, 0], "job-split"),
    ("overlay-pack", Some("1"), &[3, 0], "overlay-pack"),
    ("ssh-connect", Some("1"), &[3, 0], "member 1 (guest): ssh-connect"),
    ("serial-expect", Some("1"), &[137, 0], "member 1 (guest): serial-expect"),
    ("member", Some("4"), &[137, 0], "member 4 (host): "),
    ("mn-broker", None, &[3, 0], "broker: was ended by SIGKILL"),
];

fn kills(count: usize, random: &mut Random, usual: Duration) -> Vec<Case> {
    let mut cases = Vec::new();
    let late: [Victim; 1] = [("mn-run", None, &[137, 0], "")];
    for (tool, member, statuses, says) in VICTIMS.into_iter().chain(late) {
        for _ in 0..count {
            let at = random.before(usual);
            let whose = member.map(|id| format!(" of member {id}")).unwrap_or_default();
            let name = format!("kill -9 of {tool}{whose} at {at:.2?}");
            cases.push(case(name, Cause::Kill(tool, member, at), statuses, says));
        }
    }
    cases
}

fn boards() -> Vec<Case> {
    let faults: [(&str, &[i32], &str); 6] = [
        ("silent", &[124], "the console was silent"),
        ("no-grub", &[3, 124], "member 4 (host): "),
        ("tftp-error", &[3], "the bootloader failed"),
        ("panic-at-boot", &[1], "the kernel panicked"),
        ("hang-at-boot", &[124], "in vain"),
        ("no-login", &[124], "in vain"),
    ];
    let short = vec![(
        "    - 'root@mustang:'\n    timeout:\n      minutes: 4\n",
        "    - 'root@mustang:'\n    timeout:\n      seconds: 5\n",
    )];
    let cases = faults.into_iter().map(|(fault, statuses, says)| Case {
        limit: TOLD_BY_TIME,
        edits: short.clone(),
        ..case(format!("the board has the fault '{fault}'"), Cause::Fault(fault), statuses, says)
    });
    cases.collect()
}

const START: &str = "          - lava-send lava_start\n";
const GUEST: &str = "          - lava-test-case members --shell \"lava-group | grep -c guest | grep -x 3\"\n";

/// What goes wrong in a test, or before it.
fn tests() -> Vec<Case> {
    let panic = "          - 'sh -c \"echo [    9.000000] Kernel panic - not syncing: crash >/dev/console; busybox kill -STOP -1\"; sleep 1000'\n";
    let job = |name: &str, old, new, statuses, says| Case {
        edits: vec![(old, new)],
        limit: TOLD_BY_TIME,
        ..case(name.to_owned(), Cause::Itself, statuses, says)
    };
    vec![
        job("the kernel panics in a test", START, panic, &[1], "the kernel panicked"),
        job(
            "the board restarts in a test",
            START,
            "          - reboot -f; sleep 1000\n",
            &[1],
            "the board has restarted",
        ),
        job(
            "sshd refuses the guests",
            START,
            "          - rm /root/.ssh/authorized_keys\n          - lava-send lava_start\n",
            &[3],
            "the key was refused",
        ),
        Case {
            edits: vec![
                (START, "          - killall dropbear\n          - lava-send lava_start\n"),
                ("      minutes: 3\n", "      seconds: 4\n"),
            ],
            ..job("sshd is not there", START, "", &[124], "cannot connect to")
        },
        job(
            "sshd dies under the guests",
            START,
            "          - lava-send lava_start\n          - while test $(ps | grep -c '[d]ropbear') -lt 4; do sleep 0.1; done; killall -9 dropbear\n",
            &[3],
            "(guest): ",
        ),
        job(
            "an artefact is missing",
            "/arm64/initrd.img",
            "/arm64/missing.img",
            &[3],
            "member 4 (host): tftp-stage: cannot",
        ),
        job("a guest's step fails", GUEST, "          - lava-test-case wrong --shell false\n", &[1], "the test '"),
        Case { limit: LIMIT, ..case("the disk is full".to_owned(), Cause::FullDisk, &[3], "No space left") },
    ]
}
