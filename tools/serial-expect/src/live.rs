//! Everything a role listens to in the world, in one event loop.

use crate::broker::{Broker, Ended, News, Purpose};
use crate::console_log::ConsoleLog;
use crate::listener::{Listener, REST_OF_CHARACTER};
use crate::power::{self, Power, Progress};
use crate::typist::{Author, Typist};
use crate::upstream::{Upstream, ended_by};
use crate::wires::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use mn_cli::{Cannot, Error, Result, Signals, Status};
use mn_console::pacing::Pacing;
use mn_console::reply::Answer;
use mn_console::script::Typed;
use mn_console::signal::Request;
use mn_ipc::Failure;
use mn_msg::MemberDir;
use mn_msg::role::Member;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

const CONSOLE: Token = Token(0);
const INPUT: Token = Token(1);
const SIGNALS: Token = Token(2);
const CHILDREN: Token = Token(3);
const BROKER: Token = Token(4);
const KEYBOARD: Token = Token(5);

/// Silence after which the open line is written to console.jsonl.
const QUIET: Duration = Duration::from_millis(200);

/// The descriptors of a role.
pub struct Live {
    poll: Poll,
    events: Events,
    origin: Instant,
    signals: Signals,
    children: UnixStream,
    /// Standard input.
    pub upstream: Upstream,
    /// The broker; none for a job of one member.
    pub broker: Option<Broker>,
    console: Listener,
    /// The power command that runs.
    pub power: Option<Power>,
    /// Calls that were refused at once.
    refused: Vec<Event>,
    typist: Typist,
    /// Why the console takes nothing any more.
    broken: Option<String>,
}

impl Live {
    /// Watches all of them.
    pub fn new(
        signals: Signals,
        upstream: Upstream,
        broker: Option<Broker>,
        mut console: Listener,
        pacing: Pacing,
        keyboard: Option<RawFd>,
    ) -> Result<Live> {
        let poll = Poll::new().cannot("make an event loop")?;
        let children = power::ended()?;
        let watch = |descriptor: RawFd, token| {
            poll.registry().register(&mut SourceFd(&descriptor), token, Interest::READABLE).cannot("watch a descriptor")
        };
        watch(signals.as_fd().as_raw_fd(), SIGNALS)?;
        watch(children.as_raw_fd(), CHILDREN)?;
        if let Some(descriptor) = upstream.descriptor() {
            watch(descriptor, INPUT)?;
        }
        if let Some(broker) = &broker {
            watch(broker.as_raw_fd(), BROKER)?;
        }
        if let Some(descriptor) = keyboard {
            watch(descriptor, KEYBOARD)?;
        }
        console.line.register(poll.registry(), CONSOLE)?;
        Ok(Live {
            poll,
            events: Events::with_capacity(16),
            origin: Instant::now(),
            signals,
            children,
            upstream,
            broker,
            console,
            power: None,
            refused: Vec::new(),
            typist: Typist::new(pacing),
            broken: None,
        })
    }

    /// The time since the role began, to the microsecond.
    pub fn now(&self) -> Duration {
        let now = self.origin.elapsed();
        now - Duration::from_nanos(u64::from(now.subsec_nanos() % 1000))
    }

    /// Types a text, as soon as the console takes it.
    ///
    /// # Errors
    /// Status 3 when the console takes nothing.
    pub fn type_text(&mut self, typed: Typed) -> Result<()> {
        if !self.typist.add(typed, Author::Role) {
            return Err(Error::lab("cannot write to the console: it takes nothing"));
        }
        // A line that was left alone is heard first: it may not be silent.
        if !self.console.is_resting() {
            self.write();
        }
        Ok(())
    }

    /// Writes what the console takes. One that takes nothing any more may still have something to say: what is wrong
    /// with it comes after that.
    fn write(&mut self) {
        while !self.typist.is_empty() {
            let now = self.now();
            let Some(bytes) = self.typist.next(now, self.console.last_heard) else { return };
            match self.console.line.write(bytes) {
                Ok(0) => return,
                Ok(count) => {
                    self.console.typed();
                    self.typist.wrote(count, now);
                }
                Err(reason) => {
                    self.typist.clear();
                    self.broken = Some(reason);
                    self.console.typed();
                    self.console.more = true;
                }
            }
        }
    }

    /// Makes a multinode call.
    ///
    /// # Errors
    /// Status 3 when the broker is lost.
    pub fn ask(&mut self, number: u64, request: &Request) -> Result<()> {
        let Some(broker) = &mut self.broker else {
            self.refused.push(Event::Answer(number, Answer::Refused("there is no broker".into())));
            return Ok(());
        };
        match broker.ask(number, request) {
            Ok(()) => Ok(()),
            Err(Failure::Refused(_, reason)) => {
                self.refused.push(Event::Answer(number, Answer::Refused(reason)));
                Ok(())
            }
            Err(lost) => {
                self.broker = None;
                Err(lost.into())
            }
        }
    }

    /// Forgets the calls that have not been answered.
    pub fn forget_calls(&mut self) {
        self.refused.clear();
        if let Some(broker) = &mut self.broker {
            broker.forget();
        }
    }

    /// Starts a power command.
    ///
    /// # Errors
    /// Status 3 when it cannot be run.
    pub fn switch(&mut self, name: &str, commands: Vec<Vec<String>>, dir: Option<&MemberDir>) -> Result<()> {
        // One that still runs is ended first.
        self.power = None;
        self.power = Some(Power::start(name, commands, dir)?);
        Ok(())
    }

