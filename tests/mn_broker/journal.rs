//! The broker dies, and comes back as it was.

use super::*;
use mn_ipc::{Call, Client, Failure, Incoming};
use nix::sys::signal::Signal;
use nix::sys::time::TimeValLike;
use pumice_tests::{run, tool};
use std::io::Read;
use std::os::fd::AsFd;

const MEMBERS: [(&str, &str, Option<&str>); 3] =
    [("101", "guest", Some("104")), ("102", "guest", Some("104")), ("104", "host", None)];

fn joined(broker: &Broker, member: &str) -> Client {
    let mut client = Client::connect(broker.socket()).expect("a broker");
    client.call(Call::Join { member: member.into() }).expect("joins");
    client
}

fn sync(message: &str) -> Call {
    Call::Sync { message: message.into(), timeout: 20.0 }
}

fn send(message: &str, value: &str) -> Call {
    let data = json!({ "k": value }).as_object().expect("an object").clone();
    Call::Send { message: message.into(), data }
}

/// Waits for the next answers as an event loop does: by the descriptor.
fn next(client: &mut Client) -> Vec<Incoming> {
    loop {
        let came = client.receive().expect("a broker");
        if !came.is_empty() {
            return came;
        }
        let mut fds = [nix::poll::PollFd::new(client.as_fd(), nix::poll::PollFlags::POLLIN)];
        assert!(nix::poll::poll(&mut fds, 20_000_u16).expect("polls") > 0, "nothing comes");
    }
}

#[test]
fn after_a_crash_messages_members_and_waits_are_as_they_were() {
    let mut broker = Broker::with_journal(&MEMBERS, &[]);
    let mut host = joined(&broker, "104");
    let mut guest = joined(&broker, "101");
    host.call(send("ipv4", "10.77.0.2")).expect("sent");
    broker.run(&["leave", "102"]);
    let waits = guest.submit(Call::Wait { message: "go".into(), timeout: 20.0 }).expect("submitted");
    let mut seen = watcher(&broker);
    host.call(send("seen", "")).expect("sent");
    await_event(&mut seen, "send");
    broker.crash();
    broker.start_again();
    let status = broker.run(&["status", "--json"]);
    let status: Value = serde_json::from_str(&status.stdout).expect("JSON");
    let states: Vec<_> = (0..3).map(|at| status["members"][at]["state"].as_str().expect("a state")).collect();
    assert_eq!(states, ["joined", "left", "joined"]);
    assert_eq!(status["members"][0]["waits"][0]["message"], "go");
    assert_eq!(broker.run(&["--member", "104", "wait", "ipv4"]), done("104:k=10.77.0.2\n"));
    host.call(send("go", "now")).expect("it has come back by itself");
    let answer = json!({ "messages": [{ "from": "104", "data": { "k": "now" } }] });
    assert_eq!(next(&mut guest), [Incoming::Return(waits, answer)]);
}

#[test]
fn an_edge_triggered_loop_that_watches_one_descriptor_hears_of_everything() {
    use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
    let mut broker = Broker::with_journal(&MEMBERS, &[]);
    let (mut host, mut guest) = (joined(&broker, "104"), joined(&broker, "101"));
    let edges = Epoll::new(EpollCreateFlags::empty()).expect("made");
    edges.add(&guest, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 1)).expect("watched");
    for round in 0..20 {
        let message = format!("m{round}");
        let id = guest.submit(Call::Wait { message: message.clone(), timeout: 20.0 }).expect("submitted");
        if round % 5 == 4 {
            broker.crash();
            broker.start_again();
        }
        host.call(send(&message, "v")).expect("sent");
        let came = loop {
            let events = edges.wait(&mut [EpollEvent::empty()], EpollTimeout::from(20_000_u16)).expect("waits");
            assert_eq!(events, 1, "an edge of round {round}");
            let came = guest.receive().expect("a broker");
            if !came.is_empty() {
                break came;
            }
        };
        assert!(matches!(&came[..], [Incoming::Return(answered, _)] if *answered == id), "{came:?}");
    }
}

