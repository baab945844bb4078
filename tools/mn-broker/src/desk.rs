//! Between the lines of mn-protocol(7) and the groups: reads requests, writes answers and events. No I/O, no
//! clock and no chance: the same inputs give the same state, which is what the journal lives by.

mod entry;
mod room;

use crate::halls::Halls;
use crate::input::{Asked, Input};
use crate::lava::Clients;
use crate::members;
use crate::pictures;
use crate::sessions::{Sessions, Standing};
use mn_group::{Caller, Counted, Event, Failure, Member, Output, Reply, Stay};
use mn_ipc::{Call, Class, Incoming, MAX_LINE, Request, VERSION};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// How long everybody has to come back after a restart.
const RESTART_GRACE: Duration = Duration::from_secs(30);

/// Something for a connection.
#[derive(Debug, PartialEq)]
pub enum Letter {
    /// A line to be written.
    Line(u64, Vec<u8>),
    /// The connection is of no more use: another has taken its place.
    Close(u64),
}

/// What taking an input came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is to be written.
    pub letters: Vec<Letter>,
    /// Whether the state is another one now, so that the journal needs the input.
    pub changed: bool,
}

/// What a connection has said about itself.
#[derive(Debug, Default)]
struct Seat {
    group: Option<String>,
    grace: Option<f64>,
    session: Option<String>,
    watches: Option<String>,
    /// Its session began on another connection: what it asks may have been asked before.
    resumed: bool,
}

/// The broker's state: the groups, the sessions, and who watches.
pub struct Desk {
    pub(crate) halls: Halls,
    pub(crate) sessions: Sessions,
    pub(crate) lava: Clients,
    seats: HashMap<u64, Seat>,
    /// Whether a broker that is started again will know what this one knew: then clients wait for it.
    pub(crate) keeps_journal: bool,
    /// The moment as text; a parameter, because the desk has no clock.
    stamp: fn() -> String,
}

impl Desk {
    /// A desk without groups; `stamp` gives the present moment as mn-message(5) writes it.
    pub fn new(halls: Halls, stamp: fn() -> String) -> Self {
        let (sessions, lava, seats) = (Sessions::default(), Clients::default(), HashMap::new());
        Self { halls, sessions, lava, seats, keeps_journal: false, stamp }
    }

    /// What a connection is told first.
    pub fn greeting(&self) -> Vec<u8> {
        let mut capabilities = vec![
            "send", "wait", "wait-all", "sync", "start", "drain", "leave", "status", "watch", "speak", "hello",
            "resume", "enter", "found", "fail",
        ];
        if self.keeps_journal {
            capabilities.push("journal");
        }
        let greeting = json!({
            "mn": VERSION, "broker": env!("CARGO_PKG_VERSION"), "group": self.halls.only().unwrap_or_default(),
            "pid": std::process::id(), "capabilities": capabilities
        });
        format!("{greeting}\n").into_bytes()
    }

    /// Reads a line of a connection; `token` is for the session that it may begin.
    ///
    /// # Errors
    /// The answer, when there is nothing to be taken.
    pub fn read(&self, connection: u64, line: &[u8], token: impl FnOnce() -> String) -> Result<Input, Letter> {
        let Request { id, call } =
            Request::parse(line).map_err(|(id, class, text)| Letter::Line(connection, error(id, class, &text)))?;
        let mut asked = Asked { c: connection, id, call, token: None, group: None, grace: None };
        if asked.call.joins() {
            let seat = self.seats.get(&connection);
            asked.token = Some(seat.and_then(|seat| seat.session.clone()).unwrap_or_else(token));
            asked.group = seat.and_then(|seat| seat.group.clone());
            asked.grace = seat.and_then(|seat| seat.grace);
        }
        Ok(Input::Request(Box::new(asked)))
    }

    /// What a connection is told whose line is too long.
    pub fn too_long() -> Vec<u8> {
        error(None, Class::Limit, &format!("a line is longer than {MAX_LINE} bytes"))
    }

