//! Telnet as a client of a terminal server speaks it (RFC 854 to 858): bytes in, data and answers out.
//!
//! Both directions are asked to be binary, the server to echo and to leave out go-aheads; every other option but one
//! that the caller names is refused. Memory is bounded by what is pushed and by [`SUBNEGOTIATION`].

/// The options that mean something here.
pub mod option {
    /// Eight bits, and a carriage return is only that (RFC 856).
    pub const BINARY: u8 = 0;
    /// The server echoes (RFC 857).
    pub const ECHO: u8 = 1;
    /// No go-aheads (RFC 858).
    pub const SUPPRESS_GO_AHEAD: u8 = 3;
    /// The port can be set up (RFC 2217).
    pub const COM_PORT: u8 = 44;
}

/// Bytes of a subnegotiation; a longer one is left out.
pub const SUBNEGOTIATION: usize = 512;

/// Answers about one option of one side. Who changes their mind more often may only be hearing answers to answers.
const ANSWERS: u8 = 32;

const SE: u8 = 240;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
const IAC: u8 = 255;
const CR: u8 = b'\r';

/// What the other side said about itself or about us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It lets us use the option.
    Accepted(u8),
    /// It does not.
    Refused(u8),
    /// A subnegotiation of an option, unescaped.
    Subnegotiation(u8, Vec<u8>),
}

/// What was made of bytes from the other side.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// What the console printed.
    pub data: Vec<u8>,
    /// What has to be sent.
    pub reply: Vec<u8>,
    /// What was said beside that, in order.
    pub events: Vec<Event>,
}

/// An option of one side.
#[derive(Debug)]
struct Choice {
    option: u8,
    side: Side,
    /// Answers that have been given.
    answers: u8,
}

/// How an option stands. What is wanted is asked for once and never taken back, so RFC 1143 needs no queue here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Side {
    #[default]
    Off,
    Asked,
    On,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Data,
    Command,
    Option(u8),
    Subnegotiation,
    SubnegotiationCommand,
}

/// One connection's end.
#[derive(Debug)]
pub struct Telnet {
    state: State,
    /// Options that we offer, and those that the server is to have.
    ours: Vec<Choice>,
    theirs: Vec<Choice>,
    subnegotiation: Vec<u8>,
    after_return: bool,
}

impl Telnet {
    /// A connection that also offers the option `further`.
    pub fn new(further: Option<u8>) -> Telnet {
        let of = |option| Choice { option, side: Side::Off, answers: 0 };
        let ours = [option::BINARY, option::SUPPRESS_GO_AHEAD].into_iter().chain(further).map(of).collect();
        let theirs = [option::BINARY, option::ECHO, option::SUPPRESS_GO_AHEAD].map(of).into();
        Telnet { state: State::Data, ours, theirs, subnegotiation: Vec::new(), after_return: false }
    }

    /// What is sent first: all that is wanted.
    pub fn start(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        for (verb, sides) in [(WILL, &mut self.ours), (DO, &mut self.theirs)] {
            for choice in sides {
                choice.side = Side::Asked;
                wire.extend([IAC, verb, choice.option]);
            }
        }
        wire
    }

    /// Takes what the other side sent.
    pub fn receive(&mut self, bytes: &[u8]) -> Heard {
        let mut heard = Heard::default();
        for &byte in bytes {
            self.state = self.step(byte, &mut heard);
        }
        heard
    }

    fn step(&mut self, byte: u8, heard: &mut Heard) -> State {
        match (self.state, byte) {
            (State::Data, IAC) => State::Command,
            (State::Data, _) => self.data(byte, heard),
            (State::Command, IAC) => self.data(IAC, heard),
            (State::Command | State::SubnegotiationCommand, WILL..=DONT) => State::Option(byte),
            (State::Command | State::SubnegotiationCommand, SB) => {
                self.subnegotiation.clear();
                State::Subnegotiation
            }
            // Go-aheads, no-operations, marks.
            (State::Command, _) => State::Data,
            (State::Option(verb), option) => self.negotiate(verb, option, heard),
            (State::Subnegotiation, IAC) => State::SubnegotiationCommand,
            (State::SubnegotiationCommand, SE) => self.subnegotiated(heard),
            (State::Subnegotiation, _) | (State::SubnegotiationCommand, IAC) => {
                if self.subnegotiation.len() <= SUBNEGOTIATION {
                    self.subnegotiation.push(byte);
                }
                State::Subnegotiation
            }
            // A subnegotiation that is cut off by a command was none.
            (State::SubnegotiationCommand, _) => State::Data,
        }
    }

