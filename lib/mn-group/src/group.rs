//! The group itself: takes events, keeps what waits, gives answers.

use crate::deadlock::Watchdog;
use crate::limits::shown;
use crate::roster::{Index, Roster};
use crate::status;
use crate::store::Store;
use crate::verdict::{self, Bench, Verdict};
use crate::{Call, Caller, Class, Event, Failure, Member, Note, Output, Reply, Settings, State, Status};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// A call that could not be answered at once.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) caller: Caller,
    pub(crate) member: Index,
    pub(crate) call: Call,
    pub(crate) since: Duration,
    pub(crate) deadline: Duration,
}

/// How a call ends.
type Outcome = Result<Reply, Failure>;

/// A multinode group.
#[derive(Clone, Debug)]
pub struct Group {
    settings: Settings,
    roster: Roster,
    store: Store,
    pending: Vec<Pending>,
    watchdog: Watchdog,
    out: Vec<Output>,
}

impl Group {
    /// A group of the given members, none of which has joined.
    ///
    /// # Errors
    /// When the list is empty or too long, an id is no decimal number or is there twice, a role has no
    /// usable name, or a host is not in the list.
    pub fn new(members: Vec<Member>, settings: Settings) -> Result<Self, Failure> {
        let roster = Roster::new(members, &settings.limits)?;
        let (store, watchdog) = (Store::default(), Watchdog::default());
        Ok(Self { settings, roster, store, pending: Vec::new(), watchdog, out: Vec::new() })
    }

    /// Takes an event in and gives what it brought about. `now` never goes back.
    pub fn apply(&mut self, now: Duration, event: Event) -> Vec<Output> {
        self.bury(now);
        self.settle();
        self.expire(now);
        let tick = matches!(event, Event::Tick);
        self.take(now, event);
        self.bury(now);
        self.settle();
        if !tick {
            self.watchdog.heard(now);
        }
        self.watch(now);
        std::mem::take(&mut self.out)
    }

