use crate::address::{self, Source};
use crate::watch::Watch;
use mn_cli::{Deadline, Error, Result};
use mn_ipc::{Call, Client, Failure, Incoming, Sent};
use mn_msg::role::Start;
use nix::poll::{PollFd, PollFlags};
use serde_json::Value;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant};

/// This role's place in its group.
pub struct Member {
    client: Client,
}

impl Member {
    /// Joins the group at the broker of `socket`.
    pub fn join(socket: &Path, job_id: &str, watch: &mut Watch) -> Result<Self> {
        let client = Client::connect(socket).map_err(Error::from)?;
        let mut member = Self { client };
        member
            .ask(Call::Join { member: job_id.to_owned() }, watch)
            .map_err(|lost| lost.while_doing("join the group"))?;
        Ok(member)
    }

    /// Waits until all of the role that `start` names have sent `lava_start`.
    pub fn start(&mut self, start: &Start, watch: &mut Watch) -> Result<()> {
        let call = Call::Start { role: start.role.clone(), timeout: start.timeout as f64 };
        let began = Instant::now();
        self.ask(call, watch).map(drop).map_err(|lost| {
            let waited = began.elapsed().as_secs();
            lost.while_doing(&format!("start: waited {waited} s for 'lava_start' of role '{}'", start.role))
        })
    }

    /// Waits for the message that holds the board's address, for at most `limit`.
    pub fn address(&mut self, source: &Source<'_>, limit: Duration, watch: &mut Watch) -> Result<IpAddr> {
        let call = Call::Wait { message: source.message.to_owned(), timeout: limit.as_secs_f64() };
        let what = format!("learn the board's address: waited for message '{}'", source.message);
        let mut answer = self.ask(call, watch).map_err(|lost| lost.while_doing(&what))?;
        let messages: Vec<Sent> = serde_json::from_value(answer["messages"].take())
            .map_err(|error| Error::lab(format_args!("cannot understand the broker's answer: {error}")))?;
        address::pick(&messages, source)
    }

    /// Leaves the group; a broker that is gone needs no goodbye.
    pub fn leave(mut self) {
        let _ = self.client.call(Call::Leave { member: None });
    }

    /// Whether the broker is still there; called when its descriptor is readable.
    pub fn check(&mut self) -> Result<()> {
        self.client.receive().map(drop).map_err(Error::from)
    }

    /// Makes a call and waits for its answer, and a little longer than the call says.
    fn ask(&mut self, call: Call, watch: &mut Watch) -> std::result::Result<Value, Unanswered> {
        const PATIENCE: f64 = 10.0;
        let deadline = Deadline::after_seconds(call.timeout().unwrap_or(0.0) + PATIENCE);
        let id = self.client.submit(call).map_err(Unanswered::Failure)?;
        loop {
            for incoming in self.client.receive().map_err(Unanswered::Failure)? {
                match incoming {
                    Incoming::Return(answered, value) if answered == id => return Ok(value),
                    Incoming::Error(answered, class, text) if answered.is_none_or(|answered| answered == id) => {
                        return Err(Unanswered::Failure(Failure::Refused(class, text)));
                    }
                    _ => {}
                }
            }
            let fds = [PollFd::new(self.client.as_fd(), PollFlags::POLLIN)];
            if watch.wait(&fds, deadline).map_err(Unanswered::Ended)?.is_none() {
                let silent = "lost the broker: it does not answer".to_owned();
                return Err(Unanswered::Failure(Failure::Lost(silent)));
            }
        }
    }
}

impl AsFd for Member {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.client.as_fd()
    }
}

/// Why a call has no answer.
enum Unanswered {
    Failure(Failure),
    /// A signal came, or the reader has gone.
    Ended(Error),
}

impl Unanswered {
    fn while_doing(self, what: &str) -> Error {
        match self {
            Self::Failure(failure) => {
                let error = Error::from(failure);
                Error::new(error.status(), format_args!("cannot {what}: {error}"))
            }
            Self::Ended(error) => error,
        }
    }
}
