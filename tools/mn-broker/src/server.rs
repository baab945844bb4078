//! The event loop: accepts, reads, writes, keeps time. Never waits for one client.

use crate::cli::Serve;
use crate::desk::{Desk, Letter};
use crate::door::Door;
use crate::engine::Engine;
use crate::halls::Halls;
use crate::peer::{Broken, Heard, Peer};
use crate::place::Place;
use crate::shares::Bounds;
use crate::turns::{Queue, Turns};
use crate::{members, ready};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use mn_cli::{Cannot, Error, Result, Signals, Status, note};
use mn_group::Settings;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// Connections at a time; for a further one somebody who has said nothing must go.
const MAX_PEERS: usize = 1024;
/// Connections that are let in by each door in one turn.
const GUESTS: usize = 16;
const DOORS: [Token; 2] = [Token(0), Token(1)];
const SIGNALS: Token = Token(2);
/// Numbers of connections begin here at least.
const FIRST_PEER: u64 = 3;

/// Serves until a signal comes.
///
/// # Errors
/// Status 2 for a wrong list of members, 3 when the socket cannot be made or the system refuses.
pub fn serve(options: &Serve) -> Result<Status> {
    // Before signals are caught: ^C ends a read of standard input.
    let groups = options.members.iter().map(|path| members::read(path)).collect::<Result<Vec<_>>>()?;
    let mut signals = Signals::new()?;
    let settings = Settings { grace: options.grace, quiet: options.deadlock_after, ..Settings::default() };
    check(&groups, &settings)?;
    raise_file_limit();
    let count: usize = groups.iter().map(|group| group.members.len()).sum();
    let (_place, listener) = Place::take(&options.socket)?;
    listener.set_nonblocking(true).cannot("set up the socket")?;
    let mut doors = vec![Door::unix(listener)];
    if let Some(address) = options.lava_listen {
        doors.push(Door::lava(address, options.lava_allow.clone())?);
    }
    let mut desk = Desk::new(Halls::new(settings), mn_msg::now);
    desk.keeps_journal = options.journal.is_some();
    desk.lava.patience = options.lava_patience;
    let engine = Engine::start(desk, groups, options.journal.as_deref(), Bounds::default())?;
    let mut server = Server::new(doors, &signals, engine, options.lava_patience)?;
    note(1, format_args!("serving {count} members on '{}'", options.socket.display()));
    if let Some(fd) = options.ready_fd {
        ready::tell(fd)?;
    }
    server.run(&mut signals)
}

/// Finds out what is wrong with the lists before anything is made.
fn check(groups: &[members::Group], settings: &Settings) -> Result<()> {
    let mut halls = Halls::new(settings.clone());
    for group in groups {
        halls
            .found(Duration::ZERO, group)
            .map_err(|(_, text)| Error::wrong(format_args!("cannot use the list of members: {text}")))?;
    }
    Ok(())
}

/// As many descriptors as connections, if the system lets us; else accepting waits for one to be free.
fn raise_file_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let wanted = (MAX_PEERS as u64 + 64).min(hard);
        if soft < wanted {
            let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted, hard);
        }
    }
}

/// What fails for one connection does not end the broker.
fn note_failure(result: Result<()>) {
    if let Err(error) = result {
        note(1, error);
    }
}

struct Server {
    poll: Poll,
    doors: Vec<Door>,
    engine: Engine,
    peers: BTreeMap<u64, Peer>,
    next_peer: u64,
    /// Who may have more to read; mio tells of it only once.
    turns: Turns,
    /// When those who speak LAVA's wire came, and how long they may take.
    visitors: BTreeMap<u64, Instant>,
    patience: Duration,
    /// The system had no descriptor for somebody.
    is_short: bool,
}

