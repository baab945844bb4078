//! The serial port of a terminal server, set up from here (RFC 2217): what is asked for, and what the server says.

use crate::serial_mode::{Flow, Parity, SerialMode};

const SET_BAUDRATE: u8 = 1;
const SET_CONTROL: u8 = 5;
const NOTIFY_LINESTATE: u8 = 6;
const FLOWCONTROL_SUSPEND: u8 = 8;
const FLOWCONTROL_RESUME: u8 = 9;
const SET_LINESTATE_MASK: u8 = 10;
const PURGE_DATA: u8 = 12;
/// What the server says has the number of what the client says, and this.
const SERVER: u8 = 100;

/// The errors of a line that are asked for: overrun, parity, framing, break.
const LINE_ERRORS: [(u8, &str); 4] =
    [(0x02, "an overrun"), (0x04, "a parity error"), (0x08, "a framing error"), (0x10, "a break")];
const RECEIVED_AND_SENT: u8 = 3;

/// What the server said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// All that was asked for has been done.
    Ready,
    /// It has set something other than was asked for.
    Differs(String),
    /// Something was wrong on the line.
    Line(&'static str),
    /// Nothing may be sent.
    Suspend,
    /// Sending may go on.
    Resume,
}

/// A port and how it is to be.
#[derive(Debug)]
pub struct ComPort {
    /// What was asked for and is not answered yet.
    open: Vec<Vec<u8>>,
    mode: SerialMode,
}

impl ComPort {
    /// A port that is to be driven like this.
    pub fn new(mode: SerialMode) -> ComPort {
        ComPort { open: Vec::new(), mode }
    }

    /// What the server is asked for, a subnegotiation each. What came and went before this connection is forgotten.
    pub fn requests(&mut self) -> Vec<Vec<u8>> {
        let mode = self.mode;
        let parity = match mode.parity {
            Parity::None => 1,
            Parity::Odd => 2,
            Parity::Even => 3,
        };
        let flow = match mode.flow {
            Flow::None => 1,
            Flow::XonXoff => 2,
            Flow::RtsCts => 3,
        };
        let mut rate = vec![SET_BAUDRATE];
        rate.extend(mode.rate.to_be_bytes());
        self.open = vec![rate, vec![2, mode.bits], vec![3, parity], vec![4, mode.stop], vec![SET_CONTROL, flow]];
        let errors = LINE_ERRORS.iter().fold(0, |mask, (bit, _)| mask | bit);
        let mut requests = self.open.clone();
        requests.push(vec![SET_LINESTATE_MASK, errors]);
        requests.push(vec![PURGE_DATA, RECEIVED_AND_SENT]);
        requests
    }

    /// Takes a subnegotiation of the server; the last answer gives `Ready`, unless a value differs.
    pub fn answer(&mut self, message: &[u8]) -> Option<Notice> {
        let (&number, value) = message.split_first()?;
        match number.checked_sub(SERVER)? {
            set @ SET_BAUDRATE..=SET_CONTROL => self.was_set(set, value),
            NOTIFY_LINESTATE => {
                let state = *value.first()?;
                LINE_ERRORS.iter().find(|(bit, _)| state & bit != 0).map(|(_, name)| Notice::Line(name))
            }
            FLOWCONTROL_SUSPEND => Some(Notice::Suspend),
            FLOWCONTROL_RESUME => Some(Notice::Resume),
            _ => None,
        }
    }

    fn was_set(&mut self, what: u8, value: &[u8]) -> Option<Notice> {
        let at = self.open.iter().position(|request| request[0] == what)?;
        let request = self.open.remove(at);
        if request[1..] != *value {
            return Some(Notice::Differs(difference(what, value)));
        }
        self.open.is_empty().then_some(Notice::Ready)
    }
}

/// What the server has set, in words.
fn difference(what: u8, value: &[u8]) -> String {
    let number = value.iter().take(8).fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    match what {
        SET_BAUDRATE => format!("it has set {number} baud"),
        2 => format!("it has set {number} bits a character"),
        3 => format!("it has set parity number {number}"),
        4 => format!("it has set stop size number {number}"),
        _ => format!("it has set flow control number {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn all_of_a_mode_is_asked_for_and_what_is_old_is_purged() {
        let mut port = ComPort::new("115200e72,rtscts".parse().unwrap());
        let requests = port.requests();
        let mode: [&[u8]; 5] = [&[1, 0, 1, 0xc2, 0], &[2, 7], &[3, 3], &[4, 2], &[5, 3]];
        assert_eq!(requests[..5], mode);
        assert_eq!(requests[5..], [vec![10, 0x1e], vec![12, 3]]);
    }

    #[test]
    fn it_is_ready_when_the_last_value_is_confirmed_in_any_order() {
        let mut port = ComPort::new(SerialMode::default());
        let mut answers = port.requests();
        answers.truncate(5);
        answers.reverse();
        let mut notices = answers.iter().map(|request| {
            let answer: Vec<u8> = [request[0] + SERVER].into_iter().chain(request[1..].iter().copied()).collect();
            port.answer(&answer)
        });
        assert!(notices.by_ref().take(4).all(|notice| notice.is_none()));
        assert_eq!(notices.next(), Some(Some(Notice::Ready)));
    }

    #[test]
    fn another_rate_than_asked_for_is_told() {
        let mut port = ComPort::new(SerialMode::default());
        port.requests();
        assert_eq!(port.answer(&[101, 0, 0, 0x25, 0x80]), Some(Notice::Differs("it has set 9600 baud".into())));
        assert_eq!(port.answer(&[101, 0, 0, 0x25, 0x80]), None);
    }

    #[test]
    fn the_server_speaks_of_its_line_and_of_its_own_flow() {
        let mut port = ComPort::new(SerialMode::default());
        assert_eq!(port.answer(&[106, 0x68]), Some(Notice::Line("a framing error")));
        assert_eq!(port.answer(&[106, 0x60]), None);
        assert_eq!((port.answer(&[108]), port.answer(&[109])), (Some(Notice::Suspend), Some(Notice::Resume)));
    }

    proptest! {
        #[test]
        fn no_answer_is_too_odd(messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..40)) {
            let mut port = ComPort::new(SerialMode::default());
            port.requests();
            for message in messages {
                port.answer(&message);
            }
            prop_assert!(port.open.len() <= 5);
        }
    }
}
