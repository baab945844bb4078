//! What each call answers, and when. The words are those of LAVA's multinode API.

mod support;
use mn_group::{Call, Class, Member, Note, Reply, Stay};
use support::*;

#[test]
fn a_wait_is_answered_by_the_first_send_of_anyone() {
    let mut lab = Lab::founding();
    let (a, b) = (lab.start(101, wait("ipv4")), lab.start(102, wait("ipv4")));
    assert!(lab.waits(a) && lab.waits(b));
    assert_eq!(lab.call(104, send("ipv4", "10.77.0.2")), Ok(Reply::Done));
    assert_eq!(lab.answer(a), Some(Ok(messages(&[("104", "10.77.0.2")]))));
    assert_eq!(lab.answer(b), Some(Ok(messages(&[("104", "10.77.0.2")]))));
}

#[test]
fn messages_stay_and_later_senders_join_them_in_order_of_arrival() {
    let mut lab = Lab::founding();
    for (member, value) in [(103, "c"), (101, "a"), (103, "again")] {
        lab.call(member, send("x", value)).expect("sent");
    }
    for _ in 0..2 {
        assert_eq!(lab.call(104, wait("x")), Ok(messages(&[("103", "again"), ("101", "a")])));
    }
}

#[test]
fn a_members_own_send_answers_its_own_wait() {
    let mut lab = Lab::founding();
    lab.call(101, send("x", "mine")).expect("sent");
    assert_eq!(lab.call(101, wait("x")), Ok(messages(&[("101", "mine")])));
}

#[test]
fn a_wait_hears_only_its_own_id() {
    let mut lab = Lab::founding();
    let waits = lab.start(101, wait("b"));
    lab.call(104, send("a", "1")).expect("sent");
    assert!(lab.waits(waits));
}

#[test]
fn wait_all_needs_every_member_the_caller_included() {
    let mut lab = Lab::founding();
    let waits = lab.start(104, wait_all("d"));
    for member in [101, 102, 103] {
        lab.call(member, send("d", "v")).expect("sent");
        assert!(lab.waits(waits));
    }
    lab.call(104, send("d", "own")).expect("sent");
    let all = messages(&[("101", "v"), ("102", "v"), ("103", "v"), ("104", "own")]);
    assert_eq!(lab.answer(waits), Some(Ok(all)));
}

#[test]
fn wait_all_counts_members_that_have_not_joined() {
    let mut lab = Lab::of(vec![Member::new("1", "a"), Member::new("2", "b")]);
    lab.join(1, "1").expect("joined");
    lab.call(1, send("d", "v")).expect("sent");
    let waits = lab.start(1, wait_all("d"));
    assert!(lab.waits(waits));
}

#[test]
fn wait_all_with_a_role_needs_all_of_the_role_and_gives_only_theirs() {
    let mut lab = Lab::founding();
    lab.call(104, send("d", "host")).expect("sent");
    lab.call(101, send("d", "1")).expect("sent");
    lab.call(103, send("d", "3")).expect("sent");
    let (host, guest) = (lab.start(104, wait_role("d", "guest")), lab.start(102, wait_role("d", "guest")));
    assert!(lab.waits(host) && lab.waits(guest), "the first of a role is not enough");
    lab.call(102, send("d", "2")).expect("sent");
    let all = messages(&[("101", "1"), ("103", "3"), ("102", "2")]);
    assert_eq!(lab.answer(host), Some(Ok(all.clone())));
    assert_eq!(lab.answer(guest), Some(Ok(all)));
}

#[test]
fn a_callers_own_role_does_not_answer_for_another_role() {
    let mut lab = Lab::founding();
    lab.call(104, send("d", "host")).expect("sent");
    let waits = lab.start(104, wait_role("d", "guest"));
    assert!(lab.waits(waits));
}

#[test]
fn an_unknown_role_is_an_error_and_the_group_goes_on() {
    let mut lab = Lab::founding();
    let unknown = (Class::Unknown, "no role 'gest' in this group".to_owned());
    assert_eq!(lab.call(104, wait_role("d", "gest")), Err(unknown.clone()));
    assert_eq!(lab.call(104, start_after("gest")), Err(unknown));
    assert_eq!(lab.call(104, send("d", "v")), Ok(Reply::Done));
}

#[test]
fn a_sync_lets_all_go_together_and_serves_again() {
    let mut lab = Lab::founding();
    for round in 0..3 {
        let calls = [103, 101, 104].map(|member| lab.start(member, sync("clients")));
        assert!(calls.iter().all(|call| lab.waits(*call)), "round {round}");
        assert_eq!(lab.call(102, sync("clients")), Ok(Reply::Done));
        assert!(calls.iter().all(|call| lab.answer(*call) == Some(Ok(Reply::Done))), "round {round}");
    }
    let synced = lab.notes.iter().filter(|note| matches!(note, Note::Synced { id } if id == "clients"));
    assert_eq!(synced.count(), 3);
}

#[test]
fn one_member_in_a_sync_twice_is_one_member() {
    let mut lab = Lab::of(vec![Member::new("1", "a"), Member::new("2", "a")]);
    for (connection, member) in [(1, "1"), (2, "2"), (3, "1")] {
        lab.join(connection, member).expect("joined");
    }
    let calls = [lab.start(1, sync("s")), lab.start(3, sync("s"))];
    assert!(calls.iter().all(|call| lab.waits(*call)));
    lab.call(2, sync("s")).expect("complete");
    assert!(calls.iter().all(|call| !lab.waits(*call)));
}

