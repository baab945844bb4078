//! The journal: what the broker took, on disk before it is answered.

use crate::input::Input;
use crate::record::{self, Sum};
use mn_cli::{Cannot, Error, Result};
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest line: an input is at most a request, and a list of members.
const MAX_LINE: u64 = 1 << 20;

/// A journal that is written.
pub struct Journal {
    path: PathBuf,
    file: Flock<File>,
    sum: Sum,
    waiting: Vec<u8>,
}

impl Journal {
    /// Opens a journal, or makes one, and gives each input in it to `take`, with its time and the bytes of its
    /// line. What a crash has left of a last line is removed.
    ///
    /// # Errors
    /// Status 3 when a line that is not the last is corrupt, when another broker writes it, or by the system.
    pub fn open(path: &Path, take: impl FnMut(Duration, Input, u64)) -> Result<Self> {
        let shown = path.display();
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(path).cannot(format_args!("open '{shown}'"))?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock)
            .map_err(|_| Error::lab(format_args!("cannot use '{shown}': another broker writes it")))?;
        let (good, sum) = scan(path, &file, take)?;
        file.set_len(good).cannot(format_args!("cut '{shown}'"))?;
        let mut journal = Self { path: path.to_owned(), file, sum, waiting: Vec::new() };
        journal.file.seek(SeekFrom::End(0)).cannot(format_args!("seek in '{shown}'"))?;
        // The name, too, must outlast a crash.
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|dir| dir.sync_all()).cannot(format_args!("sync '{}'", parent.display()))?;
        Ok(journal)
    }

    /// Adds an input; it is kept once [`Journal::sync`] has returned. Gives the bytes it takes.
    pub fn add(&mut self, time: Duration, input: &Input) -> u64 {
        let (line, sum) = record::write(self.sum, time, input);
        self.sum = sum;
        self.waiting.extend_from_slice(&line);
        line.len() as u64
    }

    /// Puts on disk what was added.
    ///
    /// # Errors
    /// Status 3; nothing may be answered any more.
    pub fn sync(&mut self) -> Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all(&self.waiting).and_then(|()| self.file.sync_data());
        self.waiting.clear();
        written.cannot(format_args!("write '{}'", self.path.display()))
    }
}

/// Reads a journal that nobody needs to write.
///
/// # Errors
/// As [`Journal::open`].
pub fn read(path: &Path, take: impl FnMut(Duration, Input, u64)) -> Result<()> {
    let file = File::open(path).cannot(format_args!("open '{}'", path.display()))?;
    scan(path, &file, take).map(drop)
}

/// Gives the bytes that are good, and the sum after them.
fn scan(path: &Path, file: &File, mut take: impl FnMut(Duration, Input, u64)) -> Result<(u64, Sum)> {
    let mut reader = BufReader::new(file);
    let (mut good, mut sum, mut number) = (0, Sum::FIRST, 0_u64);
    loop {
        let mut line = Vec::new();
        let limited = &mut std::io::Read::take(&mut reader, MAX_LINE);
        let read = limited.read_until(b'\n', &mut line).cannot(format_args!("read '{}'", path.display()))?;
        number += 1;
        if read == 0 {
            return Ok((good, sum));
        }
        let whole = line.pop() == Some(b'\n');
        match record::read(sum, &line) {
            Ok((time, input, after)) if whole => {
                good += read as u64;
                sum = after;
                take(time, input, read as u64);
            }
            // Only a last line can be what a crash has left.
            _ if reader.fill_buf().is_ok_and(<[u8]>::is_empty) => return Ok((good, sum)),
            wrong => {
                let why = wrong.err().unwrap_or_else(|| "it is too long".into());
                return Err(Error::lab(format_args!(
                    "cannot use '{}': line {number} is corrupt: {why}",
                    path.display()
                )));
            }
        }
    }
}
