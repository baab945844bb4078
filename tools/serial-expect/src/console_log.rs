//! RUNDIR/ID/console.log and console.jsonl: the console as it came, and with its times.

use mn_cli::{Cannot, Result};
use mn_console::script::{Secret, Typed};
use mn_msg::{MemberDir, Message, Object, now};
use std::fs::File;
use std::io::Write;

/// Bytes of one entry with its time; a longer line is several.
const ENTRY: usize = 4096;

/// The records of a console; without a run directory it only counts.
pub struct ConsoleLog {
    files: Option<(File, File)>,
    offset: u64,
    /// A line that is not yet written to console.jsonl: when and where it began.
    open: Option<(String, u64, Vec<u8>)>,
}

impl ConsoleLog {
    /// Opens the member's files.
    pub fn open(dir: Option<&MemberDir>) -> Result<ConsoleLog> {
        let files = match dir {
            Some(dir) => Some((dir.append_to("console.log")?, dir.append_to("console.jsonl")?)),
            None => None,
        };
        let offset = files.as_ref().and_then(|(log, _)| log.metadata().ok()).map_or(0, |data| data.len());
        Ok(ConsoleLog { files, offset, open: None })
    }

    /// How many bytes the console has printed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Keeps what the board printed.
    pub fn heard(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some((log, _)) = &mut self.files {
            log.write_all(bytes).cannot("write 'console.log'")?;
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                self.heard_part(line)?;
            }
        } else {
            self.offset += bytes.len() as u64;
        }
        Ok(())
    }

    fn heard_part(&mut self, part: &[u8]) -> Result<()> {
        let (_, _, line) = self.open.get_or_insert_with(|| (now(), self.offset, Vec::new()));
        line.extend_from_slice(part);
        let full = line.len() >= ENTRY || part.ends_with(b"\n");
        self.offset += part.len() as u64;
        if full { self.flush() } else { Ok(()) }
    }

    /// Writes the line that is still open, as when the board waits for an answer.
    pub fn flush(&mut self) -> Result<()> {
        match self.open.take() {
            Some((at, offset, line)) => self.entry(&at, offset, "in", &line),
            None => Ok(()),
        }
    }

    /// Whether a line is open.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Keeps what was typed, unless it is a secret.
    pub fn typed(&mut self, typed: &Typed) -> Result<()> {
        self.flush()?;
        if typed.secret == Secret::Yes { Ok(()) } else { self.entry(&now(), self.offset, "out", &typed.text) }
    }

    fn entry(&mut self, at: &str, offset: u64, direction: &str, bytes: &[u8]) -> Result<()> {
        let Some((_, file)) = &mut self.files else { return Ok(()) };
        let mut data = Object::new();
        data.insert("at".into(), at.into());
        data.insert("offset".into(), offset.into());
        data.insert("direction".into(), direction.into());
        match std::str::from_utf8(bytes) {
            Ok(text) => data.insert("text".into(), text.into()),
            Err(_) => data.insert("bytes".into(), base64(bytes).into()),
        };
        file.write_all(&Message::new("console", data).to_line()?).cannot("write 'console.jsonl'")
    }
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63]);
            text.push(if at <= three.len() { letter } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn bytes_are_written_as_in_the_rfc() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in vectors {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(b"\xff\xfe"), "//4=");
    }
}
