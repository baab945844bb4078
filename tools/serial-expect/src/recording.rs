//! A role that has another member's console as its own: it records what is said there, until that ends.

use crate::report::Report;
use crate::specification::Specification;
use crate::wires::{Event, Wires};
use mn_cli::{Error, Result};
use mn_msg::{MemberDir, Role};
use std::time::Duration;

/// The console, with the socket's path in place of a member's id or role.
///
/// # Errors
/// Status 2 when there is no such member, or the role has to type on a console that it can only read.
pub fn resolved(place: Specification, role: &Role, dir: Option<&MemberDir>) -> Result<Specification> {
    let Specification::Share(name) = place else { return Ok(place) };
    let wrong = |why: &str| Error::wrong(format_args!("cannot use the console 'share:{name}': {why}"));
    let boots = role.boot().is_some_and(|boot| !boot.dialogue.is_empty());
    if boots || role.tests().next().is_some() {
        return Err(wrong("it can only be recorded, and the role has a boot or a test"));
    }
    if name.contains('/') {
        return Ok(Specification::Share(name));
    }
    let facts = role.facts();
    let mut named = facts.group.members.iter().filter(|member| member.job_id == name || member.role == name);
    let member = match (named.next(), named.next()) {
        (Some(member), None) => member,
        (None, _) => return Err(wrong("no member has this id or role; a path has a '/'")),
        _ => return Err(wrong("several members have this role: name one by its id")),
    };
    if member.job_id == facts.job_id {
        return Err(wrong("it is the role's own"));
    }
    let dir = dir.ok_or_else(|| wrong("there is no run directory to find it in; give '--run-dir', or the path"))?;
    let socket = dir.run().path().join(&member.job_id).join("attach.sock");
    Ok(Specification::Share(socket.to_string_lossy().into_owned()))
}

/// Records the console until it ends.
///
/// # Errors
/// Status 3 when it is lost, 124 when it does not end within `limit`.
pub fn run(wires: &mut Wires, report: &mut Report, limit: Duration) -> Result<()> {
    report.step("record", "another member's console")?;
    let until = wires.now() + limit;
    while wires.now() < until {
        for event in wires.turn(Some(until))? {
            match event {
                Event::Closed(None) => return Ok(()),
                Event::Closed(Some(why)) => return Err(Error::lab(format_args!("lost the other console: {why}"))),
                _ => {}
            }
        }
    }
    Err(Error::timeout("the other console did not end within the job's time"))
}
