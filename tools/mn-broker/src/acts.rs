//! One request by hand: asks the broker and prints what it says.

use crate::cli::{Act, Form, Limit, Speaker, Verb};
use crate::{dot, members, table};
use mn_cli::{Cannot, Error, Result, Signals, Status};
use mn_ipc::{Call, Client, Incoming, Object};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;

/// Asks for what the verb says.
///
/// # Errors
/// Status 3 when there is no broker, 124 when the time is up, 1 for `left` and `deadlock`, 2 for a request
/// that the broker refuses.
pub fn perform(act: &Act) -> Result<Status> {
    let mut client = Client::connect(&act.socket)?;
    if act.group.is_some() {
        client.call(Call::Hello { group: act.group.clone(), grace: None, session: None })?;
    }
    match &act.verb {
        Verb::Join => return stay(&mut client, &act.speaker),
        Verb::Watch => return watch(&mut client),
        Verb::Status { form } => {
            let status = client.status()?;
            print(&match form {
                Form { json: true, .. } => format!("{status}\n"),
                Form { dot: true, .. } => dot::status(&status),
                _ => table::status(&status),
            })?;
        }
        Verb::Found { members } => {
            let members::Group { name, members } = members::read(members)?;
            client.call(Call::Found { name, members })?;
        }
        Verb::Leave { gone } => {
            let member = Some(meant(gone.as_deref(), &act.speaker)?);
            client.call(Call::Leave { member })?;
        }
        Verb::Fail { failed } => {
            let member = Some(meant(failed.as_deref(), &act.speaker)?);
            client.call(Call::Fail { member })?;
        }
        verb => speak(&mut client, &act.speaker, verb)?,
    }
    Ok(Status::Success)
}

/// Makes one call for a member; one from outside leaves again.
fn speak(client: &mut Client, speaker: &Speaker, verb: &Verb) -> Result<()> {
    let Some(call) = call(verb) else { return Ok(()) };
    let external = matches!(speaker, Speaker::External { .. });
    client.call(match speaker {
        Speaker::External { role, counted } => Call::Enter { role: role.clone(), counted: *counted },
        speaker => Call::Speak { member: member(speaker)?.to_owned() },
    })?;
    let answer = client.call(call);
    if external {
        client.call(Call::Leave { member: None })?;
    }
    print(&table::answer(&answer?))
}

/// The member that a verb names, or else the one that is spoken for.
fn meant(named: Option<&str>, speaker: &Speaker) -> Result<String> {
    named.map_or_else(|| member(speaker), Ok).map(str::to_owned)
}

fn member(speaker: &Speaker) -> Result<&str> {
    match speaker {
        Speaker::Member(id) => Ok(id),
        _ => Err(Error::usage("no member: give '--member ID' or set MN_MEMBER")),
    }
}

/// The call of a verb that speaks for a member.
fn call(verb: &Verb) -> Option<Call> {
    let seconds = |limit: &Limit| limit.timeout;
    Some(match verb {
        Verb::Send { id, data } => {
            let data = data.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
            Call::Send { message: id.clone(), data: data.collect::<Object>() }
        }
        Verb::Wait { id, limit } => Call::Wait { message: id.clone(), timeout: seconds(limit) },
        Verb::WaitAll { id, role, limit } => {
            Call::WaitAll { message: id.clone(), role: role.clone(), timeout: seconds(limit) }
        }
        Verb::Sync { id, limit } => Call::Sync { message: id.clone(), timeout: seconds(limit) },
        Verb::Start { role, limit } => Call::Start { role: role.clone(), timeout: seconds(limit) },
        Verb::Drain { limit } => Call::Drain { timeout: seconds(limit) },
        Verb::Join
        | Verb::Leave { .. }
        | Verb::Fail { .. }
        | Verb::Status { .. }
        | Verb::Found { .. }
        | Verb::Watch => return None,
    })
}

/// Joins, and leaves when a signal comes; ends as well when somebody says that the member has left.
fn stay(client: &mut Client, speaker: &Speaker) -> Result<Status> {
    let mut signals = Signals::new()?;
    // Watching begins first: who has joined can be said to have left at once.
    client.call(Call::Watch {})?;
    let member = match speaker {
        Speaker::External { role, counted } => {
            let joined = client.call(Call::Enter { role: role.clone(), counted: *counted })?;
            let id = joined.get("member").and_then(Value::as_str).unwrap_or_default().to_owned();
            print(&format!("{id}\n"))?;
            id
        }
        speaker => {
            let id = member(speaker)?.to_owned();
            client.call(Call::Join { member: id.clone() })?;
            id
        }
    };
    loop {
        if signals.take().is_some() {
            client.call(Call::Leave { member: None })?;
            return Ok(Status::Success);
        }
        for incoming in client.receive()? {
            match ended(&incoming, &member) {
                Some("left") => return Ok(Status::Success),
                Some(_) => return Err(Error::lab(format_args!("member '{member}' has died"))),
                None => {}
            }
        }
        wait_for(&[client.as_fd(), signals.as_fd()])?;
    }
}

/// How the member has ended, if that is what came.
fn ended<'a>(incoming: &'a Incoming, member: &str) -> Option<&'a str> {
    let Incoming::Event(event) = incoming else { return None };
    let event_name = event.get("event")?.as_str().filter(|name| matches!(*name, "left" | "died"))?;
    (event.get("data")?.get("member")? == member).then_some(event_name)
}

/// Prints events until the broker ends.
fn watch(client: &mut Client) -> Result<Status> {
    client.call(Call::Watch {})?;
    loop {
        // After its greeting and the answer, the broker says nothing but events until it ends.
        let Ok(came) = client.receive() else { return Ok(Status::Success) };
        for incoming in came {
            if let Incoming::Event(event) = incoming {
                print(&format!("{}\n", Value::Object(event)))?;
            }
        }
        wait_for(&[client.as_fd()])?;
    }
}

fn wait_for(fds: &[std::os::fd::BorrowedFd<'_>]) -> Result<()> {
    let mut fds: Vec<PollFd> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    match poll(&mut fds, PollTimeout::NONE) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(errno) => Err(errno).cannot("wait for the broker"),
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Error::silent(Status::Signal(13))),
        written => written.cannot("write the output"),
    }
}
