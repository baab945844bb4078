//! LAVA's wire: one request a connection, answered at once, asked again until the answer is not `wait`. The
//! words are those of LAVA's multinode coordinator; a wait goes on in the group between two polls.

use crate::desk::{Desk, Outcome};
use crate::frame;
use crate::halls::Origin;
use mn_group::{Call, Caller, Counted, Data, Event, Failure, Member, Reply, State, Stay};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Connections of clients on LAVA's wire have numbers from here, for they outlive each socket.
const FIRST: u64 = 1 << 62;
/// As long as LAVA's own client waits for the coordinator.
const PATIENCE: Duration = Duration::from_secs(60);
/// A client's own limit ends its waits, not ours.
const WEEK: Duration = Duration::from_secs(604_800);

type Key = (String, String);

/// Who speaks LAVA's wire.
#[derive(Debug)]
pub struct Clients {
    by_name: BTreeMap<Key, Client>,
    names: BTreeMap<u64, Key>,
    next: u64,
    /// A client that has not asked again for so long in a wait is dead: it polls every few seconds.
    pub patience: Duration,
}

impl Default for Clients {
    fn default() -> Self {
        Self { by_name: BTreeMap::new(), names: BTreeMap::new(), next: 0, patience: PATIENCE }
    }
}

#[derive(Debug)]
struct Client {
    connection: u64,
    next_request: i64,
    wait: Option<Wait>,
}

/// A wait between its polls.
#[derive(Debug)]
struct Wait {
    call: Call,
    request: i64,
    polled: Duration,
    result: Option<Result<Reply, Failure>>,
}

impl Clients {
    /// Keeps an answer for the next poll, if it is for one of these.
    pub fn answered(&mut self, caller: Caller, result: &Result<Reply, Failure>) -> bool {
        let Some(key) = self.names.get(&caller.connection) else { return caller.connection >= FIRST };
        let wait = self.by_name.get_mut(key).and_then(|client| client.wait.as_mut());
        if let Some(wait) = wait.filter(|wait| wait.request == caller.request) {
            wait.result = Some(result.clone());
        }
        true
    }

    /// Connections of clients that are dead.
    pub fn silent(&self, now: Duration) -> impl Iterator<Item = u64> {
        let dead = move |client: &&Client| client.wait.as_ref().is_some_and(|wait| wait.polled + self.patience <= now);
        self.by_name.values().filter(dead).map(|client| client.connection)
    }

    /// When the next one is.
    pub fn next_silence(&self) -> Option<Duration> {
        let waits = self.by_name.values().filter_map(|client| client.wait.as_ref());
        waits.map(|wait| wait.polled + self.patience).min()
    }

    /// The broker was away: nobody could poll.
    pub fn restart(&mut self, now: Duration) {
        self.by_name.values_mut().filter_map(|client| client.wait.as_mut()).for_each(|wait| wait.polled = now);
    }

    /// A client is dead; gives its group.
    pub fn lose(&mut self, connection: u64) -> Option<String> {
        let key = self.names.get(&connection)?;
        self.by_name.get_mut(key)?.wait = None;
        Some(key.0.clone())
    }

    /// The group of a client.
    pub fn group_of(&self, connection: u64) -> Option<&str> {
        self.names.get(&connection).map(|(group, _)| group.as_str())
    }

    fn forget_group(&mut self, group: &str) {
        self.by_name.retain(|(of, _), _| of != group);
        self.names.retain(|_, (of, _)| of != group);
    }

    /// Gives the client's connection: a new one for a new client.
    fn connection(&mut self, key: &Key) -> (u64, bool) {
        if let Some(client) = self.by_name.get(key) {
            return (client.connection, false);
        }
        let connection = FIRST + self.next;
        self.next += 1;
        self.names.insert(connection, key.clone());
        self.by_name.insert(key.clone(), Client { connection, next_request: 0, wait: None });
        (connection, true)
    }

    fn forget(&mut self, key: &Key) {
        if let Some(client) = self.by_name.remove(key) {
            self.names.remove(&client.connection);
        }
    }

    fn caller(&mut self, key: &Key) -> Option<Caller> {
        let client = self.by_name.get_mut(key)?;
        client.next_request += 1;
        Some(Caller { connection: client.connection, request: client.next_request })
    }
}

