//! Several groups in one broker, and members from outside.

use super::*;
use pumice_tests::broker::members_stream;

fn pair() -> Broker {
    Broker::start(&[("1", "a", None), ("2", "b", None)], &[])
}

/// Another group beside the first; its name is in the list.
fn found(broker: &Broker, name: &str, members: &[(&str, &str, Option<&str>)]) -> Outcome {
    let list = members_stream(members).replace("0b6e", name);
    pumice_tests::run(&mut broker.verb(&["found"]), list.as_bytes())
}

#[test]
fn several_jobs_share_a_broker_and_hear_nothing_of_each_other() {
    let broker = pair();
    assert_eq!(found(&broker, "other", &[("1", "x", None), ("3", "y", None)]), done(""));
    assert_eq!(broker.run(&["--member", "3", "send", "m", "from=other"]), done(""), "the only group with a 3");
    let which = outcome(2, "", "mn-broker: which of the 2 groups is meant? Name it\n");
    assert_eq!(broker.run(&["--member", "1", "send", "m"]), which);
    assert_eq!(broker.run(&["status"]), which);
    assert_eq!(broker.run(&["--group", "nope", "status"]), outcome(2, "", "mn-broker: no group 'nope'\n"));
    assert_eq!(broker.run(&["--group", "other", "--member", "1", "wait", "m"]), done("3:from=other\n"));
    let own = broker.run(&["--group", "0b6e", "--member", "1", "wait", "m", "--timeout", "0.1"]);
    assert_eq!(own.status, 124, "{own:?}");
    let text = "MEMBER  ROLE  STATE     WAITS\n1       x     expected  -\n3       y     expected  -\n";
    assert_eq!(broker.run(&["--group", "other", "status"]), done(text));
    let again = outcome(2, "", "mn-broker: group 'other' is there already\n");
    assert_eq!(found(&broker, "other", &[("1", "x", None)]), again);
}

#[test]
fn a_broker_takes_256_groups_and_one_more_when_one_is_over() {
    let broker = pair();
    let mut wire = broker.connect();
    let mut found = |n: usize| {
        let members = json!([{ "job_id": "1", "role": "a" }]);
        wire.ask(json!({ "id": n, "call": "found", "args": { "name": format!("g{n}"), "members": members } }))
    };
    for n in 1..256 {
        assert_eq!(found(n), json!({ "id": n, "return": {} }));
    }
    assert_eq!(class(&found(256)), "limit");
    assert_eq!(broker.run(&["--group", "g7", "leave", "1"]), done(""));
    assert_eq!(found(256), json!({ "id": 256, "return": {} }));
}

#[test]
fn the_lists_of_several_groups_are_given_at_the_start_too() {
    let broker = pair();
    let list = broker.file("second");
    std::fs::write(&list, members_stream(&[("7", "x", None)]).replace("0b6e", "second")).expect("written");
    let list = list.to_str().expect("text");
    let both = Broker::start(&[("1", "a", None)], &["--members", list]);
    assert_eq!(both.run(&["--member", "7", "sync", "s"]), done(""), "a group of one");
    assert_eq!(both.run(&["--group", "0b6e", "status"]).status, 0);
}

#[test]
fn the_flood_of_one_group_is_no_other_groups_delay() {
    let members = [("1", "a", None), ("2", "b", None)];
    let broker = Broker::with_journal(&members, &[]);
    assert_eq!(found(&broker, "flood", &[("8", "x", None), ("9", "y", None)]), done(""));
    let speak = |id: &str| {
        let mut wire = broker.connect();
        wire.ask(json!({ "id": 0, "call": "speak", "args": { "member": id } }));
        wire
    };
    let mut floods: Vec<Wire> = (0..20).map(|nth| speak(["8", "9"][nth % 2])).collect();
    let mut meek = speak("1");
    // While the broker stands still, everybody asks: who is served first shows in the journal, on any machine.
    broker.stop();
    for flood in &mut floods {
        flood.write(&b"{\"id\":1,\"call\":\"send\",\"args\":{\"message\":\"flood\"}}\n".repeat(200)).expect("written");
    }
    meek.say(json!({ "id": 1, "call": "send", "args": { "message": "meek" } }));
    broker.go_on();
    for wire in floods.iter_mut().chain([&mut meek]) {
        assert_eq!(wire.hear()["return"], json!({}));
    }
    floods.iter_mut().for_each(|flood| (1..200).for_each(|_| drop(flood.hear_line())));
    let journal = std::fs::read_to_string(broker.file("journal")).expect("text");
    let sent = |what: &str| {
        let message = format!("{{\"message\":\"{what}\"");
        move |line: &&str| line.contains(&message)
    };
    let before = journal.lines().take_while(|line| !sent("meek")(line)).filter(sent("flood")).count();
    assert_eq!(journal.lines().filter(sent("flood")).count(), 20 * 200);
    assert!(before <= 16, "{before} requests of the flood came first: more than two turns of 8");
}

