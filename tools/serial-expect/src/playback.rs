//! What a terminal server says first when it is connected again: it may play back what was heard before, and nothing of
//! that is an answer to what was typed since.

use std::time::{Duration, Instant};

/// Bytes of the past that are kept.
const PAST: usize = 64 * 1024;
/// Bytes by which the end of the past is known again, and the fewest of them that are looked for anywhere.
const KNOWN: usize = 64;
const FEWEST: usize = 16;
/// Silence after which a server has played back what it had.
const SILENCE: Duration = Duration::from_millis(200);
/// How long, and how much, it may play back.
const LIMIT: Duration = Duration::from_secs(1);
const BYTES: usize = 1 << 20;

/// The last that was heard.
#[derive(Debug, Default)]
pub struct Past(Vec<u8>);

impl Past {
    /// This was heard.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        if self.0.len() > 2 * PAST {
            self.0.drain(..self.0.len() - PAST);
        }
    }

    /// Whether nothing was.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What of `played` is new.
    pub fn unheard<'a>(&self, played: &'a [u8]) -> &'a [u8] {
        let end = |count: usize| &self.0[self.0.len() - count..];
        let most = self.0.len().min(KNOWN);
        for count in (FEWEST..=most).rev() {
            if let Some(at) = played.windows(count).rposition(|window| window == end(count)) {
                return &played[at + count..];
            }
        }
        for count in (1..FEWEST.min(most + 1)).rev() {
            if played.starts_with(end(count)) {
                return &played[count..];
            }
        }
        let old = played.len() >= KNOWN && {
            let last = &played[played.len() - KNOWN..];
            self.0.windows(KNOWN).any(|window| window == last)
        };
        if old { &[] } else { played }
    }
}

/// A server that may be playing back.
pub struct Playback {
    bytes: Vec<u8>,
    began: Instant,
    last: Instant,
}

impl Playback {
    /// It was connected just now.
    pub fn begin() -> Playback {
        let now = Instant::now();
        Playback { bytes: Vec::new(), began: now, last: now }
    }

    /// It says this.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.last = Instant::now();
    }

    /// How long it has to be heard yet.
    pub fn rest(&self) -> Duration {
        if self.bytes.len() >= BYTES {
            return Duration::ZERO;
        }
        let end = (self.last + SILENCE).min(self.began + LIMIT);
        end.saturating_duration_since(Instant::now())
    }

    /// All that it has said.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The last line of it, for people.
    pub fn last_line(&self) -> Option<String> {
        last_line(&self.bytes)
    }
}

/// The last line that says something.
pub fn last_line(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(1024)..]).into_owned();
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unheard(past: &str, played: &str) -> String {
        let mut known = Past::default();
        known.add(past.as_bytes());
        String::from_utf8(known.unheard(played.as_bytes()).to_vec()).unwrap()
    }

    const BOOT: &str = "U-Boot 2026.01\r\nDRAM: 2 GiB\r\nHit any key to stop autoboot: 0\r\n=> setenv a b\r\n=> ";

    #[test]
    fn what_was_heard_before_is_not_heard_again() {
        assert_eq!(unheard(BOOT, BOOT), "");
        assert_eq!(unheard(BOOT, &format!("welcome to port 7012\r\n{BOOT}boot\r\nStarting")), "boot\r\nStarting");
        assert_eq!(unheard(BOOT, &BOOT[20..]), "");
        assert_eq!(unheard(BOOT, "=> "), "");
    }

    #[test]
    fn an_older_part_of_the_past_is_known_too() {
        assert_eq!(unheard(&format!("{BOOT}run netboot\r\n"), BOOT), "");
    }

    #[test]
    fn what_is_new_is_heard_even_where_it_resembles_the_old() {
        for new in ["[    7.0] usb 1-1: new device\r\n", "run netboot\r\n=> ", "login: ", ""] {
            assert_eq!(unheard(BOOT, new), new);
            assert_eq!(unheard("", new), new);
        }
    }

    #[test]
    fn the_past_takes_bounded_memory() {
        let mut past = Past::default();
        for _ in 0..100 {
            past.add(&[b'x'; 16 * 1024]);
        }
        assert!(past.0.len() <= 2 * PAST);
    }
}
