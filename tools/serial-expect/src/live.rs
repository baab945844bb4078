//! Everything a role listens to in the world, in one event loop.

use crate::broker::{Broker, Ended, Purpose};
use crate::cast;
use crate::console::{Console, Heard};
use crate::console_log::ConsoleLog;
use crate::power::{Power, Progress};
use crate::typist::Typist;
use crate::upstream::{Upstream, ended_by};
use crate::wires::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use mn_cli::{Cannot, Error, Result, Signals};
use mn_console::reply::Answer;
use mn_console::script::Typed;
use mn_console::signal::Request;
use mn_ipc::Failure;
use mn_msg::MemberDir;
use nix::sys::signal::Signal;
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

/// Reads from the console in one turn, so that a board that floods it cannot keep the rest waiting.
const READS: usize = 16;
/// Bytes of one of them.
const READ: usize = 16 * 1024;
/// Silence after which the open line is written to console.jsonl.
const QUIET: Duration = Duration::from_millis(200);

/// How long the rest of a character that was cut off is awaited, where a recording has to keep it whole.
const REST_OF_CHARACTER: Duration = Duration::from_millis(20);

/// Whether the console is read in whole characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Characters {
    /// As it comes.
    Cut,
    /// For a recording, which is text.
    Whole,
}

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
    /// The console.
    console: Console,
    /// The power command that runs.
    pub power: Option<Power>,
    /// Calls that were refused at once.
    refused: Vec<Event>,
    typist: Typist,
    buffer: Box<[u8]>,
    /// Whether the console had more than was read.
    more: bool,
    /// Why the console takes nothing any more.
    broken: Option<String>,
    last_heard: Duration,
    characters: Characters,
    /// The beginning of a character.
    cut: Vec<u8>,
}

impl Live {
    /// Watches all of them.
    pub fn new(
        signals: Signals,
        upstream: Upstream,
        broker: Option<Broker>,
        mut console: Console,
        keyboard: Option<RawFd>,
        characters: Characters,
    ) -> Result<Live> {
        let poll = Poll::new().cannot("make an event loop")?;
        let children = children()?;
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
        console.register(poll.registry(), CONSOLE)?;
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
            typist: Typist::default(),
            buffer: vec![0; READ].into(),
            more: true,
            broken: None,
            last_heard: Duration::ZERO,
            characters,
            cut: Vec::new(),
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
        if !self.typist.add(typed) {
            return Err(Error::lab("cannot write to the console: it takes nothing"));
        }
        self.write();
        Ok(())
    }

    /// Writes what the console takes. One that takes nothing any more may still have something to say: what is wrong
    /// with it comes after that.
    fn write(&mut self) {
        loop {
            let now = self.now();
            let Some(bytes) = self.typist.next(now) else { return };
            match self.console.write(bytes) {
                Ok(0) => return,
                Ok(count) => self.typist.wrote(count, now),
                Err(reason) => {
                    self.typist = Typist::default();
                    self.broken = Some(reason);
                    self.more = true;
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
        let now = self.now();
        self.wait(until, log, now)?;
        if let Some(signal) = self.signals.take() {
            return Err(ended_by(signal));
        }
        let ready = |token| self.events.iter().any(|event| event.token() == token);
        let (input, console, child, answer) = (ready(INPUT), ready(CONSOLE), ready(CHILDREN), ready(BROKER));
        self.write();
        happened.append(&mut self.refused);
        if console || self.more || self.console.look_in().is_some() || !self.cut.is_empty() {
            self.read(log, happened)?;
            self.write();
        }
        if let (Some(reason), false) =
            (self.broken.take(), happened.iter().any(|event| matches!(event, Event::Closed(_))))
        {
            happened.push(Event::Closed(Some(reason)));
        }
        if log.is_open() && self.now() >= self.last_heard + QUIET {
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
        Ok(())
    }

    fn wait(&mut self, until: Option<Duration>, log: &ConsoleLog, now: Duration) -> Result<()> {
        let flush = log.is_open().then(|| self.last_heard + QUIET);
        let look = self.console.look_in().map(|wait| now + wait);
        let rest = (!self.cut.is_empty()).then(|| self.last_heard + REST_OF_CHARACTER);
        let at_once = (self.more || !self.refused.is_empty()).then_some(now);
        let due = [until, flush, look, rest, self.typist.due(now), at_once].into_iter().flatten().min();
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
        let _ = self.typist.add(typed);
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

    /// Closes the console, lets the stage before release what it holds, and leaves the group.
    ///
    /// # Errors
    /// The first thing that failed; the rest was done all the same.
    pub fn part(&mut self) -> Result<()> {
        self.console.close();
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

    /// Reads what is there: all of a turn is one event, as a recording has it.
    fn read(&mut self, log: &mut ConsoleLog, happened: &mut Vec<Event>) -> Result<()> {
        let mut heard = std::mem::take(&mut self.cut);
        let (before, mut closed) = (heard.len(), None);
        self.more = true;
        for _ in 0..READS {
            match self.console.read(&mut self.buffer) {
                Heard::Bytes(count) => heard.extend_from_slice(&self.buffer[..count]),
                Heard::Nothing => {
                    self.more = false;
                    break;
                }
                Heard::Closed(reason) => {
                    self.more = false;
                    closed = Some(reason);
                    break;
                }
            }
        }
        let (now, silent) = (self.now(), heard.len() == before);
        let given_up = closed.is_some() || silent && now >= self.last_heard + REST_OF_CHARACTER;
        if self.characters == Characters::Whole && !given_up {
            self.cut = heard.split_off(cast::whole(&heard));
        }
        if !silent {
            self.last_heard = now;
        }
        if !heard.is_empty() {
            log.heard(&heard)?;
            happened.push(Event::Console(heard));
        }
        if let Some(reason) = closed {
            log.flush()?;
            happened.push(Event::Closed(reason));
        }
        Ok(())
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

/// Readable when a child has ended.
fn children() -> Result<UnixStream> {
    let (end, handler) = UnixStream::pair().cannot("make a socket")?;
    for stream in [&end, &handler] {
        stream.set_nonblocking(true).cannot("set up a socket")?;
    }
    signal_hook::low_level::pipe::register(Signal::SIGCHLD as i32, handler).cannot("catch SIGCHLD")?;
    Ok(end)
}