/// What a request of LAVA's wire names, as far as it can be used.
#[derive(Debug)]
struct Asked {
    request: String,
    key: Key,
    size: Option<usize>,
    role: Option<String>,
}

impl Asked {
    fn of(request: &Value) -> Option<Self> {
        let text = |name: &str| request.get(name)?.as_str().map(str::to_owned);
        let size = request.get("group_size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
        let key = (text("group_name")?, text("client_name")?);
        Some(Self { request: text("request")?, key, size: size.filter(|size| *size > 0), role: text("role") })
    }
}

fn wait() -> Value {
    json!({ "response": "wait" })
}

fn ack() -> Value {
    json!({ "response": "ack" })
}

/// The frame of a refusal.
pub fn refusal() -> Vec<u8> {
    frame::write(&nack())
}

fn nack() -> Value {
    json!({ "response": "nack" })
}

/// Keeps of a request what matters, for the journal.
pub fn essence(request: &Value) -> Value {
    const KEYS: [&str; 8] =
        ["request", "client_name", "group_name", "group_size", "role", "messageID", "message", "waitrole"];
    let Some(object) = request.as_object() else { return Value::Null };
    let kept = KEYS.iter().filter_map(|key| object.get(*key).map(|value| ((*key).to_owned(), value.clone())));
    Value::Object(kept.collect::<Map<_, _>>())
}

impl Desk {
    /// Answers a request of LAVA's wire.
    pub(crate) fn lava(&mut self, now: Duration, connection: u64, request: &Value, outcome: &mut Outcome) {
        let reply = match Asked::of(request) {
            None => nack(),
            Some(asked) => self.lava_reply(now, &asked, request, outcome).unwrap_or_else(nack),
        };
        outcome.letters.push(crate::desk::Letter::Line(connection, frame::write(&reply)));
    }

    /// The reply; `None` is a refusal.
    fn lava_reply(&mut self, now: Duration, asked: &Asked, request: &Value, outcome: &mut Outcome) -> Option<Value> {
        let (group, _) = &asked.key;
        if self.halls.find(group).is_err() {
            self.halls.found_open(now, group, asked.size?).ok()?;
            outcome.changed = true;
        }
        self.register(now, asked, outcome)?;
        let usable = |id: &&str| !id.is_empty() && !id.starts_with(mn_ipc::RESERVED);
        let message = || request.get("messageID").and_then(Value::as_str).filter(usable);
        match asked.request.as_str() {
            "group_data" => Some(self.group_data(group)),
            "lava_send" => {
                let data = data(request.get("message"));
                let call = Call::Send { id: message()?.to_owned(), data };
                let caller = self.lava.caller(&asked.key)?;
                outcome.changed = true;
                let event = Event::Call { caller, call, deadline: now };
                self.apply_for(now, group, event, caller, outcome)?.ok().map(|_| ack())
            }
            "lava_wait" => self.poll(now, &asked.key, Call::Wait { id: message()?.to_owned() }, outcome),
            "lava_wait_all" => {
                let role = request.get("waitrole").and_then(Value::as_str).map(str::to_owned);
                self.poll(now, &asked.key, Call::WaitAll { id: message()?.to_owned(), role }, outcome)
            }
            "lava_sync" => self.poll(now, &asked.key, Call::Sync { id: message()?.to_owned() }, outcome),
            "clear_group" => {
                self.clear(now, &asked.key, outcome);
                Some(ack())
            }
            _ => None,
        }
    }

    /// Lets a new client join: as the member of its name, on an open place, or from outside.
    fn register(&mut self, now: Duration, asked: &Asked, outcome: &mut Outcome) -> Option<()> {
        let (connection, new) = self.lava.connection(&asked.key);
        if !new {
            return Some(());
        }
        let (group, name) = &asked.key;
        let Some(role) = &asked.role else {
            self.lava.forget(&asked.key);
            return None;
        };
        let caller = Caller { connection, request: 0 };
        let member = Member { counted: Counted::No, ..Member::new(name, role) };
        // A dispatcher is another machine, and tells of its end by silence only.
        let event = Event::Enrol { caller, member, stay: Stay::Lasting, grace: None };
        if !matches!(self.apply_for(now, group, event, caller, outcome), Some(Ok(_))) {
            self.lava.forget(&asked.key);
            return None;
        }
        outcome.changed = true;
        Some(())
    }