#[test]
fn a_sync_in_which_the_broker_crashes_is_complete_once() {
    let mut broker = Broker::with_journal(&[("1", "a", None), ("2", "a", None)], &[]);
    let (mut one, mut two) = (joined(&broker, "1"), joined(&broker, "2"));
    for round in 0..5 {
        let mut seen = watcher(&broker);
        let first = one.submit(sync("s")).expect("submitted");
        await_event(&mut seen, "wait");
        broker.crash();
        broker.start_again();
        let second = two.submit(sync("s")).expect("submitted");
        assert_eq!(next(&mut one), [Incoming::Return(first, json!({}))], "round {round}");
        assert_eq!(next(&mut two), [Incoming::Return(second, json!({}))], "round {round}");
    }
    let status = broker.run(&["status", "--json"]);
    assert_eq!(status.stdout.matches("\"waits\":[]").count(), 2, "{status:?}");
}

#[test]
fn a_verb_that_waits_outlasts_a_crash() {
    let mut broker = Broker::with_journal(&MEMBERS, &[]);
    let mut seen = watcher(&broker);
    let waits = spawn(&broker, &["--member", "101", "wait", "x"]);
    await_event(&mut seen, "wait");
    broker.crash();
    broker.start_again();
    assert_eq!(broker.run(&["--member", "104", "send", "x", "k=v"]), done(""));
    assert_eq!(finish(waits), done("104:k=v\n"));
}

#[test]
fn a_request_that_comes_again_is_answered_again_and_not_done_twice() {
    let broker = Broker::with_journal(&MEMBERS, &["--grace", "20"]);
    let mut wire = broker.connect();
    let join = wire.ask(json!({ "id": 1, "call": "join", "args": { "member": "101" } }));
    let token = join["return"]["session"].as_str().expect("a session").to_owned();
    assert_eq!(token.len(), 32);
    let send = json!({ "id": 2, "call": "send", "args": { "message": "x", "data": { "k": "old" } } });
    assert_eq!(wire.ask(send.clone()), json!({ "id": 2, "return": {} }));
    let newer = json!({ "id": 3, "call": "send", "args": { "message": "x", "data": { "k": "new" } } });
    assert_eq!(wire.ask(newer), json!({ "id": 3, "return": {} }));
    // The first connection is still open: a cut link is noticed at one end first.
    let mut again = broker.connect();
    let resumed = again.ask(json!({ "id": 4, "call": "resume", "args": { "session": token } }));
    assert_eq!(resumed["return"]["member"], "101");
    assert!(wire.is_closed(), "its place is taken");
    assert_eq!(again.ask(send), json!({ "id": 2, "return": {} }));
    let wait = again.ask(json!({ "id": 5, "call": "wait", "args": { "message": "x" } }));
    assert_eq!(wait["return"]["messages"], json!([{ "from": "101", "data": { "k": "new" } }]));
}

#[test]
fn a_join_whose_answer_was_lost_is_made_again_and_is_the_same_one() {
    let mut broker = Broker::with_journal(&MEMBERS, &[]);
    let session = "0123456789abcdef".repeat(2);
    let hello = json!({ "id": 1, "call": "hello", "args": { "session": session } });
    let enter = json!({ "id": 2, "call": "enter", "args": { "role": "person", "counted": true } });
    let wait = json!({ "id": 3, "call": "wait", "args": { "message": "m" } });
    let (mut seen, mut deaf) = (watcher(&broker), broker.connect());
    for line in [&hello, &enter, &wait] {
        deaf.say(line.clone());
    }
    await_event(&mut seen, "wait");
    broker.crash();
    broker.start_again();
    let mut again = broker.connect();
    assert_eq!(again.ask(hello.clone()), json!({ "id": 1, "return": {} }));
    let joined = again.ask(enter)["return"].clone();
    assert_eq!((&joined["member"], &joined["session"]), (&json!("105"), &json!(session)));
    again.say(wait);
    assert_eq!(broker.run(&["--member", "104", "send", "m", "k=v"]), done(""));
    let messages = json!([{ "from": "104", "data": { "k": "v" } }]);
    assert_eq!(again.hear(), json!({ "id": 3, "return": { "messages": messages } }));
    assert_eq!(broker.run(&["status"]).stdout.matches("person").count(), 1, "it has entered once");
    let mut other = broker.connect();
    other.ask(hello);
    let join = json!({ "id": 2, "call": "join", "args": { "member": "101" } });
    assert_eq!(class(&other.ask(join)), "bad-request", "the session is of another member");
}

