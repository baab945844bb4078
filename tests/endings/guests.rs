//! Guests whose host waits for their logout, whatever is slow.

use crate::account::Account;
use crate::case::{Case, Cause};
use crate::shim::Order;
use pumice_tests::random::Random;
use std::time::Duration;

/// The most that a tool begins late.
const LATE: Duration = Duration::from_millis(400);

const HOST: &str = "4";
/// What is said of a guest that did not come to its logout, before its number.
pub const CUT_OFF: &str = "cut off: guest";

const SYNC: &str = "          - lava-sync clients\n";
const HOST_STEPS: [&str; 3] =
    ["          - ls -al /root/.ssh/\n", "          - lava-send lava_start\n", "          - lava-sync clients\n"];
const GUEST_STEPS: [&str; 2] = ["          - lava-test-case members", "          - tar -tzf"];

/// Whether the job has a final sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    Final,
    None,
}

/// Every second run has one.
pub fn sync(seed: u64) -> Sync {
    if seed.is_multiple_of(2) { Sync::Final } else { Sync::None }
}

/// A job with sleeps in its steps, in every second run without its final sync.
pub fn case(seed: u64) -> Case {
    let mut random = Random::new(seed);
    let mut edits: Vec<(String, String)> = Vec::new();
    for step in HOST_STEPS {
        let before = format!("          - sleep 0.{}\n{step}", random.below(6));
        edits.push((step.to_owned(), before));
    }
    for step in GUEST_STEPS {
        // Each guest another one: the number of the guest is in the directory's name.
        let factor = 1 + random.below(9);
        let number = "$(pwd | cut -d- -f2 | cut -d/ -f1)";
        edits.push((step.to_owned(), format!("          - sleep 0.$(({number} * {factor} % 10))\n{step}")));
    }
    let word = match sync(seed) {
        Sync::Final => "with",
        Sync::None => {
            edits.push((SYNC.to_owned(), String::new()));
            "without"
        }
    };
    let name = format!("random delays, seed {seed}, {word} a final sync");
    Case { edits, ..Case::new(&name, Cause::Itself, 0, "") }
}

/// What is done to the tools of such a run.
pub fn order(seed: u64) -> Order {
    Order::Delay { seed, most: LATE }
}

/// A run in which guests are cut off, which must be seen.
pub fn cut_off() -> (Case, Order) {
    let late = "          - sleep 3\n          - tar -tzf".to_owned();
    let edits = vec![(SYNC.to_owned(), String::new()), (GUEST_STEPS[1].to_owned(), late)];
    let case = Case { edits, ..Case::new("a host that does not wait for its guests", Cause::Itself, 124, "") };
    (case, Order::CutOff { seed: 1, most: Duration::ZERO })
}

/// What was wrong with the guests' ends. The broker is asked by the host who has left, which a guest does after its
/// logout, and who has died; only then the host switches its board off.
pub fn judge(account: &Account, usual: &[String], sync: Sync) -> Vec<String> {
    let mut wrong = account.left.clone();
    if account.status != Some(0) {
        wrong.push(format!("status {:?}", account.status));
    }
    let of_sync = |record: &&String| sync == Sync::Final || !record.contains(" multinode-sync-");
    if !account.records.iter().eq(usual.iter().filter(of_sync)) {
        wrong.push("results are missing".to_owned());
    }
    let ended = account.statuses.iter().filter(|(id, status)| *id != HOST && **status != Some(0));
    wrong.extend(ended.map(|(id, _)| format!("{CUT_OFF} {id}")));
    let left = account.first_with("progress.jsonl", "\"text\":\"left: 1, 2, 3\"");
    let off = account.first_with("progress.jsonl", "\"step\":\"power-off\"");
    if left.is_none() || off.is_none() || left > off {
        wrong.push("the board went off before its guests had left".to_owned());
    }
    wrong
}
