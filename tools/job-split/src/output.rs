//! What is not a message.

use mn_cli::{Cannot, Error, Result, Status};
use mn_msg::Role;
use mn_msg::role::Member;
use std::io::{ErrorKind, Write};

/// A line of id, role and deploy method for each member, for shell scripts.
#[derive(Default)]
pub struct List {
    lines: String,
}

impl List {
    /// Adds a member.
    pub fn add(&mut self, role: &Role) {
        let facts = role.facts();
        let method = role.deploy().map_or("", |deploy| &deploy.to);
        self.lines.push_str(&format!("{}\t{}\t{method}\n", facts.job_id, facts.role));
    }

    /// Writes the list on standard output.
    ///
    /// # Errors
    /// Status 3 when it cannot be written, 128+SIGPIPE when the reader has gone.
    pub fn write(&self) -> Result<Status> {
        let mut out = std::io::stdout().lock();
        match out.write_all(self.lines.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Error::silent(Status::Signal(13))),
            written => written.cannot("write the output").map(|()| Status::Success),
        }
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
