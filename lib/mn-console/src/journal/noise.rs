//! A board whose line the kernel shares: what is heard must be what was said, or an error.

use super::*;
use crate::results::{Record, Recorder};
use std::time::Duration;

const STAGE: &str = "/lava-7/0";

/// Runs of each of the four kinds of noise.
const RUNS: u64 = 250;

/// The same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// True once in so many times; never for 0.
    fn once_in(&mut self, times: u64) -> bool {
        times != 0 && self.below(times) == 0
    }
}

/// How often something befalls a byte: once in so many.
#[derive(Clone, Copy)]
struct Noise {
    dropped: u64,
    kernel: u64,
    doubled: u64,
}

/// Kernel lines, some of which end no line of their own or look like ours.
const KERNEL: [&str; 5] = [
    "[   12.345678] usb 1-1: new high-speed USB device number 2\r\n",
    "\r\n[  100.000001] random: crng init done\r\n",
    "[    0.1] >",
    "[mn 3 00000000]",
    "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=none RESULT=fail>[mn 3 00000000]",
];

impl Noise {
    fn on(self, text: &str, random: &mut Random) -> Vec<u8> {
        let bytes = text.as_bytes();
        let mut out = Vec::new();
        for (at, &byte) in bytes.iter().enumerate() {
            if random.once_in(self.kernel) {
                out.extend(KERNEL[random.below(KERNEL.len() as u64) as usize].bytes());
            }
            if !random.once_in(self.dropped) {
                out.push(byte);
            }
            if random.once_in(self.doubled) {
                let from = at.saturating_sub(random.below(200) as usize);
                out.extend(&bytes[from..=at]);
            }
        }
        out
    }
}

/// What the helpers say, one after the other; the journal is the same.
fn said() -> Vec<String> {
    let mut texts = Vec::new();
    for run in ["0_smoke", "1_meet", "2_long"] {
        texts.push(format!("<LAVA_SIGNAL_STARTRUN {run} 7_1.1.3.1>"));
        for case in 0..6 {
            let result = if case == 3 { "fail" } else { "pass" };
            texts.push(format!("<LAVA_SIGNAL_STARTTC {run}-{case}>"));
            texts.push(format!("<LAVA_SIGNAL_ENDTC {run}-{case}>"));
            texts.push(format!(
                "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={run}-{case} RESULT={result} UNITS=s MEASUREMENT={case}.5>"
            ));
        }
        if run == "1_meet" {
            texts.push("<LAVA_MULTI_NODE> <LAVA_WAIT ipv4>".to_owned());
            texts.push("<LAVA_SIGNAL_FAILRUN 1_meet 7_1.1.3.1 1 4>".to_owned());
        } else {
            texts.push(format!("<LAVA_SIGNAL_ENDRUN {run} 7_1.1.3.1>"));
        }
    }
    texts
}

/// One conversation: what was heard, and how it ended.
fn converse(noise: Noise, random: &mut Random) -> (Vec<Event>, Next) {
    let journal: Vec<String> = (1..).zip(said()).map(|(number, text)| sealed(STAGE, number, &text)).collect();
    let mut receiver = Receiver::new(STAGE, 0);
    let mut heard = Vec::new();
    for (number, line) in (1..).zip(&journal) {
        let other = format!("+ true\r\noutput of step {number}\r\n{line}\r\n");
        let mut new = receiver.push(&noise.on(&other, random));
        // A helper that waits says it again until it has its answer.
        while line.contains("MULTI_NODE") {
            let answers: Vec<String> = new
                .iter()
                .filter_map(|heard| match heard {
                    Heard::Request { number, .. } => Some(sealed(STAGE, *number, "<LAVA_WAIT_COMPLETE 8:k=v>") + "\n"),
                    Heard::Again { line, .. } => Some(line.clone()),
                    _ => None,
                })
                .collect();
            heard.append(&mut new);
            if answers.iter().any(|answer| {
                receiver.answer(number, "<LAVA_WAIT_COMPLETE 8:k=v>");
                noise.on(answer, random) == answer.as_bytes()
            }) {
                break;
            }
            new = receiver.push(&noise.on(&format!("{line}\r\n"), random));
        }
        heard.append(&mut new);
    }
    let count = |word: &str| sealed(STAGE, journal.len() as u64, &format!("<LAVA_TEST_RUNNER {word}>"));
    heard.extend(receiver.push(&noise.on(&(count("EXIT") + "\r\n"), random)));
    let next = loop {
        match receiver.ended() {
            Next::Ask(words) => {
                let again = again(&journal, &words) + &count("COUNT") + "\r\n";
                heard.extend(receiver.push(&noise.on(&again, random)));
            }
            next => {
                heard.extend(receiver.rest());
                break next;
            }
        }
    };
    let events = heard.into_iter().filter_map(|heard| match heard {
        Heard::Event { event, .. } => Some(event),
        _ => None,
    });
    (events.collect(), next)
}

/// What lava-test-journal prints.
fn again(journal: &[String], words: &str) -> String {
    let mut text = String::new();
    for word in words.split(' ') {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let first: usize = first.parse().unwrap();
        let last = last.parse().unwrap_or(journal.len());
        for line in &journal[first - 1..last.min(journal.len())] {
            text += &format!("{line}\r\n");
        }
    }
    text
}

/// The results, without the places on the console.
fn results(events: Vec<Event>) -> Vec<Record> {
    let mut recorder = Recorder::new(0, "3", Vec::new());
    let mut records = Vec::new();
    for event in events {
        match event {
            Event::Signal { name, body, at } => {
                records.extend(recorder.signal(&name, &body, Some(at), Duration::ZERO).records);
            }
            Event::Request(request) => {
                let asked = recorder.asked(&request);
                records.extend(recorder.answered(&asked, "pass").records);
            }
            other => panic!("{other:?}"),
        }
    }
    records.extend(recorder.finish(Duration::ZERO, "").records);
    for record in &mut records {
        record.shift_remove("starttc");
        record.shift_remove("endtc");
    }
    records
}

fn assert_exact(noise: Noise) {
    let quiet = Noise { dropped: 0, kernel: 0, doubled: 0 };
    let (events, next) = converse(quiet, &mut Random(0));
    assert_eq!(next, Next::Complete);
    let expected = results(events);
    // 18 cases, a wait and three runs, one of which has failed.
    assert_eq!(expected.len(), 22);
    let mut lost = 0;
    for seed in 0..RUNS {
        let (events, next) = converse(noise, &mut Random(seed));
        match next {
            Next::Complete => assert_eq!(results(events), expected, "seed {seed}"),
            Next::Lost(_) => lost += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(lost <= RUNS / 50, "{lost} of {RUNS} ended in an error");
}

#[test]
fn kernel_lines_anywhere_lose_nothing() {
    assert_exact(Noise { dropped: 0, kernel: 150, doubled: 0 });
}

#[test]
fn a_byte_in_ten_thousand_may_be_lost() {
    assert_exact(Noise { dropped: 10_000, kernel: 500, doubled: 0 });
}

#[test]
fn a_byte_in_a_thousand_may_be_lost() {
    assert_exact(Noise { dropped: 1000, kernel: 200, doubled: 0 });
}

#[test]
fn chunks_may_come_twice() {
    assert_exact(Noise { dropped: 1000, kernel: 300, doubled: 100 });
}
