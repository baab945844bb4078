//! RUNDIR/ID/console.log and console.jsonl: the console as it came, and with its times. Those who watch get it from here.

use crate::share::Share;
use crate::share_words;
use mn_cli::{Cannot, Result};
use mn_console::script::{Secret, Typed};
use mn_msg::{MemberDir, Message, Object, now};
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::time::Duration;

/// Bytes of one entry with its time; a longer line is several.
const ENTRY: usize = 4096;

/// The records of a console; without a run directory and without watchers it only counts.
pub struct ConsoleLog {
    /// The bytes, and who watches them.
    record: Option<File>,
    share: Option<Share>,
    entries: Option<File>,
    offset: u64,
    /// A line that is not yet written to console.jsonl: when and where it began.
    open: Option<(String, u64, Vec<u8>)>,
}

impl ConsoleLog {
    /// Opens the member's files.
    pub fn open(dir: Option<&MemberDir>) -> Result<ConsoleLog> {
        let append = |name| dir.map(|dir| dir.append_to(name)).transpose();
        let (record, entries) = (append("console.log")?, append("console.jsonl")?);
        let offset = record.as_ref().and_then(|log| log.metadata().ok()).map_or(0, |data| data.len());
        Ok(ConsoleLog { record, share: None, entries, offset, open: None })
    }

    /// Lets others watch at the path `socket`, and type. Without a run directory the record is a file without a name.
    ///
    /// # Errors
    /// Status 3 when nobody can listen there, or there is no place for the record.
    pub fn share(&mut self, dir: Option<&MemberDir>, socket: &Path) -> Result<()> {
        let what = "keep what is shared";
        let history = match dir {
            Some(dir) => File::open(dir.path().join("console.log")).cannot(what)?,
            None => {
                let record = tempfile::tempfile().cannot(what)?;
                self.record.insert(record).try_clone().cannot(what)?
            }
        };
        self.share = Some(Share::start(socket, history, self.offset)?);
        Ok(())
    }

    /// Readable when a watcher has typed.
    pub fn keyboard(&self) -> Option<RawFd> {
        self.share.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// What watchers have typed, recorded with who it was.
    ///
    /// # Errors
    /// Status 3 when it cannot be recorded.
    pub fn typed_by_watchers(&mut self) -> Result<Vec<Typed>> {
        let typings = self.share.as_mut().map(Share::typed).unwrap_or_default();
        let mut typed = Vec::with_capacity(typings.len());
        for typing in typings {
            self.flush()?;
            self.entry(&now(), self.offset, "out", &typing.bytes, Some(&typing.person.to_string()))?;
            typed.push(Typed { text: typing.bytes, delay: Duration::ZERO, secret: Secret::No });
        }
        Ok(typed)
    }

    /// How many bytes the console has printed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Keeps what the board printed.
    pub fn heard(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(log) = &mut self.record {
            log.write_all(bytes).cannot("write 'console.log'")?;
        }
        if self.entries.is_some() {
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                self.heard_part(line)?;
            }
        } else {
            self.offset += bytes.len() as u64;
        }
        self.share.as_ref().map_or(Ok(()), |share| share.grown(self.offset))
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
            Some((at, offset, line)) => self.entry(&at, offset, "in", &line, None),
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
        if typed.secret == Secret::Yes { Ok(()) } else { self.entry(&now(), self.offset, "out", &typed.text, None) }
    }

    fn entry(&mut self, at: &str, offset: u64, direction: &str, bytes: &[u8], by: Option<&str>) -> Result<()> {
        let Some(file) = &mut self.entries else { return Ok(()) };
        let mut data = Object::new();
        data.insert("at".into(), at.into());
        data.insert("offset".into(), offset.into());
        data.insert("direction".into(), direction.into());
        share_words::put(&mut data, bytes);
        data.extend(by.map(|by| ("by".to_owned(), by.into())));
        file.write_all(&Message::new("console", data).to_line()?).cannot("write 'console.jsonl'")
    }
}
