//! A picture of the group for people and monitors.

use crate::group::Pending;
use crate::roster::Roster;
use crate::verdict::{Bench, Verdict};
use crate::{Call, Member, State, Work};
use std::time::Duration;

/// How the group is.
#[derive(Clone, Debug)]
pub struct Status {
    /// All members, in the order of the job.
    pub members: Vec<MemberStatus>,
    /// Every live member waits, and the waits end in this time unless something comes.
    pub deadlock_in: Option<Duration>,
}

/// How one member is.
#[derive(Clone, Debug)]
pub struct MemberStatus {
    /// Who.
    pub member: Member,
    /// How.
    pub state: State,
    /// What is known of its work.
    pub work: Work,
    /// Lasting connections it has.
    pub connections: usize,
    /// Its calls that wait, oldest first.
    pub waits: Vec<WaitStatus>,
}

/// One call that waits.
#[derive(Clone, Debug)]
pub struct WaitStatus {
    /// Which.
    pub call: Call,
    /// How long it has waited.
    pub since: Duration,
    /// How long it still may.
    pub remaining: Duration,
    /// Ids of the members that have yet to do their part.
    pub needs: Vec<String>,
}

pub(crate) fn of(
    roster: &Roster,
    pending: &[Pending],
    bench: &Bench<'_>,
    now: Duration,
    deadlock: Option<Duration>,
) -> Status {
    let wait = |pending: &Pending| {
        let needs = match bench.judge(pending.member, &pending.call) {
            Verdict::Blocked(missing) => missing,
            _ => Vec::new(),
        };
        WaitStatus {
            call: pending.call.clone(),
            since: now.saturating_sub(pending.since),
            remaining: pending.deadline.saturating_sub(now),
            needs: needs.into_iter().map(|at| roster.entries[at].member.id.clone()).collect(),
        }
    };
    let mut members: Vec<MemberStatus> = (roster.entries.iter())
        .map(|entry| MemberStatus {
            member: entry.member.clone(),
            state: entry.state,
            work: entry.work,
            connections: entry.sessions,
            waits: Vec::new(),
        })
        .collect();
    for pending in pending {
        members[pending.member].waits.push(wait(pending));
    }
    Status { members, deadlock_in: deadlock.map(|end| end.saturating_sub(now)) }
}
