//! What has to come back when something was typed.

use std::collections::VecDeque;

/// The characters that have not come back, in order; what a board says between them counts for nothing.
#[derive(Debug, Default)]
pub struct Echoed(VecDeque<u8>);

impl Echoed {
    /// Of these bytes. A control character comes back as anything or not at all, but for the end of a line.
    pub fn of(typed: &[u8]) -> Echoed {
        Echoed(typed.iter().filter_map(|&byte| expected(byte)).collect())
    }

    /// Whether something has not come back.
    pub fn is_awaited(&self) -> bool {
        !self.0.is_empty()
    }

    /// The line has said this.
    pub fn heard(&mut self, bytes: &[u8]) {
        let mut bytes = bytes.iter();
        while let Some(&next) = self.0.front()
            && bytes.any(|&byte| expected(byte) == Some(next))
        {
            self.0.pop_front();
        }
    }
}

/// What stands for a byte: a line may end with either character.
fn expected(byte: u8) -> Option<u8> {
    match byte {
        b'\r' | b'\n' => Some(b'\n'),
        byte if byte.is_ascii_control() => None,
        byte => Some(byte),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_is_the_same_characters_in_order_whatever_is_between() {
        let mut echo = Echoed::of(b"a\x03b\n");
        echo.heard(b"b[ 1.0] a \rb");
        assert!(echo.is_awaited());
        echo.heard(b"\r\n");
        assert!(!echo.is_awaited());
    }

    #[test]
    fn keys_without_a_picture_are_not_awaited() {
        assert!(!Echoed::of(b"\x1b\x03\t").is_awaited());
    }
}
