//! The last lines of a console, for diagnostics: "last seen: …".

use std::collections::VecDeque;

/// Bytes kept of one line; what is longer is cut.
const LINE_BYTES: usize = 200;

/// The last few lines that were not empty.
#[derive(Debug)]
pub struct Lines {
    keep: usize,
    done: VecDeque<Vec<u8>>,
    open: Vec<u8>,
}

impl Lines {
    /// Keeps up to `keep` finished lines and the one that is still being written.
    pub fn new(keep: usize) -> Lines {
        Lines { keep, done: VecDeque::new(), open: Vec::new() }
    }

    /// Takes what was read. A carriage return or a newline ends a line.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            self.extend(&rest[..end]);
            self.end_line();
            rest = &rest[end + 1..];
        }
        self.extend(rest);
    }

    fn extend(&mut self, part: &[u8]) {
        let room = LINE_BYTES - self.open.len();
        self.open.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn end_line(&mut self) {
        if is_blank(&self.open) {
            return self.open.clear();
        }
        // The oldest line's memory becomes that of the next one.
        let full = self.done.len() == self.keep;
        let mut next = if full { self.done.pop_front() } else { None }.unwrap_or_default();
        next.clear();
        self.done.push_back(std::mem::replace(&mut self.open, next));
    }

    /// The last line with something on it, made readable; none if nothing was seen.
    pub fn last(&self) -> Option<String> {
        let open = readable(&self.open);
        if !open.trim().is_empty() {
            return Some(open.trim().to_owned());
        }
        self.done.back().map(|line| readable(line).trim().to_owned())
    }

    /// The last line for a diagnostic: `last seen: 'grub>'`.
    pub fn seen(&self) -> String {
        self.last().map_or_else(|| "the console was silent".to_owned(), |line| format!("last seen: '{line}'"))
    }

    /// All lines kept, oldest first, made readable.
    pub fn all(&self) -> Vec<String> {
        let open = (!self.open.is_empty()).then_some(&self.open);
        self.done.iter().chain(open).map(|line| readable(line)).collect()
    }
}

/// Whether a person sees nothing in a line. It is asked of every line, and hardly ever in doubt.
fn is_blank(line: &[u8]) -> bool {
    if line.contains(&b'\x1b') { readable(line).trim().is_empty() } else { line.iter().all(|&byte| byte == b' ') }
}

/// `bytes` as one line for a person: terminal sequences left out, other control characters escaped, what is no UTF-8
/// replaced.
pub fn readable(bytes: &[u8]) -> String {
    let mut out = String::new();
    let text = String::from_utf8_lossy(bytes);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char == '\x1b' && chars.next_if_eq(&'[').is_some() {
            // A terminal's sequence: parameters, then one letter or sign.
            while chars.next_if(|next| matches!(next, '\x20'..='\x3f')).is_some() {}
            chars.next_if(|next| matches!(next, '\x40'..='\x7e'));
        } else if char.is_control() {
            out.extend(char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}

/// What stands before the terminal sequences at the end of `bytes`: a shell may ask for its cursor, or end a colour,
/// behind its prompt.
pub(crate) fn before_sequences(bytes: &[u8]) -> &[u8] {
    let Some(escape) = bytes.iter().rposition(|&byte| byte == b'\x1b') else { return bytes };
    match &bytes[escape + 1..] {
        [b'[', parameters @ .., b'\x40'..=b'\x7e']
            if parameters.iter().all(|byte| matches!(byte, b'\x20'..=b'\x3f')) =>
        {
            before_sequences(&bytes[..escape])
        }
        _ => bytes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_one_being_written() {
        let mut lines = Lines::new(2);
        lines.push(b"U-Boot 2024\r\n\r\nHit any");
        lines.push(b" key: 3 ");
        assert_eq!(lines.last().as_deref(), Some("Hit any key: 3"));
        lines.push(b"\r\n  \r\n");
        assert_eq!(lines.last().as_deref(), Some("Hit any key: 3"));
        assert_eq!(lines.all(), ["U-Boot 2024", "Hit any key: 3 "]);
    }

    #[test]
    fn sequences_at_the_end_are_told_from_text() {
        assert_eq!(before_sequences(b"\x1b[1m# \x1b[0m\x1b[6n"), b"\x1b[1m# ");
        for text in [b"# ".as_slice(), b"# \x1b[0mx", b"# \x1b[", b"# \x1b", b""] {
            assert_eq!(before_sequences(text), text);
        }
    }

    #[test]
    fn only_the_newest_lines_are_kept_and_long_ones_are_cut() {
        let mut lines = Lines::new(1);
        lines.push(b"one\n");
        lines.push(&[b'x'; 10_000]);
        lines.push(b"\n");
        assert_eq!(lines.all(), ["x".repeat(200)]);
    }

    #[test]
    fn control_characters_are_escaped_and_cursor_movements_left_out() {
        assert_eq!(readable(b"\x1b[0m\x1b[37mgrub> \x07a\xffb\x00\x1b"), "grub> \\u{7}a\u{fffd}b\\u{0}\\u{1b}");
    }

    #[test]
    fn a_line_of_terminal_sequences_is_empty() {
        let mut lines = Lines::new(4);
        lines.push(b"login: root\r\n\x1b[2J\x1b[0m\r\n");
        assert_eq!(lines.last().as_deref(), Some("login: root"));
    }
}
