//! The group in the JSON of mn-protocol(7): answers, status, events.

use mn_group::{
    Call, Counted, Failure, Group, Member, MemberStatus, Messages, Note, Reply, State, Status, WaitStatus, Work,
};
use mn_ipc::Object;
use serde_json::{Value, json};
use std::time::Duration;

/// Ids named in one `for`: all of them, of every waiting member, would not fit a line.
const MAX_NEEDS: usize = 16;
/// Waits of one member that are shown, oldest first.
const MAX_WAITS: usize = 16;
/// Bytes of members in one status, so that it fits a line.
const MAX_MEMBERS: usize = 60_000;

/// What a good answer returns; that to a join is [`joined`].
pub fn reply(reply: Reply) -> Value {
    match reply {
        Reply::Joined { .. } | Reply::Done => json!({}),
        Reply::Messages(messages) => json!({ "messages": messages_list(messages) }),
        Reply::Drained { left, died } => json!({ "left": left, "died": died }),
    }
}

fn messages_list(messages: Messages) -> Vec<Value> {
    let object =
        |data: Vec<(String, String)>| data.into_iter().map(|(key, value)| (key, value.into())).collect::<Object>();
    messages.into_iter().map(|(from, data)| json!({ "from": from, "data": object(data) })).collect()
}

/// What a join returns.
pub fn joined(group: &Group, member: &str, session: &str) -> Value {
    let known = group.members().filter(|each| !each.is_open());
    let members: Vec<Value> = known.map(|each| Value::Object(member_object(each))).collect();
    let role = group.member(member).map(|member| member.role.as_str());
    json!({ "member": member, "role": role, "session": session, "members": members })
}

/// The word of a call that needs a join.
pub fn name(call: &mn_ipc::Call) -> &'static str {
    match call {
        mn_ipc::Call::Send { .. } => "send",
        mn_ipc::Call::Wait { .. } => "wait",
        mn_ipc::Call::WaitAll { .. } => "wait-all",
        mn_ipc::Call::Sync { .. } => "sync",
        mn_ipc::Call::Start { .. } => "start",
        mn_ipc::Call::Drain { .. } => "drain",
        mn_ipc::Call::Fail { .. } => "fail",
        _ => "the call",
    }
}

/// The last event of all.
pub fn end(at: &str) -> Object {
    let mut event = one("event", "end".into());
    event.insert("at".into(), at.into());
    event.insert("data".into(), json!({}));
    event
}

fn member_object(member: &Member) -> Object {
    let mut object = Object::new();
    object.insert("job_id".into(), member.id.as_str().into());
    object.insert("role".into(), member.role.as_str().into());
    if let Some(host) = &member.host {
        object.insert("host".into(), host.as_str().into());
    }
    if member.counted != Counted::Yes {
        object.insert("counted".into(), false.into());
    }
    object
}

/// What `status` returns: the members from the given one on, as many as fit.
pub fn status(group: &str, uptime: Duration, status: &Status, from: usize) -> Value {
    let mut bytes = 0;
    let rest = status.members.iter().skip(from).map(member_status);
    let members: Vec<Value> = rest
        .take_while(|member| {
            bytes += member.to_string().len() + 1;
            bytes <= MAX_MEMBERS
        })
        .collect();
    let mut object = Object::new();
    object.insert("group".into(), group.into());
    object.insert("uptime".into(), seconds(uptime));
    if from + members.len() < status.members.len() {
        object.insert("more".into(), true.into());
    }
    object.insert("members".into(), members.into());
    if let Some(left) = status.deadlock_in {
        object.insert("deadlock_in".into(), seconds(left));
    }
    Value::Object(object)
}

fn member_status(member: &MemberStatus) -> Value {
    let mut object = member_object(&member.member);
    object.insert("state".into(), member.state.word().into());
    if member.work == Work::Failed {
        object.insert("failed".into(), true.into());
    }
    object.insert("connections".into(), member.connections.into());
    let waits: Value = member.waits.iter().take(MAX_WAITS).map(wait).collect();
    // Names of LAVA's clients may be long, and have to be escaped.
    let fits = waits.to_string().len() < MAX_MEMBERS / 2;
    object.insert("waits".into(), if fits { waits } else { json!([]) });
    Value::Object(object)
}

fn wait(wait: &WaitStatus) -> Value {
    let mut object = call(&wait.call);
    object.insert("since".into(), seconds(wait.since));
    object.insert("remaining".into(), seconds(wait.remaining));
    object.insert("for".into(), wait.needs.iter().take(MAX_NEEDS).map(String::as_str).collect());
    Value::Object(object)
}

/// A call as status and events show it: its name, and the message and role it was given.
fn call(call: &Call) -> Object {
    let mut object = Object::new();
    object.insert("call".into(), call.name().into());
    if let Some(id) = call.id() {
        object.insert("message".into(), id.into());
    }
    if let Some(role) = call.role() {
        object.insert("expect_role".into(), role.into());
    }
    object
}

/// Seconds to the millisecond.
fn seconds(time: Duration) -> Value {
    let milliseconds = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
    (f64::from(milliseconds) / 1000.0).into()
}

/// What was seen, as an event; `at` is the moment as mn-message(5) writes it.
pub fn event(group: &Group, at: &str, note: Note) -> Object {
    let (name, data) = match note {
        Note::State { member, state } => (state_event(state), of_member(group, &member, Object::new())),
        Note::Failed { member } => ("failed", of_member(group, &member, Object::new())),
        Note::Sent { member, id } => ("send", of_member(group, &member, one("message", id.into()))),
        Note::Waits { member, call: waits } => ("wait", of_member(group, &member, call(&waits))),
        Note::Ended { member, call: ended, failure } => {
            let mut data = of_member(group, &member, call(&ended));
            if let Some(Failure { class, message }) = failure {
                data.insert("error".into(), json!({ "class": class.word(), "message": message }));
            }
            ("answer", data)
        }
        Note::Synced { id } => ("sync", one("message", id.into())),
        Note::AllWait { ends_in } => ("deadlock", one("deadlock_in", seconds(ends_in))),
    };
    let mut event = one("event", name.into());
    event.insert("at".into(), at.into());
    event.insert("data".into(), Value::Object(data));
    event
}

fn state_event(state: State) -> &'static str {
    match state {
        State::Expected | State::Joined => "join",
        State::Draining => "drain",
        State::Left => "left",
        State::Died => "died",
    }
}

fn of_member(group: &Group, id: &str, more: Object) -> Object {
    let mut object = one("member", id.into());
    let role = group.member(id).map(|member| member.role.as_str());
    object.insert("role".into(), role.into());
    object.extend(more);
    object
}

fn one(key: &str, value: Value) -> Object {
    Object::from_iter([(key.to_owned(), value)])
}
