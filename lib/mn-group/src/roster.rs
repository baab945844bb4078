//! Who belongs to the group, and how each member is.

use crate::limits::shown;
use crate::{Failure, Limits, Stay};
use std::collections::{BTreeMap, BTreeSet};
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
    /// Whether the group waits for it.
    pub counted: Counted,
}

/// Whether sync and wait-all wait for a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// A member of the job, or one that asked to be counted.
    Yes,
    /// One from outside, who looks in or lends a hand.
    No,
    /// A member of the job that only looks on. It makes no calls: with all others waiting the group is stuck.
    Never,
}

impl Member {
    /// A member with a board of its own.
    #[must_use]
    pub fn new(id: impl Into<String>, role: impl Into<String>) -> Self {
        Self { id: id.into(), role: role.into(), host: None, counted: Counted::Yes }
    }

    /// A place that is kept for a member of which nothing is known yet.
    pub(crate) fn open_place() -> Self {
        Self::new("", "")
    }

    /// Whether nobody has taken this place yet.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.id.is_empty()
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
        if self.is_open() {
            return f.write_str("a member that has not come");
        }
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

/// What is known of a member's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Nothing bad.
    Well,
    /// It has failed.
    Failed,
}

/// A member's place in the roster.
pub(crate) type Index = usize;

/// A member and what the group knows of it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) member: Member,
    pub(crate) state: State,
    /// Whether its work has failed, as far as anybody has said.
    pub(crate) work: Work,
    /// When it took its state on.
    pub(crate) since: Duration,
    /// Lasting connections that have joined and neither left nor were lost.
    pub(crate) sessions: usize,
    /// Its calls that wait, drain not among them.
    pub(crate) waiting: usize,
}

/// A connection that speaks for a member.
#[derive(Clone, Debug)]
struct Link {
    at: Index,
    stay: Stay,
    /// How long it may be lost.
    grace: Duration,
    /// When it is buried, once it is lost.
    burial: Option<Duration>,
}

/// All members, in the order of the job, and the connections that speak for them.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    pub(crate) entries: Vec<Entry>,
    links: BTreeMap<u64, Link>,
    /// Lost connections by the time of their burial.
    graves: BTreeSet<(Duration, u64)>,
}

