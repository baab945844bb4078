/// The longest line of the protocol, with its newline: 64 KiB.
pub const MAX_LINE: usize = 64 * 1024;

/// A line is longer than [`MAX_LINE`]: the connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Takes bytes as they come and gives whole lines.
#[derive(Default)]
pub struct Lines {
    bytes: Vec<u8>,
    searched: usize,
}

impl Lines {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line without its newline, if there is one.
    ///
    /// # Errors
    /// When the line is too long, whether it has ended or not.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let Some(at) = self.bytes[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = self.bytes.len();
            return if self.bytes.len() >= MAX_LINE { Err(TooLong) } else { Ok(None) };
        };
        let end = self.searched + at;
        self.searched = 0;
        if end >= MAX_LINE {
            return Err(TooLong);
        }
        let rest = self.bytes.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.bytes, rest);
        line.pop();
        Ok(Some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_whole_however_they_are_cut() {
        let mut lines = Lines::default();
        lines.push(b"a");
        assert_eq!(lines.next_line(), Ok(None));
        lines.push(b"b\n\nc");
        assert_eq!(lines.next_line(), Ok(Some(b"ab".to_vec())));
        assert_eq!(lines.next_line(), Ok(Some(Vec::new())));
        assert_eq!(lines.next_line(), Ok(None));
    }

    #[test]
    fn the_longest_line_has_64_kib_with_its_newline() {
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; MAX_LINE - 1]);
        lines.push(b"\n");
        assert_eq!(lines.next_line().map(|line| line.map(|line| line.len())), Ok(Some(MAX_LINE - 1)));
        lines.push(&vec![b'x'; MAX_LINE]);
        assert_eq!(lines.next_line(), Err(TooLong));
    }
}