impl Server {
    fn new(mut doors: Vec<Door>, signals: &Signals, engine: Engine, patience: Duration) -> Result<Self> {
        let poll = Poll::new().cannot("make an event loop")?;
        let registry = poll.registry();
        for (door, token) in doors.iter_mut().zip(DOORS) {
            registry.register(door.source(), token, Interest::READABLE).cannot("watch the socket")?;
        }
        let fd = signals.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&fd), SIGNALS, Interest::READABLE).cannot("watch for signals")?;
        let next_peer = engine.next_connection().max(FIRST_PEER);
        let (peers, visitors, turns) = (BTreeMap::new(), BTreeMap::new(), Turns::default());
        Ok(Self { poll, doors, engine, peers, next_peer, turns, visitors, patience, is_short: false })
    }

    fn run(&mut self, signals: &mut Signals) -> Result<Status> {
        let mut events = Events::with_capacity(256);
        loop {
            if let Some(signal) = signals.take() {
                note(1, format_args!("ending on signal {signal}"));
                self.say_goodbye();
                return Ok(Status::Success);
            }
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                polled => polled.cannot("wait for events")?,
            }
            for event in &events {
                match event.token() {
                    SIGNALS => {}
                    Token(at) if at < self.doors.len() => self.doors[at].wake(),
                    Token(number) => self.wake(number as u64, event.is_writable()),
                }
            }
            // In this order, so that who has gone makes room for who comes.
            self.hear_all();
            self.show_out();
            self.accept();
            self.engine.tick();
            self.deliver()?;
        }
    }

    /// How long nothing needs to be done.
    fn patience(&self) -> Option<Duration> {
        /// After accepting has failed for want of descriptors.
        const AGAIN: Duration = Duration::from_millis(200);
        let outside = self.doors.iter().any(Door::is_open);
        if !self.turns.is_idle() || (outside && !self.is_short) {
            return Some(Duration::ZERO);
        }
        let again = outside.then_some(AGAIN);
        // Numbers count up: the first is the oldest.
        let visitor = self.visitors.values().next().map(|came| self.patience.saturating_sub(came.elapsed()));
        self.engine.patience().into_iter().chain(again).chain(visitor).min()
    }

    fn wake(&mut self, number: u64, writable: bool) {
        self.turns.wake(number);
        if writable && let Some(Err(why)) = self.peers.get_mut(&number).map(Peer::flush) {
            self.drop_peer(number, why.why());
        }
    }

    /// Accepts those who wait at a door, some at a time: a rush there is no delay for those who are in.
    fn accept(&mut self) {
        self.is_short = false;
        for at in (0..self.doors.len()).flat_map(|at| std::iter::repeat_n(at, GUESTS)) {
            if !self.doors[at].is_open() || self.is_short {
                continue;
            }
            match self.doors[at].accept() {
                Ok(Some(peer)) => self.admit(peer),
                Ok(None) => {}
                Err(error) => {
                    let failed: Result<()> = Err(error).cannot("accept a connection");
                    note_failure(failed);
                    self.is_short = true;
                }
            }
        }
    }

    fn admit(&mut self, mut peer: Peer) {
        if self.peers.len() >= MAX_PEERS && !self.make_room() {
            return note(1, format_args!("refused a connection: {MAX_PEERS} are open"));
        }
        let number = self.next_peer;
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(peer.source(), Token(number as usize), interest);
        if registered.is_err() {
            return note_failure(registered.cannot("watch a connection"));
        }
        self.next_peer += 1;
        if peer.is_lava() {
            self.visitors.insert(number, Instant::now());
        } else if peer.say(&self.engine.desk().greeting()).is_err() || peer.flush().is_err() {
            return;
        }
        self.peers.insert(number, peer);
    }

    /// Closes the oldest connection that neither joined nor watches.
    fn make_room(&mut self) -> bool {
        let stranger = self.peers.keys().copied().find(|number| !self.engine.desk().knows(*number));
        if let Some(number) = stranger {
            self.drop_peer(number, "makes room for another");
        }
        stranger.is_some()
    }

    /// Closes the connections on LAVA's wire that have not asked in time.
    fn show_out(&mut self) {
        while let Some((number, came)) = self.visitors.first_key_value().map(|(number, came)| (*number, *came)) {
            if came.elapsed() < self.patience {
                return;
            }
            self.drop_peer(number, "has not asked in time");
        }
    }

    /// Gives everybody who has something to say a turn.
    fn hear_all(&mut self) {
        let (desk, visitors) = (self.engine.desk(), &self.visitors);
        let mut turn = self.turns.begin(|number| match desk.group_of(number) {
            Some(group) => Queue::Group(group.to_owned()),
            None if visitors.contains_key(&number) => Queue::Lava,
            None => Queue::Strangers,
        });
        while let Some((number, room)) = turn.next() {
            let requests = self.hear(number, room);
            turn.took(requests);
        }
        self.turns.end(turn);
    }

    /// Takes so many requests of a connection at most, reading once if there is none.
    fn hear(&mut self, number: u64, room: usize) -> usize {
        let mut heard = Heard::Some;
        let mut read = false;
        let mut count = 0;
        while count < room {
            let Some(peer) = self.peers.get_mut(&number) else {
                self.turns.rest(number);
                return count;
            };
            match peer.next_request() {
                Ok(Some(said)) => {
                    count += 1;
                    self.engine.said(number, said);
                }
                Ok(None) if read => break,
                Ok(None) => {
                    heard = peer.hear();
                    read = true;
                    if heard != Heard::Some {
                        break;
                    }
                }
                Err(broken) => {
                    if broken == Broken::TooLong {
                        let _ = peer.say(&Desk::too_long());
                        let _ = peer.flush();
                    }
                    self.drop_peer(number, broken.why());
                    return count + 1;
                }
            }
        }
        match heard {
            Heard::Some => {}
            Heard::Nothing => self.turns.rest(number),
            Heard::End => self.drop_peer(number, "has gone"),
        }
        count
    }

    /// Hands letters out, once what they say is on disk. Who cannot be reached is dropped, which may make more.
    fn deliver(&mut self) -> Result<()> {
        loop {
            let letters = self.engine.letters()?;
            if letters.is_empty() {
                return Ok(());
            }
            let mut touched = BTreeMap::new();
            for letter in letters {
                match letter {
                    Letter::Close(number) => drop(touched.insert(number, Err(Broken::Gone))),
                    Letter::Line(number, line) => {
                        let Some(peer) = self.peers.get_mut(&number) else { continue };
                        let said = touched.entry(number).or_insert(Ok(()));
                        if said.is_ok() {
                            *said = peer.say(&line);
                        }
                    }
                }
            }
            for (number, said) in touched {
                let Some(peer) = self.peers.get_mut(&number) else { continue };
                if let Err(why) = said.and_then(|()| peer.flush()) {
                    self.drop_peer(number, why.why());
                }
            }
        }
    }

    /// Tells those who would look for the broker that it will not come back.
    fn say_goodbye(&mut self) {
        let farewell = self.engine.desk().farewell();
        for (number, peer) in &mut self.peers {
            if self.engine.desk().knows(*number) && peer.say(&farewell).is_ok() {
                let _ = peer.flush();
            }
        }
    }

    /// Closes a connection, which may mean something to its group.
    fn drop_peer(&mut self, number: u64, why: &str) {
        let Some(mut peer) = self.peers.remove(&number) else { return };
        self.turns.rest(number);
        self.visitors.remove(&number);
        let _ = self.poll.registry().deregister(peer.source());
        note(2, format_args!("connection {number} {why}"));
        self.engine.lost(number);
    }
}
