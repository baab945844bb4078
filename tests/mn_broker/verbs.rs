//! The verbs on the command line.

use super::*;
use nix::sys::signal::{Signal, kill};
use pumice_tests::broker::process;
use pumice_tests::{run, tool};
use std::io::{BufRead, BufReader};
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn a_script_sends_and_waits() {
    let broker = Broker::founding();
    assert_eq!(broker.run(&["--member", "104", "send", "ipv4", "ipaddr=10.77.0.2", "via=a=b"]), done(""));
    assert_eq!(broker.run(&["--member", "101", "send", "ipv4", "ipaddr="]), done(""));
    let lines = "104:ipaddr=10.77.0.2\n104:via=a=b\n101:ipaddr=\n";
    assert_eq!(broker.run(&["--member", "101", "wait", "ipv4"]), done(lines));
    assert_eq!(broker.run(&["--member", "101", "wait", "ipv4"]), done(lines), "messages stay");
    assert_eq!(broker.run(&["--member", "102", "wait-all", "ipv4", "host"]), done(&lines[..33]));
}

#[test]
fn wait_all_is_answered_when_the_last_member_has_sent() {
    let broker = Broker::founding();
    let mut seen = watcher(&broker);
    let waits = spawn(&broker, &["--member", "104", "wait-all", "d"]);
    await_event(&mut seen, "wait");
    for member in ["102", "104", "101"] {
        assert_eq!(broker.run(&["--member", member, "send", "d", &format!("from={member}")]), done(""));
    }
    assert_eq!(finish(waits), done("102:from=102\n104:from=104\n101:from=101\n"));
}

#[test]
fn a_sync_lets_all_members_go() {
    let broker = Broker::founding();
    let members = ["101", "102", "104"].map(|id| spawn(&broker, &["--member", id, "sync", "clients"]));
    for member in members {
        assert_eq!(finish(member), done(""));
    }
}

#[test]
fn start_waits_for_lava_start_of_the_role() {
    let broker = Broker::founding();
    let mut seen = watcher(&broker);
    let guest = spawn(&broker, &["--member", "101", "start", "host"]);
    let waits = await_event(&mut seen, "wait");
    assert_eq!(waits, json!({ "member": "101", "role": "guest", "call": "start", "expect_role": "host" }));
    assert_eq!(broker.run(&["--member", "104", "send", "lava_start"]), done(""));
    assert_eq!(finish(guest), done(""));
}

#[test]
fn drain_tells_how_the_guests_ended_and_ends_waits_for_the_host() {
    let broker = Broker::founding();
    let mut guest = broker.join("101");
    let died = broker.join("102");
    let mut seen = watcher(&broker);
    let drain = spawn(&broker, &["--member", "104", "drain", "--timeout", "20"]);
    assert_eq!(await_event(&mut seen, "drain"), json!({ "member": "104", "role": "host" }));
    let answer = guest.ask(json!({ "id": 1, "call": "sync", "args": { "message": "late" } }));
    let message = "guest 101 waits in sync 'late' for host 104, which is done and drains";
    assert_eq!(answer["error"], json!({ "class": "left", "message": message }));
    drop(died);
    guest.ask(json!({ "id": 2, "call": "leave" }));
    assert_eq!(finish(drain), done("left 101\ndied 102\n"));
}

#[test]
fn leave_works_for_a_member_that_never_joined_and_again() {
    let broker = Broker::founding();
    let mut seen = watcher(&broker);
    let waits = spawn(&broker, &["--member", "104", "sync", "clients"]);
    await_event(&mut seen, "wait");
    assert_eq!(broker.run(&["leave", "102"]), done(""));
    assert_eq!(broker.run(&["leave", "102"]), done(""));
    let message = "mn-broker: host 104 waits in sync 'clients' for guest 102, which left\n";
    assert_eq!(finish(waits), outcome(1, "", message));
    assert_eq!(broker.run(&["--member", "101", "leave"]), done(""), "without a name it is the member spoken for");
    assert_eq!(broker.run(&["leave", "9"]), outcome(2, "", "mn-broker: no member '9' in this group\n"));
}

#[test]
fn fail_is_told_once_and_changes_nothing_else() {
    let broker = Broker::founding();
    let mut seen = watcher(&broker);
    let waits = spawn(&broker, &["--member", "104", "wait", "news"]);
    await_event(&mut seen, "wait");
    assert_eq!(broker.run(&["fail", "102"]), done(""));
    assert_eq!(await_event(&mut seen, "failed"), json!({ "member": "102", "role": "guest" }));
    assert_eq!(broker.run(&["--member", "102", "fail"]), done(""), "without a name it is the member spoken for");
    let mut guest = broker.join("101");
    assert_eq!(guest.ask(json!({ "id": 1, "call": "fail" })), json!({ "id": 1, "return": {} }));
    assert_eq!(await_event(&mut seen, "failed"), json!({ "member": "101", "role": "guest" }), "102 only once");
    let status: Value = serde_json::from_str(&broker.run(&["status", "--json"]).stdout).expect("JSON");
    let failed: Vec<_> = status["members"].as_array().expect("a list").iter().map(|m| m["failed"].clone()).collect();
    assert_eq!(failed, [json!(true), json!(true), Value::Null]);
    assert_eq!(status["members"][1]["state"], "expected");
    guest.ask(json!({ "id": 2, "call": "send", "args": { "message": "news", "data": { "a": "b" } } }));
    assert_eq!(finish(waits), done("101:a=b\n"), "others go on waiting");
    assert_eq!(broker.run(&["fail", "9"]), outcome(2, "", "mn-broker: no member '9' in this group\n"));
    let stranger = broker.connect().ask(json!({ "id": 1, "call": "fail" }));
    assert_eq!(class(&stranger), "not-joined");
}

