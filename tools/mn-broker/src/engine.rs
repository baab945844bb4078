//! The desk with its clock, its journal and its chance: what is taken is on disk before it is answered.

use crate::clock::{self, Clock};
use crate::desk::{Desk, Letter};
use crate::input::{Asked, Input};
use crate::journal::Journal;
use crate::lava;
use crate::members::Group;
use crate::peer::Said;
use crate::shares::{Bounds, Shares};
use mn_cli::{Cannot, Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// Takes inputs at their time, and keeps them.
pub struct Engine {
    desk: Desk,
    clock: Clock,
    journal: Option<Journal>,
    random: File,
    /// What each group has filled of the journal.
    shares: Shares,
    letters: Vec<Letter>,
    /// The highest number of a connection in the journal.
    last_connection: u64,
}

impl Engine {
    /// Begins with these groups, or goes on where the journal ends.
    ///
    /// # Errors
    /// Status 3 when the journal cannot be used, 2 when it is of other groups or the groups are wrong.
    pub fn start(mut desk: Desk, groups: Vec<Group>, path: Option<&Path>, bounds: Bounds) -> Result<Self> {
        let mut past = Past::default();
        let (times, mut shares) = (desk.halls.times(), Shares::new(bounds));
        let journal = path
            .map(|path| {
                Journal::open(path, |time, input, bytes| {
                    let group = desk.group_meant(&input);
                    past.relive(&mut desk, time, &input);
                    shares.charge(group.as_deref(), bytes, |name| desk.halls.find(name).is_ok());
                })
            })
            .transpose()?;
        if let (Some(before), Some(path)) = (&past.groups, path)
            && *before != groups
        {
            let text = format_args!("cannot use '{}': it is the journal of other groups", path.display());
            return Err(Error::wrong(text));
        }
        let clock = Clock::at(past.now(clock::wall()));
        let random = File::open("/dev/urandom").cannot("open '/dev/urandom'")?;
        let letters = Vec::new();
        let mut engine = Self { desk, clock, journal, random, shares, letters, last_connection: past.last_connection };
        engine.take(Input::Start { at: clock::wall(), times, groups });
        engine.letters.clear();
        engine.sync()?;
        Ok(engine)
    }

    /// The state, to be asked.
    pub fn desk(&self) -> &Desk {
        &self.desk
    }

    /// A number for connections to begin with, that was never used.
    pub fn next_connection(&self) -> u64 {
        self.last_connection + 1
    }

    /// How long nothing is due.
    pub fn patience(&self) -> Option<Duration> {
        self.desk.next_deadline().map(|at| at.saturating_sub(self.clock.now()))
    }

    /// A connection has said something.
    pub fn said(&mut self, connection: u64, said: Said) {
        match said {
            Said::Lava(request) => self.take(Input::Lava { c: connection, request: lava::essence(&request) }),
            Said::Line(line) => {
                let mut random = &self.random;
                match self.desk.read(connection, &line, || token(&mut random)) {
                    Ok(input) => self.take(input),
                    Err(letter) => self.letters.push(letter),
                }
            }
        }
    }

    /// A connection is gone.
    pub fn lost(&mut self, connection: u64) {
        self.take(Input::Lost { c: connection });
    }

    /// Does what time has made due.
    pub fn tick(&mut self) {
        for input in self.desk.due(self.clock.now()) {
            self.take(input);
        }
    }

    /// What is to be written, once it is on disk.
    ///
    /// # Errors
    /// Status 3 when the journal cannot be written: nothing may be answered then.
    pub fn letters(&mut self) -> Result<Vec<Letter>> {
        self.sync()?;
        Ok(std::mem::take(&mut self.letters))
    }

    fn sync(&mut self) -> Result<()> {
        self.journal.as_mut().map_or(Ok(()), Journal::sync)
    }

    fn take(&mut self, input: Input) {
        let now = self.clock.now();
        let group = self.journal.as_ref().and_then(|_| self.desk.group_meant(&input));
        let exists = |desk: &Desk, name: &str| desk.halls.find(name).is_ok();
        let why = group.as_deref().and_then(|group| self.shares.refusal(group, |name| exists(&self.desk, name)));
        if let Some(letter) = why.and_then(|why| Desk::refuse(&input, why)) {
            return self.letters.push(letter);
        }
        let outcome = self.desk.take(now, &input);
        self.letters.extend(outcome.letters);
        if let Some(journal) = self.journal.as_mut().filter(|_| outcome.changed) {
            let bytes = journal.add(now, &input);
            self.shares.charge(group.as_deref(), bytes, |name| exists(&self.desk, name));
        }
    }
}

/// 128 bits that nobody can guess, in hexadecimal digits.
fn token(random: &mut impl Read) -> String {
    let mut bytes = [0; 16];
    // Reading from it cannot fail once it is open.
    let _ = random.read_exact(&mut bytes);
    mn_cli::hexadecimal(&bytes)
}

/// What the journal tells while it is read.
#[derive(Debug, Default)]
pub struct Past {
    /// The groups of its beginning.
    pub groups: Option<Vec<Group>>,
    /// The moment of its last beginning, and what the broker's clock showed then.
    begin: Option<(u64, Duration)>,
    last: Duration,
    last_connection: u64,
}

impl Past {
    /// Lets the desk live through an input again; gives what it wrote then.
    pub fn relive(&mut self, desk: &mut Desk, time: Duration, input: &Input) -> Vec<Letter> {
        self.last = self.last.max(time);
        match input {
            Input::Start { at, groups, .. } => {
                self.begin = Some((*at, time));
                self.groups.get_or_insert_with(|| groups.clone());
            }
            Input::Request(asked) => self.saw(asked),
            _ => {}
        }
        desk.take(time, input).letters
    }

    fn saw(&mut self, asked: &Asked) {
        self.last_connection = self.last_connection.max(asked.c);
    }

    /// What the broker's clock shows at a moment; never less than the journal's last time.
    pub fn now(&self, wall: u64) -> Duration {
        let Some((at, time)) = self.begin else { return Duration::ZERO };
        (time + Duration::from_micros(wall.saturating_sub(at))).max(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::halls::Halls;
    use mn_group::Settings;
    use mn_ipc::Listed;
    use serde_json::{Value, json};
    use std::path::PathBuf;

    /// A journal that is gone with the value.
    struct Place(PathBuf);

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    fn engine(journal: &Place, bounds: Bounds) -> Engine {
        let group = |name: &str, id: &str| Group {
            name: name.into(),
            members: vec![Listed { job_id: id.into(), role: "r".into(), host: None, counted: true }],
        };
        let desk = Desk::new(Halls::new(Settings::default()), String::new);
        let groups = vec![group("busy", "1"), group("meek", "2")];
        Engine::start(desk, groups, Some(&journal.0), bounds).expect("it starts")
    }

    /// Says a line and gives the class of the answer's error, or nothing.
    fn ask(engine: &mut Engine, connection: u64, line: &Value) -> String {
        engine.said(connection, Said::Line(line.to_string().into_bytes()));
        let letters = engine.letters().expect("written");
        let Some(Letter::Line(_, line)) = letters.last() else { panic!("an answer") };
        let answer: Value = serde_json::from_slice(line).expect("JSON");
        answer["error"]["class"].as_str().unwrap_or_default().to_owned()
    }

    fn send() -> Value {
        json!({ "id": 2, "call": "send", "args": { "message": "m", "data": { "k": "x".repeat(100) } } })
    }

    fn join(id: &str) -> Value {
        json!({ "id": 1, "call": "join", "args": { "member": id } })
    }

    fn lava(engine: &mut Engine, request: &str) -> bool {
        let request = json!({ "request": request, "messageID": "m", "client_name": "9", "group_name": "lava",
            "group_size": 1, "role": "r", "message": { "k": "x".repeat(100) } });
        engine.said(99, Said::Lava(request));
        let letters = engine.letters().expect("written");
        matches!(letters.last(), Some(Letter::Line(99, frame)) if frame.ends_with(br#"{"response":"ack"}"#))
    }

    #[test]
    fn a_group_that_has_filled_its_share_may_only_leave_and_the_others_go_on() {
        let journal = Place(std::env::temp_dir().join(format!("mn-broker-share-{}", std::process::id())));
        let bounds = Bounds { share: 4000, ..Bounds::default() };
        let mut broker = engine(&journal, bounds);
        assert_eq!((ask(&mut broker, 1, &join("1")), ask(&mut broker, 2, &join("2"))), (String::new(), String::new()));
        let taken = (0..1000).take_while(|_| ask(&mut broker, 1, &send()).is_empty()).count();
        assert!((10..40).contains(&taken), "{taken}");
        assert_eq!(ask(&mut broker, 3, &join("1")), "limit", "nor by another connection");
        let sent = (0..1000).take_while(|_| lava(&mut broker, "lava_send")).count();
        assert!((10..40).contains(&sent), "{sent}");
        assert_eq!(ask(&mut broker, 2, &send()), "");
        drop(broker);
        let mut again = engine(&journal, bounds);
        assert_eq!(ask(&mut again, 11, &join("1")), "limit", "a restart gives no new share");
        assert_eq!(ask(&mut again, 12, &join("2")), "");
        let leave = json!({ "id": 3, "call": "leave", "args": { "member": "1" } });
        assert_eq!(ask(&mut again, 13, &leave), "");
        assert!(!lava(&mut again, "lava_send") && lava(&mut again, "clear_group"));
    }

    #[test]
    fn a_full_journal_takes_no_further_group() {
        let journal = Place(std::env::temp_dir().join(format!("mn-broker-full-{}", std::process::id())));
        let mut broker = engine(&journal, Bounds { founding: 1500, ..Bounds::default() });
        let found = |name: &str| json!({ "id": 1, "call": "found", "args": { "name": name, "members": [{ "job_id": "5", "role": "r" }] } });
        assert_eq!(ask(&mut broker, 1, &found("early")), "");
        ask(&mut broker, 1, &join("1"));
        (0..10).for_each(|_| drop(ask(&mut broker, 1, &send())));
        assert_eq!(ask(&mut broker, 2, &found("late")), "limit");
        assert!(!lava(&mut broker, "lava_send"));
        assert_eq!(ask(&mut broker, 1, &send()), "", "who is there goes on");
    }
}
