//! The member's connection to the broker, in an event loop.

use mn_cli::{Error, Result};
use mn_console::reply::{Answer, Sent};
use mn_console::signal::Request;
use mn_ipc::{Call, Class, Client, Failure, Incoming, MAX_LINE, Object};
use mn_msg::role::Member;
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::time::Duration;

/// What a call was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The board asked; the number is the stage's.
    Board(u64),
    /// The guests of this board are waited for.
    Drain,
}

/// A call that has ended.
#[derive(Debug)]
pub struct Ended {
    /// What it was for.
    pub purpose: Purpose,
    /// How it ended.
    pub answer: Answer,
    /// What the broker returned, or the class of its refusal.
    pub value: std::result::Result<Value, Class>,
}

/// A connection that has joined.
pub struct Broker {
    client: Client,
    open: BTreeMap<i64, Purpose>,
    timeout: f64,
    watched: Vec<Watched>,
}

/// What is to be known of another member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// That it has left or died.
    Gone,
    /// That its work has failed, or it has died.
    Failed,
}

struct Watched {
    member: Member,
    news: News,
    come: bool,
}

impl Broker {
    /// Connects and joins as the member `job_id`. `timeout` is the limit of the board's calls.
    ///
    /// # Errors
    /// Status 3 when there is no broker, 1 or 2 when it refuses.
    pub fn join(socket: &Path, job_id: &str, timeout: Duration) -> Result<Broker> {
        let mut client = Client::connect(socket)?;
        client.call(Call::Join { member: job_id.to_owned() })?;
        Ok(Broker { client, open: BTreeMap::new(), timeout: timeout.as_secs_f64(), watched: Vec::new() })
    }

    /// Makes a call for the board.
    ///
    /// # Errors
    /// The broker's refusal, where it is known at once.
    pub fn ask(&mut self, number: u64, request: &Request) -> std::result::Result<(), Failure> {
        self.submit(call(request, self.timeout), Purpose::Board(number))
    }

    /// Begins to wait for the guests of this board.
    ///
    /// # Errors
    /// The broker's refusal, where it is known at once.
    pub fn drain(&mut self, limit: Duration) -> std::result::Result<(), Failure> {
        self.submit(Call::Drain { timeout: limit.as_secs_f64() }, Purpose::Drain)
    }

    /// Has news of other members told.
    ///
    /// # Errors
    /// When the broker is lost.
    pub fn watch<'a>(&mut self, members: impl Iterator<Item = (&'a Member, News)>) -> Result<()> {
        self.watched = members.map(|(member, news)| Watched { member: member.clone(), news, come: false }).collect();
        if self.watched.is_empty() {
            return Ok(());
        }
        // First the events, so that none is missed.
        self.client.call(Call::Watch {})?;
        let status = self.client.status()?;
        for watched in &mut self.watched {
            watched.come |= has_come(&status, &watched.member.job_id, watched.news);
        }
        Ok(())
    }

    /// A member of which these news have come, each once.
    pub fn heard(&mut self, news: News) -> Option<Member> {
        let at = self.watched.iter().position(|watched| watched.news == news && watched.come)?;
        Some(self.watched.remove(at).member)
    }

    /// Has no more news told.
    pub fn watch_no_more(&mut self) {
        self.watched.clear();
    }

    /// Says that this member's work has failed.
    ///
    /// # Errors
    /// When the broker is lost, or is older than this.
    pub fn fail(&mut self) -> Result<()> {
        self.client.call(Call::Fail { member: None })?;
        Ok(())
    }

    fn submit(&mut self, call: Call, purpose: Purpose) -> std::result::Result<(), Failure> {
        let line = mn_ipc::Request { id: i64::MAX, call: call.clone() }.to_line();
        if line.len() > MAX_LINE {
            // The broker would close the connection of the whole member.
            let text = format!("the request has {} bytes, more than the broker takes", line.len());
            return Err(Failure::Refused(Class::Limit, text));
        }
        let id = self.client.submit(call)?;
        self.open.insert(id, purpose);
        Ok(())
    }

    /// Forgets the board's calls: whoever made them has ended.
    pub fn forget(&mut self) {
        self.open.retain(|_, purpose| *purpose == Purpose::Drain);
    }

    /// The calls that have ended since.
    ///
    /// # Errors
    /// Status 3 when the broker is lost.
    pub fn receive(&mut self) -> Result<Vec<Ended>> {
        let mut ended = Vec::new();
        for incoming in self.client.receive()? {
            match incoming {
                Incoming::Return(id, value) => ended.extend(self.open.remove(&id).map(|purpose| {
                    let answer = Answer::Granted(messages(&value));
                    Ended { purpose, answer, value: Ok(value) }
                })),
                Incoming::Error(Some(id), class, text) => ended.extend(self.open.remove(&id).map(|purpose| Ended {
                    purpose,
                    answer: Answer::Refused(text),
                    value: Err(class),
                })),
                Incoming::Error(None, _, text) => {
                    return Err(Error::lab(format_args!("lost the broker: {text}")));
                }
                Incoming::Event(event) => {
                    for watched in &mut self.watched {
                        watched.come |= tells(&event, &watched.member.job_id, watched.news);
                    }
                }
            }
        }
        Ok(ended)
    }

    /// Leaves the group.
    ///
    /// # Errors
    /// When the broker is lost.
    pub fn leave(&mut self) -> Result<()> {
        self.client.call(Call::Leave { member: None })?;
        Ok(())
    }
}

