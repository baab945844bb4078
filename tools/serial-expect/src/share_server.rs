//! The thread behind a shared console. Nothing here can keep the console waiting: watchers are served from the record.

use crate::share::Told;
use crate::share_words::{Answer, Person, Request};
use crate::watcher::{Progress, Watcher};
use mio::net::UnixListener;
use mio::{Events, Interest, Poll, Token, Waker};
use mn_cli::Deadline;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{ErrorKind, Result, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
const FIRST: usize = 2;
/// Watchers at a time.
pub const WATCHERS: usize = 64;
/// How long the watchers may take, all together, to read the rest when the console has ended.
const LAST: Duration = Duration::from_secs(1);

/// What a person has typed.
pub struct Typing {
    /// Who.
    pub person: Person,
    /// What.
    pub bytes: Vec<u8>,
}

/// The listener, and all who watch.
pub struct Server {
    poll: Poll,
    waker: Arc<Waker>,
    listener: UnixListener,
    history: File,
    told: Arc<Told>,
    typed: SyncSender<Typing>,
    ringer: UnixStream,
    watchers: BTreeMap<usize, Watcher>,
    next: usize,
    /// The one who types.
    keyboard: Option<usize>,
    /// Whether somebody could go on at once.
    more: bool,
}

impl Server {
    /// For those who come to `listener`. What they type goes to `typed`, and `ringer` gets a byte.
    pub fn new(
        listener: std::os::unix::net::UnixListener,
        history: File,
        told: Arc<Told>,
        typed: SyncSender<Typing>,
        ringer: UnixStream,
    ) -> Result<Server> {
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        listener.set_nonblocking(true)?;
        let mut listener = UnixListener::from_std(listener);
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let watchers = BTreeMap::new();
        let (next, keyboard, more) = (FIRST, None, false);
        Ok(Server { poll, waker, listener, history, told, typed, ringer, watchers, next, keyboard, more })
    }

    /// What wakes the thread.
    pub fn waker(&self) -> Arc<Waker> {
        self.waker.clone()
    }

    /// Serves until the role has ended.
    pub fn run(mut self) {
        while !self.told.ending.load(Ordering::SeqCst) {
            if self.turn(None).is_err() {
                return;
            }
        }
        self.part();
    }

    /// Shows the rest, and says that it was the end, to whoever takes it in time.
    fn part(&mut self) {
        let deadline = Deadline::after(LAST);
        let size = self.size();
        let mut told = BTreeSet::new();
        loop {
            for (id, watcher) in &mut self.watchers {
                if watcher.has_all(size) && told.insert(*id) {
                    watcher.say(&Answer::End);
                    self.more = true;
                }
            }
            let all = self.watchers.values().all(|watcher| watcher.has_all(size));
            if all || deadline.passed() || self.turn(Some(deadline.remaining())).is_err() {
                return;
            }
        }
    }

    fn size(&self) -> u64 {
        self.told.size.load(Ordering::SeqCst)
    }

    fn turn(&mut self, limit: Option<Duration>) -> Result<()> {
        let mut events = Events::with_capacity(64);
        let limit = if self.more { Some(Duration::ZERO) } else { limit };
        match self.poll.poll(&mut events, limit) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            polled => polled?,
        }
        if events.iter().any(|event| event.token() == LISTENER) {
            self.let_in();
        }
        // Said before the size is asked for: no growth is missed.
        self.told.watched.store(!self.watchers.is_empty(), Ordering::SeqCst);
        self.more = false;
        let ids: Vec<usize> = self.watchers.keys().copied().collect();
        for id in ids {
            self.serve(id);
        }
        Ok(())
    }

    fn let_in(&mut self) {
        // An error of one who has gone already, or too few descriptors: the next one may have more luck.
        while let Ok((stream, _)) = self.listener.accept() {
            let Some(mut watcher) = Watcher::of_our_user(stream) else { continue };
            if self.watchers.len() >= WATCHERS {
                watcher.say(&Answer::Warning(format!("{WATCHERS} watch already: no more can")));
                watcher.show(&self.history, 0);
                continue;
            }
            let interest = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(watcher.source(), Token(self.next), interest).is_ok() {
                self.watchers.insert(self.next, watcher);
                self.next += 1;
            }
        }
    }

    /// Hears one watcher and shows it what it has not seen.
    fn serve(&mut self, id: usize) {
        let size = self.size();
        let Some(watcher) = self.watchers.get_mut(&id) else { return };
        let (requests, heard) = watcher.requests();
        for request in requests {
            self.heed(id, request, size);
        }
        let Some(watcher) = self.watchers.get_mut(&id) else { return };
        let both = [heard, watcher.show(&self.history, size)];
        self.more |= both.contains(&Progress::More);
        if both.contains(&Progress::Gone) {
            self.watchers.remove(&id);
            self.keyboard = self.keyboard.filter(|&holder| holder != id);
        }
    }

    fn heed(&mut self, id: usize, request: Request, size: u64) {
        let holder = self.keyboard.filter(|&holder| holder != id);
        let person = |id| self.watchers.get(&id).map(|watcher: &Watcher| watcher.person.clone());
        let (told, answer) = match (request, holder.and_then(person)) {
            (Request::Attach(from), _) => {
                if let Some(watcher) = self.watchers.get_mut(&id) {
                    watcher.begin(from, size);
                }
                return;
            }
            (Request::Type(_), Some(other)) => (id, Answer::Keyboard(other)),
            (Request::Type(bytes), None) => {
                self.keyboard = Some(id);
                let Some(person) = person(id) else { return };
                if self.typed.try_send(Typing { person, bytes }).is_ok() {
                    // A bell that is full rings already.
                    let _ = self.ringer.write(&[0]);
                    return;
                }
                (id, Answer::Warning("the console is busy: what you typed is left out".into()))
            }
            (Request::Take, _) => {
                self.keyboard = Some(id);
                let (Some(holder), Some(person)) = (holder, person(id)) else { return };
                (holder, Answer::Keyboard(person))
            }
        };
        if let Some(watcher) = self.watchers.get_mut(&told) {
            watcher.say(&answer);
        }
    }
}
