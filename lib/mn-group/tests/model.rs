//! The group against a second one that is slow and simple: every step of any history gives the same answers.

mod support;
use mn_group::{Call, Caller, Stay};
use proptest::prelude::*;
use support::model::{Model, Row, Step, group_of, real, sorted};
use support::seconds;

/// Guests 1 and 2 on the board of 3, and 4 with a board of its own.
const MEMBERS: [Row; 4] = [(1, "guest", Some(3)), (2, "guest", Some(3)), (3, "host", None), (4, "lone", None)];

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

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_history_has_the_answers_of_the_simple_group(steps in proptest::collection::vec(step(), 1..60)) {
        let mut group = group_of(&MEMBERS);
        let mut model = Model::of(&MEMBERS);
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
