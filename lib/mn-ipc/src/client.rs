use crate::connection::Connection;
use crate::{Call, Class, Greeting, Incoming, Lines, Object, Request, VERSION};
use mn_cli::{Cannot, Deadline, Error, Status};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::Path;
use std::time::Duration;

/// A connection to the broker.
///
/// Tools that have nothing else to do use [`Client::call`]; event loops use [`Client::submit`], watch the
/// descriptor for reading, and take what [`Client::receive`] gives.
///
/// A client that joins a broker which can resume comes back by itself when its connection is lost, for
/// 30 seconds; what it had asked for is asked again, and answered once. The descriptor stays the same.
pub struct Client {
    connection: Connection,
    lines: Lines,
    ready: VecDeque<Incoming>,
    greeting: Option<Greeting>,
    next_id: i64,
    /// Requests that have no answer yet, as they were sent.
    open: BTreeMap<i64, Vec<u8>>,
    /// The request that joins.
    joining: Option<i64>,
    /// The secret to come back with, chosen before the join: its answer may be what is lost.
    session: Option<String>,
    /// The broker has said that the session has begun.
    joined: bool,
    /// The group that is meant.
    group: Option<String>,
    /// What was said before the join.
    hello: Option<Call>,
    /// It wants to hear of events, after it has come back too.
    watches: bool,
    /// The request to come back, and until when that is tried.
    away: Option<(Option<i64>, Deadline)>,
    /// From when the broker's patience counts anew.
    back: Option<Deadline>,
    /// The broker has said that it ends.
    ended: bool,
    /// Why there is nothing more to come.
    dead: Option<String>,
}

/// Why a call has no answer.
#[derive(Debug)]
pub enum Failure {
    /// The broker said so.
    Refused(Class, String),
    /// There is no broker, or it speaks another protocol: the reason.
    Lost(String),
}

impl From<Failure> for Error {
    /// Status 124 for `timeout`, 2 for a wrong request, 1 for `left` and `deadlock`, 3 when the broker is lost.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(class, text) => Error::new(
                match class {
                    Class::Timeout => Status::Timeout,
                    Class::BadRequest | Class::NotJoined | Class::Unknown | Class::Limit => Status::Wrong,
                    Class::Left | Class::Deadlock | Class::Other => Status::No,
                },
                text,
            ),
            Failure::Lost(text) => Error::lab(text),
        }
    }
}

fn lost(what: impl std::fmt::Display) -> Failure {
    Failure::Lost(format!("lost the broker: {what}"))
}

impl Client {
    /// How long the broker may take for its greeting, and for an answer beyond the time of its call.
    const PATIENCE: Duration = Duration::from_secs(10);
    /// How long a broker that has gone is looked for: its grace after a restart, and of a forwarded connection.
    const AWAY: Duration = Duration::from_secs(30);

    /// Connects and reads the greeting.
    ///
    /// # Errors
    /// `Lost` when there is no broker at `path`, or one of another version.
    pub fn connect(path: &Path) -> Result<Self, Failure> {
        let connection = Connection::new(path)
            .cannot(format_args!("reach the broker at '{}'", path.display()))
            .map_err(|error| Failure::Lost(error.to_string()))?;
        let mut client = Self {
            connection,
            lines: Lines::default(),
            ready: VecDeque::new(),
            greeting: None,
            next_id: 1,
            open: BTreeMap::new(),
            joining: None,
            session: None,
            joined: false,
            group: None,
            hello: None,
            watches: false,
            away: None,
            back: None,
            ended: false,
            dead: None,
        };
        let deadline = Deadline::after(Self::PATIENCE);
        while client.greeting.is_none() {
            client.step(deadline)?;
        }
        Ok(client)
    }

