//! One run of the main job, in a directory that is removed.

use crate::stages::{self, End, Stage};
use crate::usage::{Usage, Watch};
use std::io::{Error, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// What a run used, as a whole and by stage.
pub struct Run {
    pub usage: Usage,
    pub stages: Vec<Stage>,
}

/// Why there is no run.
pub enum Failure {
    /// Something that it needs is not installed.
    Missing(String),
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// A script that runs the main job under the command that PUMICE_UNDER names, and its logs.
pub struct Script<'a> {
    pub path: &'a str,
    /// Its arguments; the directory of the run follows.
    pub arguments: &'a [&'a str],
    /// The logs below the directory of the run, and what tells the stages apart in them.
    pub logs: &'a [&'a str],
    pub ends: &'a [End],
}

/// The exit status by which a script says on standard error what is not installed.
const MISSING: i32 = 77;

impl Script<'_> {
    /// Runs it once, in a new directory in `place`.
    pub fn run(&self, top: &Path, place: &Path, watch: Watch) -> std::result::Result<Run, Failure> {
        let dir = tempfile::tempdir_in(place)?;
        let report = dir.path().join("usage");
        let mut under = format!("{} under {}", std::env::current_exe()?.display(), report.display());
        if watch == Watch::Yes {
            under.push_str(" --watch");
        }
        let output = Command::new(top.join(self.path))
            .args(self.arguments)
            .arg(dir.path().join("run"))
            .env("PUMICE_UNDER", under)
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
            return Err(match output.status.code() {
                Some(MISSING) => Failure::Missing(said),
                _ => Failure::Failed(Error::other(format!("'{}' ended with {}: {said}", self.path, output.status))),
            });
        }
        let usage = Usage::read(&report)?;
        let read = |log: &&str| std::fs::read_to_string(dir.path().join("run").join(log));
        let log = self.logs.iter().map(read).collect::<Result<String>>()?;
        let stages = stages::split(&log, self.ends, usage.began, usage.wall);
        Ok(Run { usage, stages })
    }
}
