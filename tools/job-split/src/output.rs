//! What is not a message.

use mn_cli::{Cannot, Error, Result, Status};
use mn_msg::role::{Action, Facts, Member};
use mn_msg::{MAX_LINE, Message};
use std::io::{ErrorKind, Write};

/// A line of id, role and deploy method for each member, for shell scripts.
#[derive(Default)]
pub struct List {
    lines: String,
}

impl List {
    /// Adds a member.
    pub fn add(&mut self, facts: &Facts) {
        let method = facts.actions.iter().find_map(|action| match action {
            Action::Deploy(deploy) => Some(deploy.to.as_str()),
            _ => None,
        });
        let method = method.or(facts.console.as_ref().map(|_| "console"));
        self.lines.push_str(&format!("{}\t{}\t{}\n", facts.job_id, facts.role, method.unwrap_or_default()));
    }

    /// The lines so far.
    pub fn lines(&self) -> &str {
        &self.lines
    }
}

/// The list of the group's members, which every message holds: written once, and copied as text.
pub struct Members {
    json: Vec<u8>,
}

/// Where it belongs in a message that has none. Within a JSON text the quotes would be escaped, and the group is
/// the first of a message's objects.
const PLACE: &[u8] = b"\"members\":[]";

impl Members {
    /// The list.
    ///
    /// # Errors
    /// Status 2 when it cannot be written as JSON.
    pub fn new(members: &[Member]) -> Result<Self> {
        let json = serde_json::to_vec(members);
        json.map(|json| Self { json }).map_err(|error| Error::wrong(format_args!("cannot write the members: {error}")))
    }

    /// The line of a message with the list in it.
    ///
    /// # Errors
    /// Status 2 when it is too long.
    pub fn listed_in(&self, message: &Message) -> Result<Vec<u8>> {
        let line = message.to_line()?;
        let Some(at) = line.windows(PLACE.len()).position(|window| window == PLACE) else { return Ok(line) };
        let (before, after) = (&line[..at + PLACE.len() - 2], &line[at + PLACE.len()..]);
        let whole = [before, &self.json, after].concat();
        if whole.len() > MAX_LINE {
            let text = format!("cannot write a message of {} bytes: the limit is {MAX_LINE}", whole.len());
            return Err(Error::wrong(text));
        }
        Ok(whole)
    }
}

/// Writes a text on standard output.
///
/// # Errors
/// Status 3 when it cannot be written, 128+SIGPIPE when the reader has gone.
pub fn write(text: &str) -> Result<Status> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Error::silent(Status::Signal(13))),
        written => written.cannot("write the output").map(|()| Status::Success),
    }
}

/// Why there is nothing to write.
pub fn no_member(members: &[Member], asked: Option<&str>) -> String {
    match (asked, members) {
        (Some(id), [first, .., last]) => {
            format!("no member '{id}': the members are {} to {}", first.job_id, last.job_id)
        }
        (Some(id), [one]) => format!("no member '{id}': the only one is {}", one.job_id),
        _ => "the job has no member: every count is 0".to_owned(),
    }
}
