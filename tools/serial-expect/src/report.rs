//! Results, progress and warnings: on standard output and in the run directory.

use mn_cli::Result;
use mn_console::results::Record;
use mn_msg::role::Facts;
use mn_msg::{MemberDir, Message, Object, Writer, now};
use serde_json::Value;

const TOOL: &str = "serial-expect";

/// Writes a member's messages.
pub struct Report<'a> {
    writer: &'a mut Writer,
    dir: Option<MemberDir>,
    job_id: String,
    role: String,
    seq: u64,
    /// Whether a test has failed.
    failed: bool,
    /// Which attempt at a block this is, and whether a test had failed before it.
    attempt: Option<(u32, bool)>,
    last_step: (String, String),
}

impl<'a> Report<'a> {
    /// For the member of `facts`.
    pub fn new(writer: &'a mut Writer, dir: Option<MemberDir>, facts: &Facts) -> Report<'a> {
        let (job_id, role) = (facts.job_id.clone(), facts.role.clone());
        Report { writer, dir, job_id, role, seq: 0, failed: false, attempt: None, last_step: Default::default() }
    }

    /// Whether a result was `fail`.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// What follows is of this attempt at a block; of none when it is over.
    pub fn begin_attempt(&mut self, number: Option<u32>) {
        self.attempt = number.map(|number| (number, self.failed));
    }

    /// The attempt, if this is one, is followed by another that counts in its place.
    pub fn forgive(&mut self) {
        self.failed = self.attempt.map_or(self.failed, |(_, before)| before);
    }

    /// Writes a result.
    pub fn record(&mut self, record: Record) -> Result<()> {
        self.failed |= record.get("result").and_then(Value::as_str) == Some("fail");
        let mut data = record;
        data.insert("job_id".into(), self.job_id.as_str().into());
        data.insert("role".into(), self.role.as_str().into());
        data.insert("seq".into(), self.seq.into());
        data.insert("at".into(), now().into());
        if let Some((number, _)) = self.attempt {
            data.insert("attempt".into(), number.into());
        }
        self.seq += 1;
        let message = Message::new("result", data);
        if let Some(dir) = &self.dir {
            dir.result(&message)?;
        }
        self.writer.write(&message)
    }

    /// Says how far the role is; the same twice is said once.
    pub fn step(&mut self, step: &str, text: &str) -> Result<()> {
        let this = (step.to_owned(), text.to_owned());
        if self.last_step == this {
            return Ok(());
        }
        self.last_step = this;
        mn_cli::note(1, format_args!("{step}: {text}"));
        if let Some(dir) = &self.dir {
            dir.progress(TOOL, step, text)?;
        }
        self.write("step", &[("step", step), ("text", text)])
    }

    /// Warns.
    pub fn warn(&mut self, text: &str) -> Result<()> {
        mn_cli::warn(text);
        if let Some(dir) = &self.dir {
            dir.warning(TOOL, text)?;
        }
        self.write("warning", &[("text", text)])
    }

    fn write(&mut self, kind: &str, fields: &[(&str, &str)]) -> Result<()> {
        let mut data = Object::new();
        let at = now();
        let who = [("job_id", self.job_id.as_str()), ("role", &self.role), ("tool", TOOL), ("at", &at)];
        for (key, value) in who.iter().chain(fields) {
            data.insert((*key).into(), (*value).into());
        }
        self.writer.write(&Message::new(kind, data))
    }
}