#[test]
fn a_stranger_does_not_come_back_as_somebody_and_nobody_comes_back_too_late() {
    let broker = Broker::with_journal(&MEMBERS, &["--grace", "0.1"]);
    let mut seen = watcher(&broker);
    let mut wire = broker.connect();
    let join = wire.ask(json!({ "id": 1, "call": "join", "args": { "member": "101" } }));
    let mut stranger = broker.connect();
    let guess = json!({ "id": 1, "call": "resume", "args": { "session": "0".repeat(32) } });
    assert_eq!(class(&stranger.ask(guess)), "unknown");
    drop(wire);
    await_event(&mut seen, "died");
    let late = json!({ "id": 2, "call": "resume", "args": { "session": join["return"]["session"] } });
    assert_eq!(class(&stranger.ask(late)), "left");
}

#[test]
fn without_coming_back_a_member_is_dead_when_its_grace_is_over() {
    let broker = Broker::with_journal(&MEMBERS, &["--grace", "0.2"]);
    let mut host = broker.join("104");
    let guest = broker.join("101");
    host.say(json!({ "id": 1, "call": "sync", "args": { "message": "clients" } }));
    drop(guest);
    let message = "host 104 waits in sync 'clients' for guest 101, which died";
    assert_eq!(host.hear(), json!({ "id": 1, "error": { "class": "left", "message": message } }));
}

#[test]
fn an_orderly_end_is_an_end_for_the_clients_too() {
    let mut broker = Broker::with_journal(&MEMBERS, &[]);
    let mut host = joined(&broker, "104");
    let mut seen = watcher(&broker);
    host.submit(sync("s")).expect("submitted");
    await_event(&mut seen, "wait");
    assert_eq!(broker.end(Signal::SIGTERM), done(""));
    let mut fds = [nix::poll::PollFd::new(host.as_fd(), nix::poll::PollFlags::POLLIN)];
    let limit = nix::sys::time::TimeSpec::seconds(20);
    nix::poll::ppoll(&mut fds, Some(limit), None).expect("polls");
    let Err(Failure::Lost(text)) = host.receive() else { panic!("it is lost") };
    assert_eq!(text, "lost the broker: it has closed the connection");
}

// The file.

/// A broker that has died with some messages in its journal, and their text.
fn dead() -> (Broker, String) {
    let mut broker = Broker::with_journal(&MEMBERS, &[]);
    for value in ["one", "two", "three"] {
        assert_eq!(broker.run(&["--member", "104", "send", "x", &format!("k={value}")]), done(""));
    }
    broker.crash();
    let text = std::fs::read_to_string(broker.file("journal")).expect("text");
    (broker, text)
}

#[test]
fn the_journal_is_private_and_json_on_lines() {
    use std::os::unix::fs::PermissionsExt;
    let (broker, text) = dead();
    let mode = std::fs::metadata(broker.file("journal")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(text.lines().count() >= 7, "{text}");
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).expect("JSON");
        assert!(value["t"].is_u64() && value["sum"].is_string(), "{line}");
    }
}

#[test]
fn a_torn_last_line_is_dropped_wherever_it_is_torn() {
    let (mut broker, text) = dead();
    // What comes behind the last message depends on how far the broker got before it died.
    let last = text.lines().take_while(|line| !line.contains("\"three\"")).map(|line| line.len() + 1).sum::<usize>();
    let end = last + text[last..].find('\n').expect("a whole line");
    for cut in [last + 1, last + 20, end] {
        std::fs::write(broker.file("journal"), &text[..cut]).expect("written");
        broker.start_again();
        assert_eq!(broker.run(&["--member", "101", "wait", "x"]), done("104:k=two\n"));
        broker.crash();
        let whole = std::fs::read_to_string(broker.file("journal")).expect("text");
        assert!(whole.starts_with(&text[..last]) && whole.lines().all(|line| line.ends_with("\"}")), "{whole}");
    }
}

#[test]
fn a_corrupt_line_in_the_middle_is_refused_with_its_number() {
    let (broker, text) = dead();
    let shown = broker.file("journal").display().to_string();
    let lines: Vec<&str> = text.lines().collect();
    let changed = text.replacen("\"two\"", "\"tow\"", 1);
    let at = lines.iter().position(|line| line.contains("\"two\"")).expect("it is there");
    let missing: String = lines.iter().enumerate().filter(|(n, _)| *n != 2).map(|(_, l)| format!("{l}\n")).collect();
    let wrong = |line: usize| format!("mn-broker: cannot use '{shown}': line {line} is corrupt: its sum is wrong\n");
    for (journal, line) in [(changed, at + 1), (missing, 3), (format!("garbage\n{text}"), 1)] {
        std::fs::write(broker.file("journal"), journal).expect("written");
        assert_eq!(run(&mut broker.again(), b""), outcome(3, "", &wrong(line)));
        let replay = run(tool("mn-broker").arg("replay").arg(broker.file("journal")), b"");
        assert_eq!((replay.status, replay.stderr), (3, wrong(line)));
    }
}

