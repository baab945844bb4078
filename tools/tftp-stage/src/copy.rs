//! Moving bytes in pieces, so that memory stays small and the wish to stop is heard.

use std::io::{ErrorKind, Read};

use mn_cli::{Error, Result};

use crate::stop::Stop;

/// Bytes moved at a time.
const PIECE: usize = 128 * 1024;

/// Where bytes come from, and so whose fault it is when they do not: with the name to say.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// A server: status 3, or 124 when it took too long.
    Network(&'a str),
    /// A file of this machine: status 3.
    Disk(&'a str),
    /// An archive or a compressed file that the job names: status 2.
    Archive(&'a str),
}

impl Source<'_> {
    /// The error of a failed read.
    pub fn error(self, reason: &std::io::Error) -> Error {
        match self {
            Source::Network(name) if mn_fetch::is_timeout(reason) => {
                Error::timeout(format_args!("cannot fetch '{name}': out of time"))
            }
            Source::Network(name) => Error::lab(format_args!("cannot fetch '{name}': {reason}")),
            Source::Disk(name) => Error::lab(format_args!("cannot read '{name}': {reason}")),
            Source::Archive(name) => Error::wrong(format_args!("cannot unpack '{name}': {reason}")),
        }
    }
}

/// Gives all of `input` to `take`, piece by piece, each with the number of bytes so far; gives the size.
///
/// # Errors
/// A failed read as `source` has it, an error of `take`, the wish to stop.
pub fn all(
    input: &mut impl Read,
    source: Source<'_>,
    stop: &Stop,
    mut take: impl FnMut(&[u8], u64) -> Result<()>,
) -> Result<u64> {
    let mut buffer = vec![0; PIECE];
    let mut done = 0;
    loop {
        stop.check()?;
        let count = match input.read(&mut buffer) {
            Ok(0) => return Ok(done),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(source.error(&error)),
        };
        // A read may have waited long.
        stop.check()?;
        done += count as u64;
        take(&buffer[..count], done)?;
    }
}