impl Roster {
    /// A roster in which nobody has joined yet; an error if the list is empty, too long or contradicts itself.
    pub(crate) fn new(members: Vec<Member>, limits: &Limits) -> Result<Self, Failure> {
        for (at, member) in members.iter().enumerate() {
            if member.id.is_empty() || member.id.len() > 18 || !member.id.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Failure::bad(format!("member id '{}' is no decimal number", shown(&member.id))));
            }
            check_role(member, limits)?;
            if members[..at].iter().any(|other| other.id == member.id) {
                return Err(Failure::bad(format!("member '{}' is there twice", member.id)));
            }
            let host = member.host.as_deref();
            if host.is_some_and(|host| host == member.id || !members.iter().any(|other| other.id == host)) {
                let host = shown(host.unwrap_or_default());
                return Err(Failure::bad(format!("host '{host}' of member '{}' is no other member", member.id)));
            }
        }
        Self::of(members, limits)
    }

    /// A roster of open places.
    pub(crate) fn open(size: usize, limits: &Limits) -> Result<Self, Failure> {
        Self::of(std::iter::repeat_n(Member::open_place(), size.min(limits.members + 1)).collect(), limits)
    }

    fn of(members: Vec<Member>, limits: &Limits) -> Result<Self, Failure> {
        if members.is_empty() || members.len() > limits.members {
            return Err(Failure::limit(format!("a group has 1 to {} members, not {}", limits.members, members.len())));
        }
        let entries = members.into_iter().map(Entry::fresh).collect();
        Ok(Self { entries, links: BTreeMap::new(), graves: BTreeSet::new() })
    }

    /// Takes a newcomer in: on the first open place, else as one more that is counted only if it says so.
    pub(crate) fn enrol(&mut self, member: Member, limits: &Limits) -> Result<Index, Failure> {
        if member.id.is_empty() || member.id.len() > limits.id_bytes || member.id.contains(char::is_control) {
            return Err(Failure::bad(format!("member id '{}' is no name", shown(&member.id))));
        }
        check_role(&member, limits)?;
        if let Some(at) = self.entries.iter().position(|entry| entry.member.is_open()) {
            // The place was counted before it had a name.
            self.entries[at].member = Member { counted: Counted::Yes, ..member };
            return Ok(at);
        }
        if self.entries.len() >= limits.members {
            return Err(Failure::limit(format!("the group has {} members and takes no more", self.entries.len())));
        }
        self.entries.push(Entry::fresh(member));
        Ok(self.entries.len() - 1)
    }

    /// The next free decimal id.
    pub(crate) fn next_id(&self) -> u64 {
        let ids = self.entries.iter().filter_map(|entry| entry.member.id.parse::<u64>().ok());
        ids.max().unwrap_or(0).saturating_add(1)
    }

    /// The member with an id.
    pub(crate) fn find(&self, id: &str) -> Result<Index, Failure> {
        let at = self.entries.iter().position(|entry| entry.member.id == id);
        at.ok_or_else(|| Failure::unknown(format!("no member '{}' in this group", shown(id))))
    }

    /// The member a connection speaks for.
    pub(crate) fn of_link(&self, connection: u64) -> Option<Index> {
        self.links.get(&connection).map(|link| link.at)
    }

    /// An error for a connection that speaks for somebody already.
    pub(crate) fn check_free(&self, connection: u64) -> Result<(), Failure> {
        let Some(at) = self.of_link(connection) else { return Ok(()) };
        let id = &self.entries[at].member.id;
        Err(Failure::bad(format!("this connection has joined already, as '{id}'")))
    }

    /// Members that are counted; open places among them.
    pub(crate) fn counted(&self) -> impl Iterator<Item = Index> {
        let counted = |at: &Index| self.entries[*at].member.counted == Counted::Yes;
        (0..self.entries.len()).filter(counted)
    }

    /// Members that may yet send something; open places among them.
    pub(crate) fn speaking(&self) -> impl Iterator<Item = Index> {
        (0..self.entries.len()).filter(|at| self.entries[*at].member.counted != Counted::Never)
    }

    /// Counted members that are of a role, or may yet turn out to be; none if there is no such role.
    pub(crate) fn of_role(&self, role: &str) -> Vec<Index> {
        let fits = |at: &Index| self.entries[*at].member.role == role || self.entries[*at].member.is_open();
        self.counted().filter(fits).collect()
    }

    /// Members that are guests of another.
    pub(crate) fn guests_of(&self, host: Index) -> Vec<Index> {
        let host = &self.entries[host].member.id;
        (0..self.entries.len()).filter(|at| self.entries[*at].member.host.as_ref() == Some(host)).collect()
    }

    /// Lets a connection speak for a member. Gives whether the member's state changed.
    pub(crate) fn join(
        &mut self,
        now: Duration,
        connection: u64,
        at: Index,
        stay: Stay,
        grace: Duration,
    ) -> Result<bool, Failure> {
        self.check_free(connection)?;
        let entry = &mut self.entries[at];
        if entry.state.is_gone() {
            return Err(Failure::left(format!("{} {} and cannot join again", entry.member, entry.state.verb())));
        }
        self.links.insert(connection, Link { at, stay, grace, burial: None });
        if stay == Stay::Passing {
            return Ok(false);
        }
        entry.sessions += 1;
        Ok(entry.state == State::Expected && entry.become_(State::Joined, now))
    }

    /// A connection takes another's place, lost or not. Gives the member.
    pub(crate) fn resume(&mut self, connection: u64, of: u64) -> Result<Index, Failure> {
        if self.links.contains_key(&connection) {
            return Err(Failure::bad("this connection has joined already"));
        }
        let Some(mut link) = self.links.remove(&of) else {
            return Err(Failure::left("the time to come back is over"));
        };
        if let Some(burial) = link.burial.take() {
            self.graves.remove(&(burial, of));
            if link.stay == Stay::Lasting {
                self.entries[link.at].sessions += 1;
            }
        }
        let at = link.at;
        self.links.insert(connection, link);
        Ok(at)
    }

    /// A connection has done its part. Gives the member if it has left by that.
    pub(crate) fn leave(&mut self, connection: u64, now: Duration) -> Option<Index> {
        let Link { at, stay, .. } = self.links.remove(&connection)?;
        if stay == Stay::Passing {
            return None;
        }
        let last = !self.links.values().any(|other| other.at == at && other.stay == Stay::Lasting);
        let entry = &mut self.entries[at];
        entry.sessions = entry.sessions.saturating_sub(1);
        (last && entry.become_(State::Left, now)).then_some(at)
    }

    /// A connection is gone without a word; `least` is the shortest grace it gets.
    pub(crate) fn lose(&mut self, connection: u64, now: Duration, least: Duration) {
        let Some(link) = self.links.get_mut(&connection) else { return };
        let entry = &mut self.entries[link.at];
        if link.burial.is_none() && link.stay == Stay::Lasting {
            entry.sessions = entry.sessions.saturating_sub(1);
        }
        if let Some(old) = link.burial {
            self.graves.remove(&(old, connection));
        }
        let burial = now + link.grace.max(least);
        link.burial = Some(burial);
        self.graves.insert((burial, connection));
    }

    /// All connections are gone: the broker itself was.
    pub(crate) fn lose_all(&mut self, now: Duration, least: Duration) {
        for connection in self.links.keys().copied().collect::<Vec<_>>() {
            self.lose(connection, now, least);
        }
    }

    /// Forgets the lost connections that did not come back within their grace: their numbers, and the members
    /// that are dead by that.
    pub(crate) fn bury(&mut self, now: Duration) -> (Vec<u64>, Vec<Index>) {
        let (mut buried, mut died) = (Vec::new(), Vec::new());
        while let Some((burial, connection)) = self.graves.first().copied().filter(|(burial, _)| *burial <= now) {
            self.graves.remove(&(burial, connection));
            buried.push(connection);
            let Some(link) = self.links.remove(&connection) else { continue };
            if link.stay == Stay::Lasting && self.entries[link.at].become_(State::Died, now) {
                died.push(link.at);
            }
        }
        (buried, died)
    }

    /// When the next grace is over.
    pub(crate) fn next_burial(&self) -> Option<Duration> {
        self.graves.first().map(|(burial, _)| *burial)
    }
}

