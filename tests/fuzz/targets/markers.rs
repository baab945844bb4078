//! Only its marker ends a stage, which neither an echo of what was typed nor anything else on the console can fake; and
//! signals with numbers come once and in order, whatever the line does to them.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mn_console::journal::{Heard, Receiver, sealed};
use mn_console::signal::Event;
use mn_console::stage::{Plan, Stage};
use mn_console::test::{Act, Test};
use std::time::Duration;

const STAGE: &str = "/lava-7/0";
/// Signals that the board sends.
const SIGNALS: u64 = 12;
const END: Duration = Duration::from_secs(3600);

fuzz_target!(|input: &[u8]| {
    a_stage_ends_with_its_mark(input);
    let wire = line(input);
    let whole = heard(&wire, wire.len().max(1));
    for size in [1, 5] {
        assert_eq!(heard(&wire, size), whole, "reads of {size}");
    }
    let mut last = 0;
    for heard in whole {
        let Heard::Event { number: number @ 1.., event, .. } = heard else { continue };
        assert!(number > last, "{number} after {last}");
        last = number;
        assert!(matches!(&event, Event::Signal { body, .. } if *body == body_of(number)), "{number}: {event:?}");
    }
});

/// A board that echoes all that is typed, and prints the input beside.
fn a_stage_ends_with_its_mark(input: &[u8]) {
    let mut stage = Stage::new(plan(), 0);
    let mut now = Duration::from_secs(1);
    let mut acts = stage.start(now, END);
    for read in input.chunks(32) {
        let echo: Vec<u8> = acts.iter().flat_map(typed).collect();
        acts = stage.push(&echo, now);
        acts.extend(stage.push(read, now));
        let tick = stage.next_tick();
        assert!(tick.is_none_or(|tick| tick <= END), "{tick:?}");
        now = tick.unwrap_or(now).max(now);
        acts.extend(stage.tick(now));
        let marked = input.windows(4).any(|four| four == b"<mn-");
        assert!(marked || !acts.contains(&Act::Done), "it ends by itself");
        if acts.iter().any(|act| matches!(act, Act::Done | Act::Fail(..))) {
            return;
        }
    }
}

fn typed(act: &Act) -> Vec<u8> {
    match act {
        Act::Type(typed) => {
            typed.text.iter().flat_map(|&byte| if byte == b'\n' { vec![13, 10] } else { vec![byte] }).collect()
        }
        _ => Vec::new(),
    }
}

fn plan() -> Plan {
    Plan {
        job_id: "7".to_owned(),
        stage: 0,
        level: "3".to_owned(),
        directory: "/lava-7".to_owned(),
        shell: "/bin/sh".to_owned(),
        runs: Vec::new(),
        delay: Duration::ZERO,
        patience: Duration::from_secs(20),
        board: None,
        earlier: 0,
    }
}

fn body_of(number: u64) -> String {
    format!("TEST_CASE_ID=case-{number} RESULT=pass")
}

/// The signals as the line delivers them: two bytes of the input say what becomes of one.
fn line(input: &[u8]) -> Vec<u8> {
    let text = |number: u64| {
        let signal = format!("<LAVA_SIGNAL_TESTCASE {}>", body_of(number));
        format!("{}\n", sealed(STAGE, number, &signal)).into_bytes()
    };
    let mut wire = Vec::new();
    let mut next = 1;
    for pair in input[..input.len().min(200)].chunks_exact(2) {
        let (what, which) = (pair[0], pair[1]);
        let again = text(u64::from(which) % SIGNALS + 1);
        let cut = usize::from(which) % again.len();
        match what % 8 {
            0..=2 if next <= SIGNALS => {
                wire.extend(text(next));
                next += 1;
            }
            3 => wire.extend(again),
            4 => wire.extend([&again[..cut], &again[cut + 1..]].concat()),
            5 => wire.extend(&again[..cut]),
            6 => wire.extend(&again[cut..]),
            _ => wire.push(which),
        }
    }
    wire
}

fn heard(wire: &[u8], size: usize) -> Vec<Heard> {
    let mut receiver = Receiver::new(STAGE, 0);
    let mut all = Vec::new();
    for mut read in wire.chunks(size) {
        while !read.is_empty() {
            let (used, heard) = receiver.next(read, Duration::ZERO);
            read = &read[used..];
            all.extend(heard);
        }
    }
    all
}
