//! Whether a board that runs tests still lives, as its own console tells.

use std::time::Duration;

use crate::expect::Expect;
use crate::kernel::{self, Weight};
use crate::lines::readable;
use crate::matcher::Patterns;

/// Silence after a panic's words that makes them true: a test may print an old panic, and then it goes on.
const SILENCE: Duration = Duration::from_secs(8);
/// Bytes of one line that are looked at.
const LINE_BYTES: usize = 1024;

/// A board's console during a test.
#[derive(Debug)]
pub struct Life {
    firmware: Expect,
    line: Vec<u8>,
    last_byte: Duration,
    /// The words of a panic, while they may still be true.
    panic: Option<String>,
}

impl Life {
    /// Looks for `firmware`, what a board says that begins anew.
    pub fn new(firmware: &Patterns) -> Life {
        let mut expect = Expect::default();
        expect.wait(firmware);
        Life { firmware: expect, line: Vec::new(), last_byte: Duration::ZERO, panic: None }
    }

    /// Takes what was read; gives the reason if the board has begun anew.
    pub fn push(&mut self, bytes: &[u8], now: Duration) -> Option<String> {
        self.last_byte = now;
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            self.extend(&rest[..end]);
            // While nothing is wrong, few lines matter.
            if self.panic.is_some() || kernel::may_begin(&self.line) {
                let line = readable(&self.line);
                if !line.trim().is_empty() {
                    self.line(&line);
                }
            }
            self.line.clear();
            rest = &rest[end + 1..];
        }
        self.extend(rest);
        self.firmware.push(bytes);
        let hit = self.firmware.find(|_| ())?;
        let line = hit.text.iter().rposition(|byte| matches!(byte, b'\r' | b'\n')).map_or(0, |end| end + 1);
        Some(format!("the board has restarted: '{}'", readable(&hit.text[line..]).trim()))
    }

    fn extend(&mut self, part: &[u8]) {
        let room = LINE_BYTES - self.line.len();
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    /// A kernel that has died prints nothing but lines with its clock.
    fn line(&mut self, line: &str) {
        if kernel::weight_of(line) == Some(Weight::Fatal) && self.panic.is_none() {
            self.panic = Some(line.trim().to_owned());
        } else if !line.trim_start().starts_with('[') {
            self.panic = None;
        }
    }

    /// When the board is dead for certain, unless it says something before.
    pub fn over_at(&self) -> Option<Duration> {
        self.panic.as_ref().map(|_| self.last_byte + SILENCE)
    }

    /// Why it is dead.
    pub fn into_reason(self) -> String {
        format!("the kernel panicked: '{}'", self.panic.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_that_begins_anew_is_quoted_from_its_last_line() {
        let firmware = Patterns::new(&["The default boot".to_owned()]).unwrap();
        let mut life = Life::new(&firmware);
        assert_eq!(life.push(b"8 processors, 16384 MiB\r\n\r", Duration::ZERO), None);
        let reason = life.push(b"The default boot selection", Duration::ZERO);
        assert_eq!(reason.as_deref(), Some("the board has restarted: 'The default boot'"));
    }
}
