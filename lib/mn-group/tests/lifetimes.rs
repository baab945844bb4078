//! Leaving, dying, draining, and the group in which everybody waits.

mod support;
use mn_group::{Call, Caller, Class, Counted, Event, Member, Note, Reply, Settings, State};
use support::*;

fn left(message: &str) -> (Class, String) {
    (Class::Left, message.to_owned())
}

#[test]
fn a_sync_ends_for_all_its_members_when_one_leaves() {
    let mut lab = Lab::founding();
    let (host, guest) = (lab.start(104, sync("clients")), lab.start(101, sync("clients")));
    lab.leave(102);
    assert_eq!(lab.failure(host), left("host 104 waits in sync 'clients' for guest 102, which left"));
    assert_eq!(lab.failure(guest), left("guest 101 waits in sync 'clients' for guest 102, which left"));
    let late = lab.start(103, sync("clients"));
    assert_eq!(lab.failure(late).0, Class::Left, "nor does it start again");
    lab.now += 3;
    let later = lab.start(104, sync("clients"));
    assert_eq!(lab.failure(later), left("host 104 waits in sync 'clients' for guest 102, which left 3 s ago"));
}

#[test]
fn who_leaves_from_within_a_sync_ends_it_too() {
    let mut lab = Lab::founding();
    let (host, guest) = (lab.start(104, sync("clients")), lab.start(101, sync("clients")));
    lab.leave_member("101").expect("left");
    assert_eq!(lab.failure(guest), left("guest 101 left"));
    assert_eq!(lab.failure(host), left("host 104 waits in sync 'clients' for guest 101, which left"));
}

#[test]
fn a_lost_connection_is_a_death_at_once() {
    let mut lab = Lab::founding();
    let call = lab.start(104, sync("clients"));
    lab.lose(103);
    assert_eq!(lab.state("103"), State::Died);
    assert_eq!(lab.failure(call), left("host 104 waits in sync 'clients' for guest 103, which died"));
}

#[test]
fn a_lost_connection_has_its_grace() {
    let settings = Settings { grace: seconds(30), ..Settings::default() };
    let mut lab = Lab::with(vec![Member::new("1", "a"), Member::new("2", "a"), Member::new("3", "a")], settings);
    for (connection, member) in [(1, "1"), (2, "2")] {
        lab.join(connection, member).expect("joined");
    }
    let call = lab.start(1, sync("s"));
    lab.lose(2);
    assert_eq!(lab.group.next_deadline(), Some(seconds(30)));
    lab.tick_at(29);
    assert!(lab.waits(call));
    lab.tick_at(30);
    assert_eq!(lab.failure(call), left("a 1 waits in sync 's' for a 2, which died"));
}

#[test]
fn a_member_has_left_when_its_last_connection_has() {
    let mut lab = Lab::founding();
    lab.join(7, "101").expect("a second connection");
    lab.leave(101);
    assert_eq!(lab.state("101"), State::Joined);
    lab.leave(7);
    assert_eq!(lab.state("101"), State::Left);
}

#[test]
fn after_leave_a_closed_connection_is_no_death_and_leaving_twice_does_no_harm() {
    let mut lab = Lab::founding();
    lab.leave(101);
    lab.leave(101);
    lab.lose(101);
    assert_eq!(lab.state("101"), State::Left);
}

#[test]
fn who_has_left_does_not_come_back() {
    let mut lab = Lab::founding();
    lab.leave(101);
    assert_eq!(lab.join(7, "101"), Err(left("guest 101 left and cannot join again")));
}

#[test]
fn leave_by_name_works_for_a_member_that_never_joined_and_again() {
    let mut lab = Lab::of(founding_members());
    lab.join(104, "104").expect("joined");
    let call = lab.start(104, sync("clients"));
    assert_eq!(lab.leave_member("102"), Ok(Reply::Done));
    assert_eq!(lab.leave_member("102"), Ok(Reply::Done));
    assert_eq!(lab.state("102"), State::Left);
    assert_eq!(lab.failure(call).0, Class::Left);
    assert_eq!(lab.leave_member("9").expect_err("a stranger").0, Class::Unknown);
}

