//! Signals that arrive exactly once over a line that loses, doubles and mixes bytes.
//!
//! Behind its closing `>` a helper on the board prints a number and a checksum, and keeps the line in a journal:
//!
//! ```text
//! <LAVA_SIGNAL_ENDTC pwd>[mn 12 da242ce7]
//! <LAVA_TEST_RUNNER EXIT>[mn 31 f1eac0de]
//! ```
//!
//! The checksum is the first eight digits of the MD5 sum of the number, a blank and the text up to the `>`. Numbers
//! begin at 1 in each stage; the number of `EXIT` and `COUNT` is how many there are. A [`Receiver`] gives events in
//! the order of their numbers, and says what has to be asked for again: see overlay-pack(1), `lava-test-journal`.

use std::collections::{BTreeMap, BTreeSet};

use md5::{Digest, Md5};

use crate::marker::Mark;
use crate::signal::{Event, Request, Scanner};

/// Bytes of a line that are looked at: the helpers' are shorter.
const LINE_BYTES: usize = 8 * 1024;
/// Beginnings of a text that are tried for one checksum.
const BEGINNINGS: usize = 8;
/// Lines that are held until those before them have come; further ones are asked for again.
const HELD: usize = 10_000;
/// Signals without a number that are remembered.
const UNNUMBERED: usize = 10_000;
/// Answers that are remembered, to be given again.
const ANSWERS: usize = 64;
/// Ranges of numbers in one question: they must fit on a terminal's line.
const RANGES: usize = 40;
/// Numbers that are left out when the board has begun again.
const SKIPPED: u64 = 1000;
/// Questions in a row that brought nothing new, before it is given up.
const VAIN: u32 = 20;

/// The text with its number and checksum.
pub fn sealed(number: u64, text: &str) -> String {
    format!("{text}[mn {number} {}]", checksum(number, text.as_bytes()))
}

fn checksum(number: u64, text: &[u8]) -> String {
    let digest = Md5::new().chain_update(format!("{number} ")).chain_update(text).finalize();
    digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// Something that was heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// The next signal, in the order of the numbers. A request is one too, at its place: for its record.
    Event {
        /// Its number.
        number: u64,
        /// What it is.
        event: Event,
    },
    /// A request, as soon as it is heard and only once: to be answered, with [`Receiver::answer`].
    Request {
        /// Its number.
        number: u64,
        /// What is asked for.
        request: Request,
    },
    /// A request was repeated that has been answered: the answer, to be typed again.
    Again(String),
    /// A signal that the board could not keep, so that nobody knows whether there were more.
    Unkept(Event),
    /// The answer to a typed command.
    Mark(Mark),
    /// The runner has ended.
    Exit,
}

/// What is to be done after a command has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Run `bin/lava-test-journal STAGE` with these words, and call [`Receiver::ended`] with its status.
    Ask(String),
    /// Everything was heard.
    Complete,
    /// The board keeps no journal: what was heard is in [`Receiver::unnumbered`], as LAVA would have it.
    Plain,
    /// Something is lost for good: why.
    Lost(String),
}

/// Hears the signals of one stage.
#[derive(Debug)]
pub struct Receiver {
    /// Finds what has LAVA's form, and marks.
    scanner: Scanner,
    /// Where the stream is, in bytes from its beginning.
    offset: u64,
    line: Vec<u8>,
    /// The number that is given next.
    next: u64,
    held: BTreeMap<u64, Event>,
    /// Requests that were given, by number.
    requested: BTreeSet<u64>,
    answers: BTreeMap<u64, String>,
    /// Numbers of which the board says that it has nothing.
    lost: BTreeSet<u64>,
    /// First and last numbers that the board left out when it began again.
    skips: BTreeMap<u64, u64>,
    count: Option<u64>,
    /// Whether anything with a number was heard.
    numbered: bool,
    unnumbered: Vec<(u64, Event)>,
    vain: u32,
    /// What was missing when it was last asked for.
    asked: Option<String>,
}

