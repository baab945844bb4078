//! A second group that is slow and simple.

use super::seconds;
use mn_group::{Call, Caller, Class, Event, Group, Member, Output, Settings, State, Stay};
use std::collections::{BTreeMap, BTreeSet};

/// Seconds a call may take, and seconds all may wait.
pub const TIMEOUT: u64 = 6;
pub const QUIET: u64 = 4;

/// A member's number, its role and its host. A connection's tens name its member.
pub type Row = (u64, &'static str, Option<u64>);

#[derive(Clone, Debug)]
pub enum Step {
    Join(u64, Stay),
    Leave(u64),
    LeaveMember(u64),
    Lost(u64),
    Call(u64, Call),
    Advance(u64),
}

/// What an answer was, without its words.
pub type Verdict = Result<(), Class>;

/// The slow and simple group.
#[derive(Clone)]
pub struct Model {
    members: &'static [Row],
    pub now: u64,
    last_request: u64,
    speaks: BTreeMap<u64, Stay>,
    states: BTreeMap<u64, State>,
    sent: BTreeSet<(String, u64)>,
    waits: Vec<(Caller, Call, u64)>,
    answers: Vec<(Caller, Verdict)>,
}

impl Model {
    pub fn of(members: &'static [Row]) -> Self {
        Self {
            members,
            now: 0,
            last_request: 0,
            speaks: BTreeMap::new(),
            states: BTreeMap::new(),
            sent: BTreeSet::new(),
            waits: Vec::new(),
            answers: Vec::new(),
        }
    }

    fn state(&self, member: u64) -> State {
        self.states.get(&member).copied().unwrap_or(State::Expected)
    }

    fn gone(&self, member: u64) -> bool {
        matches!(self.state(member), State::Left | State::Died)
    }

    fn set(&mut self, member: u64, state: State) {
        if !self.gone(member) {
            self.states.insert(member, state);
        }
    }

    pub fn step(&mut self, step: &Step, caller: Caller) -> Vec<(Caller, Verdict)> {
        let connection = caller.connection;
        let member = connection / 10;
        if let Step::Advance(time) = step {
            self.now += time;
        }
        self.time_out();
        if !matches!(step, Step::Advance(_)) && !self.refused(step, connection, member) {
            self.last_request = self.now;
        }
        match step {
            Step::Advance(_) => {}
            Step::Join(_, stay) => {
                let verdict = self.join(connection, *stay);
                self.answers.push((caller, verdict));
            }
            Step::Leave(_) => {
                self.end(|_, who, _| who.connection == connection, Class::Left);
                let stay = self.speaks.remove(&connection);
                if stay == Some(Stay::Lasting) && self.lasting(member) == 0 {
                    self.set(member, State::Left);
                }
                self.answers.push((caller, Ok(())));
            }
            Step::LeaveMember(member) => {
                self.set(*member, State::Left);
                self.answers.push((caller, Ok(())));
            }
            Step::Lost(_) => {
                self.waits.retain(|(who, ..)| who.connection != connection);
                if self.speaks.remove(&connection) == Some(Stay::Lasting) {
                    self.set(member, State::Died);
                }
            }
            Step::Call(_, call) => self.call(caller, call),
        }
        self.answer_what_can_be();
        self.break_deadlock();
        std::mem::take(&mut self.answers)
    }

    /// A request that is refused at once is not taken for a sign of life.
    fn refused(&self, step: &Step, connection: u64, member: u64) -> bool {
        match step {
            Step::Join(..) => self.speaks.contains_key(&connection) || self.gone(member),
            Step::Call(..) => !self.speaks.contains_key(&connection) || self.gone(member),
            _ => false,
        }
    }

    fn lasting(&self, member: u64) -> usize {
        self.speaks.iter().filter(|(connection, stay)| *connection / 10 == member && **stay == Stay::Lasting).count()
    }

    fn join(&mut self, connection: u64, stay: Stay) -> Verdict {
        let member = connection / 10;
        if self.speaks.contains_key(&connection) {
            return Err(Class::BadRequest);
        }
        if self.gone(member) {
            return Err(Class::Left);
        }
        self.speaks.insert(connection, stay);
        if stay == Stay::Lasting && self.state(member) == State::Expected {
            self.set(member, State::Joined);
        }
        Ok(())
    }

    fn call(&mut self, caller: Caller, call: &Call) {
        let member = caller.connection / 10;
        if !self.speaks.contains_key(&caller.connection) {
            self.answers.push((caller, Err(Class::NotJoined)));
        } else if self.gone(member) {
            self.answers.push((caller, Err(Class::Left)));
        } else if let Call::Send { id, .. } = call {
            self.sent.insert((id.clone(), member));
            self.answers.push((caller, Ok(())));
        } else {
            if *call == Call::Drain {
                self.set(member, State::Draining);
            }
            self.waits.push((caller, call.clone(), self.now + TIMEOUT));
        }
    }

    fn end(&mut self, which: impl Fn(&Self, &Caller, &Call) -> bool, class: Class) {
        for (caller, call, deadline) in std::mem::take(&mut self.waits) {
            if which(self, &caller, &call) {
                self.answers.push((caller, Err(class)));
            } else {
                self.waits.push((caller, call, deadline));
            }
        }
    }

    fn time_out(&mut self) {
        let late: BTreeSet<(u64, i64)> = (self.waits.iter())
            .filter(|(.., deadline)| *deadline <= self.now)
            .map(|(caller, ..)| (caller.connection, caller.request))
            .collect();
        self.end(|_, caller, _| late.contains(&(caller.connection, caller.request)), Class::Timeout);
    }

    fn answer_what_can_be(&mut self) {
        let verdicts: Vec<_> =
            self.waits.iter().map(|(caller, call, _)| self.judge(caller.connection / 10, call)).collect();
        let waits = std::mem::take(&mut self.waits);
        for (wait, verdict) in waits.into_iter().zip(verdicts) {
            match verdict {
                Some(verdict) => self.answers.push((wait.0, verdict)),
                None => self.waits.push(wait),
            }
        }
    }

    fn judge(&self, caller: u64, call: &Call) -> Option<Verdict> {
        if self.gone(caller) {
            return Some(Err(Class::Left));
        }
        let everyone = self.members.iter().map(|(id, ..)| *id);
        let missing: Vec<u64> = match call {
            Call::Send { .. } => vec![],
            Call::Wait { id } => {
                let hope = everyone.clone().any(|other| other != caller && self.needed(other));
                return match self.sent.iter().any(|(sent, _)| sent == id) {
                    true => Some(Ok(())),
                    false => (!hope).then_some(Err(Class::Left)),
                };
            }
            Call::WaitAll { id, role: None } => everyone.filter(|m| !self.sent.contains(&(id.clone(), *m))).collect(),
            Call::WaitAll { id, role: Some(role) } => self.unsent_of_role(id, role),
            Call::Start { role } => self.unsent_of_role("lava_start", role),
            Call::Sync { .. } => {
                let calls =
                    |m: &u64| self.waits.iter().any(|(who, other, _)| who.connection / 10 == *m && other == call);
                everyone.filter(|member| !(calls(member) && self.needed(*member))).collect()
            }
            Call::Drain => {
                let guests = self.members.iter().filter(|(.., host)| *host == Some(caller));
                return guests.into_iter().all(|(id, ..)| self.gone(*id)).then_some(Ok(()));
            }
        };
        if missing.is_empty() {
            return Some(Ok(()));
        }
        missing.iter().any(|member| !self.needed(*member)).then_some(Err(Class::Left))
    }

    /// Others may still hope for this member.
    fn needed(&self, member: u64) -> bool {
        !self.gone(member) && self.state(member) != State::Draining
    }

    fn unsent_of_role(&self, id: &str, role: &str) -> Vec<u64> {
        let of_role = self.members.iter().filter(|(_, its, _)| *its == role).map(|(id, ..)| *id);
        of_role.filter(|member| !self.sent.contains(&(id.to_owned(), *member))).collect()
    }

    fn break_deadlock(&mut self) {
        let blocked = |m: u64| self.waits.iter().any(|(who, call, _)| who.connection / 10 == m && *call != Call::Drain);
        let mut live = self.members.iter().map(|(id, ..)| *id).filter(|member| self.needed(*member));
        let any = self.waits.iter().any(|(_, call, _)| *call != Call::Drain);
        if any && live.all(blocked) && self.now >= self.last_request + QUIET {
            self.end(|_, _, call| *call != Call::Drain, Class::Deadlock);
        }
    }
}

/// The real group, and what its answers come to.
pub fn real(group: &mut Group, now: u64, step: &Step, caller: Caller) -> Vec<(Caller, Verdict)> {
    let event = match step.clone() {
        Step::Join(connection, stay) => {
            Event::Join { caller, member: (connection / 10).to_string(), stay, grace: None }
        }
        Step::Leave(_) => Event::Leave { caller },
        Step::LeaveMember(member) => Event::LeaveMember { caller, member: member.to_string() },
        Step::Lost(connection) => Event::Lost { connection },
        Step::Call(_, call) => Event::Call { caller, call, deadline: seconds(now + TIMEOUT) },
        Step::Advance(_) => Event::Tick,
    };
    let outputs = group.apply(seconds(now), event).into_iter();
    let answer = |output| match output {
        Output::Answer { caller, result } => Some((caller, result.map(|_| ()).map_err(|failure| failure.class))),
        Output::Note(_) => None,
    };
    outputs.filter_map(answer).collect()
}

pub fn sorted(mut answers: Vec<(Caller, Verdict)>) -> Vec<(Caller, Verdict)> {
    answers.sort_by_key(|(caller, _)| (caller.connection, caller.request));
    answers
}

/// The real group of the same members.
pub fn group_of(members: &[Row]) -> Group {
    let member = |(id, role, host): &Row| {
        let host = host.map(|host| host.to_string());
        Member { host, ..Member::new(id.to_string(), *role) }
    };
    let settings = Settings { quiet: seconds(QUIET), ..Settings::default() };
    Group::new(members.iter().map(member).collect(), settings).expect("a usable list")
}
