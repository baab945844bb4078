//! Every history of up to three members and four calls, in every order: the group gives the answers of the
//! simple one, each request has one answer at the most, and nothing that could be answered waits.

mod support;
use mn_group::{Call, Caller, Group, Stay};
use std::collections::BTreeSet;
use support::model::{Model, Row, Step, group_of, real, sorted};

const CALLS: usize = 4;

/// What a member may do next.
fn steps(member: u64) -> Vec<Step> {
    let id = || "x".to_owned();
    let call = |call| Step::Call(member * 10, call);
    vec![
        call(Call::Send { id: id(), data: vec![] }),
        call(Call::Wait { id: id() }),
        call(Call::WaitAll { id: id(), role: None }),
        call(Call::WaitAll { id: id(), role: Some("guest".into()) }),
        call(Call::Sync { id: id() }),
        call(Call::Drain),
        Step::Leave(member * 10),
        Step::Lost(member * 10),
    ]
}

/// A history so far.
#[derive(Clone)]
struct History {
    group: Group,
    model: Model,
    requests: i64,
    answered: BTreeSet<i64>,
    trail: Vec<Step>,
}

impl History {
    /// All members have joined.
    fn begin(members: &'static [Row]) -> Self {
        let (group, model) = (group_of(members), Model::of(members));
        let mut history = Self { group, model, requests: 0, answered: BTreeSet::new(), trail: vec![] };
        for (id, ..) in members {
            history.step(&Step::Join(id * 10, Stay::Lasting));
        }
        history.trail.clear();
        history
    }

    fn step(&mut self, step: &Step) {
        self.trail.push(step.clone());
        let connection = match step {
            Step::Join(connection, _) | Step::Leave(connection) | Step::Lost(connection) => *connection,
            Step::Call(connection, _) => *connection,
            Step::LeaveMember(_) | Step::Advance(_) => 99,
        };
        self.requests += 1;
        let caller = Caller { connection, request: self.requests };
        let expected = sorted(self.model.step(step, caller));
        let answers = sorted(real(&mut self.group, self.model.now, step, caller));
        assert_eq!(answers, expected, "{:?}", self.trail);
        for (caller, _) in answers {
            assert!(self.answered.insert(caller.request), "answered twice: {:?}", self.trail);
        }
    }

    /// Goes on in every way; gives how many histories there were.
    fn explore(&self, members: &'static [Row], calls: usize) -> usize {
        let mut end = self.clone();
        // In the end all that waits is told so: by the deadlock's quiet, or by its own limit.
        end.step(&Step::Advance(support::model::QUIET));
        end.step(&Step::Advance(support::model::TIMEOUT));
        assert_eq!(end.group.next_deadline(), None, "something waits for ever: {:?}", end.trail);
        let mut count = 1;
        for step in members.iter().filter(|_| calls > 0).flat_map(|(id, ..)| steps(*id)) {
            let mut next = self.clone();
            next.step(&step);
            count += next.explore(members, calls - 1);
        }
        count
    }
}

#[test]
fn every_history_of_three_members_and_four_calls_is_right() {
    const MEMBERS: [Row; 3] = [(1, "guest", Some(3)), (2, "guest", Some(3)), (3, "host", None)];
    let begin = History::begin(&MEMBERS);
    // Guests 1 and 2 are alike: whose turn is first makes no difference.
    let first = [1, 3].into_iter().flat_map(steps);
    let count: usize = std::thread::scope(|scope| {
        let branches: Vec<_> = first
            .map(|step| {
                let mut history = begin.clone();
                scope.spawn(move || {
                    history.step(&step);
                    history.explore(&MEMBERS, CALLS - 1)
                })
            })
            .collect();
        branches.into_iter().map(|branch| branch.join().expect("right")).sum()
    });
    assert_eq!(count, 16 * (1 + 24 + 24 * 24 + 24 * 24 * 24));
}

#[test]
fn every_history_of_two_members_and_four_calls_is_right() {
    const MEMBERS: [Row; 2] = [(1, "guest", Some(2)), (2, "host", None)];
    let count = History::begin(&MEMBERS).explore(&MEMBERS, CALLS);
    assert_eq!(count, 1 + 16 + 16 * 16 + 16 * 16 * 16 + 16 * 16 * 16 * 16);
}