    fn data(&mut self, byte: u8, heard: &mut Heard) -> State {
        let padding = self.after_return && byte == 0;
        self.after_return = byte == CR && !is_on(&self.theirs, option::BINARY);
        if !padding {
            heard.data.push(byte);
        }
        State::Data
    }

    fn subnegotiated(&mut self, heard: &mut Heard) -> State {
        if let (Some((&option, rest)), true) =
            (self.subnegotiation.split_first(), self.subnegotiation.len() <= SUBNEGOTIATION)
        {
            heard.events.push(Event::Subnegotiation(option, rest.to_vec()));
        }
        State::Data
    }

    fn negotiate(&mut self, verb: u8, option: u8, heard: &mut Heard) -> State {
        let (choices, yes, no) = match verb {
            DO | DONT => (&mut self.ours, WILL, WONT),
            _ => (&mut self.theirs, DO, DONT),
        };
        let on = matches!(verb, DO | WILL);
        let Some(choice) = choices.iter_mut().find(|choice| choice.option == option) else {
            heard.reply.extend(on.then_some([IAC, no, option]).into_iter().flatten());
            return State::Data;
        };
        let before = choice.side;
        let answer = match (before, on) {
            (Side::Off, true) => Some(yes),
            (Side::On, false) => Some(no),
            _ => None,
        };
        if answer.is_some() && choice.answers == ANSWERS {
            return State::Data;
        }
        choice.answers += u8::from(answer.is_some());
        choice.side = if on { Side::On } else { Side::Off };
        heard.reply.extend(answer.into_iter().flat_map(|answer| [IAC, answer, option]));
        match (verb, before) {
            (DO, Side::Off | Side::Asked) => heard.events.push(Event::Accepted(option)),
            (DONT, Side::On | Side::Asked) => heard.events.push(Event::Refused(option)),
            _ => {}
        }
        State::Data
    }

    /// What has to be sent so that the other side hears `data`; at most twice as long.
    pub fn send(&self, data: &[u8]) -> Vec<u8> {
        let binary = is_on(&self.ours, option::BINARY);
        let mut wire = Vec::with_capacity(data.len());
        for &byte in data {
            match byte {
                IAC => wire.extend([IAC, IAC]),
                CR if !binary => wire.extend([CR, 0]),
                _ => wire.push(byte),
            }
        }
        wire
    }

    /// What has to be sent for a subnegotiation.
    pub fn subnegotiate(option: u8, data: &[u8]) -> Vec<u8> {
        let mut wire = vec![IAC, SB, option];
        for &byte in data {
            wire.push(byte);
            wire.extend((byte == IAC).then_some(IAC));
        }
        wire.extend([IAC, SE]);
        wire
    }
}