    /// Connects in the place of a client that has died with a session; ids of requests begin at `next_id`.
    /// A request that the other had made is made again under its old id, and is not done twice.
    ///
    /// # Errors
    /// `Lost` as for [`Client::connect`], `Refused` when the time to come back is over.
    pub fn resume(path: &Path, session: &str, next_id: i64) -> Result<Self, Failure> {
        let mut client = Self::connect(path)?;
        client.next_id = next_id;
        client.session = Some(session.to_owned());
        client.joined = true;
        // Beyond any id of the other, so that the two do not meet.
        client.call_as(i64::MAX - 1, Call::Resume { session: session.to_owned() })?;
        Ok(client)
    }

    /// What the broker said first.
    pub fn greeting(&self) -> &Greeting {
        static NONE: Greeting =
            Greeting { mn: 0, broker: String::new(), group: String::new(), pid: None, capabilities: Vec::new() };
        self.greeting.as_ref().unwrap_or(&NONE)
    }

    /// What lets another client take this one's place; none before a join.
    pub fn session(&self) -> Option<&str> {
        self.session.as_deref().filter(|_| self.joined)
    }

    /// Makes a call and waits for its answer, as long as the call says and 10 seconds more.
    ///
    /// # Errors
    /// `Refused` with the broker's class, `Lost` when the broker ends or keeps silent.
    pub fn call(&mut self, call: Call) -> Result<Value, Failure> {
        self.introduce(&call)?;
        let id = self.next_id;
        self.next_id += 1;
        self.call_as(id, call)
    }

