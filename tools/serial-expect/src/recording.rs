//! A role that has another member's console as its own: it records what is said there, until that ends.

use crate::report::Report;
use crate::specification::Specification;
use crate::wires::{Event, Wires};
use mn_cli::{Error, Result};
use mn_console::results::{Record, lava};
use mn_msg::role::Member;
use mn_msg::{MemberDir, Role};
use serde_json::json;

/// Whose console it is that has to be recorded; none where it is named by its socket, or is the role's own.
///
/// # Errors
/// Status 2 when there is no such member, or the role has to type on a console that it can only read.
pub fn watched(place: &Specification, role: &Role) -> Result<Option<Member>> {
    let Specification::Share(name) = place else { return Ok(None) };
    let boots = role.boot().is_some_and(|boot| !boot.dialogue.is_empty());
    if boots || role.tests().next().is_some() {
        return Err(wrong(name, "it can only be recorded, and the role has a boot or a test"));
    }
    if name.contains('/') {
        return Ok(None);
    }
    let facts = role.facts();
    let mut named = facts.group.members.iter().filter(|member| member.job_id == *name || member.role == *name);
    let member = match (named.next(), named.next()) {
        (Some(member), None) => member,
        (None, _) => return Err(wrong(name, "no member has this id or role; a path has a '/'")),
        _ => return Err(wrong(name, "several members have this role: name one by its id")),
    };
    if member.job_id == facts.job_id {
        return Err(wrong(name, "it is the role's own"));
    }
    Ok(Some(member.clone()))
}

/// Where a member's console is shared.
///
/// # Errors
/// Status 2 without a run directory.
pub fn socket(member: &Member, dir: Option<&MemberDir>) -> Result<Specification> {
    let missing = "there is no run directory to find it in; give '--run-dir', or the path";
    let dir = dir.ok_or_else(|| wrong(&member.job_id, missing))?;
    let socket = dir.run().path().join(&member.job_id).join("attach.sock");
    Ok(Specification::Share(socket.to_string_lossy().into_owned()))
}

fn wrong(name: &str, why: &str) -> Error {
    Error::wrong(format_args!("cannot use the console 'share:{name}': {why}"))
}

/// Records the console until it ends, and says what has become of the record, also where that was cut off.
///
/// # Errors
/// Status 3 when it is lost, 124 when it does not end within the job's time.
pub fn run(wires: &mut Wires, report: &mut Report) -> Result<()> {
    report.step("record", "another member's console")?;
    let began = wires.log.offset();
    wires.log.begin_digest();
    let outcome = listen(wires);
    let result = if outcome.is_ok() { "pass" } else { "fail" };
    report.record(record(result, wires.log.offset() - began, wires.log.digest()))?;
    outcome
}

fn listen(wires: &mut Wires) -> Result<()> {
    let until = wires.job_end;
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

/// The size in bytes and the SHA-256 of what was recorded.
fn record(result: &str, size: u64, sha256: Option<String>) -> Record {
    let mut record = lava("record-console", result);
    record.insert("measurement".to_owned(), size.into());
    record.insert("units".to_owned(), "bytes".into());
    record.insert("extra".to_owned(), json!({ "sha256": sha256 }));
    record
}
