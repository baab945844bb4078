//! An HTTP server of one file: the overlay, for a system that fetches it itself.

mod request;

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mn_cli::{Cannot, Result};

use crate::port;
use request::{Answer, LONGEST};

/// Connections at a time; one beyond is closed.
const CONNECTIONS: usize = 8;
/// How long a request may take to come, and a client to take something of the answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a thread goes without looking whether it should stop.
const BLINK: Duration = Duration::from_millis(200);

/// A running server; it stops when this is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    file: File,
    size: u64,
    /// The path in the address.
    path: String,
    stop: AtomicBool,
}

impl Server {
    /// Serves `file` under its own name, at a port of `address` that the system chooses, to everybody who asks.
    ///
    /// # Errors
    /// Status 3 for a file that cannot be read and an address that this machine does not have.
    pub fn start(address: Ipv4Addr, file: &Path) -> Result<Self> {
        let what = || format!("open '{}'", file.display());
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let path = format!("/{name}");
        let file = File::open(file).cannot(what())?;
        let size = file.metadata().cannot(what())?.len();
        let at = SocketAddrV4::new(address, 0);
        let listener = port::bound(TcpListener::bind(at), at, "HTTP")?;
        let address = listener.local_addr().cannot("start the HTTP server")?;
        let shared = Arc::new(Shared { file, size, path, stop: AtomicBool::new(false) });
        let body = {
            let shared = Arc::clone(&shared);
            move || listen(&shared, &listener)
        };
        let thread = thread::Builder::new().name("http".to_owned()).spawn(body).cannot("start the HTTP server")?;
        Ok(Server { address, shared, thread: Some(thread) })
    }

    /// The file's address.
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.shared.path)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // A reason to look.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            // A panic there has nothing to add to the end here.
            let _ = thread.join();
        }
    }
}

/// Takes connections until told to stop, then waits for those that are open.
fn listen(shared: &Arc<Shared>, listener: &TcpListener) {
    let mut open: Vec<JoinHandle<()>> = Vec::new();
    while !shared.stopping() {
        let Ok((stream, client)) = listener.accept() else { continue };
        open.retain(|connection| !connection.is_finished());
        if shared.stopping() || open.len() >= CONNECTIONS {
            continue;
        }
        let shared = Arc::clone(shared);
        let body = move || {
            let outcome = shared.serve(stream).unwrap_or_else(|reason| format!("failed: {reason}"));
            mn_cli::note(1, format_args!("http: {client}: {outcome}"));
        };
        open.extend(thread::Builder::new().name("http-connection".to_owned()).spawn(body));
    }
    for connection in open {
        let _ = connection.join();
    }
}

impl Shared {
    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Answers one request; gives what is said of it.
    fn serve(&self, mut stream: TcpStream) -> io::Result<String> {
        stream.set_read_timeout(Some(BLINK))?;
        stream.set_write_timeout(Some(BLINK))?;
        let answer = request::answer(&self.request(&mut stream)?, &self.path);
        self.put(&mut stream, request::head(answer, self.size).as_bytes())?;
        if answer == Answer::Whole {
            self.send(&mut stream)?;
            return Ok(format!("'{}': {} bytes", self.path, self.size));
        }
        Ok(request::status(answer).to_owned())
    }

    /// The bytes up to the empty line, or as many as are looked at.
    fn request(&self, stream: &mut TcpStream) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + PATIENCE;
        let (mut head, mut piece) = (Vec::new(), [0; 1024]);
        while !request::is_whole(&head) && head.len() < LONGEST {
            if self.stopping() || Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "no request"));
            }
            match stream.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => head.extend_from_slice(&piece[..count]),
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(head)
    }

    fn send(&self, stream: &mut TcpStream) -> io::Result<()> {
        let (mut at, mut piece) = (0, vec![0; 64 * 1024]);
        while at < self.size {
            let count = self.file.read_at(&mut piece, at)?;
            if count == 0 {
                return Err(io::Error::other("the file has become shorter"));
            }
            self.put(stream, &piece[..count])?;
            at += count as u64;
        }
        Ok(())
    }

    /// Writes all of it, unless the client takes nothing for too long or the server stops.
    fn put(&self, stream: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        let mut deadline = Instant::now() + PATIENCE;
        while !bytes.is_empty() {
            if self.stopping() || Instant::now() > deadline {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the answer is not taken"));
            }
            match stream.write(bytes) {
                Ok(count) => {
                    bytes = &bytes[count..];
                    deadline = Instant::now() + PATIENCE;
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
