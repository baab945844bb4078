use crate::Message;
use mn_cli::{Error, Result};
use std::fmt::Display;

/// The longest line, with its newline: 4 MiB.
pub const MAX_LINE: usize = 4 << 20;

/// Takes bytes as they come and gives the messages that are whole; for event loops.
#[derive(Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    read: usize,
    searched: usize,
    /// Lines that have been read.
    lines: u64,
}

impl Decoder {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.read > 0 {
            self.bytes.drain(..self.read);
            self.searched -= self.read;
            self.read = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, if there is one.
    ///
    /// # Errors
    /// Status 2 for a line that is no message or is longer than [`MAX_LINE`]; it is named by its number.
    pub fn next_message(&mut self) -> Result<Option<Message>> {
        let Some(at) = self.bytes[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = self.bytes.len();
            if self.bytes.len() - self.read >= MAX_LINE {
                return Err(self.wrong(format_args!("it is longer than {MAX_LINE} bytes")));
            }
            return Ok(None);
        };
        let end = self.searched + at;
        let message = Message::read(&self.bytes[self.read..end]).map_err(|reason| self.wrong(reason))?;
        self.read = end + 1;
        self.searched = self.read;
        self.lines += 1;
        Ok(Some(message))
    }

    /// What is wrong with the next line.
    fn wrong(&self, reason: impl Display) -> Error {
        Error::wrong(format_args!("cannot read line {} of the input: {reason}", self.lines + 1))
    }

    /// Whether bytes of an unfinished line are left.
    pub fn is_empty(&self) -> bool {
        self.read == self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_split_at_every_byte_is_still_one() {
        let line = b"{\"v\":1,\"type\":\"end\",\"data\":{\"status\":0}}\n";
        let mut decoder = Decoder::default();
        for &byte in &line[..line.len() - 1] {
            decoder.push(&[byte]);
            assert_eq!(decoder.next_message().unwrap(), None);
        }
        decoder.push(b"\n{");
        assert!(decoder.next_message().unwrap().is_some());
        assert_eq!(decoder.next_message().unwrap(), None);
        assert!(!decoder.is_empty());
    }

    #[test]
    fn a_line_that_is_no_message_is_named_by_its_number() {
        let mut decoder = Decoder::default();
        decoder.push(b"{\"v\":1,\"type\":\"step\",\"data\":{}}\nls\n");
        assert!(decoder.next_message().unwrap().is_some());
        let error = decoder.next_message().unwrap_err();
        assert_eq!(error.to_string(), "cannot read line 2 of the input: expected value at column 1");
    }

    #[test]
    fn a_line_without_end_is_an_error_before_it_is_memory() {
        let mut decoder = Decoder::default();
        decoder.push(&vec![b' '; MAX_LINE]);
        assert!(decoder.next_message().is_err());
    }
}
