//! The group itself: takes events, keeps what waits, gives answers.

use crate::call::START_ID;
use crate::deadlock::Watchdog;
use crate::limits::shown;
use crate::roster::{Index, Roster, Work};
use crate::status;
use crate::store::Store;
use crate::verdict::{self, Bench, Verdict};
use crate::{Call, Caller, Class, Event, Failure, Member, Note, Output, Reply, Settings, State, Status, Stay};
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

/// What an event may have made answerable.
#[derive(Debug, PartialEq, Eq)]
enum Touched {
    Nothing,
    /// Calls that look at messages of this id.
    Message(String),
    /// The calls of this meeting.
    Meeting(String),
    /// The call that came last.
    Newest,
    /// Any.
    All,
}

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
        Ok(Self::of(roster, settings))
    }

    /// A group of which only the size is known; its members come by [`Event::Enrol`].
    ///
    /// # Errors
    /// When the size is 0 or too big.
    pub fn open(size: usize, settings: Settings) -> Result<Self, Failure> {
        let roster = Roster::open(size, &settings.limits)?;
        Ok(Self::of(roster, settings))
    }

    fn of(roster: Roster, settings: Settings) -> Self {
        let (store, watchdog) = (Store::default(), Watchdog::default());
        Self { settings, roster, store, pending: Vec::new(), watchdog, out: Vec::new() }
    }

    /// Takes an event in and gives what it brought about. `now` never goes back.
    pub fn apply(&mut self, now: Duration, event: Event) -> Vec<Output> {
        let gone = self.bury(now);
        self.settle(now, &gone);
        self.expire(now);
        let tick = matches!(event, Event::Tick);
        let taken = self.take(now, event);
        let heard = !tick && taken.is_ok();
        let touched = taken.unwrap_or(Touched::Nothing);
        let gone = self.bury(now);
        self.settle(now, if gone == Touched::All { &gone } else { &touched });
        if heard {
            self.watchdog.heard(now);
        }
        self.watch(now);
        std::mem::take(&mut self.out)
    }

    /// When [`Event::Tick`] is due at the latest; `None` if nothing waits for time to pass.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Duration> {
        let calls = self.pending.iter().map(|pending| pending.deadline).min();
        let burial = self.roster.next_burial();
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

    /// Whether nothing more can come: every member has left or died.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.roster.entries.iter().all(|entry| entry.state.is_gone())
    }

    /// What a call would be answered at once, were it made by this member; a wait is not begun.
    #[must_use]
    pub fn peek(&self, member: &str, call: &Call) -> Option<Reply> {
        let at = self.roster.find(member).ok()?;
        if call.role().is_some_and(|role| self.roster.of_role(role).is_empty()) {
            return None;
        }
        match self.bench(&Touched::All).judge(at, call) {
            Verdict::Answered(reply) => Some(reply),
            _ => None,
        }
    }

    /// How everybody is, and who waits for whom.
    #[must_use]
    pub fn status(&self, now: Duration) -> Status {
        let deadlock = self.watchdog.ends_at(self.settings.quiet);
        status::of(&self.roster, &self.pending, &self.bench(&Touched::All), now, deadlock)
    }

    /// Takes an event; an error if it was a request that is refused at once.
    fn take(&mut self, now: Duration, event: Event) -> Result<Touched, ()> {
        match event {
            Event::Join { caller, member, stay, grace } => {
                let found = self.roster.find(&member);
                let joined = found.and_then(|at| self.join(now, caller, at, stay, grace));
                self.reply(caller, joined)
            }
            Event::Enrol { caller, member, stay, grace } => {
                let enrolled = self.enrol(caller, member).and_then(|at| self.join(now, caller, at, stay, grace));
                // A newcomer may be of the role that somebody waits for, or turn out not to be.
                self.reply(caller, enrolled).map(|_| Touched::All)
            }
            Event::Resume { caller, of } => {
                let resumed = self.resume(caller, of);
                self.reply(caller, resumed)
            }
            Event::Call { caller, call, deadline } => {
                let called = self.call(now, caller, call, deadline);
                called.map_err(|failure| self.answer(caller, Err(failure)))
            }
            Event::Leave { caller } => {
                self.leave(now, caller);
                Ok(Touched::All)
            }
            Event::LeaveMember { caller, member } => {
                let found = self.roster.find(&member).map(|at| {
                    self.change(now, at, State::Left);
                    Reply::Done
                });
                self.reply(caller, found).map(|_| Touched::All)
            }
            Event::Fail { caller, member } => {
                let failed = self.fail(caller, member.as_deref());
                self.reply(caller, failed)
            }
            Event::Lost { connection } => {
                self.roster.lose(connection, now, Duration::ZERO);
                Ok(Touched::Nothing)
            }
            Event::Withdraw { connection } => {
                self.forget_calls(&[connection]);
                Ok(Touched::Nothing)
            }
            Event::Restart { grace } => {
                self.roster.lose_all(now, grace);
                Ok(Touched::Nothing)
            }
            Event::Tick => Ok(Touched::Nothing),
        }
    }

    fn reply(&mut self, caller: Caller, outcome: Outcome) -> Result<Touched, ()> {
        let taken = if outcome.is_ok() { Ok(Touched::Nothing) } else { Err(()) };
        self.answer(caller, outcome);
        taken
    }

    fn join(&mut self, now: Duration, caller: Caller, at: Index, stay: Stay, grace: Option<Duration>) -> Outcome {
        let grace = grace.unwrap_or(self.settings.grace);
        if self.roster.join(now, caller.connection, at, stay, grace)? {
            self.note_state(at);
        }
        Ok(Reply::Joined { member: self.id(at) })
    }

    /// Notes that the work of a member, or of the caller's, has failed; once.
    fn fail(&mut self, caller: Caller, member: Option<&str>) -> Outcome {
        let not_joined = || Failure::new(Class::NotJoined, "'fail' needs a join before it, or a member");
        let own = || self.roster.of_link(caller.connection).ok_or_else(not_joined);
        let at = member.map_or_else(own, |id| self.roster.find(id))?;
        let before = std::mem::replace(&mut self.roster.entries[at].work, Work::Failed);
        if before == Work::Well {
            self.out.push(Output::Note(Note::Failed { member: self.id(at) }));
        }
        Ok(Reply::Done)
    }

    fn enrol(&mut self, caller: Caller, mut member: Member) -> Result<Index, Failure> {
        self.roster.check_free(caller.connection)?;
        if member.id.is_empty() {
            member.id = self.roster.next_id().to_string();
        } else if let Ok(at) = self.roster.find(&member.id) {
            return Ok(at);
        }
        self.roster.enrol(member, &self.settings.limits)
    }

    fn resume(&mut self, caller: Caller, of: u64) -> Outcome {
        let at = self.roster.resume(caller.connection, of)?;
        for pending in self.pending.iter_mut().filter(|pending| pending.caller.connection == of) {
            pending.caller.connection = caller.connection;
        }
        Ok(Reply::Joined { member: self.id(at) })
    }

    /// Checks a call and does what it does at once; what waits is for `settle` to answer.
    fn call(&mut self, now: Duration, caller: Caller, call: Call, deadline: Duration) -> Result<Touched, Failure> {
        let not_joined = || Failure::new(Class::NotJoined, format!("'{}' needs a join before it", call.name()));
        let at = self.roster.of_link(caller.connection).ok_or_else(not_joined)?;
        let entry = &self.roster.entries[at];
        if entry.state.is_gone() {
            return Err(Failure::left(format!("{} {} and asks for nothing more", entry.member, entry.state.verb())));
        }
        self.settings.limits.check(&call)?;
        if let Some(role) = call.role().filter(|role| self.roster.of_role(role).is_empty()) {
            return Err(no_role(role));
        }
        if let Call::Send { id, data } = call {
            let member = entry.member.id.clone();
            self.store.send(&self.settings.limits, &member, &id, data)?;
            self.out.push(Output::Note(Note::Sent { member, id: id.clone() }));
            self.answer(caller, Ok(Reply::Done));
            return Ok(Touched::Message(id));
        }
        self.check_room(caller)?;
        let touched = match &call {
            Call::Sync { id } => Touched::Meeting(id.clone()),
            Call::Drain => Touched::All,
            _ => Touched::Newest,
        };
        if call == Call::Drain {
            self.change(now, at, State::Draining);
        } else {
            self.roster.entries[at].waiting += 1;
        }
        self.out.push(Output::Note(Note::Waits { member: self.id(at), call: call.clone() }));
        self.pending.push(Pending { caller, member: at, call, since: now, deadline });
        Ok(touched)
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

    fn leave(&mut self, now: Duration, caller: Caller) {
        let own = |pending: &Pending| pending.caller.connection == caller.connection;
        let left = || Err(Failure::left("this connection has left"));
        let results = self.pending.iter().map(|pending| own(pending).then(left)).collect();
        self.conclude(results);
        if let Some(at) = self.roster.leave(caller.connection, now) {
            self.note_state(at);
        }
        self.answer(caller, Ok(Reply::Done));
    }

    /// Lost connections whose grace is over are forgotten with their calls, and their members die.
    fn bury(&mut self, now: Duration) -> Touched {
        let (buried, died) = self.roster.bury(now);
        if !buried.is_empty() {
            self.forget_calls(&buried);
        }
        for at in &died {
            self.note_state(*at);
        }
        if died.is_empty() { Touched::Nothing } else { Touched::All }
    }

    fn forget_calls(&mut self, connections: &[u64]) {
        let entries = &mut self.roster.entries;
        self.pending.retain(|pending| {
            let gone = connections.contains(&pending.caller.connection);
            if gone && pending.call != Call::Drain {
                entries[pending.member].waiting -= 1;
            }
            !gone
        });
    }

    /// Ends every touched call that can be answered, or never will be. One pass is enough: the end of a call
    /// changes nothing that another call is judged by, save a sync, whose calls are judged together.
    fn settle(&mut self, now: Duration, touched: &Touched) {
        if *touched == Touched::Nothing {
            return;
        }
        let bench = self.bench(touched);
        let mut shared = HashMap::new();
        let newest = self.pending.len().saturating_sub(1);
        let results: Vec<_> = (self.pending.iter().enumerate())
            .map(|(nth, pending)| {
                let looked_at = touched.includes(&pending.call) || (*touched == Touched::Newest && nth == newest);
                if looked_at { self.result(now, pending, &bench, &mut shared) } else { None }
            })
            .collect();
        drop(shared);
        self.conclude(results);
    }

    /// How a waiting call ends, if it does.
    fn result<'a>(
        &self,
        now: Duration,
        pending: &'a Pending,
        bench: &Bench<'_>,
        shared: &mut HashMap<&'a Call, Verdict>,
    ) -> Option<Outcome> {
        let entry = &self.roster.entries[pending.member];
        if entry.state.is_gone() {
            return Some(Err(Failure::left(format!("{} {}", entry.member, entry.state.verb()))));
        }
        if let Some(role) = pending.call.role().filter(|role| self.roster.of_role(role).is_empty()) {
            return Some(Err(no_role(role)));
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
            Verdict::Hopeless(gone) => {
                Some(Err(verdict::hopeless(&self.roster, now, pending.member, &pending.call, *gone)))
            }
            Verdict::Alone => Some(Err(verdict::alone(&self.roster, pending.member, &pending.call))),
        }
    }

    /// Ends the calls whose time is up.
    fn expire(&mut self, now: Duration) {
        if self.pending.iter().all(|pending| pending.deadline > now) {
            return;
        }
        let bench = self.bench(&Touched::All);
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

    /// Whether everybody waits who could still send something.
    fn all_wait(&self) -> bool {
        let entries = &self.roster.entries;
        let mut live = self.roster.speaking().map(|at| &entries[at]).filter(|entry| entry.state.is_live());
        live.all(|entry| entry.waiting > 0) && entries.iter().any(|entry| entry.waiting > 0)
    }

    /// Looks whether everybody waits, and ends the waits when that has lasted.
    fn watch(&mut self, now: Duration) {
        if self.watchdog.see(self.all_wait()) {
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
        if results.iter().all(Option::is_none) {
            return;
        }
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
            if pending.call != Call::Drain {
                self.roster.entries[pending.member].waiting -= 1;
            }
            let (member, failure) = (self.id(pending.member), result.as_ref().err().cloned());
            self.out.push(Output::Note(Note::Ended { member, call: pending.call, failure }));
            self.answer(pending.caller, result);
        }
    }

    fn answer(&mut self, caller: Caller, result: Outcome) {
        self.out.push(Output::Answer { caller, result });
    }

    fn change(&mut self, now: Duration, at: Index, state: State) {
        if self.roster.entries[at].become_(state, now) {
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

    /// What the touched calls are judged by.
    fn bench(&self, touched: &Touched) -> Bench<'_> {
        let mut syncs: HashMap<&str, HashSet<Index>> = HashMap::new();
        for pending in self.pending.iter().filter(|pending| touched.includes(&pending.call)) {
            let live = self.roster.entries[pending.member].state.is_live();
            if let (Call::Sync { id }, true) = (&pending.call, live) {
                syncs.entry(id).or_default().insert(pending.member);
            }
        }
        Bench { roster: &self.roster, store: &self.store, syncs }
    }
}

fn no_role(role: &str) -> Failure {
    Failure::unknown(format!("no role '{}' in this group", shown(role)))
}

impl Touched {
    /// Whether a call must be looked at again.
    fn includes(&self, call: &Call) -> bool {
        match self {
            Self::Nothing | Self::Newest => false,
            Self::Message(sent) => match call {
                Call::Wait { id } | Call::WaitAll { id, .. } => id == sent,
                Call::Start { .. } => sent == START_ID,
                _ => false,
            },
            Self::Meeting(named) => matches!(call, Call::Sync { id } if id == named),
            Self::All => true,
        }
    }
}
