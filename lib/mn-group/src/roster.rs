//! Who belongs to the group, and how each member is.

use crate::limits::shown;
use crate::{Failure, Limits, Stay};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A member as the job made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Job id: decimal digits, because a device splits answers at digits and a colon.
    pub id: String,
    /// Its role.
    pub role: String,
    /// The member on whose board it is a guest; `None` for a member with a board of its own.
    pub host: Option<String>,
}

impl Member {
    /// A member with a board of its own.
    #[must_use]
    pub fn new(id: impl Into<String>, role: impl Into<String>) -> Self {
        Self { id: id.into(), role: role.into(), host: None }
    }

    /// The same member as a guest of another.
    #[must_use]
    pub fn on_host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }
}

/// "host 101": how messages name a member.
impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.id)
    }
}

/// How a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not yet joined; alive.
    Expected,
    /// At work.
    Joined,
    /// Waits for its guests; counts as left for the others.
    Draining,
    /// Done.
    Left,
    /// Its connection was lost before it left.
    Died,
}

impl State {
    /// The word in status and on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Joined => "joined",
            Self::Draining => "draining",
            Self::Left => "left",
            Self::Died => "died",
        }
    }

    /// Nothing comes from this member any more.
    pub(crate) fn is_gone(self) -> bool {
        matches!(self, Self::Left | Self::Died)
    }

    /// Others may still wait for this member.
    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Expected | Self::Joined)
    }

    /// As in "guest 102, which left".
    pub(crate) fn verb(self) -> &'static str {
        match self {
            Self::Draining => "is done and drains",
            Self::Left => "left",
            Self::Died => "died",
            Self::Expected => "has not joined",
            Self::Joined => "has not come",
        }
    }
}

/// A member's place in the roster.
pub(crate) type Index = usize;

/// A member and what the group knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) member: Member,
    pub(crate) state: State,
    /// Lasting connections that have joined and neither left nor were lost.
    pub(crate) sessions: usize,
    /// When lost connections went; a new one within the grace takes the place of the oldest.
    lost: Vec<Duration>,
}

/// All members, in the order of the job, and the connections that speak for them.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    pub(crate) entries: Vec<Entry>,
    connections: BTreeMap<u64, (Index, Stay)>,
}