    /// What joined connections and watchers are told at an orderly end.
    pub fn farewell(&self) -> Vec<u8> {
        Incoming::Event(pictures::end(&(self.stamp)())).to_line()
    }

    /// The group a connection has to do with.
    pub fn group_of(&self, connection: u64) -> Option<&str> {
        self.sessions.of(connection).map(|session| session.group.as_str())
    }

    /// Whether a connection has joined or watches.
    pub fn knows(&self, connection: u64) -> bool {
        let watches = |seat: &Seat| seat.watches.is_some();
        self.sessions.token(connection).is_some() || self.seats.get(&connection).is_some_and(watches)
    }

    /// Inputs that time has made.
    pub fn due(&self, now: Duration) -> Vec<Input> {
        let mut inputs: Vec<Input> = self.lava.silent(now).map(|c| Input::Lost { c }).collect();
        if self.halls.next_deadline().is_some_and(|at| at <= now) {
            inputs.push(Input::Tick {});
        }
        inputs
    }

    /// When `due` gives something.
    pub fn next_deadline(&self) -> Option<Duration> {
        [self.halls.next_deadline(), self.lava.next_silence()].into_iter().flatten().min()
    }

    /// Takes an input.
    pub fn take(&mut self, now: Duration, input: &Input) -> Outcome {
        let mut outcome = Outcome::default();
        match input {
            Input::Start { groups, times, .. } => {
                self.halls.set_times(*times);
                for name in self.halls.names() {
                    self.apply(now, &name, Event::Restart { grace: RESTART_GRACE }, &mut outcome);
                }
                for group in groups {
                    // Known ones are from before the restart.
                    if self.halls.find(&group.name).is_err() {
                        let _ = self.halls.found(now, group);
                    }
                }
                self.lava.restart(now);
                outcome.changed = true;
            }
            Input::Request(asked) => self.request(now, asked, &mut outcome),
            Input::Lost { c } => self.lost(now, *c, &mut outcome),
            Input::Tick {} => {
                for name in self.halls.names() {
                    self.apply(now, &name, Event::Tick, &mut outcome);
                }
            }
            Input::Lava { c, request } => self.lava(now, *c, request, &mut outcome),
        }
        outcome
    }

    fn lost(&mut self, now: Duration, connection: u64, outcome: &mut Outcome) {
        self.seats.remove(&connection);
        if let Some(group) = self.lava.lose(connection) {
            outcome.changed = true;
            return self.apply(now, &group, Event::Lost { connection }, outcome);
        }
        let Some(session) = self.sessions.of(connection) else { return };
        let (group, left) = (session.group.clone(), session.left);
        self.sessions.lose(connection);
        if !left {
            outcome.changed = true;
            self.apply(now, &group, Event::Lost { connection }, outcome);
        }
    }

    fn request(&mut self, now: Duration, asked: &Asked, outcome: &mut Outcome) {
        let caller = Caller { connection: asked.c, request: asked.id };
        let done = match &asked.call {
            Call::Hello { group, grace, session } => {
                let (group, session) = (group.clone(), session.clone());
                self.hello(caller, Seat { group, grace: *grace, session, ..Seat::default() })
            }
            Call::Resume { session } => self.resume(now, caller, session, outcome),
            Call::Found { name, members } => {
                let group = members::Group { name: name.clone(), members: members.clone() };
                let founded = self.halls.found(now, &group).map(|()| json!({}));
                outcome.changed |= founded.is_ok();
                founded.map(Some)
            }
            Call::Status { from } => {
                let group = self.group_named(caller.connection);
                group.map(|name| Some(self.halls.status(&name, now, *from)))
            }
            Call::Watch {} => self.watch(caller),
            Call::Join { member } => self.join(now, caller, asked, Member::new(member, ""), Stay::Lasting, outcome),
            Call::Speak { member } => self.join(now, caller, asked, Member::new(member, ""), Stay::Passing, outcome),
            Call::Enter { role, counted } => {
                let counted = if *counted { Counted::Yes } else { Counted::No };
                let member = Member { counted, ..Member::new("", role) };
                self.join(now, caller, asked, member, Stay::Lasting, outcome)
            }
            call => self.call(now, caller, call, outcome),
        };
        let line = match done {
            Ok(None) => return,
            Ok(Some(value)) => answer(caller.request, value),
            Err((class, text)) => error(Some(caller.request), class, &text),
        };
        outcome.letters.push(Letter::Line(caller.connection, line));
    }

