//! What a board prints gives the same events however it was cut into reads; no body is longer than the limit.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mn_console::signal::{Event, Scanner};

fuzz_target!(|bytes: &[u8]| {
    let whole = events(bytes, bytes.len().max(1));
    for size in [1, 3] {
        assert_eq!(events(bytes, size), whole, "reads of {size}");
    }
});

fn events(bytes: &[u8], size: usize) -> Vec<Event> {
    let mut scanner = Scanner::new(0);
    let mut events = Vec::new();
    for mut read in bytes.chunks(size) {
        loop {
            let (used, event) = scanner.next(read);
            read = &read[used..];
            match event {
                Some(event) => events.push(event),
                None => break,
            }
        }
    }
    events
}