    /// All roles, once everybody is known and has come.
    fn group_data(&self, group: &str) -> Value {
        let Ok(hall) = self.halls.find(group) else { return wait() };
        let expected = |state| state == State::Expected;
        let status = hall.group.status(Duration::ZERO);
        if status.members.iter().any(|each| each.member.counted == Counted::Yes && expected(each.state)) {
            return wait();
        }
        let roles = hall.group.members().map(|member| (member.id.clone(), Value::from(member.role.as_str())));
        json!({ "response": "group_data", "roles": roles.collect::<Map<_, _>>() })
    }

    /// A poll: begins a wait, asks how it stands, or fetches its answer.
    fn poll(&mut self, now: Duration, key: &Key, call: Call, outcome: &mut Outcome) -> Option<Value> {
        let client = self.lava.by_name.get_mut(key)?;
        let connection = client.connection;
        match client.wait.take() {
            Some(wait) if wait.call == call => client.wait = Some(wait),
            // A client waits for one thing at a time: it has given the other up.
            Some(_) => {
                outcome.changed = true;
                self.apply(now, &key.0, Event::Withdraw { connection }, outcome);
            }
            None => {}
        }
        let begun = self.lava.by_name.get(key)?.wait.is_some();
        if !begun {
            // What is there already needs no wait, nor a line in the journal.
            if !matches!(call, Call::Sync { .. })
                && let Some(reply) = self.halls.peek(&key.0, &key.1, &call)
            {
                return Some(self.lava_answer(key, &call, &reply));
            }
            let caller = self.lava.caller(key)?;
            let wait = Wait { call: call.clone(), request: caller.request, polled: now, result: None };
            self.lava.by_name.get_mut(key)?.wait = Some(wait);
            outcome.changed = true;
            self.apply(now, &key.0, Event::Call { caller, call: call.clone(), deadline: now + WEEK }, outcome);
        }
        let client = self.lava.by_name.get_mut(key)?;
        let wait = client.wait.as_mut()?;
        wait.polled = now;
        let Some(result) = wait.result.take() else { return Some(self::wait()) };
        client.wait = None;
        outcome.changed = true;
        result.ok().map(|reply| self.lava_answer(key, &call, &reply))
    }

    fn lava_answer(&self, (group, name): &Key, call: &Call, reply: &Reply) -> Value {
        if let Call::Sync { id } = call {
            return json!({ "response": "ack", "message": id });
        }
        // LAVA gives what all senders have sent, whatever role was waited for.
        let all = call.id().map(|id| Call::Wait { id: id.to_owned() });
        let all = all.and_then(|call| self.halls.peek(group, name, &call));
        let Reply::Messages(messages) = all.as_ref().unwrap_or(reply) else { return ack() };
        let object =
            |data: &Data| data.iter().map(|(k, v)| (k.clone(), Value::from(v.as_str()))).collect::<Map<_, _>>();
        let message: Map<_, _> =
            messages.iter().map(|(from, data)| (from.clone(), Value::Object(object(data)))).collect();
        json!({ "response": "ack", "message": message })
    }

    /// A client has finished. A group of LAVA's wire goes with its last member.
    fn clear(&mut self, now: Duration, key: &Key, outcome: &mut Outcome) {
        let Some(caller) = self.lava.caller(key) else { return };
        if let Some(client) = self.lava.by_name.get_mut(key) {
            client.wait = None;
        }
        outcome.changed = true;
        self.apply(now, &key.0, Event::Leave { caller }, outcome);
        if self.halls.find(&key.0).is_ok_and(|hall| hall.origin == Origin::Lava && hall.group.is_over()) {
            self.halls.forget(&key.0);
            self.lava.forget_group(&key.0);
            self.sessions.forget_group(&key.0);
        }
    }
}

/// The data of a message as strings: what is none is written as JSON, null as nothing.
fn data(message: Option<&Value>) -> Data {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let object = message.and_then(Value::as_object);
    object.into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}