    /// The group that a connection has named, has joined, or that is the only one.
    fn group_named(&self, connection: u64) -> Result<String, (Class, String)> {
        let seat = self.seats.get(&connection).and_then(|seat| seat.group.as_deref());
        let name = self.group_of(connection).or(seat);
        self.halls.choose(name, None)
    }

    fn watch(&mut self, caller: Caller) -> Done {
        let name = self.group_named(caller.connection)?;
        self.seats.entry(caller.connection).or_default().watches = Some(name);
        Ok(Some(json!({})))
    }

    /// How a request stands if its session has come back.
    fn again(&self, caller: Caller) -> Standing {
        if self.seats.get(&caller.connection).is_some_and(|seat| seat.resumed) {
            return self.sessions.standing(caller.connection, caller.request);
        }
        Standing::New
    }

    fn call(&mut self, now: Duration, caller: Caller, call: &Call, outcome: &mut Outcome) -> Done {
        let session = self.sessions.of(caller.connection);
        let group = match (session, call) {
            (Some(session), _) => session.group.clone(),
            (None, Call::Fail { member: Some(member) }) => {
                let seat = self.seats.get(&caller.connection).and_then(|seat| seat.group.as_deref());
                self.halls.choose(seat, Some(member))?
            }
            (None, Call::Leave { member }) => {
                let seat = self.seats.get(&caller.connection).and_then(|seat| seat.group.as_deref());
                let chosen = self.halls.choose(seat, member.as_deref());
                if member.is_none() {
                    return Ok(Some(json!({})));
                }
                chosen?
            }
            (None, call) => {
                let text = format!("'{}' needs a join before it", pictures::name(call));
                return Err((Class::NotJoined, text));
            }
        };
        let again = match self.again(caller) {
            Standing::New => None,
            Standing::Waits => return Ok(None),
            Standing::Answered(result) => Some(result),
            Standing::Messages(call) => {
                let member = self.sessions.of(caller.connection).map(|session| session.member.clone());
                self.halls.peek(&group, &member.unwrap_or_default(), &call).map(Ok)
            }
        };
        if let Some(result) = again {
            self.put_answer(&group, caller, result, outcome);
            return Ok(None);
        }
        let event = self.event(now, caller, call);
        if let Event::Call { call, .. } = &event {
            self.sessions.asked(caller.connection, caller.request, call);
        }
        let own = matches!(event, Event::Leave { .. });
        self.apply(now, &group, event, outcome);
        if own {
            self.sessions.leave(caller.connection);
        }
        Ok(None)
    }

    fn event(&self, now: Duration, caller: Caller, call: &Call) -> Event {
        let timeout = Duration::try_from_secs_f64(call.timeout().unwrap_or(0.0)).unwrap_or_default();
        let call = match call.clone() {
            Call::Send { message: id, data } => mn_group::Call::Send { id, data: strings(data) },
            Call::Wait { message: id, .. } => mn_group::Call::Wait { id },
            Call::WaitAll { message: id, role, .. } => mn_group::Call::WaitAll { id, role },
            Call::Sync { message: id, .. } => mn_group::Call::Sync { id },
            Call::Start { role, .. } => mn_group::Call::Start { role },
            Call::Drain { .. } => mn_group::Call::Drain,
            Call::Fail { member } => return Event::Fail { caller, member },
            Call::Leave { member: Some(member) } => return Event::LeaveMember { caller, member },
            _ => return Event::Leave { caller },
        };
        Event::Call { caller, call, deadline: now + timeout }
    }

