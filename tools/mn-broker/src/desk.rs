//! Between the lines of mn-protocol(7) and the group: reads requests, writes answers and events. No I/O.

use crate::pictures;
use mn_group::{Caller, Event, Failure, Group, Output, Reply, Stay};
use mn_ipc::{Call, Class, Incoming, MAX_LINE, Request, VERSION};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// A line for a connection.
pub type Letter = (u64, Vec<u8>);

/// The broker's state: the group, and who watches.
pub struct Desk {
    group: Group,
    name: String,
    watchers: BTreeSet<u64>,
    /// The moment as text; a parameter, because the desk has no clock.
    stamp: fn() -> String,
}

impl Desk {
    /// A desk for a group; `stamp` gives the present moment as mn-message(5) writes it.
    pub fn new(name: String, group: Group, stamp: fn() -> String) -> Self {
        Self { group, name, watchers: BTreeSet::new(), stamp }
    }

    /// What a connection is told first.
    pub fn greeting(&self) -> Vec<u8> {
        let capabilities = ["send", "wait", "wait-all", "sync", "start", "drain", "leave", "status", "watch"];
        let greeting = json!({
            "mn": VERSION, "broker": env!("CARGO_PKG_VERSION"), "group": self.name, "capabilities": capabilities
        });
        format!("{greeting}\n").into_bytes()
    }

    /// Takes a line of a connection.
    pub fn line(&mut self, now: Duration, connection: u64, line: &[u8]) -> Vec<Letter> {
        match Request::parse(line) {
            Ok(Request { id, call }) => self.request(now, Caller { connection, request: id }, call),
            Err((id, class, text)) => vec![(connection, error(id, class, &text))],
        }
    }

    /// What a connection is told whose line is too long.
    pub fn too_long() -> Vec<u8> {
        error(None, Class::Limit, &format!("a line is longer than {MAX_LINE} bytes"))
    }

    /// A connection is gone.
    pub fn lost(&mut self, now: Duration, connection: u64) -> Vec<Letter> {
        self.watchers.remove(&connection);
        self.apply(now, Event::Lost { connection })
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) -> Vec<Letter> {
        self.apply(now, Event::Tick)
    }

    /// When `tick` is due.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.group.next_deadline()
    }

    fn request(&mut self, now: Duration, caller: Caller, call: Call) -> Vec<Letter> {
        let timeout = Duration::try_from_secs_f64(call.timeout().unwrap_or(0.0)).unwrap_or_default();
        let event = |call| Event::Call { caller, call, deadline: now + timeout };
        let event = match call {
            Call::Join { member } => Event::Join { caller, member, stay: Stay::Lasting },
            Call::Speak { member } => Event::Join { caller, member, stay: Stay::Passing },
            Call::Send { message: id, data } => event(mn_group::Call::Send { id, data: strings(data) }),
            Call::Wait { message: id, .. } => event(mn_group::Call::Wait { id }),
            Call::WaitAll { message: id, role, .. } => event(mn_group::Call::WaitAll { id, role }),
            Call::Sync { message: id, .. } => event(mn_group::Call::Sync { id }),
            Call::Start { role, .. } => event(mn_group::Call::Start { role }),
            Call::Drain { .. } => event(mn_group::Call::Drain),
            Call::Leave { member: None } => Event::Leave { caller },
            Call::Leave { member: Some(member) } => Event::LeaveMember { caller, member },
            Call::Status {} => return vec![self.status(now, caller)],
            Call::Watch {} => {
                self.watchers.insert(caller.connection);
                return vec![(caller.connection, answer(caller.request, json!({})))];
            }
        };
        self.apply(now, event)
    }

    fn status(&self, now: Duration, caller: Caller) -> Letter {
        let value = pictures::status(&self.name, now, &self.group.status(now));
        (caller.connection, answer(caller.request, value))
    }

    fn apply(&mut self, now: Duration, event: Event) -> Vec<Letter> {
        let mut letters = Vec::new();
        for output in self.group.apply(now, event) {
            match output {
                Output::Answer { caller, result } => letters.push((caller.connection, self.answer(caller, result))),
                Output::Note(_) if self.watchers.is_empty() => {}
                Output::Note(note) => {
                    let line = Incoming::Event(pictures::event(&self.group, &(self.stamp)(), note)).to_line();
                    letters.extend(self.watchers.iter().map(|watcher| (*watcher, line.clone())));
                }
            }
        }
        letters
    }

    fn answer(&self, caller: Caller, result: Result<Reply, Failure>) -> Vec<u8> {
        match result {
            Ok(reply) => answer(caller.request, pictures::reply(&self.group, caller.connection, reply)),
            Err(failure) => error(Some(caller.request), pictures::class(failure.class), &failure.message),
        }
    }
}

/// The data of a message; that its values are strings was checked when the request was read.
fn strings(data: mn_ipc::Object) -> mn_group::Data {
    let text = |value: Value| value.as_str().unwrap_or_default().to_owned();
    data.into_iter().map(|(key, value)| (key, text(value))).collect()
}

fn answer(id: i64, value: Value) -> Vec<u8> {
    let line = Incoming::Return(id, value).to_line();
    if line.len() <= MAX_LINE {
        return line;
    }
    // A status of very many members; what members can make long is bounded before.
    error(Some(id), Class::Limit, &format!("the answer has {} bytes, more than a line may have", line.len()))
}

/// An error's line. Its text may quote a stranger's words, so it is cut.
fn error(id: Option<i64>, class: Class, text: &str) -> Vec<u8> {
    const MAX_CHARS: usize = 500;
    let text: String = text.chars().take(MAX_CHARS).collect();
    Incoming::Error(id, class, text).to_line()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mn_group::{Member, Settings};

    const NOW: Duration = Duration::from_secs(100);

    fn desk() -> Desk {
        let members = vec![Member::new("1", "host"), Member::new("2", "guest").on_host("1")];
        let group = Group::new(members, Settings::default()).unwrap();
        Desk::new("g".into(), group, || "2026-11-22T12:00:00.000000Z".into())
    }

    fn ask(desk: &mut Desk, connection: u64, line: &str) -> Vec<(u64, String)> {
        let letters = desk.line(NOW, connection, line.as_bytes());
        letters.into_iter().map(|(to, line)| (to, String::from_utf8(line).unwrap().trim_end().to_owned())).collect()
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
        desk.lost(NOW, 9);
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
    fn a_status_too_long_for_a_line_is_an_error_of_limit() {
        let members = (0..1024).map(|n| Member::new((74_000 + n).to_string(), "a-role-with-a-long-name")).collect();
        let group = Group::new(members, Settings::default()).unwrap();
        let mut desk = Desk::new("g".into(), group, String::new);
        assert!(ask(&mut desk, 1, r#"{"id":1,"call":"status"}"#)[0].1.contains(r#""class":"limit""#));
    }
}
