//! The desk by its lines.

use super::*;
use crate::members::Group;
use mn_group::Settings;
use mn_ipc::Listed;
use proptest::collection::vec;
use proptest::prelude::*;

const NOW: Duration = Duration::from_secs(100);

fn listed(members: &[(&str, &str, Option<&str>)]) -> Vec<Listed> {
    let one = |(id, role, host): &(&str, &str, Option<&str>)| Listed {
        job_id: (*id).into(),
        role: (*role).into(),
        host: host.map(str::to_owned),
        counted: true,
    };
    members.iter().map(one).collect()
}

fn desk() -> Desk {
    desk_of(listed(&[("1", "host", None), ("2", "guest", Some("1"))]))
}

fn desk_of(members: Vec<Listed>) -> Desk {
    let mut desk = Desk::new(Halls::new(Settings::default()), || "2026-11-22T12:00:00.000000Z".into());
    desk.halls.found(Duration::ZERO, &Group { name: "g".into(), members }).unwrap();
    desk
}

fn ask(desk: &mut Desk, connection: u64, line: &str) -> Vec<(u64, String)> {
    let letters = match desk.read(connection, line.as_bytes(), || format!("token-{connection}")) {
        Ok(input) => desk.take(NOW, &input).letters,
        Err(letter) => vec![letter],
    };
    let text = |letter| match letter {
        Letter::Line(to, line) => (to, String::from_utf8(line).unwrap().trim_end().to_owned()),
        Letter::Close(number) => (number, "closed".to_owned()),
    };
    letters.into_iter().map(text).collect()
}