    /// Lets a group take an event, and writes what that brought about.
    pub(crate) fn apply(&mut self, now: Duration, group: &str, event: Event, outcome: &mut Outcome) {
        let asks = matches!(event, Event::Call { .. });
        let outputs = self.halls.apply(now, group, event);
        // A call that is refused at once has changed nothing.
        let refused = asks && matches!(outputs.as_slice(), [Output::Answer { result: Err(_), .. }]);
        outcome.changed |= !outputs.is_empty() && !refused;
        for output in outputs {
            self.put(group, output, outcome);
        }
    }

    /// The same for an event that somebody asks for, but gives that one answer instead of writing it.
    pub(crate) fn apply_for(
        &mut self,
        now: Duration,
        group: &str,
        event: Event,
        caller: Caller,
        outcome: &mut Outcome,
    ) -> Option<Result<Reply, Failure>> {
        let mut own = None;
        for output in self.halls.apply(now, group, event) {
            match output {
                Output::Answer { caller: answered, result } if answered == caller => own = Some(result),
                output => {
                    outcome.changed = true;
                    self.put(group, output, outcome);
                }
            }
        }
        own
    }

    pub(crate) fn put(&mut self, group: &str, output: Output, outcome: &mut Outcome) {
        match output {
            Output::Answer { caller, result } => {
                if self.lava.answered(caller, &result) {
                    return;
                }
                self.sessions.answered(caller.connection, caller.request, &result);
                self.put_answer(group, caller, result, outcome);
            }
            Output::Note(note) => {
                let watches = |seat: &&Seat| seat.watches.as_deref() == Some(group);
                if !self.seats.values().any(|seat| watches(&seat)) {
                    return;
                }
                let Ok(hall) = self.halls.find(group) else { return };
                let line = Incoming::Event(pictures::event(&hall.group, &(self.stamp)(), note)).to_line();
                let watchers = self.seats.iter().filter(|(_, seat)| watches(seat));
                outcome.letters.extend(watchers.map(|(number, _)| Letter::Line(*number, line.clone())));
            }
        }
    }

    fn put_answer(&mut self, group: &str, caller: Caller, result: Result<Reply, Failure>, outcome: &mut Outcome) {
        let line = match result {
            Ok(Reply::Joined { member }) => {
                let token = self.sessions.token(caller.connection).unwrap_or_default();
                answer(caller.request, self.halls.joined(group, &member, token))
            }
            Ok(reply) => answer(caller.request, pictures::reply(reply)),
            Err(failure) => error(Some(caller.request), failure.class, &failure.message),
        };
        outcome.letters.push(Letter::Line(caller.connection, line));
    }
}

/// What a request returns at once, if anything; or its error.
type Done = Result<Option<Value>, (Class, String)>;

/// The data of a message; that its values are strings was checked when the request was read.
fn strings(data: mn_ipc::Object) -> mn_group::Data {
    let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
    data.into_iter().map(|(key, value)| (key, text(value))).collect()
}

fn answer(id: i64, value: Value) -> Vec<u8> {
    let line = Incoming::Return(id, value).to_line();
    if line.len() <= MAX_LINE {
        return line;
    }
    // What members can make long is bounded before.
    error(Some(id), Class::Limit, &format!("the answer has {} bytes, more than a line may have", line.len()))
}

/// An error's line. Its text may quote a stranger's words, so it is cut.
fn error(id: Option<i64>, class: Class, text: &str) -> Vec<u8> {
    const MAX_CHARS: usize = 500;
    let text: String = text.chars().take(MAX_CHARS).collect();
    Incoming::Error(id, class, text).to_line()
}

#[cfg(test)]
mod tests;
