use crate::{Message, now};
use mn_cli::{Cannot, Error, Result};
use serde_json::json;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The run directory of mn-message(5), FILES.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// The run directory at `path`, which must be there.
    ///
    /// # Errors
    /// Status 3 when it cannot be reached.
    pub fn open(path: &Path) -> Result<Self> {
        let path = path.canonicalize().cannot(format_args!("open the run directory '{}'", path.display()))?;
        Ok(Self { path })
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of one member, made (0700) if it is not there.
    ///
    /// # Errors
    /// Status 2 for an id that is not decimal, 3 when the directory cannot be made.
    pub fn member(&self, job_id: &str, role: &str) -> Result<MemberDir> {
        if job_id.is_empty() || !job_id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Error::wrong(format_args!("job id '{job_id}' is not a decimal number")));
        }
        let path = self.path.join(job_id);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .cannot(format_args!("make '{}'", path.display()))?;
        Ok(MemberDir { run: self.clone(), path, job_id: job_id.to_owned(), role: role.to_owned() })
    }
}

/// What the stages of one member keep in the run directory.
#[derive(Clone, Debug)]
pub struct MemberDir {
    run: RunDir,
    path: PathBuf,
    job_id: String,
    role: String,
}

impl MemberDir {
    /// Its absolute path, RUNDIR/ID.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run directory it belongs to.
    pub fn run(&self) -> &RunDir {
        &self.run
    }

    /// Opens a file of this member for appending, 0600.
    ///
    /// # Errors
    /// Status 3 when it cannot be opened.
    pub fn append_to(&self, name: &str) -> Result<File> {
        append(&self.path.join(name))
    }

    /// Appends a result to the run's results.jsonl in one write.
    ///
    /// # Errors
    /// Status 3 when it cannot be written.
    pub fn result(&self, message: &Message) -> Result<()> {
        self.append_line("results.jsonl", message)
    }

    /// Tells how far the stage `tool` is, in the run's progress.jsonl: one word `step`, and `text` for people.
    ///
    /// # Errors
    /// Status 3 when it cannot be written.
    pub fn progress(&self, tool: &str, step: &str, text: &str) -> Result<()> {
        let data =
            json!({ "job_id": self.job_id, "role": self.role, "tool": tool, "at": now(), "step": step, "text": text });
        self.append_line("progress.jsonl", &message("step", data))
    }

    /// Keeps a warning of the stage `tool` in the run's progress.jsonl.
    ///
    /// # Errors
    /// Status 3 when it cannot be written.
    pub fn warning(&self, tool: &str, text: &str) -> Result<()> {
        let data = json!({ "job_id": self.job_id, "role": self.role, "tool": tool, "at": now(), "text": text });
        self.append_line("progress.jsonl", &message("warning", data))
    }

    fn append_line(&self, name: &str, message: &Message) -> Result<()> {
        let path = self.run.path.join(name);
        append(&path)?.write_all(&message.to_line()?).cannot(format_args!("write '{}'", path.display()))
    }
}

fn message(kind: &str, data: serde_json::Value) -> Message {
    match data {
        serde_json::Value::Object(data) => Message::new(kind, data),
        _ => Message::new(kind, crate::Object::new()),
    }
}

fn append(path: &Path) -> Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .cannot(format_args!("open '{}'", path.display()))
}