#[test]
fn a_person_joins_a_running_group_and_nobody_waits_for_them() {
    let broker = pair();
    let mut seen = watcher(&broker);
    let joined = spawn(&broker, &["--external", "person", "join"]);
    assert_eq!(await_event(&mut seen, "join"), json!({ "member": "3", "role": "person" }));
    assert_eq!(broker.run(&["--member", "3", "send", "m", "k=v"]), done(""), "by the id that it has got");
    assert_eq!(broker.run(&["--external", "person", "wait", "m"]), done("3:k=v\n"));
    let members = ["1", "2"].map(|id| spawn(&broker, &["--member", id, "sync", "s"]));
    for member in members {
        assert_eq!(finish(member), done(""), "nobody waits for the person");
    }
    nix::sys::signal::kill(pumice_tests::broker::process(&joined), nix::sys::signal::Signal::SIGTERM).expect("there");
    assert_eq!(finish(joined), done("3\n"));
    let status = broker.run(&["status"]).stdout;
    assert!(status.contains("3       person  left") && status.contains("4       person  left"), "{status}");
}

#[test]
fn a_counted_one_is_waited_for() {
    let broker = pair();
    let mut seen = watcher(&broker);
    let person = spawn(&broker, &["--external", "person", "--counted", "sync", "s"]);
    assert_eq!(await_event(&mut seen, "wait")["member"], "3");
    let one = spawn(&broker, &["--member", "1", "sync", "s"]);
    await_event(&mut seen, "wait");
    assert_eq!(broker.run(&["--member", "2", "sync", "s"]), done(""));
    assert_eq!((finish(one), finish(person)), (done(""), done("")));
    await_event(&mut seen, "left");
    let missing = broker.run(&["--member", "1", "sync", "s"]);
    assert_eq!((missing.status, missing.stderr.contains("for person 3, which left")), (1, true), "{missing:?}");
    assert_eq!(broker.run(&["--counted", "status"]).status, 2);
}

#[test]
fn status_as_a_graph_shows_who_waits_for_whom() {
    let broker = pair();
    let mut one = broker.join("1");
    let mut seen = watcher(&broker);
    one.say(json!({ "id": 1, "call": "sync", "args": { "message": "s" } }));
    await_event(&mut seen, "wait");
    let expected = "digraph \"0b6e\" {\n\trankdir=LR;\n\tnode [shape=box];\n\
                    \t\"1\" [label=\"a 1\\njoined\"];\n\t\"2\" [label=\"b 2\\nexpected\"];\n\
                    \t\"1\" -> \"2\" [label=\"sync s, 0 s\"];\n}\n";
    assert_eq!(broker.run(&["status", "--dot"]), done(expected));
}

#[test]
fn the_chain_is_named_with_how_long_ago() {
    let broker = pair();
    broker.run(&["leave", "2"]);
    // A second of the broker's own clock, measured by a wait that times out.
    assert_eq!(broker.run(&["--external", "person", "wait", "never", "--timeout", "1.1"]).status, 124);
    let message = "mn-broker: a 1 waits in sync 's' for b 2, which left 1 s ago\n";
    assert_eq!(broker.run(&["--member", "1", "sync", "s"]), outcome(1, "", message));
}

#[test]
fn nobody_waits_for_a_member_that_only_looks_on() {
    let broker = Broker::watched(&[("1", "guest", Some("2")), ("2", "host", None)], &[("3", "watcher")]);
    let _watcher = broker.join("3");
    let status = broker.run(&["status", "--json"]);
    assert!(status.stdout.contains(r#""job_id":"3","role":"watcher","counted":false"#), "{}", status.stdout);
    let waits = spawn(&broker, &["--member", "1", "wait-all", "d"]);
    let meets = spawn(&broker, &["--member", "1", "sync", "s"]);
    for member in ["1", "2"] {
        assert_eq!(broker.run(&["--member", member, "send", "d", &format!("from={member}")]), done(""));
    }
    assert_eq!(broker.run(&["--member", "2", "sync", "s"]), done(""));
    assert_eq!(finish(meets), done(""));
    assert_eq!(finish(waits), done("1:from=1\n2:from=2\n"));
    let nobody = "mn-broker: no role 'watcher' in this group\n";
    assert_eq!(broker.run(&["--member", "1", "wait-all", "d", "watcher"]), outcome(2, "", nobody));
    // A host does not wait for it either.
    assert_eq!(broker.run(&["leave", "1"]), done(""));
    assert_eq!(broker.run(&["--member", "2", "drain"]), done("left 1\n"));
}
