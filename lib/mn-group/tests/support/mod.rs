//! A group with a clock in whole seconds and one connection a member, for tests that read like a protocol.
#![allow(dead_code, reason = "each test file uses a part")]

use mn_group::{Call, Caller, Class, Event, Group, Member, Messages, Note, Output, Reply, Settings, State, Stay};
use std::time::Duration;

pub mod model;

pub fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What a call gave: a reply, or a failure's class and words.
pub type Answer = Result<Reply, (Class, String)>;

pub struct Lab {
    pub group: Group,
    pub now: u64,
    next_request: i64,
    answers: Vec<(Caller, Answer)>,
    pub notes: Vec<Note>,
}

/// Host 104 and its guests 101, 102, 103, as the founding job has them.
pub fn founding_members() -> Vec<Member> {
    let mut members: Vec<Member> = ["101", "102", "103"].map(|id| Member::new(id, "guest").on_host("104")).to_vec();
    members.push(Member::new("104", "host"));
    members
}

impl Lab {
    /// The founding group, each member joined on the connection of its own number.
    pub fn founding() -> Self {
        let mut lab = Self::of(founding_members());
        for member in [101, 102, 103, 104] {
            let id = member.to_string();
            assert_eq!(lab.join(member, &id), Ok(Reply::Joined { member: id }));
        }
        lab
    }

    pub fn of(members: Vec<Member>) -> Self {
        Self::with(members, Settings::default())
    }

    pub fn with(members: Vec<Member>, settings: Settings) -> Self {
        Self::around(Group::new(members, settings).expect("a usable list"))
    }

    /// A group of open places.
    pub fn open(size: usize) -> Self {
        Self::around(Group::open(size, Settings::default()).expect("a usable size"))
    }

    fn around(group: Group) -> Self {
        Self { group, now: 0, next_request: 1, answers: vec![], notes: vec![] }
    }

    pub fn apply(&mut self, event: Event) {
        for output in self.group.apply(seconds(self.now), event) {
            match output {
                Output::Answer { caller, result } => {
                    assert!(self.answers.iter().all(|(other, _)| *other != caller), "answered twice: {caller:?}");
                    self.answers.push((caller, result.map_err(|failure| (failure.class, failure.message))));
                }
                Output::Note(note) => self.notes.push(note),
            }
        }
    }

    fn caller(&mut self, connection: u64) -> Caller {
        self.next_request += 1;
        Caller { connection, request: self.next_request }
    }

    /// Starts a call that may take an hour; its answer is looked up by the caller given back.
    pub fn start(&mut self, connection: u64, call: Call) -> Caller {
        self.start_for(connection, call, 3600)
    }

    pub fn start_for(&mut self, connection: u64, call: Call, timeout: u64) -> Caller {
        let caller = self.caller(connection);
        let deadline = seconds(self.now + timeout);
        self.apply(Event::Call { caller, call, deadline });
        caller
    }

    /// A call that must be answered at once.
    pub fn call(&mut self, connection: u64, call: Call) -> Answer {
        let caller = self.start(connection, call);
        self.answer(caller).expect("answered at once")
    }

    pub fn answer(&self, caller: Caller) -> Option<Answer> {
        self.answers.iter().find(|(other, _)| *other == caller).map(|(_, result)| result.clone())
    }

    pub fn waits(&self, caller: Caller) -> bool {
        self.answer(caller).is_none()
    }

    pub fn failure(&self, caller: Caller) -> (Class, String) {
        self.answer(caller).expect("an answer").expect_err("a failure")
    }

    pub fn join(&mut self, connection: u64, member: &str) -> Answer {
        self.join_as(connection, member, Stay::Lasting)
    }

    pub fn join_as(&mut self, connection: u64, member: &str, stay: Stay) -> Answer {
        let caller = self.caller(connection);
        self.apply(Event::Join { caller, member: member.into(), stay, grace: None });
        self.answer(caller).expect("answered at once")
    }

    pub fn resume(&mut self, connection: u64, of: u64) -> Answer {
        let caller = self.caller(connection);
        self.apply(Event::Resume { caller, of });
        self.answer(caller).expect("answered at once")
    }

    pub fn enrol(&mut self, connection: u64, member: Member) -> Answer {
        let caller = self.caller(connection);
        self.apply(Event::Enrol { caller, member, stay: Stay::Lasting, grace: None });
        self.answer(caller).expect("answered at once")
    }

    pub fn leave(&mut self, connection: u64) {
        let caller = self.caller(connection);
        self.apply(Event::Leave { caller });
        assert_eq!(self.answer(caller), Some(Ok(Reply::Done)));
    }

    pub fn leave_member(&mut self, member: &str) -> Answer {
        let caller = self.caller(9999);
        self.apply(Event::LeaveMember { caller, member: member.into() });
        self.answer(caller).expect("answered at once")
    }

    pub fn lose(&mut self, connection: u64) {
        self.apply(Event::Lost { connection });
    }

    pub fn tick_at(&mut self, now: u64) {
        self.now = now;
        self.apply(Event::Tick);
    }

    pub fn state(&self, member: &str) -> State {
        let status = self.group.status(seconds(self.now));
        status.members.iter().find(|each| each.member.id == member).expect("a member").state
    }
}

pub fn send(id: &str, value: &str) -> Call {
    Call::Send { id: id.into(), data: vec![("k".into(), value.into())] }
}

pub fn wait(id: &str) -> Call {
    Call::Wait { id: id.into() }
}

pub fn wait_all(id: &str) -> Call {
    Call::WaitAll { id: id.into(), role: None }
}

pub fn wait_role(id: &str, role: &str) -> Call {
    Call::WaitAll { id: id.into(), role: Some(role.into()) }
}

pub fn sync(id: &str) -> Call {
    Call::Sync { id: id.into() }
}

pub fn start_after(role: &str) -> Call {
    Call::Start { role: role.into() }
}

/// The reply to a wait: who sent what under the key `k`.
pub fn messages(list: &[(&str, &str)]) -> Reply {
    let one = |(from, value): &(&str, &str)| (from.to_string(), vec![("k".to_string(), value.to_string())]);
    Reply::Messages(list.iter().map(one).collect::<Messages>())
}
