//! The board that a run is made on.

use crate::case::Cause;
use crate::process::pid;
use nix::sys::signal::{Signal, kill};
use std::io::{Error, Read, Result};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// `board-model serve`.
pub struct Board(Child);

impl Board {
    /// Starts it for runs in the directory `place`.
    pub fn start(place: &Path, tool: &Path, cause: Cause) -> Result<Self> {
        let mut command = Command::new(tool);
        command.args(["serve", "--ready-fd", "1", "--dir"]).arg(place).stdin(Stdio::null()).stdout(Stdio::piped());
        if let Cause::Fault(name) = cause {
            command.args(["--fault", name]);
        }
        let mut child = command.spawn()?;
        child.stdout.as_mut().ok_or_else(|| Error::other("no pipe"))?.read_exact(&mut [0])?;
        Ok(Self(child))
    }

    /// Ends it.
    pub fn end(&mut self) -> Result<()> {
        kill(pid(&self.0), Signal::SIGTERM)?;
        self.0.wait().map(drop)
    }
}
