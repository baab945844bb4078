//! Signals that arrive exactly once over a line that loses, doubles and mixes bytes.
//!
//! Behind its closing `>` a helper on the board prints a number and a checksum, and keeps the line in a journal:
//!
//! ```text
//! <LAVA_SIGNAL_ENDTC pwd>[mn 12 891dfcb6]
//! <LAVA_TEST_RUNNER EXIT>[mn 31 48da26a1]
//! ```
//!
//! Numbers begin at 1 in each stage; the number of `EXIT` and `COUNT` is how many there are. A [`Receiver`] gives
//! events in the order of their numbers, and says what has to be asked for again: see overlay-pack(1),
//! `lava-test-journal`.

mod loose;
mod seal;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::marker::Mark;
use crate::signal::{Event, Request, Scanner};
use loose::Loose;

pub use seal::sealed;

/// Bytes of a line that are looked at; a longer signal is never heard.
const LINE_BYTES: usize = 64 * 1024;
/// Signals that are held until those before them have come, and their bytes; further ones are asked for again.
const HELD: usize = 10_000;
const HELD_BYTES: usize = 8 * 1024 * 1024;
/// Answers that are remembered, to be given again.
const ANSWERS: usize = 64;
/// Ranges of numbers in one question: they must fit on a terminal's line.
const RANGES: usize = 40;
/// Numbers that are left out when the board has begun again.
const SKIPPED: u64 = 1000;
/// Times that a board may begin again.
const SKIPS: usize = 1000;
/// Questions in a row that brought nothing new, before it is given up.
const VAIN: u32 = 20;

/// Something that was heard.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// The next signal, in the order of the numbers. A request is one too, at its place: for its record.
    Event {
        /// Its number; 0 for one without.
        number: u64,
        /// What it is.
        event: Event,
        /// Whether it comes at its time.
        when: When,
    },
    /// A signal that is given later, because others before it are missing: for those who watch.
    Ahead(Event),
    /// A request, as soon as it is heard and only once: to be answered, with [`Receiver::answer`].
    Request {
        /// Its number.
        number: u64,
        /// What is asked for.
        request: Request,
    },
    /// A request that makes no sense: to be refused.
    BadRequest {
        /// Its number.
        number: u64,
        /// Its word, `SYNC`.
        word: String,
    },
    /// A request was repeated that has been answered: the answer, to be typed again.
    Again {
        /// The request's number.
        number: u64,
        /// The line, with its newline.
        line: String,
    },
    /// A signal that the board could not keep, so that nobody knows whether there were more.
    Unkept(Event),
    /// The answer to a typed command.
    Mark(Mark),
    /// The runner has ended.
    Exit,
}

/// When an event is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// As it is heard.
    AtOnce,
    /// It was heard at this time and had to wait for others.
    Late(Duration),
    /// It was asked for: its place on the console and its time are not known.
    Again,
}

/// What is to be done after a command has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Run `bin/lava-test-journal STAGE` with these words, and call [`Receiver::ended`] with its status.
    Ask(String),
    /// Everything was heard; [`Receiver::rest`] has what stands at the end.
    Complete,
    /// Not one signal with a number was heard.
    Silent,
    /// Something is lost for good: why. [`Receiver::rest`] has what came after it.
    Lost(String),
}

/// Hears the signals of one stage.
#[derive(Debug)]
pub struct Receiver {
    /// The stage's directory on the board.
    stage: String,
    /// Finds what has LAVA's form, and marks.
    scanner: Scanner,
    /// Where the stream is, in bytes from its beginning.
    offset: u64,
    line: Vec<u8>,
    /// The number that is given next.
    next: u64,
    held: BTreeMap<u64, (Event, When)>,
    held_bytes: usize,
    /// The highest number that was heard on the line, and its text.
    last: (u64, String),
    loose: Loose,
    answers: BTreeMap<u64, String>,
    /// Numbers of which the board says that it has nothing.
    lost: BTreeSet<u64>,
    /// First and last numbers that the board left out when it began again.
    skips: BTreeMap<u64, u64>,
    count: Option<u64>,
    /// Whether anything with a number was heard.
    numbered: bool,
    vain: u32,
    /// What was missing when it was last asked for.
    asked: Option<String>,
}