#[test]
fn leave_by_name_ends_what_the_member_itself_waits_for() {
    let mut lab = Lab::founding();
    let call = lab.start(102, wait("x"));
    lab.leave_member("102").expect("left");
    assert_eq!(lab.failure(call), left("guest 102 left"));
    assert_eq!(lab.call(102, send("x", "v")), Err(left("guest 102 left and asks for nothing more")));
}

#[test]
fn the_dead_stay_dead_when_they_are_said_to_have_left() {
    let mut lab = Lab::founding();
    lab.lose(102);
    lab.leave_member("102").expect("no harm");
    assert_eq!(lab.state("102"), State::Died);
}

#[test]
fn who_has_sent_before_it_left_is_not_missed() {
    let mut lab = Lab::founding();
    lab.call(104, send("lava_start", "")).expect("sent");
    for member in [101, 102, 103, 104] {
        lab.call(member, send("d", "v")).expect("sent");
    }
    lab.leave(104);
    assert_eq!(lab.call(101, start_after("host")), Ok(Reply::Done));
    assert!(lab.call(101, wait_all("d")).is_ok());
    assert!(lab.call(101, wait("d")).is_ok());
}

#[test]
fn waits_that_need_the_departed_end_and_others_go_on() {
    let mut lab = Lab::founding();
    let start = lab.start(101, start_after("host"));
    let all = lab.start(101, wait_all("d"));
    let role = lab.start(101, wait_role("d", "host"));
    let guests = lab.start(101, wait_role("d", "guest"));
    let any = lab.start(101, wait("d"));
    lab.leave(104);
    assert_eq!(lab.failure(start), left("guest 101 waits to start after role 'host' for host 104, which left"));
    assert_eq!(lab.failure(all), left("guest 101 waits for message 'd' of all members for host 104, which left"));
    assert_eq!(lab.failure(role), left("guest 101 waits for message 'd' of role 'host' for host 104, which left"));
    assert!(lab.waits(guests) && lab.waits(any));
}

#[test]
fn a_wait_ends_when_nobody_else_is_left_to_send() {
    let mut lab = Lab::founding();
    let call = lab.start(101, wait("x"));
    for member in [102, 103, 104] {
        assert!(lab.waits(call));
        lab.leave(member);
    }
    let message = "guest 101 waits for message 'x', and every other member has left, died or drains";
    assert_eq!(lab.failure(call), left(message));
}

#[test]
fn drain_is_answered_when_the_last_guest_is_gone() {
    let mut lab = Lab::founding();
    let drain = lab.start(104, Call::Drain);
    lab.leave(101);
    lab.lose(102);
    assert!(lab.waits(drain));
    lab.leave_member("103").expect("left");
    let drained = Reply::Drained { left: vec!["101".into(), "103".into()], died: vec!["102".into()] };
    assert_eq!(lab.answer(drain), Some(Ok(drained)));
}

#[test]
fn drain_looks_at_the_callers_own_guests_only() {
    let members = ["1", "2"].map(|id| Member::new(id, "board")).to_vec();
    let mut lab = Lab::of([members, vec![Member::new("3", "guest").on_host("2")]].concat());
    lab.join(1, "1").expect("joined");
    lab.join(2, "2").expect("joined");
    assert_eq!(lab.call(1, Call::Drain), Ok(Reply::Drained { left: vec![], died: vec![] }));
    let drain = lab.start(2, Call::Drain);
    assert!(lab.waits(drain), "an expected guest may still come");
}

#[test]
fn who_drains_counts_as_left_for_the_others() {
    let mut lab = Lab::founding();
    let before = lab.start(101, sync("s"));
    let drain = lab.start_for(104, Call::Drain, 300);
    assert_eq!(lab.state("104"), State::Draining);
    let message = "guest 101 waits in sync 's' for host 104, which is done and drains";
    assert_eq!(lab.failure(before), left(message));
    let after = lab.start(102, wait_role("d", "host"));
    assert_eq!(lab.failure(after).0, Class::Left);
    assert!(lab.waits(drain));
    lab.tick_at(300);
    let message = "host 104 waited 300 s in drain for guest 101, guest 102, guest 103".to_owned();
    assert_eq!(lab.failure(drain), (Class::Timeout, message));
    assert_eq!(lab.state("104"), State::Draining, "a drain out of time does not bring it back");
}

