use crate::{Message, RunDir};
use mn_cli::{Cannot, Error, Result, Status};
use std::io::{ErrorKind, Write};

/// Writes a stage's messages on standard output, and keeps a copy in RUNDIR/ID/TOOL.jsonl when there is a run directory.
pub struct Writer {
    tool: &'static str,
    run_dir: Option<RunDir>,
    out: std::io::Stdout,
}

impl Writer {
    /// The messages of the stage `tool` on standard output.
    pub fn stdout(tool: &'static str, run_dir: Option<RunDir>) -> Self {
        Self { tool, run_dir, out: std::io::stdout() }
    }

    /// Writes one message, at once.
    ///
    /// # Errors
    /// Status 3 when it cannot be written, 128+SIGPIPE when the reader has gone.
    pub fn write(&mut self, message: &Message) -> Result<()> {
        self.write_line(message, &message.to_line()?)
    }

    /// Writes `line`, the text of `message` with its newline, for a caller that has made it by a shorter way.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn write_line(&mut self, message: &Message, line: &[u8]) -> Result<()> {
        self.record(message, line)?;
        let written = self.out.write_all(line).and_then(|()| self.out.flush());
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Error::silent(Status::Signal(13))),
            written => written.cannot("write the output"),
        }
    }

    /// Writes the `end` of the stream.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn finish(&mut self, status: Status) -> Result<()> {
        self.write(&Message::end(status))
    }

    fn record(&self, message: &Message, line: &[u8]) -> Result<()> {
        let (Some(run_dir), id) = (&self.run_dir, message.text("job_id")) else { return Ok(()) };
        if id.is_empty() {
            return Ok(());
        }
        let member = run_dir.member(id, message.text("role"))?;
        let name = format!("{}.jsonl", self.tool);
        member.append_to(&name)?.write_all(line).cannot(format_args!("write '{name}'"))
    }

    /// Ends the stream with the status of `outcome` and gives `outcome` back.
    ///
    /// # Errors
    /// The error of `outcome`, or that the `end` cannot be written.
    pub fn conclude(&mut self, outcome: Result<Status>) -> Result<Status> {
        let status = outcome.as_ref().map_or_else(Error::status, |&status| status);
        let written = self.finish(status);
        let status = outcome?;
        written.map(|()| status)
    }
}