fn is_on(choices: &[Choice], option: u8) -> bool {
    choices.iter().any(|choice| choice.option == option && choice.side == Side::On)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked() -> Telnet {
        let mut telnet = Telnet::new(Some(option::COM_PORT));
        telnet.start();
        telnet
    }

    #[test]
    fn everything_wanted_is_asked_for_at_once() {
        let start = Telnet::new(Some(option::COM_PORT)).start();
        let asked = [IAC, WILL, 0, IAC, WILL, 3, IAC, WILL, 44, IAC, DO, 0, IAC, DO, 1, IAC, DO, 3];
        assert_eq!(start, asked);
    }

    #[test]
    fn what_was_asked_for_and_is_granted_needs_no_answer() {
        let heard = asked().receive(&[IAC, DO, 0, IAC, WILL, 0, IAC, DO, 44, IAC, DONT, 3]);
        assert!(heard.reply.is_empty());
        assert_eq!(heard.events, [Event::Accepted(0), Event::Accepted(44), Event::Refused(3)]);
    }

    #[test]
    fn what_is_not_known_is_refused_and_a_refusal_is_not_answered() {
        let heard = asked().receive(&[IAC, DO, 24, IAC, WILL, 5, IAC, DONT, 24, IAC, WONT, 5]);
        assert_eq!(heard.reply, [IAC, WONT, 24, IAC, DONT, 5]);
        assert!(heard.events.is_empty());
    }

    #[test]
    fn a_server_that_changes_its_mind_is_followed() {
        let mut telnet = asked();
        assert_eq!(telnet.receive(&[IAC, WILL, 1, IAC, WONT, 1, IAC, WILL, 1]).reply, [IAC, DONT, 1, IAC, DO, 1]);
    }

    #[test]
    fn two_ends_that_answer_each_others_answers_come_to_an_end() {
        let (mut here, mut there) = (asked(), asked());
        here.receive(&[IAC, DONT, 0, IAC, WONT, 0]);
        there.receive(&[IAC, DONT, 0, IAC, WONT, 0]);
        let mut said = vec![IAC, WILL, 0, IAC, WONT, 0];
        let mut rounds = 0;
        while !said.is_empty() {
            said = there.receive(&here.receive(&said).reply).reply;
            rounds += 1;
            assert!(rounds <= usize::from(ANSWERS), "for ever: {said:?}");
        }
        assert!(rounds > 1, "they do not begin");
    }

    #[test]
    fn the_byte_255_and_carriage_returns_come_through() {
        let mut telnet = asked();
        assert_eq!(telnet.send(b"a\r\xff\n"), b"a\r\0\xff\xff\n");
        assert_eq!(telnet.receive(b"a\r\0b\r\n\xff\xffc\0").data, b"a\rb\r\n\xffc\0");
        telnet.receive(&[IAC, DO, 0, IAC, WILL, 0]);
        assert_eq!(telnet.send(b"a\r\xff\n"), b"a\r\xff\xff\n");
        assert_eq!(telnet.receive(b"a\r\0b").data, b"a\r\0b");
    }

    #[test]
    fn a_subnegotiation_is_unescaped_and_one_that_never_ends_is_left_out() {
        let mut telnet = asked();
        let wire = Telnet::subnegotiate(44, &[101, 0, 255, 1]);
        assert_eq!(wire, [IAC, SB, 44, 101, 0, IAC, IAC, 1, IAC, SE]);
        assert_eq!(telnet.receive(&wire).events, [Event::Subnegotiation(44, vec![101, 0, 255, 1])]);
        let long = Telnet::subnegotiate(44, &vec![7; 1 << 20]);
        assert_eq!(telnet.receive(&long), Heard::default());
        assert!(telnet.subnegotiation.capacity() <= 2 * SUBNEGOTIATION);
        assert_eq!(telnet.receive(b"x").data, b"x");
    }

    /// Bytes of which many mean something.
    fn wire() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            4 => Just(IAC), 2 => proptest::sample::select(vec![SB, SE, WILL, WONT, DO, DONT, 0, 1, 3, 44, CR]),
            2 => any::<u8>()
        ];
        proptest::collection::vec(byte, 0..200)
    }

    proptest! {
        #[test]
        fn bytes_cut_anywhere_mean_the_same(bytes in wire(), cuts in proptest::collection::vec(1usize..9, 0..60)) {
            let mut whole = asked();
            let expected = whole.receive(&bytes);
            let mut cut = asked();
            let mut heard = Heard::default();
            let mut rest = bytes.as_slice();
            let mut sizes = cuts.into_iter();
            while !rest.is_empty() {
                let (part, next) = rest.split_at(sizes.next().unwrap_or(rest.len()).min(rest.len()));
                let some = cut.receive(part);
                heard.data.extend(some.data);
                heard.reply.extend(some.reply);
                heard.events.extend(some.events);
                rest = next;
            }
            prop_assert_eq!(&heard, &expected);
            prop_assert_eq!(whole.send(b"\r\xff"), cut.send(b"\r\xff"));
        }

        #[test]
        fn no_bytes_make_more_of_themselves(bytes in wire()) {
            let mut telnet = asked();
            let heard = telnet.receive(&bytes);
            prop_assert!(heard.data.len() + heard.reply.len() <= bytes.len());
            prop_assert!(telnet.subnegotiation.len() <= SUBNEGOTIATION + 1);
        }

        #[test]
        fn what_one_end_sends_the_other_hears(data: Vec<u8>, binary: bool) {
            let (mut here, mut there) = (asked(), asked());
            if binary {
                here.receive(&[IAC, DO, 0]);
                there.receive(&[IAC, WILL, 0]);
            }
            prop_assert_eq!(there.receive(&here.send(&data)), Heard { data, ..Heard::default() });
        }
    }
}
