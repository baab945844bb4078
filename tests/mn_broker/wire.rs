//! mn-protocol(7) spoken by hand, well and badly.

use super::*;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::Path;

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

/// Equal, where `*` stands for anything.
fn matches(expected: &Value, heard: &Value) -> bool {
    match (expected, heard) {
        (Value::String(any), _) if any == "*" => true,
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
fn ten_thousand_silent_connections_keep_no_member_out() {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(12_000.min(hard)), hard).expect("enough descriptors");
    let broker = Broker::founding();
    let mut host = broker.join("104");
    let mut seen = watcher(&broker);
    let mut silent = Vec::new();
    for nth in 0..10_000 {
        silent.extend(UnixStream::connect(broker.socket()).ok());
        if nth % 1000 == 999 {
            assert_eq!(host.ask(json!({ "id": nth, "call": "send", "args": { "message": "m" } }))["return"], json!({}));
            assert_eq!(await_event(&mut seen, "send")["message"], "m");
        }
    }
    assert_eq!(broker.run(&["--member", "101", "wait", "m"]), done(""), "a newcomer finds room");
    let status = broker.run(&["status", "--json"]);
    assert!(status.stdout.contains("\"104\",\"role\":\"host\",\"state\":\"joined\""), "{status:?}");
}