    /// What `status` returns, of all members, however many answers that takes.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn status(&mut self) -> Result<Value, Failure> {
        let mut whole = self.call(Call::Status { from: 0 })?;
        let mut members = take_members(&mut whole);
        while whole.get("more").is_some() {
            whole = self.call(Call::Status { from: members.len() })?;
            let further = take_members(&mut whole);
            if further.is_empty() {
                return Err(lost("its status has no end"));
            }
            members.extend(further);
        }
        if let Some(object) = whole.as_object_mut() {
            object.insert("members".into(), members.into());
        }
        Ok(whole)
    }

    fn call_as(&mut self, id: i64, call: Call) -> Result<Value, Failure> {
        let limit = Duration::try_from_secs_f64(call.timeout().unwrap_or(0.0)).unwrap_or_default();
        let deadline = Deadline::after(limit + Self::PATIENCE);
        self.send(id, call)?;
        let answers = |incoming: &Incoming| match incoming {
            Incoming::Return(answered, _) => *answered == id,
            Incoming::Error(answered, ..) => answered.is_none_or(|answered| answered == id),
            Incoming::Event(_) => false,
        };
        loop {
            if let Some(at) = self.ready.iter().position(answers) {
                return match self.ready.remove(at) {
                    Some(Incoming::Return(_, value)) => Ok(value),
                    Some(Incoming::Error(_, class, text)) => Err(Failure::Refused(class, text)),
                    _ => Err(lost("it sent no answer of this protocol")),
                };
            }
            self.step(deadline)?;
        }
    }

    /// Makes a call without waiting; gives the id that its answer will carry.
    ///
    /// # Errors
    /// `Refused` for arguments that the broker would refuse, `Lost` when the broker has ended.
    pub fn submit(&mut self, call: Call) -> Result<i64, Failure> {
        self.introduce(&call)?;
        let id = self.next_id;
        self.next_id += 1;
        self.send(id, call)?;
        Ok(id)
    }

    /// What has come so far, without waiting: answers and events.
    ///
    /// # Errors
    /// `Lost` when the broker has ended; what came before is given first.
    pub fn receive(&mut self) -> Result<Vec<Incoming>, Failure> {
        self.pump();
        if self.ready.is_empty() {
            self.alive()?;
        }
        Ok(self.ready.drain(..).collect())
    }

    /// Whether another process than the broker is at the other end of the socket.
    fn is_forwarded(&self) -> bool {
        self.greeting().pid.is_some() && self.greeting().pid != self.connection.peer()
    }

    /// Whether there is something to come back to: a broker without a journal takes all it knows with it.
    fn can_come_back(&self) -> bool {
        let can = |wanted: &str| self.greeting().capabilities.iter().any(|name| name == wanted);
        can("resume") && (can("journal") || self.is_forwarded())
    }

    /// Before a join: says by which secret this client may come back.
    fn introduce(&mut self, call: &Call) -> Result<(), Failure> {
        if call.joins() && self.session.is_none() && self.can_come_back() {
            self.session = Some(secret().map_err(lost)?);
            // Over a forwarded socket a lost connection is not the end of its member.
            let grace = self.is_forwarded().then_some(Self::AWAY.as_secs_f64());
            let hello = Call::Hello { group: self.group.clone(), grace, session: self.session.clone() };
            self.hello = Some(hello.clone());
            self.call_as(i64::MAX, hello)?;
        }
        Ok(())
    }

    fn send(&mut self, id: i64, call: Call) -> Result<(), Failure> {
        call.check().map_err(|text| Failure::Refused(Class::BadRequest, text))?;
        self.alive()?;
        if call.joins() {
            self.joining = Some(id);
        }
        if let Call::Hello { group: Some(group), .. } = &call {
            self.group = Some(group.clone());
        }
        self.watches |= matches!(call, Call::Watch {});
        let line = Request { id, call }.to_line();
        let written = self.connection.is_open().then(|| self.connection.write_all(&line, Self::PATIENCE));
        self.open.insert(id, line);
        if let Some(Err(error)) = written {
            self.lose(error);
            self.alive()?;
        }
        Ok(())
    }

    fn alive(&self) -> Result<(), Failure> {
        self.dead.as_ref().map_or(Ok(()), |text| Err(Failure::Lost(text.clone())))
    }

    /// Waits for something to come, and takes it.
    fn step(&mut self, deadline: Deadline) -> Result<(), Failure> {
        self.alive()?;
        let deadline = self.back.map_or(deadline, |back| deadline.max(back));
        let left = match self.away {
            Some((_, until)) => until.remaining().max(Duration::from_millis(1)),
            None => deadline.remaining(),
        };
        if left.is_zero() {
            return Err(lost("it does not answer"));
        }
        self.connection.wait(left).map_err(lost)?;
        self.pump();
        Ok(())
    }

    /// Takes what has come, and comes back when it is time to.
    fn pump(&mut self) {
        self.connection.clear();
        if let Some((_, until)) = self.away {
            if until.passed() {
                self.die("it did not come back");
            } else if !self.connection.is_open() {
                self.come_back();
            }
        }
        let mut bytes = [0; 16 * 1024];
        while self.dead.is_none() && self.connection.is_open() {
            match self.connection.read(&mut bytes) {
                Ok(0) => self.lose("it has closed the connection"),
                Ok(n) => {
                    self.lines.push(&bytes[..n]);
                    self.take_lines();
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => self.lose(error),
            }
        }
    }

    fn take_lines(&mut self) {
        while self.dead.is_none() {
            match self.lines.next_line() {
                Ok(None) => return,
                Ok(Some(line)) => self.take(&line),
                Err(_) => self.die("it sent a line that is too long"),
            }
        }
    }

    fn take(&mut self, line: &[u8]) {
        if self.greeting.is_none() {
            return self.greet(line);
        }
        match Incoming::parse(line) {
            Some(Incoming::Return(id, _)) if self.away.is_some_and(|(resume, _)| resume == Some(id)) => {
                self.away = None;
                self.back = Some(Deadline::after(Self::PATIENCE));
                let _ = self.connection.stop_trying();
            }
            Some(Incoming::Error(Some(id), _, text)) if self.away.is_some_and(|(resume, _)| resume == Some(id)) => {
                self.die(format_args!("cannot come back: {text}"));
            }
            Some(Incoming::Return(id, value)) => {
                if self.joining == Some(id) && self.can_come_back() {
                    self.session = value.get("session").and_then(Value::as_str).map(str::to_owned);
                    self.joined = self.session.is_some();
                }
                // Asked twice, answered twice: the second answer is for nobody.
                if self.open.remove(&id).is_some() {
                    self.ready.push_back(Incoming::Return(id, value));
                }
            }
            Some(Incoming::Error(Some(id), class, text)) => {
                if self.joining == Some(id) && !self.joined {
                    self.session = None;
                }
                if self.open.remove(&id).is_some() {
                    self.ready.push_back(Incoming::Error(Some(id), class, text));
                }
            }
            Some(Incoming::Event(event)) if ends(&event) => self.ended = true,
            Some(other) => self.ready.push_back(other),
            None => self.die("it sent no answer of this protocol"),
        }
    }

    fn greet(&mut self, line: &[u8]) {
        match serde_json::from_slice::<Greeting>(line) {
            Err(error) => self.die(format_args!("it does not greet: {error}")),
            Ok(greeting) if greeting.mn != VERSION => {
                self.die(format_args!("it speaks version {} of the protocol, not {VERSION}", greeting.mn));
            }
            Ok(greeting) => self.greeting = Some(greeting),
        }
    }

    fn die(&mut self, why: impl std::fmt::Display) {
        self.dead.get_or_insert_with(|| format!("lost the broker: {why}"));
        self.connection.close();
        // Who was given what came before must hear of it, too.
        let _ = self.connection.keep_trying();
    }

    /// The connection is gone: for good, or until the broker is found again.
    fn lose(&mut self, why: impl std::fmt::Display) {
        if self.session.is_none() || self.ended {
            return self.die(why);
        }
        self.connection.close();
        let first = self.away.is_none();
        let until = self.away.map_or_else(|| Deadline::after(Self::AWAY), |(_, until)| until);
        self.away = Some((None, until));
        if let Err(error) = self.connection.keep_trying() {
            return self.die(error);
        }
        if first {
            self.come_back();
        }
    }

    /// Connects, says who we are, and asks again for what has no answer; a join may be among that.
    fn come_back(&mut self) {
        let (Some((_, until)), Some(session)) = (self.away, self.session.clone()) else { return };
        if self.connection.open().is_err() {
            return;
        }
        self.lines = Lines::default();
        self.greeting = None;
        let id = self.next_id;
        self.next_id += 1;
        self.away = Some((Some(id), until));
        let call = match &self.hello {
            Some(hello) if !self.joined => hello.clone(),
            _ => Call::Resume { session },
        };
        let mut bytes = Request { id, call }.to_line();
        if self.watches {
            bytes.extend_from_slice(&Request { id: self.next_id, call: Call::Watch {} }.to_line());
            self.next_id += 1;
        }
        self.open.values().for_each(|line| bytes.extend_from_slice(line));
        if self.connection.write_all(&bytes, Self::PATIENCE).is_err() {
            self.connection.close();
        }
    }
}

/// 128 bits that nobody can guess, in hexadecimal digits.
fn secret() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(mn_cli::hexadecimal(&bytes))
}

fn take_members(status: &mut Value) -> Vec<Value> {
    status.get_mut("members").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default()
}

fn ends(event: &Object) -> bool {
    event.get("event").is_some_and(|name| name == "end")
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.connection.as_fd()
    }
}

impl AsRawFd for Client {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::io::Write;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_broker_that_dies_behind_an_event_is_missed_after_the_event() {
        let path = std::env::temp_dir().join(format!("mn-ipc-client-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let broker = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"{\"mn\":1}\n").unwrap();
            stream
        });
        let mut client = Client::connect(&path).unwrap();
        let mut stream = broker.join().unwrap();
        std::fs::remove_file(&path).unwrap();
        stream.write_all(b"{\"event\":\"send\",\"at\":\"\",\"data\":{}}\n").unwrap();
        drop(stream);
        assert!(matches!(client.receive().unwrap()[..], [Incoming::Event(_)]));
        let mut fds = [PollFd::new(client.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, PollTimeout::from(60_000_u16)), Ok(1), "nobody would hear of it");
        assert!(matches!(client.receive(), Err(Failure::Lost(_))));
    }
}
