//! A console that others may look at, and type on: a socket, served by a thread of its own from the recorded bytes.

use crate::share_server::{Server, Typing};
use mio::Waker;
use mn_cli::{Cannot, Error, Result};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// Typed texts that may wait for the role.
const TYPED: usize = 16;

/// What the role tells the thread.
pub struct Told {
    /// How many bytes are recorded.
    pub size: AtomicU64,
    /// Whether anybody watches.
    pub watched: AtomicBool,
    /// Whether there will be no more.
    pub ending: AtomicBool,
}

/// A console that is shared until the value goes.
pub struct Share {
    socket: PathBuf,
    told: Arc<Told>,
    waker: Arc<Waker>,
    typed: Receiver<Typing>,
    bell: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Share {
    /// Shares what is in `history` and what will be, at the path `socket`, mode 0600.
    ///
    /// # Errors
    /// Status 3 when nobody can listen there.
    pub fn start(socket: &Path, history: File, size: u64) -> Result<Share> {
        let what = format!("share the console at '{}'", socket.display());
        let listener = bind(socket)?;
        let (bell, ringer) = UnixStream::pair().cannot(&what)?;
        for stream in [&bell, &ringer] {
            stream.set_nonblocking(true).cannot(&what)?;
        }
        let told = Arc::new(Told { size: AtomicU64::new(size), watched: false.into(), ending: false.into() });
        let (sender, typed) = sync_channel(TYPED);
        let server = Server::new(listener, history, told.clone(), sender, ringer).cannot(&what)?;
        let waker = server.waker();
        let thread = std::thread::Builder::new().name("share".into()).spawn(move || server.run()).cannot(&what)?;
        Ok(Share { socket: socket.to_owned(), told, waker, typed, bell, thread: Some(thread) })
    }

    /// Whether somebody watches.
    pub fn is_watched(&self) -> bool {
        self.told.watched.load(Ordering::SeqCst)
    }

    /// Says that so many bytes are recorded now.
    ///
    /// # Errors
    /// Status 3 when the thread cannot be woken.
    pub fn grown(&self, size: u64) -> Result<()> {
        let before = self.told.size.swap(size, Ordering::SeqCst);
        // Whoever comes just now finds the size after this.
        if before != size && self.is_watched() { self.waker.wake().cannot("wake the watchers") } else { Ok(()) }
    }

    /// What persons have typed.
    pub fn typed(&mut self) -> Vec<Typing> {
        while matches!(self.bell.read(&mut [0; 64]), Ok(1..)) {}
        self.typed.try_iter().collect()
    }
}

impl AsRawFd for Share {
    /// Readable when somebody has typed.
    fn as_raw_fd(&self) -> RawFd {
        self.bell.as_raw_fd()
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // Nobody comes to a console that has ended.
        let _ = std::fs::remove_file(&self.socket);
        self.told.ending.store(true, Ordering::SeqCst);
        if let (Ok(()), Some(thread)) = (self.waker.wake(), self.thread.take()) {
            let _ = thread.join();
        }
    }
}

/// Listens; takes the place of one who was killed there.
fn bind(socket: &Path) -> Result<UnixListener> {
    let bound = mn_ipc::socket::bind(socket);
    let taken = matches!(&bound, Err(error) if error.kind() == ErrorKind::AddrInUse);
    let what = format!("share the console at '{}'", socket.display());
    if !taken {
        return bound.cannot(what);
    }
    match mn_ipc::socket::connect(socket) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(socket).cannot(&what)?;
            mn_ipc::socket::bind(socket).cannot(what)
        }
        _ => Err(Error::lab(format_args!("cannot {what}: the name is in use"))),
    }
}
