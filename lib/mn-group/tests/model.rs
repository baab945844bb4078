//! The group against a second one that is slow and simple: every step of any history gives the same answers.

mod support;
use mn_group::{Call, Caller, Class, Event, Group, Member, Output, Settings, State, Stay};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use support::seconds;

/// Seconds a call may take, and seconds all may wait.
const TIMEOUT: u64 = 6;
const QUIET: u64 = 4;

/// Guests 1 and 2 on the board of 3, and 4 with a board of its own. A connection's tens name its member.
const MEMBERS: [(u64, &str, Option<u64>); 4] =
    [(1, "guest", Some(3)), (2, "guest", Some(3)), (3, "host", None), (4, "lone", None)];

#[derive(Clone, Debug)]
enum Step {
    Join(u64, Stay),
    Leave(u64),
    LeaveMember(u64),
    Lost(u64),
    Call(u64, Call),
    Advance(u64),
}

/// What an answer was, without its words.
type Verdict = Result<(), Class>;

/// The slow and simple group.
#[derive(Default)]
struct Model {
    now: u64,
    last_request: u64,
    speaks: BTreeMap<u64, Stay>,
    states: BTreeMap<u64, State>,
    sent: BTreeSet<(String, u64)>,
    waits: Vec<(Caller, Call, u64)>,
    answers: Vec<(Caller, Verdict)>,
}

impl Model {
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

    fn step(&mut self, step: &Step, caller: Caller) -> Vec<(Caller, Verdict)> {
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
        let everyone = MEMBERS.iter().map(|(id, ..)| *id);
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
                let guests = MEMBERS.iter().filter(|(.., host)| *host == Some(caller));
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
        let of_role = MEMBERS.iter().filter(|(_, its, _)| *its == role).map(|(id, ..)| *id);
        of_role.filter(|member| !self.sent.contains(&(id.to_owned(), *member))).collect()
    }

    fn break_deadlock(&mut self) {
        let blocked = |m: u64| self.waits.iter().any(|(who, call, _)| who.connection / 10 == m && *call != Call::Drain);
        let mut live = MEMBERS.iter().map(|(id, ..)| *id).filter(|member| self.needed(*member));
        let any = self.waits.iter().any(|(_, call, _)| *call != Call::Drain);
        if any && live.all(blocked) && self.now >= self.last_request + QUIET {
            self.end(|_, _, call| *call != Call::Drain, Class::Deadlock);
        }
    }
}

fn call() -> impl Strategy<Value = Call> {
    let id = || prop_oneof![Just("x".to_owned()), Just("lava_start".to_owned())];
    let role = || prop_oneof![Just("guest".to_owned()), Just("host".to_owned())];
    prop_oneof![
        3 => id().prop_map(|id| Call::Send { id, data: vec![] }),
        2 => id().prop_map(|id| Call::Wait { id }),
        2 => (id(), proptest::option::of(role())).prop_map(|(id, role)| Call::WaitAll { id, role }),
        5 => Just(Call::Sync { id: "x".into() }),
        1 => role().prop_map(|role| Call::Start { role }),
        1 => Just(Call::Drain),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let connection = || (1..=4_u64, 0..2_u64).prop_map(|(member, nth)| member * 10 + nth);
    let stay = prop_oneof![3 => Just(Stay::Lasting), 1 => Just(Stay::Passing)];
    prop_oneof![
        6 => (connection(), stay).prop_map(|(connection, stay)| Step::Join(connection, stay)),
        1 => connection().prop_map(Step::Leave),
        1 => (1..=4_u64).prop_map(Step::LeaveMember),
        1 => connection().prop_map(Step::Lost),
        16 => (connection(), call()).prop_map(|(connection, call)| Step::Call(connection, call)),
        3 => (1..=3_u64).prop_map(Step::Advance),
    ]
}

/// The real group, and what its answers come to.
fn real(group: &mut Group, now: u64, step: &Step, caller: Caller) -> Vec<(Caller, Verdict)> {
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

fn sorted(mut answers: Vec<(Caller, Verdict)>) -> Vec<(Caller, Verdict)> {
    answers.sort_by_key(|(caller, _)| (caller.connection, caller.request));
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_has_the_answers_of_the_simple_group(steps in proptest::collection::vec(step(), 1..60)) {
        let members = MEMBERS.iter().map(|(id, role, host)| {
            let host = host.map(|host| host.to_string());
            Member { host, ..Member::new(id.to_string(), *role) }
        });
        let settings = Settings { quiet: seconds(QUIET), ..Settings::default() };
        let mut group = Group::new(members.collect(), settings).expect("a usable list");
        let mut model = Model::default();
        for (request, step) in (1..).zip(&steps) {
            let connection = match step {
                Step::Join(connection, _) | Step::Leave(connection) | Step::Lost(connection) => *connection,
                Step::Call(connection, _) => *connection,
                Step::LeaveMember(_) | Step::Advance(_) => 99,
            };
            let caller = Caller { connection, request };
            let due = group.next_deadline();
            let expected = model.step(step, caller);
            let answers = real(&mut group, model.now, step, caller);
            if matches!(step, Step::Advance(_)) && !answers.is_empty() {
                prop_assert!(due.is_some_and(|due| due <= seconds(model.now)), "answers came before they were due");
            }
            prop_assert!(group.next_deadline().is_none_or(|due| due > seconds(model.now)), "nothing is overdue");
            prop_assert_eq!(sorted(answers), sorted(expected), "at {:?}", step);
        }
    }
}