fn check_role(member: &Member, limits: &Limits) -> Result<(), Failure> {
    let role = &member.role;
    if role.is_empty() || role.len() > limits.role_bytes || role.contains(char::is_control) {
        return Err(Failure::bad(format!("role '{}' of member '{}' is no name", shown(role), shown(&member.id))));
    }
    Ok(())
}

impl Entry {
    fn fresh(member: Member) -> Self {
        Self { member, state: State::Expected, work: Work::Well, since: Duration::ZERO, sessions: 0, waiting: 0 }
    }

    /// Takes a state on, unless the member is gone or has it; gives whether it did.
    pub(crate) fn become_(&mut self, state: State, now: Duration) -> bool {
        if self.state.is_gone() || self.state == state {
            return false;
        }
        self.state = state;
        self.since = now;
        true
    }

    /// As in "which left 3 s ago"; what has only just happened needs no time.
    pub(crate) fn how(&self, now: Duration) -> String {
        let seconds = now.saturating_sub(self.since).as_secs();
        let ago = if seconds > 0 { format!(" {seconds} s ago") } else { String::new() };
        match self.state {
            State::Draining => format!("is done{ago} and drains"),
            state => format!("{}{ago}", state.verb()),
        }
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
        roster.join(second(0), 1, 0, Stay::Lasting, grace).expect("joins");
        roster.lose(1, second(100), Duration::ZERO);
        assert_eq!(roster.next_burial(), Some(second(130)));
        assert!(roster.bury(second(129)).0.is_empty());
        roster.resume(2, 1).expect("comes back");
        assert!(roster.bury(second(500)).0.is_empty());
        roster.lose(2, second(600), Duration::ZERO);
        assert_eq!(roster.bury(second(630)), (vec![2], vec![0]));
        assert!(roster.resume(3, 2).is_err(), "too late");
        assert!(roster.join(second(630), 3, 0, Stay::Lasting, grace).is_err(), "the dead do not join");
    }

    #[test]
    fn who_joins_anew_does_not_take_a_lost_connections_place() {
        let mut roster = Roster::new(vec![Member::new("1", "x")], &Limits::default()).expect("list");
        let (grace, second) = (Duration::from_secs(30), Duration::from_secs);
        roster.join(second(0), 1, 0, Stay::Lasting, grace).expect("joins");
        roster.lose(1, second(1), Duration::ZERO);
        roster.join(second(2), 2, 0, Stay::Lasting, grace).expect("joins");
        assert_eq!(roster.bury(second(31)), (vec![1], vec![0]));
    }

    #[test]
    fn newcomers_fill_open_places_first() {
        let limits = Limits::default();
        let mut roster = Roster::open(2, &limits).expect("two");
        assert_eq!(roster.enrol(Member::new("c 1", "x"), &limits).expect("room"), 0);
        assert_eq!(roster.of_role("x"), [0, 1], "who has not come may be of any role");
        assert_eq!(roster.enrol(Member::new("7", "y"), &limits).expect("room"), 1);
        let extra = Member { counted: Counted::No, ..Member::new("8", "x") };
        assert_eq!(roster.enrol(extra, &limits).expect("room"), 2);
        assert_eq!((roster.of_role("x"), roster.next_id()), (vec![0], 9));
    }
}