impl Receiver {
    /// Begins at `offset` bytes from the beginning of the stream.
    pub fn new(offset: u64) -> Receiver {
        Receiver {
            scanner: Scanner::new(offset),
            offset,
            line: Vec::new(),
            next: 1,
            held: BTreeMap::new(),
            requested: BTreeSet::new(),
            answers: BTreeMap::new(),
            lost: BTreeSet::new(),
            skips: BTreeMap::new(),
            count: None,
            numbered: false,
            unnumbered: Vec::new(),
            vain: 0,
            asked: None,
        }
    }

    /// Takes what the console printed, or what a journal's file has.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Heard> {
        let mut heard = Vec::new();
        for &byte in bytes {
            self.offset += 1;
            if let (_, Some(event)) = self.scanner.next(&[byte]) {
                match event {
                    Event::Mark(mark) => heard.push(Heard::Mark(mark)),
                    event if self.unnumbered.len() < UNNUMBERED => self.unnumbered.push((self.offset, event)),
                    _ => {}
                }
            }
            match byte {
                b'\n' => self.line.clear(),
                byte => self.line.push(byte),
            }
            if self.line.len() > LINE_BYTES {
                self.line.drain(..LINE_BYTES / 2);
            }
            if byte == b']' {
                self.open_seal(&mut heard);
            }
        }
        heard
    }

    /// Looks whether the line ends in a text with its number and the right checksum.
    fn open_seal(&mut self, heard: &mut Vec<Heard>) {
        let Some((start, end, number)) = seal(&self.line) else { return };
        let text = String::from_utf8_lossy(&self.line[start..end]).into_owned();
        let length = self.line.len() as u64;
        let (from, to) = (self.offset - length + start as u64, self.offset - length + end as u64);
        // What the scanner took for a signal of LAVA's is a part of this one.
        self.unnumbered.retain(|(at, _)| *at <= from || *at > to);
        self.line.clear();
        self.numbered = true;
        match text.as_str() {
            "<LAVA_TEST_RUNNER EXIT>" => {
                self.count = self.count.max(Some(number));
                heard.push(Heard::Exit);
            }
            "<LAVA_TEST_RUNNER COUNT>" => self.count = self.count.max(Some(number)),
            "<LAVA_TEST_RUNNER LOST>" => {
                self.lost.insert(number);
            }
            text => {
                if let Some(last) = skip(text, number) {
                    self.skips.insert(number, last);
                    self.deliver(heard);
                } else if let (_, Some(event)) = Scanner::new(from).next(text.as_bytes()) {
                    self.take(number, event, heard);
                }
            }
        }
    }

    fn take(&mut self, number: u64, event: Event, heard: &mut Vec<Heard>) {
        if number == 0 {
            return heard.push(Heard::Unkept(event));
        }
        if let Event::Request(request) = &event {
            if self.requested.insert(number) {
                heard.push(Heard::Request { number, request: request.clone() });
            } else {
                heard.extend(self.answers.get(&number).cloned().map(Heard::Again));
            }
        }
        if number >= self.next && (self.held.len() < HELD || number == self.next) {
            self.held.entry(number).or_insert(event);
        }
        self.deliver(heard);
    }

    /// Gives what is next as long as it is there.
    fn deliver(&mut self, heard: &mut Vec<Heard>) {
        loop {
            if let Some(event) = self.held.remove(&self.next) {
                heard.push(Heard::Event { number: self.next, event });
                self.lost.remove(&self.next);
                self.next += 1;
            } else if let Some((_, &last)) =
                self.skips.range(..=self.next).next_back().filter(|(_, last)| **last >= self.next)
            {
                // What was said just before a reset can be gone from the journal: then nobody has what is missing.
                let rest = self.held.split_off(&(last + 1));
                let late = std::mem::replace(&mut self.held, rest);
                if !late.is_empty() {
                    self.lost.insert(self.next);
                }
                heard.extend(late.into_iter().map(|(number, event)| Heard::Event { number, event }));
                self.next = last + 1;
            } else {
                return;
            }
        }
    }

    /// The line to be typed as the answer to a request, with its newline; it is remembered and given again when the
    /// request is repeated. `text` is the answer as LAVA has it, `<LAVA_WAIT_COMPLETE 8:k=v>`.
    pub fn answer(&mut self, number: u64, text: &str) -> String {
        let line = sealed(number, text) + "\n";
        if self.answers.len() == ANSWERS {
            self.answers.pop_first();
        }
        self.answers.insert(number, line.clone());
        line
    }

    /// What is to be done when the runner, or the command of [`Next::Ask`], has ended, or its time is up: `status` is
    /// its status, if that was heard.
    pub fn ended(&mut self, status: Option<i32>) -> Next {
        let asked = self.asked.take();
        // No journal is kept (3), or the helpers are LAVA's own (126, 127).
        if asked.is_some() && !self.numbered && matches!(status, Some(3 | 126 | 127)) {
            return Next::Plain;
        }
        let Some(words) = self.question() else { return self.verdict() };
        self.vain = if asked.as_ref() == Some(&words) { self.vain + 1 } else { 0 };
        if self.vain == VAIN {
            return Next::Lost(format!("the board does not say signals {words} again"));
        }
        self.asked = Some(words.clone());
        Next::Ask(words)
    }

    fn verdict(&self) -> Next {
        match self.lost.iter().next() {
            None => Next::Complete,
            Some(number) => Next::Lost(format!("the board has no record of signal {number}")),
        }
    }

    /// The numbers to ask for, none when all have come. Without a count every question brings one.
    fn question(&self) -> Option<String> {
        let mut ranges = Vec::new();
        let mut from = self.next;
        let here: BTreeSet<u64> = self.held.keys().chain(&self.lost).copied().filter(|&n| n >= self.next).collect();
        for number in here {
            if number > from {
                ranges.push(range(from, number - 1));
            }
            from = number + 1;
        }
        match self.count {
            Some(count) if from <= count => ranges.push(range(from, count)),
            Some(_) => {}
            None => ranges.push(format!("{from}-")),
        }
        ranges.truncate(RANGES);
        if ranges.is_empty() { None } else { Some(ranges.join(" ")) }
    }

    /// When it is given up: the events that came after what is lost, in order.
    pub fn after_loss(&mut self) -> Vec<Heard> {
        let held = std::mem::take(&mut self.held).into_iter();
        held.map(|(number, event)| Heard::Event { number, event }).collect()
    }

    /// Whether every signal up to the count was heard.
    pub fn is_complete(&self) -> bool {
        self.count.is_some_and(|count| self.next > count)
    }

    /// The events that had LAVA's form and no number of their own, in the order in which they came. Where the board
    /// keeps a journal they are damaged, or no helper's: nothing to rely on.
    pub fn unnumbered(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.unnumbered).into_iter().map(|(_, event)| event).collect()
    }
}