#[test]
fn when_everybody_waits_it_is_seen_at_once_and_ends_after_the_quiet() {
    let mut lab = Lab::founding();
    lab.now = 100;
    let calls = [(101, wait("a")), (102, wait("b")), (103, sync("s"))].map(|(member, call)| lab.start(member, call));
    assert_eq!(lab.group.status(seconds(100)).deadlock_in, None);
    let last = lab.start(104, wait("c"));
    assert_eq!(lab.group.status(seconds(103)).deadlock_in, Some(seconds(7)));
    assert!(lab.notes.contains(&Note::AllWait { ends_in: seconds(10) }));
    assert_eq!(lab.group.next_deadline(), Some(seconds(110)));
    lab.tick_at(109);
    assert!(lab.waits(last));
    lab.tick_at(110);
    let message = "every member waits: guest 101 for message 'a', guest 102 for message 'b', \
                   guest 103 in sync 's', host 104 for message 'c'";
    for call in calls.into_iter().chain([last]) {
        assert_eq!(lab.failure(call), (Class::Deadlock, message.to_owned()));
    }
    assert_eq!(lab.group.next_deadline(), None);
}

#[test]
fn a_request_from_the_background_starts_the_quiet_anew_and_an_answer_ends_it() {
    let mut lab = Lab::founding();
    let calls = [101, 102, 103, 104].map(|member| lab.start(member, wait("x")));
    lab.now = 9;
    lab.call(104, send("y", "v")).expect("sent");
    lab.tick_at(18);
    assert!(calls.iter().all(|call| lab.waits(*call)));
    assert_eq!(lab.group.next_deadline(), Some(seconds(19)));
    lab.call(103, send("x", "v")).expect("sent");
    assert!(calls.iter().all(|call| lab.answer(*call).is_some_and(|answer| answer.is_ok())));
    assert_eq!(lab.group.next_deadline(), None);
}

#[test]
fn no_deadlock_while_a_member_is_still_expected_or_at_work() {
    let mut lab = Lab::of(founding_members());
    for member in [101, 102, 103] {
        lab.join(member, &member.to_string()).expect("joined");
    }
    let calls = [101, 102, 103].map(|member| lab.start(member, wait("x")));
    lab.tick_at(1000);
    assert!(calls.iter().all(|call| lab.waits(*call)), "104 is expected");
    lab.join(104, "104").expect("joined");
    lab.tick_at(2000);
    assert!(calls.iter().all(|call| lab.waits(*call)), "104 is at work");
}

#[test]
fn a_drain_is_no_part_of_a_deadlock_and_outlives_it() {
    let mut lab = Lab::founding();
    let drain = lab.start(104, Call::Drain);
    let calls = [101, 102, 103].map(|member| lab.start(member, wait("x")));
    lab.tick_at(10);
    assert!(calls.iter().all(|call| lab.failure(*call).0 == Class::Deadlock));
    assert!(lab.waits(drain));
}

#[test]
fn a_deadlock_lets_the_next_wait_begin_afresh() {
    let mut lab = Lab::of(vec![Member::new("1", "a")]);
    lab.join(1, "1").expect("joined");
    let first = lab.start(1, wait("x"));
    lab.tick_at(10);
    assert_eq!(lab.failure(first).0, Class::Deadlock);
    lab.now = 50;
    let second = lab.start(1, wait("x"));
    assert_eq!(lab.group.next_deadline(), Some(seconds(60)));
    lab.call(1, send("x", "v")).expect("sent");
    assert_eq!(lab.answer(second), Some(Ok(messages(&[("1", "v")]))));
}

#[test]
fn who_comes_back_within_the_grace_has_lost_nothing() {
    let settings = Settings { grace: seconds(30), ..Settings::default() };
    let mut lab = Lab::with(vec![Member::new("1", "a"), Member::new("2", "a")], settings);
    for (connection, member) in [(1, "1"), (2, "2")] {
        lab.join(connection, member).expect("joined");
    }
    let call = lab.start(2, sync("s"));
    lab.lose(2);
    lab.now = 10;
    assert_eq!(lab.resume(3, 2), Ok(Reply::Joined { member: "2".into() }));
    lab.now = 100;
    assert_eq!(lab.call(1, sync("s")), Ok(Reply::Done));
    assert_eq!(lab.answer(Caller { connection: 3, ..call }), Some(Ok(Reply::Done)));
    assert_eq!(lab.resume(4, 2).expect_err("its place is taken").0, Class::Left);
}