#[test]
fn join_holds_a_member_until_a_signal_and_leaves_then() {
    let broker = Broker::founding();
    let mut seen = watcher(&broker);
    let joined = spawn(&broker, &["--member", "101", "join"]);
    assert_eq!(await_event(&mut seen, "join"), json!({ "member": "101", "role": "guest" }));
    kill(process(&joined), Signal::SIGTERM).expect("it is there");
    assert_eq!(finish(joined), done(""));
    assert_eq!(await_event(&mut seen, "left"), json!({ "member": "101", "role": "guest" }));
}

#[test]
fn join_ends_when_its_member_is_said_to_have_left() {
    let broker = Broker::founding();
    let mut seen = watcher(&broker);
    let joined = spawn(&broker, &["--member", "101", "join"]);
    await_event(&mut seen, "join");
    assert_eq!(broker.run(&["leave", "101"]), done(""));
    let ended = finish(joined);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
}

#[test]
fn a_killed_join_is_a_death() {
    let broker = Broker::founding();
    let mut seen = watcher(&broker);
    let mut joined = spawn(&broker, &["--member", "101", "join"]);
    await_event(&mut seen, "join");
    joined.kill().expect("it is there");
    joined.wait().expect("it ends");
    assert_eq!(await_event(&mut seen, "died"), json!({ "member": "101", "role": "guest" }));
}

#[test]
fn a_timeout_is_status_124_and_names_who_is_missing() {
    let broker = Broker::founding();
    let ended = broker.run(&["--member", "104", "sync", "clients", "--timeout", "0.1"]);
    let message = "mn-broker: host 104 waited 0 s in sync 'clients' for guest 101, guest 102\n";
    assert_eq!(ended, outcome(124, "", message));
    let ended = broker.run(&["--member", "104", "wait", "x", "--timeout", "0.1"]);
    let message = "mn-broker: host 104 waited 0 s for message 'x' for guest 101, guest 102\n";
    assert_eq!(ended, outcome(124, "", message));
}

#[test]
fn a_group_in_which_everybody_waits_ends_with_deadlock() {
    let members = [("1", "a", None), ("2", "a", None)];
    let broker = Broker::start(&members, &["--deadlock-after", "0.2"]);
    let mut seen = watcher(&broker);
    let waits = ["1", "2"].map(|id| spawn(&broker, &["--member", id, "wait", &format!("m{id}")]));
    assert_eq!(await_event(&mut seen, "deadlock"), json!({ "deadlock_in": 0.2 }));
    for child in waits {
        let ended = finish(child);
        assert_eq!(ended.status, 1);
        assert!(ended.stderr.starts_with("mn-broker: every member waits: a "), "{ended:?}");
        assert!(ended.stderr.contains("a 1 for message 'm1'") && ended.stderr.contains("a 2 for message 'm2'"));
    }
    assert_eq!(await_event(&mut seen, "answer")["error"]["class"], "deadlock");
}

#[test]
fn status_shows_everybody_as_text_and_as_json() {
    let broker = Broker::founding();
    let mut host = broker.join("104");
    let mut seen = watcher(&broker);
    host.say(json!({ "id": 1, "call": "wait-all", "args": { "message": "d", "role": "guest", "timeout": 60 } }));
    await_event(&mut seen, "wait");
    broker.run(&["leave", "102"]);
    let text = "MEMBER  ROLE   STATE     WAITS\n101     guest  expected  -\n102     guest  left      -\n104     host   joined    -\n";
    assert_eq!(broker.run(&["status"]), done(text), "the wait for a role of which one has left is over");
    host.hear();
    host.say(json!({ "id": 2, "call": "wait", "args": { "message": "d", "timeout": 60 } }));
    await_event(&mut seen, "wait");
    let shown = broker.run(&["status", "--json"]);
    let status: Value = serde_json::from_str(&shown.stdout).expect("JSON");
    assert_eq!(status["group"], "0b6e");
    let host = &status["members"][2];
    assert_eq!((&host["job_id"], &host["connections"]), (&json!("104"), &json!(1)));
    assert_eq!(host["waits"][0]["call"], "wait");
    assert_eq!(host["waits"][0]["for"], json!(["101"]));
    let (since, remaining) = (&host["waits"][0]["since"], &host["waits"][0]["remaining"]);
    assert!(since.as_f64() < Some(30.0) && remaining.as_f64() > Some(30.0), "{since} {remaining}");
}

