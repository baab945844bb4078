//! LAVA's signals and multinode requests in what a test shell prints, and the markers of [`crate::marker`].
//!
//! `<LAVA_SIGNAL_NAME BODY>`, `<LAVA_TEST_RUNNER EXIT>`, `<LAVA_TEST_RUNNER INSTALL_FAIL>` and
//! `<LAVA_MULTI_NODE> <LAVA_NAME BODY>` may stand anywhere in a line. A name is of letters, digits and
//! underscores, as all of LAVA's are; a body is everything up to the next `>`, newlines included. All else is ignored.
//! A signal that another one begins in has lost its end, and the other one counts.

use std::ops::Range;

use crate::marker::Mark;

/// Bytes a body may have; a longer one is dropped up to its `>`.
pub const BODY_BYTES: usize = 64 * 1024;
/// Bytes a name may have; what is longer is no signal.
const NAME_BYTES: usize = 128;

/// Something found in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `<LAVA_SIGNAL_NAME BODY>`; `at` is its place in the stream, in bytes.
    Signal {
        /// What stands after `LAVA_SIGNAL_`.
        name: String,
        /// The rest, not taken apart.
        body: String,
        /// From its `<` to after its `>`.
        at: Range<u64>,
    },
    /// The test runner is through with its stage.
    RunnerExit,
    /// The test runner could not install a definition and goes on with the next.
    InstallFail,
    /// A multinode request.
    Request(Request),
    /// A multinode request that makes no sense.
    BadRequest {
        /// Its word, `SYNC`.
        word: String,
        /// What is wrong.
        reason: String,
    },
    /// The answer to a typed command.
    Mark(Mark),
    /// Something that began like a signal was longer than [`BODY_BYTES`]: its first characters.
    TooLong(String),
    /// Something that began like a signal was cut off by the beginning of another, as when the kernel speaks in
    /// between: its first characters.
    Torn(String),
}

/// What a test on the board asks of the other members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// `lava-send ID KEY=VALUE…`
    Send {
        /// The message's id.
        id: String,
        /// Its data.
        data: Vec<(String, String)>,
    },
    /// `lava-sync ID`
    Sync {
        /// The message's id.
        id: String,
    },
    /// `lava-wait ID`
    Wait {
        /// The message's id.
        id: String,
    },
    /// `lava-wait-all ID [ROLE]`
    WaitAll {
        /// The message's id.
        id: String,
        /// Only the members of this role are waited for.
        role: Option<String>,
    },
}

impl Request {
    /// The word of the request as it stands on the console: `WAIT_ALL`.
    pub fn word(&self) -> &'static str {
        match self {
            Request::Send { .. } => "SEND",
            Request::Sync { .. } => "SYNC",
            Request::Wait { .. } => "WAIT",
            Request::WaitAll { .. } => "WAIT_ALL",
        }
    }

    /// The message's id.
    pub fn id(&self) -> &str {
        match self {
            Request::Send { id, .. } | Request::Sync { id } | Request::Wait { id } | Request::WaitAll { id, .. } => id,
        }
    }

    /// The call as a test writes it, without its data: `lava-wait-all booted`.
    pub fn helper(&self) -> String {
        format!("lava-{} {}", self.word().to_lowercase().replace('_', "-"), self.id())
    }

    /// The test case under which LAVA records the call: `multinode-wait_all-ID`, in lower case.
    pub fn case(&self) -> String {
        format!("multinode-{}-{}", self.word(), self.id()).to_lowercase()
    }

    fn parse(word: &str, body: &str) -> Result<Request, String> {
        let words: Vec<&str> = body.split_whitespace().collect();
        let bad =
            || Err(format!("'<LAVA_{word} {}>' is no multinode request", crate::lines::readable(body.as_bytes())));
        Ok(match (word, words.as_slice()) {
            ("SEND", [_, ..]) => send(body),
            ("SYNC", &[id]) => Request::Sync { id: id.to_owned() },
            ("WAIT", &[id]) => Request::Wait { id: id.to_owned() },
            ("WAIT_ALL", &[id]) => Request::WaitAll { id: id.to_owned(), role: None },
            ("WAIT_ALL", &[id, role]) => Request::WaitAll { id: id.to_owned(), role: Some(role.to_owned()) },
            _ => return bad(),
        })
    }
}

