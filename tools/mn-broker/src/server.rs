//! The event loop: accepts, reads, writes, keeps time. Never waits for one client.

use crate::cli::Serve;
use crate::desk::{Desk, Letter};
use crate::peer::{Broken, Heard, Peer};
use crate::place::Place;
use crate::{members, ready};
use mio::net::UnixListener;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use mn_cli::{Cannot, Error, Result, Signals, Status, note};
use mn_group::{Group, Settings};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant};

/// Connections at a time; a further one is closed at once.
const MAX_PEERS: usize = 1024;
const LISTENER: Token = Token(0);
const SIGNALS: Token = Token(1);
/// Numbers of connections begin here and are never used again.
const FIRST_PEER: u64 = 2;

/// Serves until a signal comes.
///
/// # Errors
/// Status 2 for a wrong list of members, 3 when the socket cannot be made or the system refuses.
pub fn serve(options: &Serve) -> Result<Status> {
    // Before signals are caught: ^C ends a read of standard input.
    let group = members::read(&options.members)?;
    let mut signals = Signals::new()?;
    let settings = Settings { grace: options.grace, quiet: options.deadlock_after, ..Settings::default() };
    let count = group.members.len();
    let state = Group::new(group.members, settings)
        .map_err(|failure| Error::wrong(format_args!("cannot use the list of members: {failure}")))?;
    let desk = Desk::new(group.name, state, mn_msg::now);
    raise_file_limit();
    let (_place, listener) = Place::take(&options.socket)?;
    listener.set_nonblocking(true).cannot("set up the socket")?;
    let mut server = Server::new(UnixListener::from_std(listener), &signals, desk)?;
    note(1, format_args!("serving {count} members on '{}'", options.socket.display()));
    if let Some(fd) = options.ready_fd {
        ready::tell(fd)?;
    }
    server.run(&mut signals)
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
    listener: UnixListener,
    desk: Desk,
    began: Instant,
    peers: BTreeMap<u64, Peer>,
    next_peer: u64,
    /// Who may have more to read; mio tells of it only once.
    readable: BTreeSet<u64>,
    acceptable: bool,
}

impl Server {
    fn new(mut listener: UnixListener, signals: &Signals, desk: Desk) -> Result<Self> {
        let poll = Poll::new().cannot("make an event loop")?;
        let registry = poll.registry();
        registry.register(&mut listener, LISTENER, Interest::READABLE).cannot("watch the socket")?;
        let fd = signals.as_fd().as_raw_fd();
        registry.register(&mut SourceFd(&fd), SIGNALS, Interest::READABLE).cannot("watch for signals")?;
        Ok(Self {
            poll,
            listener,
            desk,
            began: Instant::now(),
            peers: BTreeMap::new(),
            next_peer: FIRST_PEER,
            readable: BTreeSet::new(),
            acceptable: false,
        })
    }

    fn run(&mut self, signals: &mut Signals) -> Result<Status> {
        let mut events = Events::with_capacity(256);
        loop {
            if let Some(signal) = signals.take() {
                note(1, format_args!("ending on signal {signal}"));
                return Ok(Status::Success);
            }
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                polled => polled.cannot("wait for events")?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.acceptable = true,
                    SIGNALS => {}
                    Token(number) => self.wake(number as u64, event.is_writable()),
                }
            }
            // In this order, so that who has gone makes room for who comes.
            self.hear_all();
            self.accept();
            let letters = self.desk.tick(self.began.elapsed());
            self.deliver(letters);
        }
    }

    /// How long nothing needs to be done.
    fn patience(&self) -> Option<Duration> {
        /// After accepting has failed for want of descriptors.
        const AGAIN: Duration = Duration::from_millis(200);
        if !self.readable.is_empty() {
            return Some(Duration::ZERO);
        }
        let deadline = self.desk.next_deadline().map(|at| at.saturating_sub(self.began.elapsed()));
        let again = self.acceptable.then_some(AGAIN);
        deadline.into_iter().chain(again).min()
    }

    fn wake(&mut self, number: u64, writable: bool) {
        self.readable.insert(number);
        if writable && self.peers.get_mut(&number).is_some_and(|peer| peer.flush().is_err()) {
            self.drop_peer(number, "has gone");
        }
    }

    /// Accepts whoever waits at the door.
    fn accept(&mut self) {
        while self.acceptable {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => self.acceptable = false,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        let failed: Result<()> = Err(error).cannot("accept a connection");
                        return note_failure(failed);
                    }
                },
            }
        }
    }

    fn admit(&mut self, stream: mio::net::UnixStream) {
        let ours = nix::unistd::geteuid().as_raw();
        let peer = getsockopt(&stream, PeerCredentials).map(|credentials| credentials.uid());
        if !peer.is_ok_and(|uid| uid == ours || uid == 0) {
            note(1, "refused a connection of another user");
            return;
        }
        if self.peers.len() >= MAX_PEERS {
            note(1, format_args!("refused a connection: {MAX_PEERS} are open"));
            return;
        }
        let number = self.next_peer;
        let mut peer = Peer::new(stream);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(peer.stream(), Token(number as usize), interest);
        if registered.is_err() {
            return note_failure(registered.cannot("watch a connection"));
        }
        self.next_peer += 1;
        self.peers.insert(number, peer);
        self.deliver(vec![(number, self.desk.greeting())]);
    }

    /// Reads once from everybody who has something, and answers.
    fn hear_all(&mut self) {
        for number in std::mem::take(&mut self.readable) {
            let Some(peer) = self.peers.get_mut(&number) else { continue };
            let heard = peer.hear();
            if heard == Heard::Some {
                self.readable.insert(number);
            }
            self.take_lines(number);
            if heard == Heard::End {
                self.drop_peer(number, "has gone");
            }
        }
    }

    fn take_lines(&mut self, number: u64) {
        while let Some(peer) = self.peers.get_mut(&number) {
            match peer.next_line() {
                Ok(None) => return,
                Ok(Some(line)) => {
                    let letters = self.desk.line(self.began.elapsed(), number, &line);
                    self.deliver(letters);
                }
                Err(_) => {
                    self.deliver(vec![(number, Desk::too_long())]);
                    self.drop_peer(number, "sent a line that is too long");
                }
            }
        }
    }

    /// Hands letters out. Who cannot be reached is dropped, which may make more letters.
    fn deliver(&mut self, mut letters: Vec<Letter>) {
        while !letters.is_empty() {
            let mut broken = BTreeMap::new();
            for (number, line) in letters {
                let Some(peer) = self.peers.get_mut(&number).filter(|_| !broken.contains_key(&number)) else {
                    continue;
                };
                if let Err(why) = peer.say(&line) {
                    broken.insert(number, why);
                }
            }
            letters = Vec::new();
            for (number, why) in broken {
                letters.extend(self.forget(number, if why == Broken::Unread { "does not read" } else { "has gone" }));
            }
        }
    }

    fn drop_peer(&mut self, number: u64, why: &str) {
        let letters = self.forget(number, why);
        self.deliver(letters);
    }

    /// Closes a connection and gives the letters that its end causes.
    fn forget(&mut self, number: u64, why: &str) -> Vec<Letter> {
        let Some(mut peer) = self.peers.remove(&number) else { return Vec::new() };
        self.readable.remove(&number);
        let _ = self.poll.registry().deregister(peer.stream());
        note(2, format_args!("connection {number} {why}"));
        self.desk.lost(self.began.elapsed(), number)
    }
}
