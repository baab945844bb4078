//! LAVA's wire: what its coordinator was seen to answer, and what it could not stand.

use super::*;
use mn_ipc::{Call, Client};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

/// A broker with LAVA's port, which was free a moment ago.
fn lava(members: &[(&str, &str, Option<&str>)], options: &[&str]) -> (Broker, u16) {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
    let address = format!("127.0.0.1:{port}");
    let all = [&["--lava-listen", &address], options].concat();
    (Broker::with_journal(members, &all), port)
}

const LIST: [(&str, &str, Option<&str>); 2] = [("101", "host", None), ("102", "guest", Some("101"))];

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("a port");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    stream
}

/// Everything that is answered to some bytes.
fn raw(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(port);
    let mut heard = Vec::new();
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let _ = stream.read_to_end(&mut heard);
    heard
}

fn frame(request: &Value) -> Vec<u8> {
    let body = request.to_string();
    format!("{:08X}{body}", body.len()).into_bytes()
}

/// One request, as LAVA's client sends it.
fn ask(port: u16, request: &Value) -> Value {
    let heard = raw(port, &frame(request));
    assert!(heard.len() > 8, "an answer to {request}");
    let length = usize::from_str_radix(std::str::from_utf8(&heard[..8]).expect("digits"), 16).expect("a length");
    assert_eq!(length, heard.len() - 8);
    serde_json::from_slice(&heard[8..]).expect("JSON")
}

/// A client of a group.
#[derive(Clone)]
struct Job<'a> {
    port: u16,
    group: &'a str,
    size: u64,
    name: &'a str,
    role: &'a str,
}

impl Job<'_> {
    fn ask(&self, request: Value) -> Value {
        let mut whole = json!({
            "port": 3079, "blocksize": 4096, "poll_delay": 1, "host": "127.0.0.1", "hostname": "h",
            "client_name": self.name, "group_name": self.group, "role": self.role, "group_size": self.size,
        });
        let object = whole.as_object_mut().expect("an object");
        object.extend(request.as_object().expect("an object").clone());
        ask(self.port, &whole)
    }

    fn sync(&self, id: &str) -> Value {
        self.ask(json!({ "request": "lava_sync", "messageID": id }))
    }
}

fn response(reply: &Value) -> &str {
    reply["response"].as_str().expect("a response")
}