/// Splits `ID KEY=VALUE…` before each word that is followed by `=`, so that a value may contain blanks.
fn send(body: &str) -> Request {
    let mut parts: Vec<&str> = Vec::new();
    let mut from = 0;
    let mut blank = false;
    for (at, char) in body.char_indices() {
        let first = char.is_whitespace() && !blank;
        blank = char.is_whitespace();
        if !first {
            continue;
        }
        let rest = body[at..].trim_start();
        let word = rest.split(|char: char| !char.is_alphanumeric() && char != '_').next().unwrap_or("");
        if !word.is_empty() && rest[word.len()..].starts_with('=') && from <= at {
            parts.push(&body[from..at]);
            from = body.len() - rest.len();
        }
    }
    parts.push(&body[from..]);
    let id = parts[0].trim().to_owned();
    let pairs = parts[1..].iter().filter_map(|part| part.trim().split_once('='));
    let data = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Request::Send { id, data }
}

/// The beginnings of what is looked for.
const SIGNAL: &[u8] = b"<LAVA_SIGNAL_";
const RUNNER: &[u8] = b"<LAVA_TEST_RUNNER ";
const MULTI_NODE: &[u8] = b"<LAVA_MULTI_NODE> <LAVA_";
const MARK: &[u8] = b"<mn-";
const HEADS: [&[u8]; 4] = [SIGNAL, RUNNER, MULTI_NODE, MARK];

/// Finds events in a stream, across reads.
#[derive(Debug)]
pub struct Scanner {
    /// Where the stream is, in bytes from its beginning.
    offset: u64,
    /// What may become an event, from its `<`.
    open: Vec<u8>,
    /// Whether the rest of a body that is too long is being skipped.
    skipping: bool,
    /// What follows a torn one.
    next: Option<Event>,
}

enum Candidate {
    /// May yet become an event.
    Open,
    /// Cannot become one.
    Not,
    /// Is one, or at least ended like one.
    Complete,
}

impl Scanner {
    /// Starts at `offset` bytes from the beginning of the stream.
    pub fn new(offset: u64) -> Scanner {
        Scanner { offset, open: Vec::new(), skipping: false, next: None }
    }

    /// Walks over `bytes` up to the end of the first event. Gives the number of bytes used, which may be none, and the
    /// event; without one all are used.
    pub fn next(&mut self, bytes: &[u8]) -> (usize, Option<Event>) {
        if let Some(event) = self.next.take() {
            return (0, Some(event));
        }
        for (at, &byte) in bytes.iter().enumerate() {
            self.offset += 1;
            if let Some(event) = self.step(byte) {
                return (at + 1, Some(event));
            }
        }
        (bytes.len(), None)
    }

    fn step(&mut self, byte: u8) -> Option<Event> {
        if self.skipping {
            self.skipping = byte != b'>';
            return None;
        }
        if self.open.is_empty() && byte != b'<' {
            return None;
        }
        self.open.push(byte);
        match judge(&self.open) {
            Candidate::Open if self.open.len() > BODY_BYTES => {
                let open = std::mem::take(&mut self.open);
                self.skipping = true;
                Some(Event::TooLong(crate::lines::readable(&open[..80])))
            }
            Candidate::Open => None,
            Candidate::Not => {
                self.restart();
                None
            }
            Candidate::Complete => {
                let open = std::mem::take(&mut self.open);
                self.complete(&open)
            }
        }
    }

    fn complete(&mut self, open: &[u8]) -> Option<Event> {
        let inner = (1..open.len()).rev().find(|&at| HEADS.iter().any(|head| open[at..].starts_with(head)));
        let whole = &open[inner.unwrap_or(0)..];
        let found = match judge(whole) {
            Candidate::Complete => event(whole, self.offset - whole.len() as u64..self.offset),
            _ => None,
        };
        if inner.is_none() {
            return found;
        }
        self.next = found;
        Some(Event::Torn(crate::lines::readable(&open[..open.len().min(80)])))
    }