#[test]
fn a_journal_of_other_groups_is_refused() {
    let (broker, _) = dead();
    let list = broker.file("members.jsonl");
    std::fs::write(&list, pumice_tests::broker::members_stream(&[("7", "a", None)])).expect("written");
    let shown = broker.file("journal").display().to_string();
    let message = format!("mn-broker: cannot use '{shown}': it is the journal of other groups\n");
    assert_eq!(run(&mut broker.again(), b""), outcome(2, "", &message));
}

#[test]
fn two_brokers_do_not_write_one_journal() {
    let broker = Broker::with_journal(&MEMBERS, &[]);
    let mut second = tool("mn-broker");
    second.args(["serve", "--socket"]).arg(broker.file("other.sock")).arg("--members");
    second.arg(broker.file("members.jsonl")).arg("--journal").arg(broker.file("journal"));
    let shown = broker.file("journal").display().to_string();
    let message = format!("mn-broker: cannot use '{shown}': another broker writes it\n");
    assert_eq!(run(&mut second, b""), outcome(3, "", &message));
}

#[test]
fn replay_prints_what_happened_with_times_and_no_secret() {
    let (mut broker, text) = dead();
    broker.start_again();
    broker.run(&["--member", "101", "wait", "y", "--timeout", "0.1"]);
    let mut client = joined(&broker, "101");
    let session = client.session().expect("it has joined").to_owned();
    broker.crash();
    broker.start_again();
    client.call(send("z", "")).expect("it has come back");
    let replay = run(tool("mn-broker").arg("replay").arg(broker.file("journal")), b"");
    assert_eq!((replay.status, replay.stderr.as_str()), (0, ""));
    let said: Vec<&str> = replay.stdout.lines().map(|line| line.split_once(' ').expect("a time").1).collect();
    assert_eq!(said[0], "start: 0b6e (3 members)");
    assert!(said.iter().any(|line| line.ends_with(": send {\"message\":\"x\",\"data\":{\"k\":\"two\"}}")), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("error to 2: timeout: guest 101 waited 0 s for message 'y'")));
    assert_eq!(said.iter().filter(|line| line.starts_with("start: ")).count(), 3);
    let times: Vec<&str> = replay.stdout.lines().map(|line| &line[..27]).collect();
    assert!(times.is_sorted() && times[0].ends_with('Z'), "{times:?}");
    let first = text.lines().find_map(|line| line.split_once("\"token\":\"")).expect("a session").1;
    assert!(said.iter().any(|line| line.ends_with(": resume")), "{said:#?}");
    for secret in [&first[..32], &session] {
        assert!(!replay.stdout.contains(secret), "{}", replay.stdout);
    }
}

#[test]
fn a_journal_that_cannot_be_written_ends_the_broker_before_it_answers() {
    let directory = tempfile::tempdir_in("/dev/shm").expect("a directory");
    let (socket, list) = (directory.path().join("s"), directory.path().join("members"));
    std::fs::write(&list, pumice_tests::broker::members_stream(&MEMBERS)).expect("written");
    let script =
        "trap '' XFSZ; ulimit -f 1; exec \"$0\" serve --socket \"$1\" --members \"$2\" --journal \"$3\" --ready-fd 1";
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(script).arg(pumice_tests::tool_path("mn-broker")).arg(&socket).arg(&list);
    shell.arg(directory.path().join("journal")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = shell.spawn().expect("it runs");
    child.stdout.as_mut().expect("a pipe").read_exact(&mut [0]).expect("it gets ready");
    let mut wire = Wire::greeted(&socket);
    wire.say(json!({ "id": 1, "call": "speak", "args": { "member": "101" } }));
    for id in 0..20 {
        let send = json!({ "id": id, "call": "send", "args": { "message": "m", "data": { "k": "x".repeat(100) } } });
        // Once the broker has ended, nobody reads this.
        let _ = wire.write(format!("{send}\n").as_bytes());
    }
    let mut heard = String::new();
    let _ = wire.into_inner().read_to_string(&mut heard);
    let answers = heard.lines().filter(|line| line.contains("\"return\":{}")).count();
    assert!(answers < 5, "so small a file does not hold this: {heard}");
    let ended = child.wait_with_output().expect("it ends");
    let text = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!((ended.status.code(), text.ends_with("journal': File too large\n")), (Some(3), true), "{text}");
}