#[test]
fn a_sync_is_complete_though_one_who_is_in_it_is_lost_for_a_moment() {
    let settings = Settings { grace: seconds(30), ..Settings::default() };
    let mut lab = Lab::with(vec![Member::new("1", "a"), Member::new("2", "a")], settings);
    for (connection, member) in [(1, "1"), (2, "2")] {
        lab.join(connection, member).expect("joined");
    }
    let lost = lab.start(2, sync("s"));
    lab.lose(2);
    assert_eq!(lab.call(1, sync("s")), Ok(Reply::Done));
    assert_eq!(lab.answer(lost), Some(Ok(Reply::Done)));
}

#[test]
fn after_a_restart_everybody_has_a_grace_to_come_back() {
    let mut lab = Lab::founding();
    let call = lab.start(104, sync("s"));
    lab.apply(Event::Restart { grace: seconds(30) });
    for member in [101, 102, 104] {
        lab.resume(member + 100, member).expect("comes back");
    }
    lab.tick_at(29);
    let call = Caller { connection: 204, ..call };
    assert!(lab.waits(call));
    lab.tick_at(30);
    assert_eq!(lab.failure(call), left("host 104 waits in sync 's' for guest 103, which died"));
}

#[test]
fn one_from_outside_is_waited_for_only_if_it_is_counted() {
    for (counted, waits) in [(Counted::No, false), (Counted::Yes, true)] {
        let mut lab = Lab::of(vec![Member::new("7", "a")]);
        lab.join(1, "7").expect("joined");
        let person = Member { counted, ..Member::new("", "person") };
        assert_eq!(lab.enrol(2, person), Ok(Reply::Joined { member: "8".into() }));
        let calls = [lab.start(1, sync("s")), lab.start(1, wait_all("m"))];
        lab.call(1, send("m", "v")).expect("sent");
        assert_eq!(calls.map(|call| lab.waits(call)), [waits, waits], "{counted:?}");
        lab.call(2, send("m", "v")).expect("sent");
        let both = lab.start(2, sync("s"));
        assert_eq!(lab.waits(both), !waits, "the other one's round is over, or waited for this");
    }
}

#[test]
fn who_only_looks_on_keeps_nobody_from_a_deadlock_and_is_no_hope() {
    let watcher = || Member { counted: Counted::Never, ..Member::new("9", "watcher") };
    let mut lab = Lab::of(vec![Member::new("1", "a"), Member::new("2", "a"), watcher()]);
    for (connection, member) in [(1, "1"), (2, "2"), (9, "9")] {
        lab.join(connection, member).expect("joined");
    }
    let stuck = lab.start(1, wait("x"));
    let other = lab.start(2, wait("y"));
    lab.tick_at(10);
    assert_eq!([stuck, other].map(|call| lab.failure(call).0), [Class::Deadlock; 2]);
    lab.leave(2);
    let alone = lab.start(1, wait("x"));
    let why = "a 1 waits for message 'x', and every other member has left, died or drains".to_owned();
    assert_eq!(lab.failure(alone), (Class::Left, why));
}

#[test]
fn who_has_joined_does_not_enter_as_somebody_else_too() {
    let mut lab = Lab::of(vec![Member::new("7", "a")]);
    lab.join(1, "7").expect("joined");
    let again = "this connection has joined already, as '7'".to_owned();
    assert_eq!(lab.enrol(1, Member::new("", "person")), Err((Class::BadRequest, again)));
    assert_eq!(lab.group.members().count(), 1, "nobody has come for whom the group would wait");
}

#[test]
fn a_group_of_open_places_waits_until_they_are_taken() {
    let mut lab = Lab::open(2);
    lab.enrol(1, Member::new("c1", "client")).expect("room");
    lab.call(1, send("d", "v")).expect("sent");
    let calls = [lab.start(1, wait_all("d")), lab.start(1, wait_role("d", "server")), lab.start(1, sync("s"))];
    assert!(calls.iter().all(|call| lab.waits(*call)));
    lab.enrol(2, Member::new("c2", "client")).expect("room");
    assert_eq!(lab.call(2, wait_role("d", "server")).expect_err("nobody is").0, Class::Unknown);
    assert_eq!(lab.failure(calls[1]).0, Class::Unknown, "it has turned out that nobody is");
    lab.call(2, sync("s")).expect("all are here");
}