/// Where the broker does as LAVA documents it and the coordinator does not: the request, which time it comes,
/// and what is answered instead.
fn differences() -> Vec<(&'static str, usize, Option<Value>)> {
    let wait = || Some(json!({ "response": "wait" }));
    let nack = || Some(json!({ "response": "nack" }));
    let guest = r#"{"messageID": "d", "request": "lava_wait_all", "waitrole": "guest"}"#;
    let guest_of_101: &'static str = Box::leak(format!("101 {guest}").into_boxed_str());
    let guest_of_103: &'static str = Box::leak(format!("103 {guest}").into_boxed_str());
    vec![
        // The last arrival of a sync is answered at once, and so does not come again.
        (r#"103 {"messageID": "s", "request": "lava_sync"}"#, 0, Some(json!({ "response": "ack", "message": "s" }))),
        (r#"103 {"messageID": "s", "request": "lava_sync"}"#, 1, None),
        // Nobody has sent it yet: that is what waiting is for.
        (r#"101 {"messageID": "never", "request": "lava_wait_all"}"#, 0, wait()),
        // All members of a role, not the first of it.
        (guest_of_101, 0, wait()),
        (guest_of_103, 0, wait()),
        // Messages stay, for those who come later too.
        (
            r#"999 {"messageID": "ipv4", "request": "lava_wait"}"#,
            0,
            Some(json!({ "response": "ack", "message": { "101": { "ipaddr": "10.77.0.2" } } })),
        ),
        // A message has an id.
        (r#"101 {"message": {"a": "b"}, "request": "lava_send"}"#, 0, nack()),
        // The result bundles of LAVA's first version, which no dispatcher sends any more.
        (r#"7 {"bundle": null, "request": "aggregate", "sub_id": "7.0"}"#, 0, nack()),
    ]
}

#[test]
fn the_coordinators_trace_is_what_happens_but_for_the_marked_differences() {
    let (_broker, port) = lava(&LIST, &[]);
    let trace = std::fs::read_to_string(pumice_tests::data("coordinator-trace.txt")).expect("the trace");
    let mut differences = differences();
    let (mut seen, mut compared) = (Vec::new(), 0);
    for line in trace.lines().filter_map(|line| line.strip_prefix("  ")) {
        let (asked, reply) = line.split_once(" -> ").expect("a reply");
        let (name, request) = asked.split_once(' ').expect("a client");
        let (group, size) = match name {
            "1" => ("nogroup", 0),
            "7" => ("other", 1),
            _ => ("trace-group", 3),
        };
        let role = match name {
            "101" => "host",
            "102" | "103" | "999" => "guest",
            _ => "r",
        };
        let nth = seen.iter().filter(|other| **other == asked).count();
        seen.push(asked);
        let expected = match differences.iter().position(|(line, which, _)| *line == asked && *which == nth) {
            Some(at) => differences.remove(at).2,
            None => Some(serde_json::from_str(reply).expect("JSON")),
        };
        let Some(expected) = expected else { continue };
        let job = Job { port, group, size, name, role };
        let heard = job.ask(serde_json::from_str(request).expect("JSON"));
        assert_eq!(heard, expected, "line {}: {line}", seen.len());
        compared += 1;
    }
    assert!(differences.is_empty(), "each difference is one: {differences:?}");
    assert_eq!((seen.len(), compared), (43, 42));
}

#[test]
fn jobs_of_lava_and_roles_of_ours_meet_in_one_group() {
    let (broker, port) = lava(&LIST, &[]);
    let guest = Job { port, group: "0b6e", size: 2, name: "102", role: "guest" };
    assert_eq!(response(&guest.ask(json!({ "request": "group_data" }))), "wait");
    let mut host = Client::connect(broker.socket()).expect("a broker");
    host.call(Call::Join { member: "101".into() }).expect("joins");
    let roles = json!({ "response": "group_data", "roles": { "101": "host", "102": "guest" } });
    assert_eq!(guest.ask(json!({ "request": "group_data" })), roles);
    let start = json!({ "request": "lava_wait_all", "waitrole": "host", "messageID": "lava_start" });
    assert_eq!(response(&guest.ask(start.clone())), "wait");
    host.call(Call::Send { message: "lava_start".into(), data: mn_ipc::Object::new() }).expect("sent");
    assert_eq!(guest.ask(start), json!({ "response": "ack", "message": { "101": {} } }));
    guest.ask(json!({ "request": "lava_send", "messageID": "up", "message": { "port": 5000, "x": null, "a-b": "c" } }));
    let answer = host.call(Call::Wait { message: "up".into(), timeout: 5.0 }).expect("answered");
    let data = json!({ "port": "5000", "x": "", "a-b": "c" });
    assert_eq!(answer, json!({ "messages": [{ "from": "102", "data": data }] }));
    assert_eq!(response(&guest.sync("clients")), "wait");
    host.call(Call::Sync { message: "clients".into(), timeout: 5.0 }).expect("all are here");
    assert_eq!(guest.sync("clients"), json!({ "response": "ack", "message": "clients" }));
    assert_eq!(response(&guest.ask(json!({ "request": "clear_group" }))), "ack");
    assert_eq!(host.call(Call::Drain { timeout: 5.0 }).expect("answered"), json!({ "left": ["102"], "died": [] }));
}

#[test]
fn a_wait_that_cannot_be_answered_is_nack_at_the_next_poll() {
    let (broker, port) = lava(&LIST, &["--deadlock-after", "0.3"]);
    let job = |name, role| Job { port, group: "g", size: 2, name, role };
    let (one, two) = (job("1", "a"), job("2", "b"));
    two.ask(json!({ "request": "group_data" }));
    assert_eq!(response(&one.sync("s")), "wait");
    assert_eq!(response(&one.sync("s")), "wait");
    two.ask(json!({ "request": "clear_group" }));
    assert_eq!(response(&one.sync("s")), "nack");
    let (three, four) = (Job { group: "h", ..one }, Job { group: "h", ..two });
    let mut hello = broker.connect();
    four.ask(json!({ "request": "group_data" }));
    hello.ask(json!({ "id": 1, "call": "hello", "args": { "group": "h" } }));
    hello.ask(json!({ "id": 2, "call": "watch" }));
    let wait = |id: &str| json!({ "request": "lava_wait", "messageID": id });
    assert_eq!(response(&three.ask(wait("x"))), "wait");
    assert_eq!(response(&four.ask(wait("y"))), "wait");
    assert_eq!(await_event(&mut hello, "deadlock"), json!({ "deadlock_in": 0.3 }));
    while await_event(&mut hello, "answer")["error"]["class"] != "deadlock" {}
    assert_eq!(response(&three.ask(wait("x"))), "nack");
    assert_eq!(response(&four.ask(wait("y"))), "nack");
}

#[test]
fn a_crash_loses_no_group_of_lavas() {
    let (mut broker, port) = lava(&LIST, &[]);
    let job = |name| Job { port, group: "g", size: 2, name, role: "r" };
    let (one, two) = (job("100"), job("101"));
    two.ask(json!({ "request": "group_data" }));
    one.ask(json!({ "request": "lava_send", "messageID": "m", "message": { "k": "v" } }));
    assert_eq!(response(&one.sync("s")), "wait");
    broker.crash();
    broker.start_again();
    // As lava-run asks once it has begun: without the size of the group.
    let bare = json!({ "client_name": "101", "group_name": "g", "request": "lava_wait", "messageID": "m" });
    assert_eq!(ask(port, &bare), json!({ "response": "ack", "message": { "100": { "k": "v" } } }));
    assert_eq!(two.sync("s"), json!({ "response": "ack", "message": "s" }));
    assert_eq!(one.sync("s"), json!({ "response": "ack", "message": "s" }));
}

#[test]
fn what_kills_the_coordinator_does_no_harm() {
    let (_broker, port) = lava(&LIST, &[]);
    let job = Job { port, group: "g", size: 1, name: "1", role: "r" };
    job.ask(json!({ "request": "group_data" }));
    let silent: Vec<TcpStream> = (0..20).map(|_| connect(port)).collect();
    let mut half = connect(port);
    half.write_all(b"00000080{\"request\"").expect("written");
    for closed in
        [&b""[..], b"GET / HTTP/1.1\r\n\r\n", b"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8", b"-0000010{}", b"FFFFFFFF{}"]
    {
        assert_eq!(raw(port, closed), b"", "{closed:?}");
    }
    assert_eq!(raw(port, b"00000003abc"), b"");
    let bodies: [Value; 9] = [
        json!(5),
        json!(null),
        json!([]),
        json!({}),
        json!({ "request": "lava_wait", "client_name": "x" }),
        json!({ "request": "group_data", "client_name": "x", "group_name": "new" }),
        json!({ "request": "group_data", "client_name": "x", "group_name": "new", "group_size": "many" }),
        json!({ "request": "group_data", "client_name": "x", "group_name": "g", "group_size": 1 }),
        json!({ "request": "reboot", "client_name": "1", "group_name": "g" }),
    ];
    for body in bodies {
        assert_eq!(ask(port, &body), json!({ "response": "nack" }), "{body}");
    }
    let unknown = json!({ "request": "lava_wait_all", "waitrole": "nosuchrole", "messageID": "m" });
    assert_eq!(response(&job.ask(unknown)), "nack");
    assert_eq!(response(&job.sync("X")), "ack", "a group of one");
    assert_eq!(response(&job.ask(json!({ "request": "lava_send", "messageID": "X" }))), "ack");
    half.write_all(&[b' '; 118]).expect("written");
    assert_eq!(half.read(&mut [0; 8]).unwrap_or(0), 0, "no JSON, no answer");
    drop(silent);
    // In two pieces.
    let whole = frame(&json!({ "request": "lava_wait", "messageID": "X", "client_name": "1", "group_name": "g" }));
    let mut pieces = connect(port);
    pieces.set_nodelay(true).expect("set");
    pieces.write_all(&whole[..20]).expect("written");
    assert_eq!(response(&job.ask(json!({ "request": "lava_wait", "messageID": "X" }))), "ack");
    pieces.write_all(&whole[20..]).expect("written");
    let mut heard = String::new();
    pieces.read_to_string(&mut heard).expect("an answer");
    assert!(heard.ends_with("{\"response\":\"ack\",\"message\":{\"1\":{}}}"), "{heard}");
}

#[test]
fn who_takes_too_long_on_lavas_wire_is_shown_out() {
    let (broker, port) = lava(&LIST, &["--lava-patience", "0.3"]);
    let mut silent = connect(port);
    let mut half = connect(port);
    half.write_all(b"00000080{\"request\"").expect("written");
    for stream in [&mut silent, &mut half] {
        let read = stream.read(&mut [0; 8]);
        assert!(matches!(&read, Ok(0)) || read.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    }
    let job = |name| Job { port, group: "g", size: 2, name, role: "r" };
    job("2").ask(json!({ "request": "group_data" }));
    let mut seen = broker.connect();
    seen.ask(json!({ "id": 1, "call": "hello", "args": { "group": "g" } }));
    seen.ask(json!({ "id": 2, "call": "watch" }));
    assert_eq!(response(&job("1").sync("s")), "wait");
    assert_eq!(await_event(&mut seen, "died")["member"], "1", "it does not poll");
    assert_eq!(response(&job("2").sync("s")), "nack");
    let never = pumice_tests::run(&mut broker.verb(&["serve", "--lava-patience", "0"]), b"");
    assert_eq!((never.status, never.stderr.contains("not more than 0 seconds")), (2, true), "{never:?}");
}

#[test]
fn sixty_four_clients_at_once_are_all_answered() {
    let (_broker, port) = lava(&LIST, &[]);
    let barrier = std::sync::Barrier::new(64);
    std::thread::scope(|scope| {
        for nth in 0..64 {
            let barrier = &barrier;
            scope.spawn(move || {
                let name = nth.to_string();
                let job = Job { port, group: "big", size: 64, name: &name, role: "r" };
                barrier.wait();
                for _ in 0..5 {
                    let reply = job.ask(json!({ "request": "lava_wait", "messageID": "nope" }));
                    assert_eq!(response(&reply), "wait");
                }
            });
        }
    });
}

#[test]
fn a_port_that_is_not_loopback_needs_a_list_of_who_may_come() {
    let (broker, _) = lava(&LIST, &[]);
    let mut serve = broker.verb(&["serve", "--lava-listen", "0.0.0.0:0"]);
    let message = "mn-broker: '0.0.0.0:0' is not loopback: say who may come with '--lava-allow ADDRESS/BITS'\n\
                   Try 'mn-broker --help' for more information.\n";
    assert_eq!(pumice_tests::run(&mut serve, b""), outcome(2, "", message));
    let wrong = pumice_tests::run(&mut broker.verb(&["serve", "--lava-allow", "10.0.0.0/33"]), b"");
    assert_eq!(wrong.status, 2);
}