    /// Drops the first byte of a candidate that came to nothing and goes on with the next `<` in it.
    fn restart(&mut self) {
        loop {
            let next = self.open.iter().skip(1).position(|&byte| byte == b'<');
            match next {
                Some(at) => drop(self.open.drain(..=at)),
                None => self.open.clear(),
            }
            if self.open.is_empty() || matches!(judge(&self.open), Candidate::Open) {
                return;
            }
        }
    }
}

fn judge(open: &[u8]) -> Candidate {
    if HEADS.iter().any(|head| head.starts_with(open)) {
        return Candidate::Open;
    }
    let Some(head) = HEADS.iter().find(|head| open.starts_with(head)) else {
        return Candidate::Not;
    };
    let rest = &open[head.len()..];
    if *head == RUNNER {
        return match rest.split_last() {
            Some((b'>', _)) => Candidate::Complete,
            _ if rest.len() > NAME_BYTES => Candidate::Not,
            _ => Candidate::Open,
        };
    }
    let Some(blank) = rest.iter().take(NAME_BYTES).position(|&byte| byte == b' ') else {
        let name = rest.iter().all(is_name);
        return if name && rest.len() < NAME_BYTES { Candidate::Open } else { Candidate::Not };
    };
    match &rest[blank + 1..] {
        _ if blank == 0 || !rest[..blank].iter().all(is_name) => Candidate::Not,
        [b'>'] => Candidate::Not,
        [.., b'>'] => Candidate::Complete,
        _ => Candidate::Open,
    }
}

fn is_name(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || *byte == b'_'
}