impl AsRawFd for Broker {
    fn as_raw_fd(&self) -> RawFd {
        self.client.as_raw_fd()
    }
}

/// Whether a status has these news of a member.
fn has_come(status: &Value, job_id: &str, news: News) -> bool {
    let members = status.get("members").and_then(Value::as_array);
    let mut member = members.into_iter().flatten().filter(|member| member["job_id"] == job_id);
    member.any(|member| {
        let states = [member["state"].as_str(), (member["failed"] == true).then_some("failed")];
        states.into_iter().flatten().any(|word| is_news(word, news))
    })
}

/// Whether an event is these news of a member.
fn tells(event: &Object, job_id: &str, news: News) -> bool {
    let kind = event.get("event").and_then(Value::as_str);
    let member = event.get("data").and_then(|data| data.get("member")).and_then(Value::as_str);
    kind.is_some_and(|kind| is_news(kind, news)) && member == Some(job_id)
}

fn is_news(word: &str, news: News) -> bool {
    match news {
        News::Gone => matches!(word, "left" | "died"),
        News::Failed => matches!(word, "failed" | "died"),
    }
}

fn call(request: &Request, timeout: f64) -> Call {
    match request.clone() {
        Request::Send { id, data } => {
            let data: Object = data.into_iter().map(|(key, value)| (key, value.into())).collect();
            Call::Send { message: id, data }
        }
        Request::Sync { id } => Call::Sync { message: id, timeout },
        Request::Wait { id } => Call::Wait { message: id, timeout },
        Request::WaitAll { id, role } => Call::WaitAll { message: id, role, timeout },
    }
}

/// The messages of a wait, in the order of their arrival.
pub fn messages(value: &Value) -> Vec<Sent> {
    let list = value.get("messages").and_then(Value::as_array);
    let sent = list.into_iter().flatten().filter_map(|sent| {
        let from = sent.get("from")?.as_str()?.to_owned();
        let data = sent.get("data").and_then(Value::as_object).into_iter().flatten();
        let data = data.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
        Some(Sent { from, data })
    });
    sent.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_messages_of_a_wait_are_taken_as_they_came() {
        let value = json!({"messages": [{"from": "8", "data": {"b": "1", "a": "2"}}, {"from": "7"}]});
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let first = Sent { from: "8".into(), data: vec![pair("b", "1"), pair("a", "2")] };
        assert_eq!(messages(&value), [first, Sent { from: "7".into(), data: vec![] }]);
        assert_eq!(messages(&json!({})), []);
    }

    #[test]
    fn a_member_is_gone_when_it_has_left_or_died_and_has_failed_when_it_said_so_or_died() {
        let event = |kind: &str| json!({"event": kind, "data": {"member": "8"}}).as_object().unwrap().clone();
        let told = |news| ["left", "died", "failed", "drain"].map(|kind| tells(&event(kind), "8", news));
        assert_eq!(told(News::Gone), [true, true, false, false]);
        assert_eq!(told(News::Failed), [false, true, true, false]);
        assert!(!tells(&event("died"), "7", News::Failed));
        let status = |member: Value| json!({"members": [{"job_id": "7", "state": "died", "failed": true}, member]});
        let came = |member: Value, news| has_come(&status(member), "8", news);
        assert!(came(json!({"job_id": "8", "state": "died"}), News::Gone));
        assert!(!came(json!({"job_id": "8", "state": "joined", "failed": true}), News::Gone));
        assert!(came(json!({"job_id": "8", "state": "joined", "failed": true}), News::Failed));
        assert!(!came(json!({"job_id": "8", "state": "left"}), News::Failed));
    }

    #[test]
    fn the_boards_words_become_the_brokers_calls() {
        let request = Request::WaitAll { id: "x".into(), role: Some("guest".into()) };
        let all = Call::WaitAll { message: "x".into(), role: Some("guest".into()), timeout: 9.0 };
        assert_eq!(call(&request, 9.0), all);
    }
}
