use mn_cli::{Error, Result};
use mn_ipc::{Call, Client, Incoming};
use serde_json::Value;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

/// Looks after the member whose board this role shares, over a connection of its own: a board that is switched off
/// does not end its connections, and half a minute would pass before TCP gave up.
pub struct Lookout {
    client: Client,
    host: String,
}

impl Lookout {
    /// Watches the group at the broker of `socket` for the end of the member `host`.
    ///
    /// # Errors
    /// Status 3 when that member has gone already, or there is no broker.
    pub fn open(socket: &Path, host: &str) -> Result<Self> {
        let mut client = Client::connect(socket)?;
        client.call(Call::Watch {})?;
        // What has happened before the watch is in the state.
        let status = client.status()?;
        let members = status.get("members").and_then(Value::as_array).into_iter().flatten();
        let mut states =
            members.filter(|member| member["job_id"] == host).filter_map(|member| member["state"].as_str());
        match states.next().and_then(verb) {
            Some(verb) => Err(gone(host, verb)),
            None => Ok(Self { client, host: host.to_owned() }),
        }
    }

    /// Takes what the broker has said; called when its descriptor is readable.
    ///
    /// # Errors
    /// Status 3 when the member has gone, or the broker.
    pub fn check(&mut self) -> Result<()> {
        for incoming in self.client.receive()? {
            let Incoming::Event(event) = incoming else { continue };
            let about = event.get("data").and_then(|data| data.get("member")).and_then(Value::as_str);
            let verb = event.get("event").and_then(Value::as_str).and_then(verb);
            if let (Some(verb), true) = (verb, about == Some(&self.host)) {
                return Err(gone(&self.host, verb));
            }
        }
        Ok(())
    }
}

impl AsFd for Lookout {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.client.as_fd()
    }
}

/// How a state is said, if it is an end.
fn verb(state: &str) -> Option<&'static str> {
    match state {
        "left" => Some("left"),
        "died" => Some("died"),
        _ => None,
    }
}

fn gone(host: &str, verb: &str) -> Error {
    Error::lab(format_args!("lost the board: its member {host} has {verb}"))
}
