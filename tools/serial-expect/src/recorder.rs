//! A recording as it is written: each event at once, so that a crash keeps what was there.

use crate::cast::{self, What};
use crate::mark::Mark;
use mn_cli::{Cannot, Result};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A recording that is being made.
pub struct Recorder {
    file: File,
    path: PathBuf,
}

impl Recorder {
    /// Begins the file `path`; what was there is overwritten.
    ///
    /// # Errors
    /// Status 3 when it cannot be written.
    pub fn create(path: &Path, title: &str) -> Result<Recorder> {
        let file = File::create(path).cannot(format_args!("record to '{}'", path.display()))?;
        let mut recorder = Recorder { file, path: path.to_owned() };
        let moment = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        recorder.write(&cast::header(title, moment.as_secs()))?;
        Ok(recorder)
    }

    /// Keeps what happened at this time of the role.
    ///
    /// # Errors
    /// As [`Recorder::create`].
    pub fn keep(&mut self, at: Duration, what: &What) -> Result<()> {
        self.write(&cast::line(at, what))
    }

    /// Keeps a mark.
    ///
    /// # Errors
    /// As [`Recorder::create`].
    pub fn mark(&mut self, at: Duration, mark: &Mark) -> Result<()> {
        self.keep(at, &What::Mark(mark.text()))
    }

    fn write(&mut self, line: &str) -> Result<()> {
        self.file.write_all(line.as_bytes()).cannot(format_args!("record to '{}'", self.path.display()))
    }
}
