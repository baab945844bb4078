//! mn-broker as its users see it: the verbs on the command line, and mn-protocol(7) spoken by hand.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use pumice_tests::broker::{Broker, Wire, members_stream, process, serve_command};
use pumice_tests::{Outcome, run, tool};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

fn outcome(status: i32, stdout: &str, stderr: &str) -> Outcome {
    Outcome { status, stdout: stdout.into(), stderr: stderr.into() }
}

fn done(stdout: &str) -> Outcome {
    outcome(0, stdout, "")
}

/// Starts a verb that waits; its end is for `finish`.
fn spawn(broker: &Broker, arguments: &[&str]) -> Child {
    let mut command = broker.verb(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the verb runs")
}

fn finish(child: Child) -> Outcome {
    child.wait_with_output().expect("the verb ends").into()
}

/// Watches until an event of this name comes, so that a test goes on when the broker has got so far.
fn await_event(watcher: &mut Wire, name: &str) -> Value {
    loop {
        let event = watcher.hear();
        if event["event"] == name {
            return event["data"].clone();
        }
    }
}

fn watcher(broker: &Broker) -> Wire {
    let mut wire = broker.connect();
    assert_eq!(wire.ask(json!({ "id": 1, "call": "watch" })), json!({ "id": 1, "return": {} }));
    wire
}

fn class(answer: &Value) -> &str {
    answer["error"]["class"].as_str().unwrap_or("no error")
}

// The verbs.

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

// The wire.

#[test]
fn the_transcript_of_mn_protocol_is_what_happens() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../man/mn-protocol.7");
    let page = std::fs::read_to_string(page).expect("the page");
    let (_, examples) = page.split_once(".Sh EXAMPLES").expect("examples");
    let broker = Broker::start(&[("74585", "guest", Some("74588")), ("74588", "host", None)], &[]);
    let mut wires: BTreeMap<&str, Wire> = BTreeMap::new();
    let mut said = 0;
    for line in examples.lines() {
        let mut words = line.splitn(2, ['<', '-']);
        let (name, rest) = (words.next().unwrap_or_default().trim(), words.next().unwrap_or_default());
        if !matches!(name, "host" | "guest") || !matches!(rest.as_bytes().first(), Some(b'-' | b'>')) {
            continue;
        }
        let wire = wires.entry(name).or_insert_with(|| Wire::silent(broker.socket()));
        let json: Value = serde_json::from_str(rest[1..].trim()).unwrap_or_else(|error| panic!("{line}: {error}"));
        if rest.starts_with('>') {
            wire.say(json);
            said += 1;
        } else {
            let heard = wire.hear();
            assert!(matches(&json, &heard), "expected: {json}\nheard:    {heard}");
        }
    }
    assert!(said >= 10, "the page has a transcript");
}

/// Equal, where `*` stands for any text.
fn matches(expected: &Value, heard: &Value) -> bool {
    match (expected, heard) {
        (Value::String(any), Value::String(_)) if any == "*" => true,
        (Value::Object(a), Value::Object(b)) => {
            a.keys().eq(b.keys()) && a.iter().all(|(key, value)| matches(value, &b[key]))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| matches(a, b)),
        _ => expected == heard,
    }
}

#[test]
fn a_malformed_line_is_an_error_and_the_connection_goes_on() {
    let broker = Broker::founding();
    let mut wire = broker.join("101");
    let lines: [(&[u8], Value); 9] = [
        (b"", json!(null)),
        (b"5", json!(null)),
        (b"{", json!(null)),
        (b"\xff\xfe\x00\x01", json!(null)),
        (b"{\"id\":\"x\",\"call\":\"status\"}", json!(null)),
        (b"{\"id\":1,\"call\":\"dance\"}", json!(1)),
        (b"{\"id\":2,\"call\":\"wait\",\"args\":{\"message\":\"x\",\"timeout\":1e308}}", json!(2)),
        (b"{\"id\":3,\"call\":\"send\",\"args\":{\"message\":\"mn.x\"}}", json!(3)),
        (b"{\"id\":4,\"call\":\"send\",\"args\":{\"message\":\"x\",\"data\":[]}}", json!(4)),
    ];
    for (line, id) in lines {
        wire.write(&[line, b"\n"].concat()).expect("written");
        let answer = wire.hear();
        assert_eq!((&answer["id"], class(&answer)), (&id, "bad-request"), "{}", String::from_utf8_lossy(line));
    }
    let deep = format!("{}\n", "[".repeat(60_000));
    wire.write(deep.as_bytes()).expect("written");
    assert_eq!(class(&wire.hear()), "bad-request");
    assert_eq!(wire.ask(json!({ "id": 9, "call": "leave" })), json!({ "id": 9, "return": {} }));
}