    /// When [`Event::Tick`] is due at the latest; `None` if nothing waits for time to pass.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let calls = self.pending.iter().map(|pending| pending.deadline).min();
        let burial = self.roster.next_burial(self.settings.grace);
        let quiet = self.watchdog.ends_at(self.settings.quiet);
        [calls, burial, quiet].into_iter().flatten().min()
    }

    /// The members, in the order they were given.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.roster.entries.iter().map(|entry| &entry.member)
    }

    /// The member with an id.
    #[must_use]
    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members().find(|member| member.id == id)
    }

    /// How everybody is, and who waits for whom.
    #[must_use]
    pub fn status(&self, now: Duration) -> Status {
        let deadlock = self.watchdog.ends_at(self.settings.quiet);
        status::of(&self.roster, &self.pending, &self.bench(), now, deadlock)
    }

    fn take(&mut self, now: Duration, event: Event) {
        match event {
            Event::Join { caller, member, stay } => {
                let joined = self.roster.find(&member).and_then(|at| {
                    let changed = self.roster.join(caller.connection, at, stay)?;
                    Ok(changed.then_some(at))
                });
                if let Ok(Some(at)) = joined {
                    self.note_state(at);
                }
                self.answer(caller, joined.map(|_| Reply::Joined { member }));
            }
            Event::Call { caller, call, deadline } => {
                if let Err(failure) = self.call(now, caller, call, deadline) {
                    self.answer(caller, Err(failure));
                }
            }
            Event::Leave { caller } => self.leave(caller),
            Event::LeaveMember { caller, member } => {
                let found = self.roster.find(&member);
                if let Ok(at) = found {
                    self.change(at, State::Left);
                }
                self.answer(caller, found.map(|_| Reply::Done));
            }
            Event::Lost { connection } => {
                self.pending.retain(|pending| pending.caller.connection != connection);
                self.roster.lose(connection, now);
            }
            Event::Tick => {}
        }
    }

    /// Checks a call and does what it does at once; what waits is for `settle` to answer.
    fn call(&mut self, now: Duration, caller: Caller, call: Call, deadline: Duration) -> Result<(), Failure> {
        let not_joined = || Failure::new(Class::NotJoined, format!("'{}' needs a join before it", call.name()));
        let at = self.roster.of(caller.connection).ok_or_else(not_joined)?;
        let entry = &self.roster.entries[at];
        if entry.state.is_gone() {
            return Err(Failure::left(format!("{} {} and asks for nothing more", entry.member, entry.state.verb())));
        }
        self.settings.limits.check(&call)?;
        if let Some(role) = call.role().filter(|role| self.roster.of_role(role).is_empty()) {
            return Err(Failure::unknown(format!("no role '{}' in this group", shown(role))));
        }
        if let Call::Send { id, data } = call {
            let member = entry.member.id.clone();
            self.store.send(&self.settings.limits, &member, &id, data)?;
            self.out.push(Output::Note(Note::Sent { member, id }));
            self.answer(caller, Ok(Reply::Done));
            return Ok(());
        }
        self.check_room(caller)?;
        if call == Call::Drain {
            self.change(at, State::Draining);
        }
        self.out.push(Output::Note(Note::Waits { member: self.id(at), call: call.clone() }));
        self.pending.push(Pending { caller, member: at, call, since: now, deadline });
        Ok(())
    }

    fn check_room(&self, caller: Caller) -> Result<(), Failure> {
        let limits = &self.settings.limits;
        let mut own = self.pending.iter().filter(|pending| pending.caller.connection == caller.connection);
        if own.clone().count() >= limits.waiting {
            return Err(Failure::limit(format!(
                "this connection has {} calls waiting and may have no more",
                limits.waiting
            )));
        }
        if own.any(|pending| pending.caller.request == caller.request) {
            return Err(Failure::bad(format!("request {} is still waiting", caller.request)));
        }
        if self.pending.len() >= limits.waiting_in_all {
            return Err(Failure::limit(format!(
                "the group has {} calls waiting and takes no more",
                self.pending.len()
            )));
        }
        Ok(())
    }

    fn leave(&mut self, caller: Caller) {
        let own = |pending: &Pending| pending.caller.connection == caller.connection;
        let left = || Err(Failure::left("this connection has left"));
        let results = self.pending.iter().map(|pending| own(pending).then(left)).collect();
        self.conclude(results);
        if let Some(at) = self.roster.leave(caller.connection) {
            self.note_state(at);
        }
        self.answer(caller, Ok(Reply::Done));
    }

    /// Members whose grace is over die.
    fn bury(&mut self, now: Duration) {
        for at in self.roster.bury(now, self.settings.grace) {
            self.note_state(at);
        }
    }

    /// Ends every waiting call that can be answered, or never will be. One pass is enough: the end of a call
    /// changes nothing that another call is judged by, save a sync, whose calls are judged together.
    fn settle(&mut self) {
        let bench = self.bench();
        let mut shared = HashMap::new();
        let results = self.pending.iter().map(|pending| self.result(pending, &bench, &mut shared)).collect();
        self.conclude(results);
    }

    /// How a waiting call ends, if it does.
    fn result<'a>(
        &self,
        pending: &'a Pending,
        bench: &Bench<'_>,
        shared: &mut HashMap<&'a Call, Verdict>,
    ) -> Option<Outcome> {
        let entry = &self.roster.entries[pending.member];
        if entry.state.is_gone() {
            return Some(Err(Failure::left(format!("{} {}", entry.member, entry.state.verb()))));
        }
        let own;
        let verdict = if matches!(pending.call, Call::Wait { .. } | Call::Drain) {
            own = bench.judge(pending.member, &pending.call);
            &own
        } else {
            // Who calls makes no difference to these, and a sync has as many calls as the group has members.
            shared.entry(&pending.call).or_insert_with(|| bench.judge(pending.member, &pending.call))
        };
        match verdict {
            Verdict::Answered(reply) => Some(Ok(reply.clone())),
            Verdict::Blocked(_) => None,
            Verdict::Hopeless(gone) => Some(Err(verdict::hopeless(&self.roster, pending.member, &pending.call, *gone))),
            Verdict::Alone => Some(Err(verdict::alone(&self.roster, pending.member, &pending.call))),
        }
    }

    /// Ends the calls whose time is up.
    fn expire(&mut self, now: Duration) {
        let bench = self.bench();
        let late = |pending: &Pending| (pending.deadline <= now).then(|| Err(self.late(pending, &bench, now)));
        let results = self.pending.iter().map(late).collect();
        self.conclude(results);
    }

    fn late(&self, pending: &Pending, bench: &Bench<'_>, now: Duration) -> Failure {
        let waiter = &self.roster.entries[pending.member].member;
        let seconds = now.saturating_sub(pending.since).as_secs();
        let mut message = format!("{waiter} waited {seconds} s {}", pending.call);
        if let Verdict::Blocked(missing) = bench.judge(pending.member, &pending.call)
            && !missing.is_empty()
        {
            message += &format!(" for {}", verdict::names(&self.roster, &missing));
        }
        Failure::new(Class::Timeout, message)
    }

    /// Looks whether everybody waits, and ends the waits when that has lasted.
    fn watch(&mut self, now: Duration) {
        let waiting: HashSet<Index> =
            self.pending.iter().filter(|p| p.call != Call::Drain).map(|pending| pending.member).collect();
        let live = self.roster.entries.iter().enumerate().filter(|(_, entry)| entry.state.is_live());
        let all = !waiting.is_empty() && live.map(|(at, _)| at).all(|at| waiting.contains(&at));
        if self.watchdog.see(all) {
            self.out.push(Output::Note(Note::AllWait { ends_in: self.settings.quiet }));
        }
        if self.watchdog.ends_at(self.settings.quiet).is_some_and(|end| end <= now) {
            let failure = Failure::new(Class::Deadlock, self.deadlock_message());
            // A drain goes on: its end powers a board off under its guests, and it holds up nobody.
            let end = |pending: &Pending| (pending.call != Call::Drain).then(|| Err(failure.clone()));
            let results = self.pending.iter().map(end).collect();
            self.conclude(results);
            self.watchdog.see(false);
        }
    }

    fn deadlock_message(&self) -> String {
        const SHOWN: usize = 4;
        let calls: Vec<&Pending> = self.pending.iter().filter(|p| p.call != Call::Drain).collect();
        let shown = calls.iter().take(SHOWN).map(|p| format!("{} {}", self.roster.entries[p.member].member, p.call));
        let list = shown.collect::<Vec<_>>().join(", ");
        let more = calls.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("every member waits: {list}{more}")
    }

    /// Ends the waiting calls for which there is a result, in the order in which they were made.
    fn conclude(&mut self, results: Vec<Option<Outcome>>) {
        let mut synced = BTreeSet::new();
        for (pending, result) in std::mem::take(&mut self.pending).into_iter().zip(results) {
            let Some(result) = result else {
                self.pending.push(pending);
                continue;
            };
            if let (Call::Sync { id }, Ok(_)) = (&pending.call, &result)
                && synced.insert(id.clone())
            {
                self.out.push(Output::Note(Note::Synced { id: id.clone() }));
            }
            let (member, failure) = (self.id(pending.member), result.as_ref().err().cloned());
            self.out.push(Output::Note(Note::Ended { member, call: pending.call, failure }));
            self.answer(pending.caller, result);
        }
    }

    fn answer(&mut self, caller: Caller, result: Outcome) {
        self.out.push(Output::Answer { caller, result });
    }

    fn change(&mut self, at: Index, state: State) {
        if self.roster.entries[at].become_(state) {
            self.note_state(at);
        }
    }

    fn note_state(&mut self, at: Index) {
        let state = self.roster.entries[at].state;
        self.out.push(Output::Note(Note::State { member: self.id(at), state }));
    }

    fn id(&self, at: Index) -> String {
        self.roster.entries[at].member.id.clone()
    }

    fn bench(&self) -> Bench<'_> {
        let mut syncs: HashMap<&str, HashSet<Index>> = HashMap::new();
        for pending in &self.pending {
            let live = self.roster.entries[pending.member].state.is_live();
            if let (Call::Sync { id }, true) = (&pending.call, live) {
                syncs.entry(id).or_default().insert(pending.member);
            }
        }
        Bench { roster: &self.roster, store: &self.store, syncs }
    }
}