impl Roster {
    /// A roster in which nobody has joined yet; an error if the list is empty, too long or contradicts itself.
    pub(crate) fn new(members: Vec<Member>, limits: &Limits) -> Result<Self, Failure> {
        if members.is_empty() || members.len() > limits.members {
            return Err(Failure::limit(format!("a group has 1 to {} members, not {}", limits.members, members.len())));
        }
        for (at, member) in members.iter().enumerate() {
            if member.role.is_empty() || member.role.len() > limits.role_bytes || member.role.contains(char::is_control)
            {
                return Err(Failure::bad(format!(
                    "role '{}' of member '{}' is no name",
                    shown(&member.role),
                    shown(&member.id)
                )));
            }
            if member.id.is_empty() || member.id.len() > 18 || !member.id.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Failure::bad(format!("member id '{}' is no decimal number", shown(&member.id))));
            }
            if members[..at].iter().any(|other| other.id == member.id) {
                return Err(Failure::bad(format!("member '{}' is there twice", member.id)));
            }
            let host = member.host.as_deref();
            if host.is_some_and(|host| host == member.id || !members.iter().any(|other| other.id == host)) {
                let host = shown(host.unwrap_or_default());
                return Err(Failure::bad(format!("host '{host}' of member '{}' is no other member", member.id)));
            }
        }
        let fresh = |member| Entry { member, state: State::Expected, sessions: 0, lost: Vec::new() };
        Ok(Self { entries: members.into_iter().map(fresh).collect(), connections: BTreeMap::new() })
    }

    /// The member with an id.
    pub(crate) fn find(&self, id: &str) -> Result<Index, Failure> {
        let at = self.entries.iter().position(|entry| entry.member.id == id);
        at.ok_or_else(|| Failure::unknown(format!("no member '{}' in this group", shown(id))))
    }

    /// The member a connection speaks for.
    pub(crate) fn of(&self, connection: u64) -> Option<Index> {
        self.connections.get(&connection).map(|(at, _)| *at)
    }

    /// Members of a role; none if there is no such role.
    pub(crate) fn of_role(&self, role: &str) -> Vec<Index> {
        (0..self.entries.len()).filter(|at| self.entries[*at].member.role == role).collect()
    }

    /// Members that are guests of another.
    pub(crate) fn guests_of(&self, host: Index) -> Vec<Index> {
        let host = &self.entries[host].member.id;
        (0..self.entries.len()).filter(|at| self.entries[*at].member.host.as_ref() == Some(host)).collect()
    }

    /// Lets a connection speak for a member. Gives whether the member's state changed.
    pub(crate) fn join(&mut self, connection: u64, at: Index, stay: Stay) -> Result<bool, Failure> {
        if let Some(other) = self.of(connection) {
            let id = &self.entries[other].member.id;
            return Err(Failure::bad(format!("this connection has joined already, as '{id}'")));
        }
        let entry = &mut self.entries[at];
        if entry.state.is_gone() {
            return Err(Failure::left(format!("{} {} and cannot join again", entry.member, entry.state.verb())));
        }
        self.connections.insert(connection, (at, stay));
        if stay == Stay::Passing {
            return Ok(false);
        }
        entry.sessions += 1;
        if !entry.lost.is_empty() {
            entry.lost.remove(0);
        }
        Ok(entry.state == State::Expected && entry.become_(State::Joined))
    }

    /// A connection has done its part. Gives the member if it has left by that.
    pub(crate) fn leave(&mut self, connection: u64) -> Option<Index> {
        let (at, stay) = self.connections.remove(&connection)?;
        let entry = &mut self.entries[at];
        if stay == Stay::Passing {
            return None;
        }
        entry.sessions = entry.sessions.saturating_sub(1);
        let last = entry.sessions == 0 && entry.lost.is_empty();
        (last && entry.become_(State::Left)).then_some(at)
    }

    /// A connection is gone without a word.
    pub(crate) fn lose(&mut self, connection: u64, now: Duration) {
        if let Some((at, Stay::Lasting)) = self.connections.remove(&connection) {
            let entry = &mut self.entries[at];
            entry.sessions = entry.sessions.saturating_sub(1);
            if !entry.state.is_gone() {
                entry.lost.push(now);
            }
        }
    }

    /// Members whose lost connection did not come back within the grace; they are dead from now on.
    pub(crate) fn bury(&mut self, now: Duration, grace: Duration) -> Vec<Index> {
        let due = |entry: &mut Entry| {
            let over = entry.lost.first().is_some_and(|lost| *lost + grace <= now);
            over && entry.become_(State::Died)
        };
        let entries = self.entries.iter_mut().enumerate();
        entries.filter_map(|(at, entry)| due(entry).then_some(at)).collect()
    }

    /// When the next grace is over.
    pub(crate) fn next_burial(&self, grace: Duration) -> Option<Duration> {
        self.entries.iter().filter_map(|entry| entry.lost.first()).min().map(|lost| *lost + grace)
    }
}

impl Entry {
    /// Takes a state on, unless the member is gone or has it; gives whether it did.
    pub(crate) fn become_(&mut self, state: State) -> bool {
        if self.state.is_gone() || self.state == state {
            return false;
        }
        self.state = state;
        if state.is_gone() {
            self.lost.clear();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(members: Vec<Member>) -> String {
        Roster::new(members, &Limits::default()).expect_err("refused").message
    }

    #[test]
    fn a_list_that_contradicts_itself_is_refused() {
        assert_eq!(refused(vec![]), "a group has 1 to 1024 members, not 0");
        assert_eq!(refused(vec![Member::new("a1", "x")]), "member id 'a1' is no decimal number");
        assert_eq!(refused(vec![Member::new("1", "x"), Member::new("1", "y")]), "member '1' is there twice");
        let lonely = vec![Member::new("1", "x").on_host("9")];
        assert_eq!(refused(lonely), "host '9' of member '1' is no other member");
        assert_eq!(refused(vec![Member::new("1", "x").on_host("1")]), "host '1' of member '1' is no other member");
    }

    #[test]
    fn a_lost_connection_may_come_back_within_the_grace() {
        let mut roster = Roster::new(vec![Member::new("1", "x")], &Limits::default()).expect("list");
        let (grace, second) = (Duration::from_secs(30), Duration::from_secs);
        roster.join(1, 0, Stay::Lasting).expect("joins");
        roster.lose(1, second(100));
        assert_eq!(roster.next_burial(grace), Some(second(130)));
        assert!(roster.bury(second(129), grace).is_empty());
        roster.join(2, 0, Stay::Lasting).expect("comes back");
        assert!(roster.bury(second(500), grace).is_empty());
        roster.lose(2, second(600));
        assert_eq!(roster.bury(second(630), grace), [0]);
        assert!(roster.join(3, 0, Stay::Lasting).is_err(), "the dead do not join");
    }
}
