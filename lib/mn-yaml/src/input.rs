//! From bytes to text: what no YAML reader accepts is refused before the parser sees it.

use crate::{Error, Position};

/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

/// The text of a file without its byte order mark.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Error> {
    if bytes.len() > MAX_BYTES {
        let message = format!("file too large: {} bytes, the limit is {MAX_BYTES}", bytes.len());
        return Err(Error::new(Position::START, message));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(not_utf8(bytes, error.valid_up_to())),
    };
    match text.char_indices().find(|&(_, c)| !is_allowed(c)) {
        None => Ok(text),
        Some((at, c)) => {
            let message = format!("control character U+{:04X} is not allowed in YAML", u32::from(c));
            Err(Error::new(position(&text[..at]), message))
        }
    }
}

fn not_utf8(bytes: &[u8], at: usize) -> Error {
    let before = String::from_utf8_lossy(&bytes[..at]);
    let message = format!("byte 0x{:02X} is not UTF-8: save the file as UTF-8", bytes[at]);
    Error::new(position(&before), message)
}

/// The characters PyYAML's reader lets through.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

/// The place just after `before`.
fn position(before: &str) -> Position {
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(text(b"\xef\xbb\xbfa: b"), Ok("a: b"));
    }

    #[test]
    fn a_nul_is_refused_where_it_stands() {
        let error = text(b"a: b\nc: \0d\n").unwrap_err();
        assert_eq!(error.to_string(), "2:4: control character U+0000 is not allowed in YAML");
    }

    #[test]
    fn latin_1_is_refused_where_it_stands() {
        let error = text("\u{fc}ber: \n".as_bytes()).map(|_| ()).and(text(b"a:\n - caf\xe9\n")).unwrap_err();
        assert_eq!(error.to_string(), "2:7: byte 0xE9 is not UTF-8: save the file as UTF-8");
    }

    #[test]
    fn utf_16_is_refused_at_the_start() {
        assert_eq!(text(b"\xff\xfea\0:\0").unwrap_err().position, Position::START);
    }

    #[test]
    fn a_file_over_the_limit_is_refused() {
        assert!(text(&vec![b' '; MAX_BYTES]).is_ok());
        assert!(text(&vec![b' '; MAX_BYTES + 1]).unwrap_err().message.starts_with("file too large"));
    }
}