#[test]
fn status_shows_a_thousand_members() {
    let ids: Vec<String> = (1000..2000).map(|id| id.to_string()).collect();
    let members: Vec<_> = ids.iter().map(|id| (id.as_str(), "node", None)).collect();
    let broker = Broker::start(&members, &[]);
    let rows: String = ids.iter().map(|id| format!("{id}    node  expected  -\n")).collect();
    assert_eq!(broker.run(&["status"]), done(&format!("MEMBER  ROLE  STATE     WAITS\n{rows}")));
    let json: Value = serde_json::from_str(&broker.run(&["status", "--json"]).stdout).expect("JSON");
    assert_eq!((json["members"].as_array().map(Vec::len), json.get("more")), (Some(1000), None));
}

#[test]
fn status_shows_at_once_that_everybody_waits() {
    let broker = Broker::start(&[("1", "a", None), ("2", "a", None)], &["--deadlock-after", "600"]);
    let mut seen = watcher(&broker);
    let mut members = ["1", "2"].map(|id| broker.join(id));
    for (wire, id) in members.iter_mut().zip(["x", "y"]) {
        wire.say(json!({ "id": 1, "call": "wait", "args": { "message": id } }));
    }
    await_event(&mut seen, "deadlock");
    let status = broker.run(&["status"]).stdout;
    let last = status.lines().last().unwrap_or_default();
    assert!(last.starts_with("every member waits: deadlock in ") && last.ends_with(" s"), "{status}");
}

#[test]
fn watch_prints_events_until_the_broker_ends() {
    let mut broker = Broker::founding();
    let mut watch = spawn(&broker, &["watch"]);
    let mut lines = BufReader::new(watch.stdout.take().expect("a pipe")).lines();
    // When the watch has begun cannot be seen from outside, so there is something to see until it has.
    let seen = AtomicBool::new(false);
    let first = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !seen.load(Ordering::Relaxed) {
                broker.run(&["--member", "104", "send", "hello"]);
            }
        });
        let first = lines.next();
        seen.store(true, Ordering::Relaxed);
        first.expect("a line").expect("text")
    });
    let event: Value = serde_json::from_str(&first).expect("JSON");
    assert_eq!(event["event"], "send");
    assert_eq!(event["data"], json!({ "member": "104", "role": "host", "message": "hello" }));
    assert!(event["at"].as_str().is_some_and(|at| at.len() == 27 && at.ends_with('Z')), "{event}");
    broker.end(Signal::SIGTERM);
    assert!(lines.all(|line| line.is_ok()));
    assert_eq!(watch.wait().expect("it ends").code(), Some(0));
}

#[test]
fn without_a_broker_verbs_end_with_status_3() {
    let ended = run(tool("mn-broker").args(["--socket", "/nonexistent/s", "status"]), b"");
    let message = "mn-broker: cannot reach the broker at '/nonexistent/s': No such file or directory\n";
    assert_eq!(ended, outcome(3, "", message));
}

#[test]
fn a_broker_that_ends_ends_its_waits_with_status_3() {
    let mut broker = Broker::founding();
    let mut seen = watcher(&broker);
    let waits = spawn(&broker, &["--member", "104", "wait", "x"]);
    await_event(&mut seen, "wait");
    broker.end(Signal::SIGTERM);
    assert_eq!(finish(waits), outcome(3, "", "mn-broker: lost the broker: it has closed the connection\n"));
}

#[test]
fn the_environment_names_socket_and_member() {
    let broker = Broker::founding();
    let directory = broker.socket().parent().expect("a directory");
    let mut send = tool("mn-broker");
    send.args(["send", "x", "k=v"]).env("MN_RUNDIR", directory).env("MN_MEMBER", "101");
    assert_eq!(run(&mut send, b""), done(""));
    let mut wait = tool("mn-broker");
    wait.args(["wait", "x"]).env("MN_SOCKET", broker.socket()).env("MN_RUNDIR", "/nonexistent").env("MN_MEMBER", "102");
    assert_eq!(run(&mut wait, b""), done("101:k=v\n"));
}

#[test]
fn a_wrong_command_line_is_status_2_with_a_hint() {
    let hint = "Try 'mn-broker --help' for more information.\n";
    let broker = Broker::founding();
    let no_member = format!("mn-broker: no member: give '--member ID' or set MN_MEMBER\n{hint}");
    assert_eq!(broker.run(&["sync", "x"]), outcome(2, "", &no_member));
    let no_socket = format!("mn-broker: no socket: give '--socket PATH' or set MN_SOCKET or MN_RUNDIR\n{hint}");
    assert_eq!(run(tool("mn-broker").arg("status"), b""), outcome(2, "", &no_socket));
    for arguments in
        [&["dance"][..], &[], &["--member", "101", "wait", "x", "--timeout", "NaN"], &["send", "x", "novalue"]]
    {
        let ended = broker.run(arguments);
        assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{arguments:?}: {}", ended.stderr);
    }
    let id = broker.run(&["--member", "101", "wait", "a b"]);
    assert_eq!(id.status, 2);
    assert_eq!(
        broker.run(&["--member", "101", "wait-all", "x", "gest"]).stderr,
        "mn-broker: no role 'gest' in this group\n"
    );
}
