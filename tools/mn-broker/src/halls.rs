//! The groups of a broker by their names.

use crate::members;
use crate::pictures;
use mn_group::{Call, Event, Group, Output, Reply, Settings};
use mn_ipc::Class;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// Groups at a time.
const MAX_GROUPS: usize = 256;
/// A group of LAVA's wire of which nothing was heard for so long may be forgotten for another.
const IDLE: Duration = Duration::from_secs(3600);

/// A group, and what the broker keeps about it.
pub struct Hall {
    /// Its state.
    pub group: Group,
    /// Who made it.
    pub origin: Origin,
    /// When an event last came.
    heard: Duration,
}

/// Who made a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A list of members.
    List,
    /// The first client on LAVA's wire; it goes when all its members have left.
    Lava,
}

/// All groups.
pub struct Halls {
    halls: BTreeMap<String, Hall>,
    settings: Settings,
}

impl Halls {
    /// No groups; they all get these settings.
    pub fn new(settings: Settings) -> Self {
        Self { halls: BTreeMap::new(), settings }
    }

    /// Grace and quiet, in microseconds.
    pub fn times(&self) -> (u64, u64) {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        (micros(self.settings.grace), micros(self.settings.quiet))
    }

    /// The same for groups that are yet to come.
    pub fn set_times(&mut self, (grace, quiet): (u64, u64)) {
        (self.settings.grace, self.settings.quiet) = (Duration::from_micros(grace), Duration::from_micros(quiet));
    }

    /// The names of all groups.
    pub fn names(&self) -> Vec<String> {
        self.halls.keys().cloned().collect()
    }

    /// The name of the only group, if there is one only.
    pub fn only(&self) -> Option<&str> {
        let mut names = self.halls.keys();
        names.next().filter(|_| names.next().is_none()).map(String::as_str)
    }

    /// Makes a group of a list.
    ///
    /// # Errors
    /// The class and text of an answer.
    pub fn found(&mut self, now: Duration, list: &members::Group) -> Result<(), (Class, String)> {
        let members = list.to_members().map_err(|text| (Class::Limit, text))?;
        let group = Group::new(members, self.settings.clone());
        let group = group.map_err(|failure| (failure.class, failure.message))?;
        self.insert(now, &list.name, group, Origin::List)
    }

    /// Makes a group of which only the size is known.
    ///
    /// # Errors
    /// The class and text of an answer.
    pub fn found_open(&mut self, now: Duration, name: &str, size: usize) -> Result<(), (Class, String)> {
        let group = Group::open(size, self.settings.clone());
        let group = group.map_err(|failure| (failure.class, failure.message))?;
        self.insert(now, name, group, Origin::Lava)
    }

    fn insert(&mut self, now: Duration, name: &str, group: Group, origin: Origin) -> Result<(), (Class, String)> {
        if name.is_empty() || name.len() > 128 || name.contains(char::is_control) {
            return Err((
                Class::BadRequest,
                "the group's name is not 1 to 128 bytes without control characters".into(),
            ));
        }
        if self.halls.get(name).is_some_and(|hall| !hall.group.is_over()) {
            return Err((Class::BadRequest, format!("group '{name}' is there already")));
        }
        if self.halls.len() >= MAX_GROUPS && !self.make_room(now) {
            return Err((Class::Limit, format!("the broker has {MAX_GROUPS} groups and takes no more")));
        }
        self.halls.insert(name.to_owned(), Hall { group, origin, heard: now });
        Ok(())
    }

    /// Forgets a group that is over, or one of LAVA's wire that nobody has asked about for long.
    fn make_room(&mut self, now: Duration) -> bool {
        let idle = |hall: &Hall| hall.origin == Origin::Lava && hall.heard + IDLE <= now;
        let name = self.halls.iter().find(|(_, hall)| hall.group.is_over() || idle(hall)).map(|(name, _)| name.clone());
        name.is_some_and(|name| self.halls.remove(&name).is_some())
    }

    /// Forgets a group.
    pub fn forget(&mut self, name: &str) {
        self.halls.remove(name);
    }

    /// The group of a name.
    ///
    /// # Errors
    /// `unknown` when there is none.
    pub fn find(&self, name: &str) -> Result<&Hall, (Class, String)> {
        self.halls.get(name).ok_or_else(|| (Class::Unknown, format!("no group '{name}'")))
    }

    /// The group that is meant: the one that is named, the only one, or the only one that lists the member.
    ///
    /// # Errors
    /// `unknown` when there is none, or no telling which.
    pub fn choose(&self, name: Option<&str>, member: Option<&str>) -> Result<String, (Class, String)> {
        if let Some(name) = name.or(self.only()) {
            return self.find(name).map(|_| name.to_owned());
        }
        let listed = |hall: &Hall| member.is_some_and(|id| hall.group.member(id).is_some());
        let mut names = self.halls.iter().filter(|(_, hall)| listed(hall)).map(|(name, _)| name);
        match (names.next(), names.next()) {
            (Some(name), None) => Ok(name.clone()),
            _ => Err((Class::Unknown, format!("which of the {} groups is meant? Name it", self.halls.len()))),
        }
    }

    /// Lets a group take an event.
    pub fn apply(&mut self, now: Duration, name: &str, event: Event) -> Vec<Output> {
        let Some(hall) = self.halls.get_mut(name) else { return Vec::new() };
        if !matches!(event, Event::Tick) {
            hall.heard = now;
        }
        hall.group.apply(now, event)
    }

    /// What a call would be answered at once.
    pub fn peek(&self, name: &str, member: &str, call: &Call) -> Option<Reply> {
        self.halls.get(name)?.group.peek(member, call)
    }

    /// What `join` returns.
    pub fn joined(&self, name: &str, member: &str, token: &str) -> Value {
        self.halls.get(name).map_or(Value::Null, |hall| pictures::joined(&hall.group, member, token))
    }

    /// What `status` returns, so many members left out.
    pub fn status(&self, name: &str, now: Duration, from: usize) -> Value {
        self.halls.get(name).map_or(Value::Null, |hall| pictures::status(name, now, &hall.group.status(now), from))
    }

    /// When a tick is due.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.halls.values().filter_map(|hall| hall.group.next_deadline()).min()
    }
}
