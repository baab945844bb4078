//! Whether a waiting call can be answered, must still wait, or can never be answered.

use crate::call::START_ID;
use crate::roster::{Index, Roster};
use crate::store::Store;
use crate::{Call, Failure, Reply, State};
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// How a waiting call stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is missing.
    Answered(Reply),
    /// These members have yet to do their part.
    Blocked(Vec<Index>),
    /// This one of those will never do its part.
    Hopeless(Index),
    /// Anyone could have helped, and everyone is gone.
    Alone,
}

/// What calls are judged by.
pub(crate) struct Bench<'a> {
    pub(crate) roster: &'a Roster,
    pub(crate) store: &'a Store,
    /// Members that wait in each sync.
    pub(crate) syncs: HashMap<&'a str, HashSet<Index>>,
}

impl Bench<'_> {
    /// How a call of a member stands.
    pub(crate) fn judge(&self, member: Index, call: &Call) -> Verdict {
        match call {
            Call::Send { .. } => Verdict::Answered(Reply::Done),
            Call::Wait { id } => self.judge_wait(member, id),
            Call::WaitAll { id, role: None } => self
                .judge_missing(self.unsent(id, self.roster.counted().collect()), || {
                    Reply::Messages(self.store.of(id).to_vec())
                }),
            Call::WaitAll { id, role: Some(role) } => self
                .judge_missing(self.unsent(id, self.roster.of_role(role)), || Reply::Messages(self.sent_by(id, role))),
            Call::Sync { id } => {
                let here = self.syncs.get(id.as_str());
                let missing = self.roster.counted().filter(|at| !here.is_some_and(|here| here.contains(at)));
                self.judge_missing(missing.collect(), || Reply::Done)
            }
            Call::Start { role } => {
                self.judge_missing(self.unsent(START_ID, self.roster.of_role(role)), || Reply::Done)
            }
            Call::Drain => self.judge_drain(member),
        }
    }

    /// Any sender will do, so that only a group without anybody else is hopeless. A group of one may
    /// still send to itself.
    fn judge_wait(&self, member: Index, id: &str) -> Verdict {
        let sent = self.store.of(id);
        if !sent.is_empty() {
            return Verdict::Answered(Reply::Messages(sent.to_vec()));
        }
        let others: Vec<Index> = self.roster.speaking().filter(|at| *at != member).collect();
        let live: Vec<Index> = others.iter().copied().filter(|at| self.state(*at).is_live()).collect();
        if live.is_empty() && !others.is_empty() { Verdict::Alone } else { Verdict::Blocked(live) }
    }

    /// Answered when nobody is missing; hopeless when one of the missing is gone or drains.
    fn judge_missing(&self, missing: Vec<Index>, reply: impl FnOnce() -> Reply) -> Verdict {
        if missing.is_empty() {
            return Verdict::Answered(reply());
        }
        let gone = missing.iter().find(|at| !self.state(**at).is_live());
        gone.map_or_else(|| Verdict::Blocked(missing.clone()), |at| Verdict::Hopeless(*at))
    }

    /// A guest that is gone is what drain waits for.
    fn judge_drain(&self, member: Index) -> Verdict {
        let guests = self.roster.guests_of(member);
        let here: Vec<Index> = guests.iter().copied().filter(|at| !self.state(*at).is_gone()).collect();
        if !here.is_empty() {
            return Verdict::Blocked(here);
        }
        let ids = |state| {
            let those = guests.iter().filter(|at| self.state(**at) == state);
            those.map(|at| self.roster.entries[*at].member.id.clone()).collect()
        };
        Verdict::Answered(Reply::Drained { left: ids(State::Left), died: ids(State::Died) })
    }

    fn state(&self, at: Index) -> State {
        self.roster.entries[at].state
    }

    fn unsent(&self, id: &str, of: Vec<Index>) -> Vec<Index> {
        let senders: HashSet<&str> = self.store.of(id).iter().map(|(from, _)| from.as_str()).collect();
        of.into_iter().filter(|at| !senders.contains(self.roster.entries[*at].member.id.as_str())).collect()
    }

    fn sent_by(&self, id: &str, role: &str) -> crate::Messages {
        let of_role = |from: &str| self.roster.entries.iter().any(|e| e.member.id == from && e.member.role == role);
        self.store.of(id).iter().filter(|(from, _)| of_role(from)).cloned().collect()
    }
}

/// The failure of a call that a verdict ends: "host 101 waits in sync 'x' for guest 102, which left 3 s ago".
pub(crate) fn hopeless(roster: &Roster, now: Duration, member: Index, call: &Call, gone: Index) -> Failure {
    let (waiter, gone) = (&roster.entries[member].member, &roster.entries[gone]);
    Failure::left(format!("{waiter} waits {call} for {}, which {}", gone.member, gone.how(now)))
}

/// The failure of a call that nobody is left to answer.
pub(crate) fn alone(roster: &Roster, member: Index, call: &Call) -> Failure {
    Failure::left(format!(
        "{} waits {call}, and every other member has left, died or drains",
        roster.entries[member].member
    ))
}

/// Names the members that are waited for, not more than a line takes: "guest 102, guest 103 and 7 more".
pub(crate) fn names(roster: &Roster, members: &[Index]) -> String {
    const SHOWN: usize = 4;
    let mut text = String::new();
    for (nth, at) in members.iter().take(SHOWN).enumerate() {
        let comma = if nth == 0 { "" } else { ", " };
        text += &format!("{comma}{}", roster.entries[*at].member);
    }
    if members.len() > SHOWN {
        text += &format!(" and {} more", members.len() - SHOWN);
    }
    text
}