    /// Waits until something happens, at most until `until`.
    ///
    /// # Errors
    /// Status 128+N after a signal, 3 when what the role uses, or the broker, is gone; `happened` has what came before.
    pub fn turn(&mut self, until: Option<Duration>, log: &mut ConsoleLog, happened: &mut Vec<Event>) -> Result<()> {
        if !self.typist.is_empty() {
            self.console.typed();
        }
        let now = self.now();
        let due = [until, self.console.due()?].into_iter().flatten().min();
        self.wait(due, log, now)?;
        let ready = |token| self.events.iter().any(|event| event.token() == token);
        let (input, console, child, answer) = (ready(INPUT), ready(CONSOLE), ready(CHILDREN), ready(BROKER));
        let signal = if ready(SIGNALS) { self.signals.take() } else { None };
        happened.append(&mut self.refused);
        if console || self.console.is_due() {
            self.read(log, happened)?;
        }
        if let Some(signal) = signal {
            return Err(ended_by(signal));
        }
        self.write();
        if log.is_open() && self.now() >= self.console.last_heard + QUIET {
            log.flush()?;
        }
        if input {
            self.upstream.check()?;
        }
        if child {
            while matches!(self.children.read(&mut [0; 64]), Ok(1..)) {}
            happened.extend(self.switched());
        }
        if answer {
            happened.extend(self.answers()?.into_iter().map(ended));
        }
        let heard = |live: &mut Live, news| live.broker.as_mut().and_then(|broker| broker.heard(news));
        if let Some(member) = heard(self, News::Gone) {
            self.console.line.give_up(format!("{} {} has ended without one", member.role, member.job_id));
        }
        match heard(self, News::Failed) {
            Some(Member { role, job_id, .. }) => {
                Err(Error::new(Status::No, format_args!("given up: {role} {job_id}, which is essential, has failed")))
            }
            None => Ok(()),
        }
    }

    /// Reads what is there; what is wrong with the other direction is told after it.
    fn read(&mut self, log: &mut ConsoleLog, happened: &mut Vec<Event>) -> Result<()> {
        let (now, before) = (self.now(), happened.len());
        self.console.read(now, log, happened)?;
        let mut closed = false;
        for event in &happened[before..] {
            match event {
                Event::Console(bytes) => self.typist.heard(bytes),
                event => closed |= matches!(event, Event::Closed(_)),
            }
        }
        if let (Some(reason), false) = (self.broken.take(), closed) {
            happened.push(Event::Closed(Some(reason)));
        }
        Ok(())
    }

    fn wait(&mut self, until: Option<Duration>, log: &ConsoleLog, now: Duration) -> Result<()> {
        let flush = log.is_open().then(|| self.console.last_heard + QUIET);
        let look = self.console.line.look_in().map(|wait| now + wait);
        let rest = (!self.console.cut.is_empty()).then(|| self.console.last_heard + REST_OF_CHARACTER);
        let at_once = (!self.refused.is_empty()).then_some(now);
        let due = [until, flush, look, rest, self.typist.due(now, self.console.last_heard), at_once]
            .into_iter()
            .flatten()
            .min();
        match self.poll.poll(&mut self.events, due.map(|due| due.saturating_sub(now))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            polled => polled.cannot("wait for events"),
        }
    }

    /// Whether a watcher has typed, as the last turn found.
    pub fn keyboard_is_ready(&self) -> bool {
        self.events.iter().any(|event| event.token() == KEYBOARD)
    }

    /// Types what a person has typed. What does not fit is lost: the role itself finds out what is wrong.
    pub fn type_for_person(&mut self, typed: Typed) {
        let _ = self.typist.add(typed, Author::Person);
        self.write();
    }

    fn switched(&mut self) -> Option<Event> {
        let ended = match self.power.as_mut()?.check() {
            Ok(Progress::Running) => return None,
            Ok(Progress::Done) => Ok(()),
            Err(error) => Err(error),
        };
        self.power = None;
        Some(Event::Switched(ended))
    }

    /// Tells the others whether the role has failed. From here on nobody else's failure ends it.
    pub fn tell(&mut self, played: &Result<()>) {
        let Some(broker) = &mut self.broker else { return };
        broker.watch_no_more();
        if played.is_err() {
            // A broker that is lost tells the others by that.
            let _ = broker.fail();
        }
    }

    /// Closes the console, lets the stage before release what it holds, and leaves the group.
    ///
    /// # Errors
    /// The first thing that failed; the rest was done all the same.
    pub fn part(&mut self) -> Result<()> {
        self.console.line.close();
        let closed = self.upstream.close();
        let left = self.broker.take().map_or(Ok(()), |mut broker| broker.leave());
        closed.and(left)
    }

    /// Forgets signals that came together with the one that was heeded.
    pub fn forget_signals(&mut self) {
        while self.signals.take().is_some() {}
    }

    fn answers(&mut self) -> Result<Vec<Ended>> {
        let received = self.broker.as_mut().map_or(Ok(Vec::new()), Broker::receive);
        if received.is_err() {
            // There is nobody left to take leave of.
            self.broker = None;
        }
        received
    }
}

/// How a call has ended.
fn ended(Ended { purpose, answer, value }: Ended) -> Event {
    match (purpose, value, answer) {
        (Purpose::Board(number), _, answer) => Event::Answer(number, answer),
        (Purpose::Drain, Err(class), Answer::Refused(reason)) => {
            Event::Drained(Err(Failure::Refused(class, format!("cannot wait for the guests: {reason}")).into()))
        }
        (Purpose::Drain, value, _) => Event::Drained(Ok(value.unwrap_or_default())),
    }
}