/// The last number that a board leaves out from `first` on.
fn skip(text: &str, first: u64) -> Option<u64> {
    let last: u64 = text.strip_prefix("<LAVA_TEST_RUNNER SKIP ")?.strip_suffix('>')?.parse().ok()?;
    (first..=first.saturating_add(SKIPPED)).contains(&last).then_some(last)
}

fn range(first: u64, last: u64) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

/// Where the text is that the line ends with, and its number, when its checksum is right.
fn seal(line: &[u8]) -> Option<(usize, usize, u64)> {
    let end = line.windows(5).rposition(|window| window == b">[mn ")? + 1;
    let inside = std::str::from_utf8(line.get(end + 4..line.len() - 1)?).ok()?;
    let (number, sum) = inside.split_once(' ')?;
    let number: u64 = number.parse().ok()?;
    let begins = |at: &usize| line[*at..end].starts_with(b"<LAVA_");
    let start = (0..end).rev().filter(begins).take(BEGINNINGS).find(|&at| checksum(number, &line[at..end]) == sum)?;
    Some((start, end, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(name: &str, body: &str) -> String {
        format!("<LAVA_SIGNAL_{name} {body}>")
    }

    fn bodies(heard: &[Heard]) -> Vec<String> {
        let body = |heard: &Heard| match heard {
            Heard::Event { number, event: Event::Signal { name, body, .. } } => Some(format!("{number} {name} {body}")),
            _ => None,
        };
        heard.iter().filter_map(body).collect()
    }

    #[test]
    fn the_checksum_is_the_beginning_of_md5() {
        // printf '12 <LAVA_SIGNAL_ENDTC pwd>' | md5sum
        assert_eq!(sealed(12, "<LAVA_SIGNAL_ENDTC pwd>"), "<LAVA_SIGNAL_ENDTC pwd>[mn 12 da242ce7]");
    }

    #[test]
    fn signals_are_given_once_and_in_order() {
        let mut receiver = Receiver::new(0);
        let line = |number: u64| format!("{}\r\n", sealed(number, &signal("ENDTC", &number.to_string())));
        let heard = receiver.push([line(1), line(3), line(1), line(3)].concat().as_bytes());
        assert_eq!(bodies(&heard), ["1 ENDTC 1"]);
        assert_eq!(bodies(&receiver.push(line(2).as_bytes())), ["2 ENDTC 2", "3 ENDTC 3"]);
        assert!(!receiver.is_complete());
        assert_eq!(receiver.push(sealed(3, "<LAVA_TEST_RUNNER EXIT>").as_bytes()), [Heard::Exit]);
        assert!(receiver.is_complete());
        assert_eq!(receiver.ended(Some(0)), Next::Complete);
        assert_eq!(receiver.unnumbered(), []);
    }

    #[test]
    fn a_line_of_the_kernel_in_the_middle_makes_it_no_signal() {
        let mut receiver = Receiver::new(0);
        let whole = sealed(1, &signal("TESTCASE", "TEST_CASE_ID=a RESULT=pass"));
        for at in 1..whole.len() {
            let (begin, rest) = whole.split_at(at);
            assert_eq!(receiver.push(format!("{begin}[  1.0] usb 1-1: new\r\n{rest}\r\n").as_bytes()), []);
        }
        assert_eq!(bodies(&receiver.push(whole.as_bytes())).len(), 1);
        // A kernel's line without an end of its own stands before a whole one.
        let mut receiver = Receiver::new(0);
        assert_eq!(bodies(&receiver.push(format!("[ 1.0] <LAVA_SIG {whole}").as_bytes())).len(), 1);
    }

    #[test]
    fn what_is_missing_is_asked_for_until_the_board_has_nothing_more_to_say() {
        let mut receiver = Receiver::new(0);
        receiver.push(sealed(3, &signal("ENDTC", "c")).as_bytes());
        assert_eq!(receiver.ended(Some(0)), Next::Ask("1-2 4-".into()));
        receiver.push(sealed(5, "<LAVA_TEST_RUNNER COUNT>").as_bytes());
        assert_eq!(receiver.ended(Some(0)), Next::Ask("1-2 4-5".into()));
        for (number, text) in
            [(1, "<LAVA_TEST_RUNNER LOST>"), (2, "<LAVA_SIGNAL_ENDTC b>"), (4, "<LAVA_SIGNAL_ENDTC d>")]
        {
            receiver.push(sealed(number, text).as_bytes());
        }
        for _ in 0..VAIN {
            assert_eq!(receiver.ended(None), Next::Ask("5".into()));
        }
        assert_eq!(receiver.ended(None), Next::Lost("the board does not say signals 5 again".into()));
        receiver.push(sealed(5, &signal("ENDTC", "e")).as_bytes());
        let reason = "the board has no record of signal 1";
        assert_eq!(receiver.ended(Some(0)), Next::Lost(reason.into()));
        assert_eq!(bodies(&receiver.after_loss()), ["2 ENDTC b", "3 ENDTC c", "4 ENDTC d", "5 ENDTC e"]);
    }

    #[test]
    fn a_board_that_begins_again_leaves_numbers_out() {
        let line = |number: u64| sealed(number, &signal("ENDTC", &number.to_string())) + "\n";
        // Signal 3 was heard, and is gone from the journal.
        let skip = sealed(3, "<LAVA_TEST_RUNNER SKIP 1002>") + "\n";
        let rest = [skip, line(1003), sealed(1003, "<LAVA_TEST_RUNNER EXIT>")].concat();
        let mut receiver = Receiver::new(0);
        let heard = receiver.push(([1, 2, 3].map(line).concat() + &rest).as_bytes());
        assert_eq!(bodies(&heard), ["1 ENDTC 1", "2 ENDTC 2", "3 ENDTC 3", "1003 ENDTC 1003"]);
        assert_eq!(receiver.ended(Some(0)), Next::Complete);
        // Signal 3 was not heard either, but 4 was: that something is lost must be known.
        let mut receiver = Receiver::new(0);
        let heard = receiver.push(([1, 2, 4].map(line).concat() + &rest).as_bytes());
        assert_eq!(bodies(&heard), ["1 ENDTC 1", "2 ENDTC 2", "4 ENDTC 4", "1003 ENDTC 1003"]);
        assert_eq!(receiver.ended(Some(0)), Next::Lost("the board has no record of signal 3".into()));
    }

    #[test]
    fn helpers_without_a_journal_are_heard_as_lavas() {
        let mut receiver = Receiver::new(0);
        receiver.push(signal("ENDTC", "a").as_bytes());
        assert_eq!(receiver.ended(Some(0)), Next::Ask("1-".into()));
        assert_eq!(receiver.ended(Some(3)), Next::Plain);
        assert!(matches!(&receiver.unnumbered()[..], [Event::Signal { name, .. }] if name == "ENDTC"));
    }

    #[test]
    fn a_request_is_answered_at_once_and_again_when_it_is_repeated() {
        let mut receiver = Receiver::new(0);
        let line = sealed(2, "<LAVA_MULTI_NODE> <LAVA_WAIT ipv4>");
        let request = Request::Wait { id: "ipv4".into() };
        assert_eq!(receiver.push(line.as_bytes()), [Heard::Request { number: 2, request: request.clone() }]);
        assert_eq!(receiver.push(line.as_bytes()), []);
        let answer = receiver.answer(2, "<LAVA_WAIT_COMPLETE 8:k=v>");
        assert_eq!(answer, sealed(2, "<LAVA_WAIT_COMPLETE 8:k=v>") + "\n");
        assert_eq!(receiver.push(line.as_bytes()), [Heard::Again(answer)]);
        let heard = receiver.push(sealed(1, &signal("ENDTC", "a")).as_bytes());
        assert_eq!(heard.last(), Some(&Heard::Event { number: 2, event: Event::Request(request) }));
    }

    #[test]
    fn what_the_board_could_not_keep_is_marked() {
        let heard = Receiver::new(0).push(sealed(0, &signal("ENDTC", "a")).as_bytes());
        assert!(matches!(&heard[..], [Heard::Unkept(Event::Signal { .. })]));
    }

    #[test]
    fn a_line_without_end_costs_no_memory() {
        let mut receiver = Receiver::new(0);
        let begin = "<LAVA_".repeat(100_000) + ">[mn 1 00000000]";
        assert_eq!(receiver.push(begin.as_bytes()), []);
        assert!(receiver.line.len() <= LINE_BYTES);
    }
}

#[cfg(test)]
#[path = "journal_noise.rs"]
mod noise;