#[test]
fn syncs_and_messages_of_one_id_have_nothing_to_do_with_each_other() {
    let mut lab = Lab::founding();
    for member in [101, 102, 103, 104] {
        lab.start(member, sync("x"));
    }
    let waits = lab.start(101, wait("x"));
    assert!(lab.waits(waits), "a sync is no message");
    assert_eq!(lab.call(104, send("x", "v")), Ok(Reply::Done));
    let again = lab.start(104, sync("x"));
    assert!(lab.waits(again), "a message is no sync");
}

#[test]
fn start_waits_for_every_member_of_the_role_to_send_lava_start() {
    let members = vec![Member::new("1", "guest"), Member::new("2", "host"), Member::new("3", "host")];
    let mut lab = Lab::of(members);
    for (connection, member) in [(1, "1"), (2, "2"), (3, "3")] {
        lab.join(connection, member).expect("joined");
    }
    let start = lab.start(1, start_after("host"));
    lab.call(1, send("lava_start", "mine")).expect("sent");
    lab.call(2, send("lava_start", "")).expect("sent");
    assert!(lab.waits(start));
    lab.call(3, send("lava_start", "")).expect("sent");
    assert_eq!(lab.answer(start), Some(Ok(Reply::Done)));
}

#[test]
fn a_call_ends_at_its_deadline_and_names_what_was_missing() {
    let mut lab = Lab::founding();
    let call = lab.start_for(104, sync("clients"), 30);
    lab.start(101, sync("clients"));
    assert_eq!(lab.group.next_deadline(), Some(seconds(30)));
    lab.tick_at(29);
    assert!(lab.waits(call));
    lab.tick_at(30);
    let message = "host 104 waited 30 s in sync 'clients' for guest 102, guest 103".to_owned();
    assert_eq!(lab.failure(call), (Class::Timeout, message));
}

#[test]
fn who_timed_out_of_a_sync_is_not_in_it_and_may_come_again() {
    let mut lab = Lab::of(vec![Member::new("1", "a"), Member::new("2", "a")]);
    lab.join(1, "1").expect("joined");
    lab.join(2, "2").expect("joined");
    lab.start_for(1, sync("s"), 5);
    lab.tick_at(5);
    let second = lab.start(2, sync("s"));
    assert!(lab.waits(second), "1 is no longer there");
    assert_eq!(lab.call(1, sync("s")), Ok(Reply::Done));
    assert_eq!(lab.answer(second), Some(Ok(Reply::Done)));
}

#[test]
fn an_event_that_comes_with_the_deadline_comes_too_late() {
    let mut lab = Lab::founding();
    let call = lab.start_for(101, wait("x"), 5);
    lab.now = 5;
    lab.call(104, send("x", "v")).expect("sent");
    assert_eq!(lab.failure(call).0, Class::Timeout);
}

#[test]
fn a_call_before_join_is_refused() {
    let mut lab = Lab::of(founding_members());
    for call in [send("x", ""), wait("x"), wait_all("x"), sync("x"), start_after("host"), Call::Drain] {
        let name = call.name();
        assert_eq!(lab.call(1, call), Err((Class::NotJoined, format!("'{name}' needs a join before it"))));
    }
}

#[test]
fn a_stranger_and_a_second_join_are_refused() {
    let mut lab = Lab::founding();
    let stranger = "no member '999' in this group".to_owned();
    assert_eq!(lab.join(7, "999"), Err((Class::Unknown, stranger)));
    let again = "this connection has joined already, as '101'".to_owned();
    assert_eq!(lab.join(101, "102"), Err((Class::BadRequest, again)));
}

#[test]
fn a_passing_connection_speaks_for_its_member_and_its_end_means_nothing() {
    let mut lab = Lab::of(founding_members());
    lab.join_as(1, "101", Stay::Passing).expect("joined");
    lab.call(1, send("x", "v")).expect("sent");
    assert_eq!(lab.state("101"), mn_group::State::Expected);
    lab.lose(1);
    lab.join_as(2, "101", Stay::Passing).expect("joined");
    lab.leave(2);
    assert_eq!(lab.state("101"), mn_group::State::Expected);
    lab.join(3, "104").expect("joined");
    assert_eq!(lab.call(3, wait("x")), Ok(messages(&[("101", "v")])));
}

#[test]
fn a_passing_connection_that_goes_takes_its_own_waits_along() {
    let mut lab = Lab::founding();
    lab.join_as(1, "101", Stay::Passing).expect("joined");
    let gone = lab.start(1, sync("s"));
    lab.lose(1);
    for member in [102, 103, 104] {
        lab.start(member, sync("s"));
    }
    assert!(lab.waits(gone), "nobody is there to be answered");
    let call = lab.start(101, wait("x"));
    assert!(lab.waits(call));
    assert_eq!(lab.call(101, sync("s")), Ok(Reply::Done));
}

#[test]
fn a_connection_has_a_bounded_number_of_calls_waiting() {
    let mut lab = Lab::founding();
    for _ in 0..64 {
        lab.start(101, wait("never"));
    }
    let message = "this connection has 64 calls waiting and may have no more".to_owned();
    assert_eq!(lab.call(101, wait("never")), Err((Class::Limit, message)));
    assert_eq!(lab.call(101, send("x", "v")), Ok(Reply::Done), "what does not wait is let through");
}

#[test]
fn status_tells_who_waits_for_whom_and_since_when() {
    let mut lab = Lab::founding();
    lab.start_for(104, sync("clients"), 600);
    lab.start_for(102, sync("clients"), 900);
    let status = lab.group.status(seconds(7));
    let host = &status.members[3];
    assert_eq!((host.member.id.as_str(), host.connections, host.waits.len()), ("104", 1, 1));
    assert_eq!(host.waits[0].since, seconds(7));
    assert_eq!(host.waits[0].remaining, seconds(593));
    assert_eq!(host.waits[0].needs, ["101", "103"]);
    assert!(status.members[0].waits.is_empty());
    assert_eq!(status.deadlock_in, None);
}