#[test]
fn a_line_of_64_kib_is_taken_and_a_longer_one_closes_the_connection() {
    let broker = Broker::founding();
    let mut wire = broker.connect();
    let mut line = br#"{"id":1,"call":"watch"}"#.to_vec();
    line.resize(64 * 1024 - 1, b' ');
    line.push(b'\n');
    wire.write(&line).expect("written");
    assert_eq!(wire.hear(), json!({ "id": 1, "return": {} }));
    line.insert(0, b' ');
    wire.write(&line).expect("written");
    let answer = wire.hear();
    assert_eq!((&answer["id"], class(&answer)), (&json!(null), "limit"));
    assert!(wire.is_closed());
    let mut endless = broker.connect();
    // The broker closes at its limit; what is written after that has no reader.
    let _ = endless.write(&vec![b'x'; 1 << 20]);
    assert_eq!(class(&endless.hear()), "limit");
    assert!(endless.is_closed());
}

#[test]
fn a_line_may_come_in_pieces_and_several_in_one() {
    let broker = Broker::founding();
    let mut wire = broker.connect();
    for piece in [
        &b"{\"id\":1,\"ca"[..],
        b"ll\":\"watch\"}\n{\"id\":2,\"call\":\"leave\"}\n{\"id\":3,",
        b"\"call\":\"leave\"}\n",
    ] {
        wire.write(piece).expect("written");
    }
    for id in 1..=3 {
        assert_eq!(wire.hear(), json!({ "id": id, "return": {} }));
    }
}

#[test]
fn calls_that_need_a_join_say_so() {
    let broker = Broker::founding();
    let mut wire = broker.connect();
    for call in ["wait", "wait-all", "sync", "send"] {
        let answer = wire.ask(json!({ "id": 1, "call": call, "args": { "message": "x" } }));
        assert_eq!(class(&answer), "not-joined", "{answer}");
    }
    assert_eq!(class(&wire.ask(json!({ "id": 1, "call": "drain" }))), "not-joined");
    assert_eq!(class(&wire.ask(json!({ "id": 1, "call": "join", "args": { "member": "9" } }))), "unknown");
}

#[test]
fn a_lost_connection_ends_the_waits_that_need_its_member() {
    let broker = Broker::founding();
    let mut host = broker.join("104");
    let guest = broker.join("101");
    host.say(json!({ "id": 1, "call": "sync", "args": { "message": "clients" } }));
    drop(guest);
    let message = "host 104 waits in sync 'clients' for guest 101, which died";
    assert_eq!(host.hear(), json!({ "id": 1, "error": { "class": "left", "message": message } }));
    let mut late = broker.connect();
    assert_eq!(class(&late.ask(json!({ "id": 1, "call": "join", "args": { "member": "101" } }))), "left");
}

#[test]
fn one_connection_has_at_most_64_calls_waiting_and_each_id_once() {
    let broker = Broker::founding();
    let mut wire = broker.join("101");
    for id in 1..=64 {
        wire.say(json!({ "id": id, "call": "wait", "args": { "message": "x" } }));
    }
    let call = json!({ "message": "x" });
    assert_eq!(class(&wire.ask(json!({ "id": 65, "call": "wait", "args": call }))), "limit");
    assert_eq!(wire.ask(json!({ "id": 66, "call": "leave" }))["id"], 1, "its waits end when it leaves");
    let mut twice = broker.join("102");
    twice.say(json!({ "id": 7, "call": "wait", "args": call }));
    assert_eq!(class(&twice.ask(json!({ "id": 7, "call": "wait", "args": call }))), "bad-request");
}

#[test]
fn a_client_that_never_reads_is_dropped_and_holds_up_nobody() {
    let broker = Broker::founding();
    let mut deaf = Wire::silent(broker.socket());
    let request = b"{\"id\":1,\"call\":\"status\"}\n".repeat(1000);
    // Its answers fill the socket, then the broker's queue for it; then it is closed.
    let dropped = (0..1000).find(|_| deaf.write(&request).is_err());
    assert!(dropped.is_some(), "a million answers were kept for it");
    assert_eq!(broker.run(&["--member", "101", "send", "x", "k=v"]), done(""));
}

#[test]
fn a_watcher_that_never_reads_is_dropped_too() {
    let broker = Broker::founding();
    let mut deaf = broker.connect();
    deaf.say(json!({ "id": 1, "call": "watch" }));
    let mut busy = broker.join("101");
    let send = json!({ "id": 1, "call": "send", "args": { "message": "m".repeat(128) } });
    for _ in 0..10_000 {
        assert_eq!(busy.ask(send.clone()), json!({ "id": 1, "return": {} }));
    }
    let mut heard = Vec::new();
    let mut reader = deaf.into_inner();
    let end = reader.read_to_end(&mut heard);
    assert!(end.is_ok() || heard.len() > 1000, "the broker has closed the connection");
    assert!(heard.len() < 2_500_000, "{} bytes were kept for it", heard.len());
}

