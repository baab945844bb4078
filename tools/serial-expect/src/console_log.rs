//! RUNDIR/ID/console.log and console.jsonl: the console as it came, and with its times. Those who watch get it from here.

use crate::share::Share;
use crate::share_words;
use mn_cli::{Cannot, Result};
use mn_console::script::{Secret, Typed};
use mn_msg::{MemberDir, now};
use serde::Serialize;
use sha2::{Digest, Sha256};
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
    /// Of what has been heard since it began.
    digest: Option<Sha256>,
    /// A line that is not yet written to console.jsonl: when and where it began.
    open: Option<(String, u64, Vec<u8>)>,
    /// Bytes for console.log.
    bytes: Vec<u8>,
    /// Messages for console.jsonl.
    pending: Vec<u8>,
}

impl ConsoleLog {
    /// Opens the member's files.
    pub fn open(dir: Option<&MemberDir>) -> Result<ConsoleLog> {
        let append = |name| dir.map(|dir| dir.append_to(name)).transpose();
        let (record, entries) = (append("console.log")?, append("console.jsonl")?);
        let offset = record.as_ref().and_then(|log| log.metadata().ok()).map_or(0, |data| data.len());
        let (bytes, pending) = (Vec::new(), Vec::new());
        Ok(ConsoleLog { record, share: None, entries, offset, digest: None, open: None, bytes, pending })
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

    /// What watchers have typed, and who it was, recorded.
    ///
    /// # Errors
    /// Status 3 when it cannot be recorded.
    pub fn typed_by_watchers(&mut self) -> Result<Vec<(String, Typed)>> {
        let typings = self.share.as_mut().map(Share::typed).unwrap_or_default();
        let mut typed = Vec::with_capacity(typings.len());
        for typing in typings {
            self.flush()?;
            let person = typing.person.to_string();
            self.entry(&now(), self.offset, "out", &typing.bytes, Some(&person))?;
            typed.push((person, Typed { text: typing.bytes, delay: Duration::ZERO, secret: Secret::No }));
        }
        Ok(typed)
    }

    /// How many bytes the console has printed.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Counts from here, as a recorded role did.
    pub fn begin_at(&mut self, offset: u64) {
        self.offset = offset;
    }

    /// Digests what is heard from now on.
    pub fn begin_digest(&mut self) {
        self.digest = Some(Sha256::new());
    }

    /// The SHA-256 of what was heard since then, in hexadecimal digits.
    pub fn digest(&mut self) -> Option<String> {
        self.digest.take().map(|digest| mn_cli::hexadecimal(&digest.finalize()))
    }

    /// Keeps what the board printed, in memory unless somebody watches: the caller writes it before long.
    pub fn heard(&mut self, bytes: &[u8]) -> Result<()> {
        if let Some(digest) = &mut self.digest {
            digest.update(bytes);
        }
        if self.record.is_some() {
            self.bytes.extend_from_slice(bytes);
        }
        if self.entries.is_some() {
            // What was read together came together.
            let at = now();
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                self.heard_part(line, &at)?;
            }
        } else {
            self.offset += bytes.len() as u64;
        }
        if self.share.as_ref().is_some_and(Share::is_watched) { self.write() } else { Ok(()) }
    }

    fn heard_part(&mut self, part: &[u8], at: &str) -> Result<()> {
        let (_, _, line) = self.open.get_or_insert_with(|| (at.to_owned(), self.offset, Vec::new()));
        line.extend_from_slice(part);
        let full = line.len() >= ENTRY || part.ends_with(b"\n");
        self.offset += part.len() as u64;
        if full { self.end_line() } else { Ok(()) }
    }

    fn end_line(&mut self) -> Result<()> {
        match self.open.take() {
            Some((at, offset, line)) => self.add(&at, offset, "in", &line, None),
            None => Ok(()),
        }
    }

    /// Keeps what people should know of the console, at its place.
    pub fn note(&mut self, text: &str) -> Result<()> {
        self.end_line()?;
        if self.entries.is_some() {
            mn_msg::put_line(&mut self.pending, "warning", &Note { at: &now(), tool: "serial-expect", text })?;
        }
        self.write()
    }

    /// Writes the line that is still open, as when the board waits for an answer.
    pub fn flush(&mut self) -> Result<()> {
        self.end_line()?;
        self.write()
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
        self.add(at, offset, direction, bytes, by)?;
        self.write()
    }

    /// Puts a message behind those that are still to be written: a board prints lines by the thousand.
    fn add(&mut self, at: &str, offset: u64, direction: &str, bytes: &[u8], by: Option<&str>) -> Result<()> {
        if self.entries.is_none() {
            return Ok(());
        }
        let (text, encoded) = share_words::written(bytes);
        let entry = Entry { at, offset, direction, text, bytes: encoded, by };
        mn_msg::put_line(&mut self.pending, "console", &entry)
    }

    /// Writes what is in memory.
    ///
    /// # Errors
    /// Status 3 when it cannot be written.
    pub fn write(&mut self) -> Result<()> {
        write(&mut self.record, &mut self.bytes).cannot("write 'console.log'")?;
        write(&mut self.entries, &mut self.pending).cannot("write 'console.jsonl'")?;
        self.share.as_ref().map_or(Ok(()), |share| share.grown(self.offset))
    }
}

fn write(file: &mut Option<File>, bytes: &mut Vec<u8>) -> std::io::Result<()> {
    if let (Some(file), false) = (file, bytes.is_empty()) {
        file.write_all(bytes)?;
        bytes.clear();
    }
    Ok(())
}

/// The data of a message `warning`.
#[derive(Serialize)]
struct Note<'a> {
    at: &'a str,
    tool: &'a str,
    text: &'a str,
}

/// The data of a message `console`.
#[derive(Serialize)]
struct Entry<'a> {
    at: &'a str,
    offset: u64,
    direction: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
}