fn event(open: &[u8], at: Range<u64>) -> Option<Event> {
    let text = String::from_utf8_lossy(&open[..open.len() - 1]).into_owned();
    let head = HEADS.iter().find(|head| open.starts_with(head))?;
    let rest = &text[head.len()..];
    if *head == RUNNER {
        return match rest {
            "EXIT" => Some(Event::RunnerExit),
            "INSTALL_FAIL" => Some(Event::InstallFail),
            _ => None,
        };
    }
    let (name, body) = rest.split_once(' ')?;
    match *head {
        SIGNAL => Some(Event::Signal { name: name.to_owned(), body: body.to_owned(), at }),
        MULTI_NODE => Some(match Request::parse(name, body) {
            Ok(request) => Event::Request(request),
            Err(reason) => Event::BadRequest { word: name.to_owned(), reason },
        }),
        _ => Mark::parse(name, body).map(Event::Mark),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn events(reads: &[&[u8]]) -> Vec<Event> {
        let mut scanner = Scanner::new(0);
        let mut found = Vec::new();
        for read in reads {
            let mut rest = *read;
            while let (used, Some(event)) = scanner.next(rest) {
                found.push(event);
                rest = &rest[used..];
            }
        }
        found
    }

    fn one(text: &str) -> Event {
        let mut all = events(&[text.as_bytes()]);
        assert_eq!(all.len(), 1, "{text}: {all:?}");
        all.remove(0)
    }

    #[test]
    fn a_signal_may_stand_anywhere_in_a_line_and_knows_its_place() {
        let event = one("x<LAVA_SIGNAL_STARTTC pwd>\r\n");
        assert_eq!(event, Event::Signal { name: "STARTTC".into(), body: "pwd".into(), at: 1..26 });
    }

    #[test]
    fn a_body_may_span_lines_and_is_never_empty() {
        let Event::Signal { body, .. } = one("<LAVA_SIGNAL_TESTRAISE a\nb < c>") else { panic!() };
        assert_eq!(body, "a\nb < c");
        assert_eq!(events(&[b"<LAVA_SIGNAL_TESTEVENT >"]), []);
    }

    #[test]
    fn every_cut_into_two_reads_finds_the_same() {
        let text = b"[ 1.0] usb <LAVA_SIGNAL_<LAVA_SIGNAL_ENDTC a>x<LAVA_MULTI_NODE> <LAVA_SYNC clients>\r\n\
            <LAVA_TEST_RUNNER INSTALL_FAIL><LAVA_TEST_RUNNER EXIT>\n<mn-end 1.0 0>";
        let whole = events(&[text]);
        assert_eq!(whole.len(), 5, "{whole:?}");
        for cut in 0..text.len() {
            assert_eq!(events(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(events(&bytes), whole);
    }

    #[test]
    fn values_of_a_message_may_contain_blanks_and_equals_signs() {
        let event = one("<LAVA_MULTI_NODE> <LAVA_SEND ready name=a b url=http://x/?q=1 e=>");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let data = vec![pair("name", "a b"), pair("url", "http://x/?q=1"), pair("e", "")];
        assert_eq!(event, Event::Request(Request::Send { id: "ready".into(), data }));
    }

    #[test]
    fn a_key_with_a_dash_sticks_to_what_stands_before_it() {
        let event = one("<LAVA_MULTI_NODE> <LAVA_SEND ready server-ip=10.0.0.1>");
        assert_eq!(event, Event::Request(Request::Send { id: "ready server-ip=10.0.0.1".into(), data: vec![] }));
    }

    #[test]
    fn all_requests_are_understood_and_named_as_lava_names_them() {
        let Event::Request(request) = one("<LAVA_MULTI_NODE> <LAVA_WAIT_ALL Booted guest>") else { panic!() };
        assert_eq!(request, Request::WaitAll { id: "Booted".into(), role: Some("guest".into()) });
        assert_eq!(request.case(), "multinode-wait_all-booted");
        assert_eq!(request.helper(), "lava-wait-all Booted");
        assert_eq!(one("<LAVA_MULTI_NODE> <LAVA_WAIT ipv4>"), Event::Request(Request::Wait { id: "ipv4".into() }));
    }

    #[test]
    fn a_request_with_too_many_words_is_told_from_noise() {
        assert!(matches!(one("<LAVA_MULTI_NODE> <LAVA_SYNC a b>"), Event::BadRequest { .. }));
        assert!(matches!(one("<LAVA_MULTI_NODE> <LAVA_DANCE a>"), Event::BadRequest { .. }));
    }

    #[test]
    fn a_signal_that_the_kernel_has_cut_off_costs_only_itself() {
        let text = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RE[ 22.0] usb\r\n<LAVA_SIGNAL_ENDRUN x u>";
        let found = events(&[text.as_bytes()]);
        assert!(matches!(&found[0], Event::Torn(start) if start.starts_with("<LAVA_SIGNAL_TESTCASE")), "{found:?}");
        let start = text.rfind('<').unwrap() as u64;
        let end = Event::Signal { name: "ENDRUN".into(), body: "x u".into(), at: start..text.len() as u64 };
        assert_eq!(found[1..], [end]);
        assert_eq!(
            events(&[b"<LAVA_SIGNAL_[ 22.0] usb 1-1> <LAVA_TEST_RUNNER E[ 23.0] x <LAVA_TEST_RUNNER EXIT>"]).len(),
            2
        );
    }

    #[test]
    fn debug_noise_of_the_helpers_is_ignored() {
        assert_eq!(events(&[b"<LAVA_SYNC_DEBUG preparing Mon Jan  1 00:00:00 UTC 2024>\r\n<LAVA_SEND x>\r\n"]), []);
    }

    #[test]
    fn a_body_without_end_is_dropped_and_the_next_signal_found() {
        let mut text = b"<LAVA_SIGNAL_TESTRAISE ".to_vec();
        text.extend(vec![b'x'; 3 * BODY_BYTES]);
        text.extend(b"> <LAVA_TEST_RUNNER EXIT>");
        let found = events(&[&text]);
        assert!(matches!(&found[0], Event::TooLong(start) if start.starts_with("<LAVA_SIGNAL_TESTRAISE xxx")));
        assert_eq!(found[1..], [Event::RunnerExit]);
    }

    proptest! {
        #[test]
        fn whatever_a_board_prints_gives_the_same_in_any_reads(
            words in proptest::collection::vec(
                proptest::sample::select(vec![
                    "<LAVA_SIGNAL_", "<LAVA_TEST_RUNNER ", "<LAVA_MULTI_NODE> <LAVA_", "<mn-", "<", ">", " ", "EXIT>",
                    "SEND a b=c", "end 7.0 ", "1>", "é", "\r\n", "TESTCASE", "x",
                ]),
                0..30,
            ),
            cut in 0usize..200,
        ) {
            let text = words.concat().into_bytes();
            let whole = events(&[&text]);
            let (one, two) = text.split_at(cut.min(text.len()));
            prop_assert_eq!(events(&[one, two]), whole);
        }
    }
}
