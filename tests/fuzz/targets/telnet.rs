//! Whatever a terminal server sends, cut anywhere, is the same data, answers and events; nothing grows, and who talks
//! to itself through a line that echoes everything comes to an end.
//!
//! Input: what the server sends, with telnet and RFC 2217 in it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mn_console::rfc2217::{ComPort, Notice};
use mn_console::serial_mode::SerialMode;
use mn_console::telnet::{Event, Heard, SUBNEGOTIATION, Telnet, option};

/// Rounds of answers to answers after which there are no more.
const ROUNDS: usize = 40;

fuzz_target!(|wire: &[u8]| {
    let (expected, end) = receive(wire, wire.len().max(1));
    for size in [1, 2, 7] {
        let (heard, cut_end) = receive(wire, size);
        assert_eq!(heard, expected, "reads of {size}");
        assert_eq!(cut_end.send(b"\r\xff\n"), end.send(b"\r\xff\n"), "reads of {size}");
    }
    assert!(expected.data.len() + expected.reply.len() <= wire.len(), "more than was sent");
    port_is_ready_once(&expected.events);
    settles(end, &expected.reply);
});

fn receive(wire: &[u8], size: usize) -> (Heard, Telnet) {
    let mut telnet = Telnet::new(Some(option::COM_PORT));
    telnet.start();
    let mut heard = Heard::default();
    for read in wire.chunks(size) {
        let some = telnet.receive(read);
        heard.data.extend(some.data);
        heard.reply.extend(some.reply);
        heard.events.extend(some.events);
    }
    (heard, telnet)
}

/// A subnegotiation is short, and of all that are asked for the last answer alone makes the port ready.
fn port_is_ready_once(events: &[Event]) {
    let mut port = ComPort::new(SerialMode::default());
    port.requests();
    let mut ready = 0;
    for event in events {
        let Event::Subnegotiation(_, message) = event else { continue };
        assert!(message.len() < SUBNEGOTIATION + 1);
        ready += usize::from(port.answer(message) == Some(Notice::Ready));
    }
    assert!(ready <= 1);
}

/// What is answered to the other side's own words, as by a line that echoes, and to another end like this one.
fn settles(mut here: Telnet, reply: &[u8]) {
    let mut there = Telnet::new(Some(option::COM_PORT));
    let mut said = [there.start(), reply.to_vec()].concat();
    for _ in 0..ROUNDS {
        said = there.receive(&here.receive(&said).reply).reply;
    }
    assert!(said.is_empty(), "still negotiating: {said:?}");
    let mut echoed = reply.to_vec();
    for _ in 0..ROUNDS {
        echoed = here.receive(&echoed).reply;
    }
    assert!(echoed.is_empty(), "answers its echo for ever: {echoed:?}");
}
