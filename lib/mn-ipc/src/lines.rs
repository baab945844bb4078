/// The longest line of the protocol, with its newline: 64 KiB.
pub const MAX_LINE: usize = 64 * 1024;

/// A line is longer than [`MAX_LINE`]: the connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Takes bytes as they come and gives whole lines.
#[derive(Default)]
pub struct Lines {
    bytes: Vec<u8>,
    /// Where the first line begins that was not given out.
    begin: usize,
    /// Up to where there is no end of a line.
    searched: usize,
}

impl Lines {
    /// Adds what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.begin);
        self.searched -= self.begin;
        self.begin = 0;
        if self.bytes.is_empty() {
            // A long line is rare, and its room is wanted back.
            self.bytes.shrink_to(1024);
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole line without its newline, if there is one.
    ///
    /// # Errors
    /// When the line is too long, whether it has ended or not.
    pub fn next_line(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let Some(at) = self.bytes[self.searched..].iter().position(|&byte| byte == b'\n') else {
            self.searched = self.bytes.len();
            return if self.bytes.len() - self.begin >= MAX_LINE { Err(TooLong) } else { Ok(None) };
        };
        let end = self.searched + at;
        let line = &self.bytes[self.begin..end];
        if line.len() >= MAX_LINE {
            return Err(TooLong);
        }
        let line = line.to_vec();
        self.begin = end + 1;
        self.searched = self.begin;
        Ok(Some(line))
    }

    /// Bytes that were pushed and not given out.
    pub fn pending(&self) -> usize {
        self.bytes.len() - self.begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_the_lines_between_their_newlines(
            pieces in vec(vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'\n')], 0..50), 0..50),
        ) {
            let (mut lines, mut given) = (Lines::default(), Vec::new());
            for piece in &pieces {
                lines.push(piece);
                while let Some(line) = lines.next_line().expect("none is long") {
                    given.push(line);
                }
            }
            let whole = pieces.concat();
            let mut expected: Vec<&[u8]> = whole.split(|byte| *byte == b'\n').collect();
            let rest = expected.pop().unwrap_or_default();
            prop_assert_eq!(given, expected);
            prop_assert_eq!(lines.pending(), rest.len());
        }

        #[test]
        fn an_endless_line_is_known_before_it_is_memory(piece in 1..16_384_usize) {
            let mut lines = Lines::default();
            let mut pushed = 0;
            while lines.next_line() == Ok(None) {
                lines.push(&vec![b'x'; piece]);
                pushed += piece;
                prop_assert!(pushed < MAX_LINE + piece && lines.bytes.capacity() <= 2 * (MAX_LINE + piece));
            }
            prop_assert!(pushed >= MAX_LINE);
        }
    }

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
