//! Everything a role listens to, in one event loop.

use crate::broker::{Broker, Ended};
use crate::console::{Console, Heard};
use crate::console_log::ConsoleLog;
use crate::typist::Typist;
use crate::upstream::{Upstream, ended_by};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use mn_cli::{Cannot, Error, Result, Signals};
use mn_console::script::Typed;
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
/// Silence after which the open line is written to console.jsonl.
const QUIET: Duration = Duration::from_millis(200);

/// Something that happened.
#[derive(Debug)]
pub enum Event {
    /// The console printed this.
    Console(Vec<u8>),
    /// The console is closed.
    Closed(Option<String>),
    /// A call has ended.
    Answer(Ended),
    /// A child may have ended.
    Child,
}

/// The descriptors of a role.
pub struct Wires {
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
    pub console: Console,
    /// Its records.
    pub log: ConsoleLog,
    typist: Typist,
    /// Whether the console had more than was read.
    more: bool,
    /// Whether the board is known to be dead: nobody is to be waited for who is on it.
    pub board_died: bool,
    /// Why the console takes nothing any more.
    broken: Option<String>,
    last_heard: Duration,
}

impl Wires {
    /// Watches all of them.
    pub fn new(
        signals: Signals,
        upstream: Upstream,
        broker: Option<Broker>,
        mut console: Console,
        log: ConsoleLog,
    ) -> Result<Wires> {
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
        if let Some(descriptor) = log.keyboard() {
            watch(descriptor, KEYBOARD)?;
        }
        console.register(poll.registry(), CONSOLE)?;
        let (events, origin, typist) = (Events::with_capacity(16), Instant::now(), Typist::default());
        let last_heard = Duration::ZERO;
        Ok(Wires {
            poll,
            events,
            origin,
            signals,
            children,
            upstream,
            broker,
            console,
            log,
            typist,
            more: true,
            board_died: false,
            broken: None,
            last_heard,
        })
    }

    /// The time since the role began.
    pub fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    /// Types a text, as soon as the console takes it.
    ///
    /// # Errors
    /// Status 3 when the console takes nothing.
    pub fn type_text(&mut self, typed: Typed) -> Result<()> {
        self.log.typed(&typed)?;
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

    /// Waits until something happens, at most until `until`.
    ///
    /// # Errors
    /// Status 128+N after a signal, 3 when what the role uses, or the broker, is gone.
    pub fn turn(&mut self, until: Option<Duration>) -> Result<Vec<Event>> {
        let now = self.now();
        let flush = self.log.is_open().then(|| self.last_heard + QUIET);
        let look = self.console.look_in().map(|wait| now + wait);
        let due = [until, flush, look, self.typist.due(now), self.more.then_some(now)].into_iter().flatten().min();
        match self.poll.poll(&mut self.events, due.map(|due| due.saturating_sub(now))) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => polled.cannot("wait for events")?,
        }
        if let Some(signal) = self.signals.take() {
            return Err(ended_by(signal));
        }
        let ready = |token| self.events.iter().any(|event| event.token() == token);
        let (input, console, child, answer) = (ready(INPUT), ready(CONSOLE), ready(CHILDREN), ready(BROKER));
        if ready(KEYBOARD) {
            for typed in self.log.typed_by_watchers()? {
                // What does not fit is lost: the role itself finds out what is wrong with the console.
                let _ = self.typist.add(typed);
            }
        }
        self.write();
        let mut happened = Vec::new();
        if console || self.more || look.is_some() {
            self.read(&mut happened)?;
            self.write();
        }
        if let (Some(reason), false) =
            (self.broken.take(), happened.iter().any(|event| matches!(event, Event::Closed(_))))
        {
            happened.push(Event::Closed(Some(reason)));
        }
        if self.log.is_open() && self.now() >= self.last_heard + QUIET {
            self.log.flush()?;
        }
        if input {
            self.upstream.check()?;
        }
        if child {
            while matches!(self.children.read(&mut [0; 64]), Ok(1..)) {}
            happened.push(Event::Child);
        }
        if answer {
            happened.extend(self.answers()?.into_iter().map(Event::Answer));
        }
        Ok(happened)
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

    fn read(&mut self, happened: &mut Vec<Event>) -> Result<()> {
        let mut bytes = [0; 16 * 1024];
        self.more = true;
        for _ in 0..READS {
            match self.console.read(&mut bytes) {
                Heard::Bytes(count) => {
                    self.last_heard = self.now();
                    self.log.heard(&bytes[..count])?;
                    happened.push(Event::Console(bytes[..count].to_vec()));
                }
                Heard::Nothing => {
                    self.more = false;
                    break;
                }
                Heard::Closed(reason) => {
                    self.more = false;
                    self.log.flush()?;
                    happened.push(Event::Closed(reason));
                    break;
                }
            }
        }
        Ok(())
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