#[test]
fn a_watcher_sees_what_happens_from_now_on() {
    let mut desk = desk();
    ask(&mut desk, 1, r#"{"id":1,"call":"join","args":{"member":"1"}}"#);
    assert_eq!(ask(&mut desk, 9, r#"{"id":5,"call":"watch"}"#), [(9, r#"{"id":5,"return":{}}"#.to_owned())]);
    let seen = ask(&mut desk, 1, r#"{"id":2,"call":"send","args":{"message":"m"}}"#);
    let event =
        r#"{"event":"send","at":"2026-11-22T12:00:00.000000Z","data":{"member":"1","role":"host","message":"m"}}"#;
    assert_eq!(seen, [(9, event.to_owned()), (1, r#"{"id":2,"return":{}}"#.to_owned())]);
    desk.take(NOW, &Input::Lost { c: 9 });
    assert_eq!(ask(&mut desk, 1, r#"{"id":3,"call":"send","args":{"message":"m"}}"#).len(), 1);
}

#[test]
fn status_tells_of_every_member() {
    let mut desk = desk();
    ask(&mut desk, 1, r#"{"id":1,"call":"join","args":{"member":"1"}}"#);
    ask(&mut desk, 1, r#"{"id":2,"call":"wait-all","args":{"message":"m","role":"guest","timeout":1.5}}"#);
    let status = ask(&mut desk, 9, r#"{"id":1,"call":"status"}"#);
    let expected = concat!(
        r#"{"id":1,"return":{"group":"g","uptime":100.0,"members":["#,
        r#"{"job_id":"1","role":"host","state":"joined","connections":1,"waits":[{"call":"wait-all","message":"m","#,
        r#""expect_role":"guest","since":0.0,"remaining":1.5,"for":["2"]}]},"#,
        r#"{"job_id":"2","role":"guest","host":"1","state":"expected","connections":0,"waits":[]}]}}"#
    );
    assert_eq!(status, [(9, expected.to_owned())]);
}

#[test]
fn what_changes_nothing_is_not_for_the_journal() {
    let mut desk = desk();
    let mut changes = |connection, line: &str| {
        let input = desk.read(connection, line.as_bytes(), || "t".into()).unwrap();
        desk.take(NOW, &input).changed
    };
    assert!(!changes(1, r#"{"id":1,"call":"status"}"#));
    assert!(!changes(1, r#"{"id":1,"call":"watch"}"#));
    assert!(!changes(1, r#"{"id":1,"call":"send","args":{"message":"m"}}"#), "it has not joined");
    assert!(!changes(1, r#"{"id":1,"call":"join","args":{"member":"9"}}"#), "it is unknown");
    assert!(changes(1, r#"{"id":1,"call":"join","args":{"member":"1"}}"#));
    assert!(changes(1, r#"{"id":2,"call":"send","args":{"message":"m"}}"#));
    assert!(!changes(1, r#"{"id":3,"call":"wait-all","args":{"message":"m","role":"x"}}"#), "no such role");
    assert!(changes(1, r#"{"id":4,"call":"wait","args":{"message":"other"}}"#));
}

#[test]
fn an_error_does_not_send_a_strangers_words_back_at_length() {
    let mut desk = desk();
    let call = "\\u0001".repeat(10_000);
    let answers = ask(&mut desk, 1, &format!(r#"{{"id":1,"call":"{call}"}}"#));
    assert!(answers[0].1.starts_with(r#"{"id":1,"error":{"class":"bad-request""#), "{}", &answers[0].1[..80]);
    assert!(answers[0].1.len() < 4096);
}

#[test]
fn the_biggest_answer_to_a_wait_fits_a_line() {
    let mut desk = desk();
    let value = "\\u0001".repeat(4_900);
    for connection in [1, 2] {
        ask(&mut desk, connection, &format!(r#"{{"id":1,"call":"join","args":{{"member":"{connection}"}}}}"#));
        let line = format!(r#"{{"id":2,"call":"send","args":{{"message":"m","data":{{"k":"{value}"}}}}}}"#);
        assert_eq!(ask(&mut desk, connection, &line)[0].1, r#"{"id":2,"return":{}}"#);
    }
    let answer = &ask(&mut desk, 1, r#"{"id":3,"call":"wait","args":{"message":"m"}}"#)[0].1;
    assert!(answer.contains("messages") && (58_000..MAX_LINE).contains(&answer.len()), "{}", answer.len());
}

#[test]
fn a_status_of_very_many_members_comes_in_several_lines() {
    let ids: Vec<String> = (74_000..75_024).map(|id| id.to_string()).collect();
    let members: Vec<_> = ids.iter().map(|id| (id.as_str(), "role-x", None)).collect();
    let mut desk = desk_of(listed(&members));
    for (connection, id) in (1..1000).zip(&ids) {
        ask(&mut desk, connection, &format!(r#"{{"id":1,"call":"join","args":{{"member":"{id}"}}}}"#));
        ask(&mut desk, connection, r#"{"id":2,"call":"sync","args":{"message":"all"}}"#);
    }
    let (mut seen, mut lines) = (Vec::new(), 0);
    loop {
        let line = format!(r#"{{"id":1,"call":"status","args":{{"from":{}}}}}"#, seen.len());
        let answer = ask(&mut desk, 2000, &line).remove(0).1;
        assert!(answer.len() < MAX_LINE);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let members = answer["return"]["members"].as_array().unwrap();
        seen.extend(members.iter().map(|member| member["job_id"].as_str().unwrap().to_owned()));
        lines += 1;
        if answer["return"].get("more").is_none() {
            break;
        }
    }
    assert!(seen == ids && lines > 2, "{} members in {lines} lines", seen.len());
}

#[test]
fn what_is_said_before_a_join_adds_up() {
    let mut desk = desk();
    let other = vec![Listed { job_id: "7".into(), role: "x".into(), host: None, counted: true }];
    desk.halls.found(NOW, &Group { name: "other".into(), members: other }).unwrap();
    let session = "0123456789abcdef".repeat(2);
    ask(&mut desk, 1, r#"{"id":1,"call":"hello","args":{"group":"other"}}"#);
    ask(&mut desk, 1, &format!(r#"{{"id":2,"call":"hello","args":{{"grace":5,"session":"{session}"}}}}"#));
    let input = desk.read(1, br#"{"id":3,"call":"join","args":{"member":"7"}}"#, String::new).unwrap();
    let Input::Request(asked) = &input else { panic!("a request") };
    let said = (asked.group.as_deref(), asked.grace, asked.token.as_deref());
    assert_eq!(said, (Some("other"), Some(5.0), Some(session.as_str())));
}

fn lava(name: &str, request: Value) -> Value {
    let mut whole = json!({ "client_name": name, "group_name": "l", "group_size": 2, "role": "r" });
    whole.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
    whole
}

fn lava_reply(desk: &mut Desk, now: Duration, name: &str, request: Value) -> String {
    let letters = desk.take(now, &Input::Lava { c: 5, request: lava(name, request) }).letters;
    let Some(Letter::Line(5, frame)) = letters.last() else { panic!("an answer") };
    String::from_utf8(frame[8..].to_vec()).unwrap()
}

#[test]
fn a_client_on_lavas_wire_that_does_not_poll_for_60_seconds_in_a_wait_is_dead() {
    let mut desk = desk();
    let sync = || json!({ "request": "lava_sync", "messageID": "s" });
    let after = |seconds: u64| NOW + Duration::from_secs(seconds);
    assert_eq!(lava_reply(&mut desk, after(0), "1", sync()), r#"{"response":"wait"}"#);
    assert_eq!(lava_reply(&mut desk, after(59), "1", sync()), r#"{"response":"wait"}"#);
    assert_eq!(desk.due(after(118)), []);
    let dead = desk.due(after(119));
    assert!(matches!(dead.as_slice(), [Input::Lost { .. }]), "60 seconds after its last poll: {dead:?}");
    dead.iter().for_each(|input| drop(desk.take(after(119), input)));
    assert_eq!(lava_reply(&mut desk, after(119), "2", sync()), r#"{"response":"nack"}"#, "it needs the dead one");
}

#[test]
fn a_client_on_lavas_wire_that_waits_for_nothing_may_be_silent() {
    let mut desk = desk();
    lava_reply(&mut desk, NOW, "1", json!({ "request": "lava_send", "messageID": "m", "message": {} }));
    assert_eq!(desk.due(NOW + Duration::from_secs(600_000)), []);
}

#[test]
fn nobody_forges_a_reserved_id_on_lavas_wire() {
    let mut desk = desk();
    for request in ["lava_send", "lava_wait", "lava_wait_all", "lava_sync"] {
        let reply = lava_reply(&mut desk, NOW, "1", json!({ "request": request, "messageID": "mn.x", "message": {} }));
        assert_eq!(reply, r#"{"response":"nack"}"#, "{request}");
    }
}

// Any history: no line does harm, and what the journal keeps gives the same state again.

/// A line that a client may send, well or badly.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let id = 0..6_i64;
    let member = prop_oneof!["[123]", "x"];
    let message = prop_oneof!["[ab]", "mn\\.a"];
    let timeout = prop_oneof![Just(1.0), Just(0.5), Just(-1.0)];
    let session = prop_oneof![Just("0123456789abcdef".repeat(2)), Just("token-1".to_owned())];
    let call = (member, message, timeout, session, any::<bool>()).prop_flat_map(
        |(member, message, timeout, session, counted)| {
            prop_oneof![
                Just(json!({ "call": "join", "args": { "member": member } })),
                Just(json!({ "call": "join", "args": { "member": member } })),
                Just(json!({ "call": "speak", "args": { "member": member } })),
                Just(json!({ "call": "enter", "args": { "role": "y", "counted": counted } })),
                Just(json!({ "call": "hello", "args": { "grace": 2, "session": session } })),
                Just(json!({ "call": "resume", "args": { "session": session } })),
                Just(json!({ "call": "send", "args": { "message": message, "data": { "k": member } } })),
                Just(json!({ "call": "wait", "args": { "message": message, "timeout": timeout } })),
                Just(
                    json!({ "call": "wait-all", "args": { "message": message, "role": "guest", "timeout": timeout } })
                ),
                Just(json!({ "call": "sync", "args": { "message": message, "timeout": timeout } })),
                Just(json!({ "call": "drain", "args": { "timeout": timeout } })),
                Just(json!({ "call": "leave" })),
                Just(json!({ "call": "leave", "args": { "member": member } })),
                Just(
                    json!({ "call": "found", "args": { "name": member, "members": [{ "job_id": "9", "role": "z" }] } })
                ),
                Just(json!({ "call": "status" })),
            ]
        },
    );
    let whole = (id, call).prop_map(|(id, mut call)| {
        call["id"] = id.into();
        call.to_string().into_bytes()
    });
    prop_oneof![9 => whole, 1 => vec(any::<u8>(), 0..40)]
}

/// A line, to be seen as text.
#[derive(Clone)]
struct Said(Vec<u8>);

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// Something that happens to the broker.
#[derive(Clone, Debug)]
enum Happens {
    Line(u64, Said),
    Lava(Value),
    Lost(u64),
    Time(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let asks =
        prop_oneof!["lava_send", "lava_wait", "lava_wait_all", "lava_sync", "clear_group", "group_data", "aggregate"];
    let lava = ("[12]", asks, "[ab]").prop_map(|(name, request, id)| {
        Happens::Lava(lava(&name, json!({ "request": request, "messageID": id, "message": { "k": null } })))
    });
    prop_oneof![
        6 => (1..5_u64, line()).prop_map(|(connection, line)| Happens::Line(connection, Said(line))),
        2 => lava,
        1 => (1..5_u64).prop_map(Happens::Lost),
        1 => (1..90_000_u64).prop_map(Happens::Time),
    ]
}

/// All there is to see of a desk.
fn picture(desk: &Desk, now: Duration) -> Vec<Value> {
    desk.halls.names().iter().map(|name| desk.halls.status(name, now, 0)).collect()
}

proptest! {
    #[test]
    fn what_the_journal_keeps_of_any_history_gives_the_same_state_again(history in vec(happens(), 1..60)) {
        let (mut live, mut again) = (desk(), desk());
        let (mut now, mut kept) = (NOW, Vec::new());
        for (nth, happens) in history.into_iter().enumerate() {
            now += Duration::from_millis(1);
            let inputs = match happens {
                Happens::Line(connection, Said(line)) => live.read(connection, &line, || format!("token-{nth}")).into_iter().collect(),
                Happens::Lava(request) => vec![Input::Lava { c: 8, request }],
                Happens::Lost(c) => vec![Input::Lost { c }],
                Happens::Time(milliseconds) => {
                    now += Duration::from_millis(milliseconds);
                    live.due(now)
                }
            };
            for input in inputs {
                let (line, _) = crate::record::write(crate::record::Sum::FIRST, now, &input);
                if live.take(now, &input).changed {
                    kept.push(line);
                }
            }
        }
        for line in kept {
            let line = &line[..line.len() - 1];
            let (time, input, _) = crate::record::read(crate::record::Sum::FIRST, line).expect("what was written");
            again.take(time, &input);
        }
        // What time alone has ended is ended by the next input at the latest.
        for desk in [&mut live, &mut again] {
            desk.take(now, &Input::Tick {});
        }
        prop_assert_eq!(picture(&live, now), picture(&again, now));
    }
}