#[test]
fn two_hundred_members_meet_in_a_sync() {
    let ids: Vec<String> = (1000..1200).map(|id| id.to_string()).collect();
    let members: Vec<_> = ids.iter().map(|id| (id.as_str(), "a", None)).collect();
    let broker = Broker::start(&members, &[]);
    let mut wires: Vec<Wire> = ids.iter().map(|id| broker.join(id)).collect();
    for round in 1..=3 {
        for wire in &mut wires {
            wire.say(json!({ "id": round, "call": "sync", "args": { "message": "all" } }));
        }
        for wire in &mut wires {
            assert_eq!(wire.hear(), json!({ "id": round, "return": {} }));
        }
    }
}

#[test]
fn a_connection_beyond_the_limit_is_closed_at_once_and_one_that_ends_makes_room() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(2048.min(hard)), hard).expect("enough descriptors");
    let broker = Broker::founding();
    let mut seen = watcher(&broker);
    let mut wires: Vec<Wire> = (0..1022).map(|_| broker.connect()).collect();
    let last = broker.join("102");
    assert!(Wire::silent(broker.socket()).is_closed(), "the 1025th");
    drop(last);
    await_event(&mut seen, "died");
    assert_eq!(broker.run(&["leave", "101"]), done(""));
    assert_eq!(class(&wires[0].ask(json!({ "id": 1, "call": "drain" }))), "not-joined", "the others are served");
}

// The socket, and the end.

#[test]
fn the_socket_is_private_and_gone_after_a_signal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut broker = Broker::founding();
        let found = std::fs::symlink_metadata(broker.socket()).expect("the socket");
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        assert_eq!(broker.end(signal), done(""));
        assert!(!broker.socket().exists());
    }
}

#[test]
fn a_dead_brokers_socket_is_replaced_and_a_living_ones_is_not() {
    let mut dead = Broker::founding();
    dead.end(Signal::SIGKILL);
    assert!(dead.socket().exists(), "a killed broker leaves its socket");
    let list = dead.socket().with_file_name("members.jsonl");
    let mut heir = serve_command(dead.socket(), &list).spawn().expect("it runs");
    heir.stdout.as_mut().expect("a pipe").read_exact(&mut [0]).expect("it gets ready");
    let second = run(&mut serve_command(dead.socket(), &list), b"");
    let message = format!("mn-broker: cannot listen on '{}': a broker is there already\n", dead.socket().display());
    assert_eq!(second, outcome(3, "", &message));
    assert_eq!(dead.run(&["leave", "101"]), done(""), "the first one serves on");
    kill(process(&heir), Signal::SIGTERM).expect("it is there");
    assert_eq!(heir.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_file_in_the_sockets_place_is_left_alone() {
    let broker = Broker::founding();
    let list = broker.socket().with_file_name("members.jsonl");
    let ended = run(&mut serve_command(&list, &list), b"");
    let message = format!("mn-broker: cannot listen on '{}': it is there and is no socket\n", list.display());
    assert_eq!(ended, outcome(3, "", &message));
    assert!(std::fs::read_to_string(&list).is_ok_and(|text| text.contains("members")));
}

#[test]
fn the_sockets_path_may_be_long() {
    let directory = tempfile::tempdir().expect("a directory");
    let deep = directory.path().join("d".repeat(120));
    std::fs::create_dir(&deep).expect("made");
    let list = deep.join("list");
    std::fs::write(&list, members_stream(&[("1", "a", None)])).expect("written");
    let socket = deep.join("broker.sock");
    let mut child = serve_command(&socket, &list).spawn().expect("it runs");
    child.stdout.as_mut().expect("a pipe").read_exact(&mut [0]).expect("it gets ready");
    let left = run(tool("mn-broker").arg("--socket").arg(&socket).args(["leave", "1"]), b"");
    kill(process(&child), Signal::SIGTERM).expect("it is there");
    child.wait().expect("it ends");
    assert_eq!(left, done(""));
}

#[test]
fn the_members_come_on_standard_input_too_and_a_failure_before_goes_through() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("s");
    let serve = |input: &str| run(tool("mn-broker").arg("serve").arg("--socket").arg(&socket), input.as_bytes());
    let end = |status: i32| format!("{{\"v\":1,\"type\":\"end\",\"data\":{{\"status\":{status}}}}}\n");
    assert_eq!(serve(""), outcome(3, "", "mn-broker: input ended early\n"));
    assert_eq!(serve(&end(0)), outcome(2, "", "mn-broker: cannot serve without members: no role message came\n"));
    assert_eq!(serve(&end(2)), outcome(2, "", ""), "who failed has said why");
    let twice = members_stream(&[("1", "a", None), ("1", "b", None)]);
    let message = "mn-broker: cannot use the list of members: member '1' is there twice\n";
    assert_eq!(serve(&twice), outcome(2, "", message));
    assert!(!socket.exists());
}
