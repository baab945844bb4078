//! The desk with its clock, its journal and its chance: what is taken is on disk before it is answered.

use crate::clock::{self, Clock};
use crate::desk::{Desk, Letter};
use crate::input::{Asked, Input};
use crate::journal::Journal;
use crate::lava;
use crate::members::Group;
use crate::peer::Said;
use mn_cli::{Cannot, Error, Result};
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// Bytes of the journal one group may fill.
const SHARE: u64 = 256 << 20;

/// Takes inputs at their time, and keeps them.
pub struct Engine {
    desk: Desk,
    clock: Clock,
    journal: Option<Journal>,
    random: File,
    /// What each group has filled of the journal.
    shares: HashMap<String, u64>,
    letters: Vec<Letter>,
    /// The highest number of a connection in the journal.
    last_connection: u64,
}

impl Engine {
    /// Begins with these groups, or goes on where the journal ends.
    ///
    /// # Errors
    /// Status 3 when the journal cannot be used, 2 when it is of other groups or the groups are wrong.
    pub fn start(mut desk: Desk, groups: Vec<Group>, path: Option<&Path>) -> Result<Self> {
        let mut past = Past::default();
        let times = desk.halls.times();
        let journal = path
            .map(|path| Journal::open(path, |time, input| drop(past.relive(&mut desk, time, &input))))
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
        let shares = HashMap::new();
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
        let group = group_of(&self.desk, &input);
        if let (Some(group), Input::Request(asked)) = (&group, &input)
            && self.shares.get(group).is_some_and(|bytes| *bytes > SHARE)
        {
            return self.letters.push(Desk::full(asked.c, asked.id));
        }
        let outcome = self.desk.take(now, &input);
        self.letters.extend(outcome.letters);
        if let Some(journal) = self.journal.as_mut().filter(|_| outcome.changed) {
            let bytes = journal.add(now, &input);
            *self.shares.entry(group.unwrap_or_default()).or_default() += bytes;
        }
    }
}

/// The group an input is about, if it is one that can be made at will.
fn group_of(desk: &Desk, input: &Input) -> Option<String> {
    match input {
        Input::Request(asked) => desk.group_of(asked.c).map(str::to_owned),
        _ => None,
    }
}

/// 128 bits that nobody can guess, in hexadecimal digits.
fn token(random: &mut impl Read) -> String {
    let mut bytes = [0; 16];
    // Reading from it cannot fail once it is open.
    let _ = random.read_exact(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