impl Receiver {
    /// For the stage with this directory on the board, from `offset` bytes after the beginning of the stream on.
    pub fn new(stage: &str, offset: u64) -> Receiver {
        Receiver {
            stage: stage.to_owned(),
            scanner: Scanner::new(offset),
            offset,
            line: Vec::new(),
            next: 1,
            held: BTreeMap::new(),
            held_bytes: 0,
            last: (0, String::new()),
            loose: Loose::default(),
            answers: BTreeMap::new(),
            lost: BTreeSet::new(),
            skips: BTreeMap::new(),
            count: None,
            numbered: false,
            vain: 0,
            asked: None,
        }
    }

    /// Takes all of what the console printed, or what a journal's file has.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Heard> {
        let mut all = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (used, heard) = self.next(rest, Duration::ZERO);
            all.extend(heard);
            rest = &rest[used..];
        }
        all
    }

    /// Walks over `bytes` up to the first byte with which something is heard. Gives the number of bytes used, and what
    /// was heard; nothing only when all are used.
    pub fn next(&mut self, bytes: &[u8], now: Duration) -> (usize, Vec<Heard>) {
        let mut heard = Vec::new();
        for (at, &byte) in bytes.iter().enumerate() {
            self.step(byte, now, &mut heard);
            if !heard.is_empty() {
                return (at + 1, heard);
            }
        }
        (bytes.len(), heard)
    }

    fn step(&mut self, byte: u8, now: Duration, heard: &mut Vec<Heard>) {
        self.offset += 1;
        self.loose.next(byte, (self.last.0, &self.last.1), now);
        let mut rest = &[byte][..];
        while let (used, Some(event)) = self.scanner.next(rest) {
            rest = &rest[used..];
            match event {
                Event::Mark(mark) => heard.push(Heard::Mark(mark)),
                // What is said again has numbers.
                event if self.asked.is_none() => self.loose.ended(event),
                _ => {}
            }
        }
        match byte {
            b'\n' => self.line.clear(),
            byte => self.line.push(byte),
        }
        if self.line.len() > 2 * LINE_BYTES {
            self.line.drain(..LINE_BYTES);
        }
        if byte == b']' {
            self.open_seal(now, heard);
        }
    }

    /// Looks whether the line ends in a text with its number and the right checksum.
    fn open_seal(&mut self, now: Duration, heard: &mut Vec<Heard>) {
        let Some((start, end, number)) = seal::find(&self.stage, &self.line) else { return };
        let text = String::from_utf8_lossy(&self.line[start..end]).into_owned();
        let from = self.offset - self.line.len() as u64 + start as u64;
        self.line.clear();
        self.numbered = true;
        match text.as_str() {
            "<LAVA_TEST_RUNNER EXIT>" => {
                self.count = self.count.max(Some(number));
                heard.push(Heard::Exit);
            }
            "<LAVA_TEST_RUNNER COUNT>" => self.count = self.count.max(Some(number)),
            "<LAVA_TEST_RUNNER LOST>" => {
                if self.lost.len() < HELD {
                    self.lost.insert(number);
                }
            }
            text => {
                if let Some(last) = skip(text, number) {
                    if self.skips.len() < SKIPS {
                        self.skips.insert(number, last);
                    }
                    self.deliver(None, heard);
                } else if let (_, Some(event)) = Scanner::new(from).next(text.as_bytes()) {
                    self.take(number, event, text, now, heard);
                }
            }
        }
    }

    fn take(&mut self, number: u64, event: Event, text: &str, now: Duration, heard: &mut Vec<Heard>) {
        if number == 0 {
            return heard.push(Heard::Unkept(event));
        }
        if number < self.next || self.held.contains_key(&number) {
            let again = |line: &String| Heard::Again { number, line: line.clone() };
            return heard.extend(self.answers.get(&number).map(again));
        }
        let full = self.held.len() >= HELD || self.held_bytes + text.len() > HELD_BYTES;
        if full && number != self.next {
            return;
        }
        let asked = self.asked.is_some();
        if asked {
            self.loose.was_lost(number, text);
        } else {
            self.loose.followed_by(number, text);
            if number > self.last.0 {
                self.last = (number, text.to_owned());
            }
        }
        match &event {
            Event::Request(request) => heard.push(Heard::Request { number, request: request.clone() }),
            Event::BadRequest { word, .. } => heard.push(Heard::BadRequest { number, word: word.clone() }),
            event if number != self.next && !asked => heard.push(Heard::Ahead(event.clone())),
            _ => {}
        }
        self.held_bytes += size(&event);
        self.held.insert(number, (event, if asked { When::Again } else { When::Late(now) }));
        self.deliver(Some(number).filter(|_| !asked), heard);
    }

    /// Gives what is next as long as it is there; `fresh` has just been heard.
    fn deliver(&mut self, fresh: Option<u64>, heard: &mut Vec<Heard>) {
        loop {
            if let Some((event, when)) = self.held.remove(&self.next) {
                self.held_bytes -= size(&event);
                heard.extend(self.loose.before(Some(self.next)).into_iter().map(without_number));
                let when = if fresh == Some(self.next) { When::AtOnce } else { when };
                heard.push(Heard::Event { number: self.next, event, when });
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
                self.held_bytes = self.held.values().map(|(event, _)| size(event)).sum();
                heard.extend(late.into_iter().map(|(number, (event, when))| Heard::Event { number, event, when }));
                self.next = last + 1;
            } else {
                return;
            }
        }
    }

    /// The line to be typed as the answer to a request, with its newline; it is remembered and given again when the
    /// request is repeated. `text` is the answer as LAVA has it, `<LAVA_WAIT_COMPLETE 8:k=v>`.
    pub fn answer(&mut self, number: u64, text: &str) -> String {
        let line = sealed(&self.stage, number, text) + "\n";
        if self.answers.len() == ANSWERS {
            self.answers.pop_first();
        }
        self.answers.insert(number, line.clone());
        line
    }

    /// What is to be done when the runner, or the command of [`Next::Ask`], has ended, or its time is up.
    pub fn ended(&mut self) -> Next {
        if !self.numbered {
            return Next::Silent;
        }
        let asked = self.asked.take();
        let Some(words) = self.question() else { return self.verdict() };
        self.vain = if asked.as_ref() == Some(&words) { self.vain + 1 } else { 0 };
        if self.vain == VAIN {
            return Next::Lost(format!("the board does not say signals {words} again"));
        }
        self.asked = Some(words.clone());
        Next::Ask(words)
    }

    fn verdict(&self) -> Next {
        let lost = self.lost.iter().next().map(|number| format!("the board has no record of signal {number}"));
        lost.or_else(|| self.loose.doubt()).map_or(Next::Complete, Next::Lost)
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

    /// What is left when all was heard, or when it is given up: the events after what is lost, in order.
    pub fn rest(&mut self) -> Vec<Heard> {
        if !self.numbered {
            return Vec::new();
        }
        let held = std::mem::take(&mut self.held).into_iter();
        let held = held.map(|(number, (event, when))| Heard::Event { number, event, when });
        held.chain(self.loose.before(None).into_iter().map(without_number)).collect()
    }

    /// Whether every signal up to the count was heard.
    pub fn is_complete(&self) -> bool {
        self.count.is_some_and(|count| self.next > count)
    }
}

fn without_number((event, heard): (Event, Duration)) -> Heard {
    Heard::Event { number: 0, event, when: When::Late(heard) }
}

/// Bytes of memory, about.
fn size(event: &Event) -> usize {
    match event {
        Event::Signal { name, body, .. } => name.len() + body.len(),
        _ => 0,
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

#[cfg(test)]
mod noise;
#[cfg(test)]
mod tests;
