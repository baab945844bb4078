//! A file that grows, line by line.

use mn_cli::{Cannot, Result};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// Reads what was appended since the last time.
pub struct Growing {
    path: PathBuf,
    file: Option<File>,
    rest: Vec<u8>,
}

impl Growing {
    /// A line longer than this is cut, so that a file without newlines is no memory: 64 KiB.
    const LONGEST: usize = 64 * 1024;

    /// The file at `path`, which may come later.
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: None, rest: Vec::new() }
    }

    /// The whole lines that have come since the last call.
    ///
    /// # Errors
    /// Status 3 when the file cannot be read.
    pub fn lines(&mut self) -> Result<Vec<String>> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                opened => self.file = Some(opened.cannot(format_args!("open '{}'", self.path.display()))?),
            }
        }
        let mut lines = Vec::new();
        let mut bytes = [0; 16 * 1024];
        while let Some(file) = &mut self.file {
            let n = file.read(&mut bytes).cannot(format_args!("read '{}'", self.path.display()))?;
            if n == 0 {
                break;
            }
            for &byte in &bytes[..n] {
                if byte == b'\n' || self.rest.len() == Self::LONGEST {
                    lines.push(String::from_utf8_lossy(&std::mem::take(&mut self.rest)).into_owned());
                }
                if byte != b'\n' {
                    self.rest.push(byte);
                }
            }
        }
        Ok(lines)
    }
}
