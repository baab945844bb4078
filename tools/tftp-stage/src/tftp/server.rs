//! Sockets and threads of the TFTP server: one thread for requests, one for each transfer.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mn_cli::{Cannot, Result};
use nix::errno::Errno;
use nix::fcntl::{self, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::Mode;

use super::packet::{self, Answer, LONGEST_REQUEST, NOT_ALLOWED, NOT_FOUND, Refusal, Request};
use super::transfer::Transfer;
use crate::port;

const PORT: u16 = 69;

/// Transfers at a time; a request beyond is not answered, and the client asks again.
const TRANSFERS: usize = 16;

/// How often something is sent again before the client is given up.
const ATTEMPTS: u32 = 6;

/// How long a thread goes without looking whether it should stop.
const BLINK: Duration = Duration::from_millis(200);

/// A running server; it stops when this is dropped, and then touches no file any more.
pub struct Server {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    root: OwnedFd,
    address: Ipv4Addr,
    stop: AtomicBool,
}

impl Server {
    /// Serves the regular files below `root` at `address`, port 69, to everybody who asks.
    ///
    /// # Errors
    /// A port that is taken or not allowed, a directory that cannot be opened.
    pub fn start(address: Ipv4Addr, root: &Path) -> Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let directory = fcntl::open(root, flags, Mode::empty()).cannot(format_args!("serve '{}'", root.display()))?;
        let at = SocketAddrV4::new(address, PORT);
        let socket = port::bound(UdpSocket::bind(at), at, "TFTP")?;
        socket.set_read_timeout(Some(BLINK)).cannot("start the TFTP server")?;
        let shared = Arc::new(Shared { root: directory, address, stop: AtomicBool::new(false) });
        let body = {
            let shared = Arc::clone(&shared);
            move || listen(&shared, &socket)
        };
        let thread = thread::Builder::new().name("tftp".to_owned()).spawn(body).cannot("start the TFTP server")?;
        Ok(Server { shared, thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Nothing to answer, but a reason to look; without it the thread looks after a blink.
        let address = self.shared.address;
        let _ = UdpSocket::bind((address, 0)).and_then(|socket| socket.send_to(&[], (address, PORT)));
        if let Some(thread) = self.thread.take() {
            // A panic there has nothing to add to the end here.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Opens a regular file below the root; symbolic links are not followed.
    fn open(&self, name: &str) -> std::result::Result<(File, u64), Refusal> {
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        let file = fcntl::openat2(&self.root, name.trim_start_matches('/'), how).map_err(|errno| match errno {
            Errno::ENOENT | Errno::ENOTDIR => NOT_FOUND,
            _ => NOT_ALLOWED,
        })?;
        let file = File::from(file);
        let metadata = file.metadata().map_err(|_| NOT_ALLOWED)?;
        if metadata.is_file() { Ok((file, metadata.len())) } else { Err(NOT_ALLOWED) }
    }
}

/// Takes requests until told to stop, then waits for the transfers.
fn listen(shared: &Arc<Shared>, socket: &UdpSocket) {
    let mut transfers: Vec<JoinHandle<()>> = Vec::new();
    let mut request = [0; LONGEST_REQUEST];
    while !shared.stopping() {
        // An error here is the time, or news of an answer that nobody wanted.
        let Ok((length, client)) = socket.recv_from(&mut request) else { continue };
        if shared.stopping() {
            break;
        }
        transfers.retain(|transfer| !transfer.is_finished());
        match packet::request(&request[..length]) {
            Ok(request) if transfers.len() < TRANSFERS => transfers.extend(begin(shared, client, request)),
            Err(Some(refusal)) => refuse(socket, client, refusal),
            _ => {}
        }
    }
    for transfer in transfers {
        let _ = transfer.join();
    }
}

fn refuse(socket: &UdpSocket, client: SocketAddr, refusal: Refusal) {
    // The client asks again if this is lost.
    let _ = socket.send_to(&packet::error(refusal), client);
}

/// Starts a transfer, on a port of its own as RFC 1350 has it.
fn begin(shared: &Arc<Shared>, client: SocketAddr, request: Request) -> Option<JoinHandle<()>> {
    let shared = Arc::clone(shared);
    let body = move || {
        let outcome = answer(&shared, client, &request).unwrap_or_else(|reason| format!("failed: {reason}"));
        mn_cli::note(1, format_args!("tftp: {client} '{}': {outcome}", request.name));
    };
    thread::Builder::new().name("tftp-transfer".to_owned()).spawn(body).ok()
}

fn answer(shared: &Shared, client: SocketAddr, request: &Request) -> io::Result<String> {
    let socket = UdpSocket::bind((shared.address, 0))?;
    socket.connect(client)?;
    match shared.open(&request.name) {
        Ok((file, size)) => send(shared, &socket, &file, size, request),
        Err(refusal) => {
            socket.send(&packet::error(refusal))?;
            Ok(refusal.1.to_owned())
        }
    }
}

fn send(shared: &Shared, socket: &UdpSocket, file: &File, size: u64, request: &Request) -> io::Result<String> {
    let options = &request.options;
    let began = Instant::now();
    if let Some(acknowledgement) = options.acknowledgement(size) {
        let again = || socket.send(&acknowledgement).map(drop);
        if !exchange(shared, socket, options.timeout(), again, |number| number == 0)? {
            return Ok("given up by the client".to_owned());
        }
    }
    let mut transfer = Transfer::new(size, options.block_size(), options.window());
    let mut block = vec![0; 4 + options.block_size()];
    while !transfer.is_done() {
        let window = transfer.window();
        let again = || window.clone().try_for_each(|number| send_block(socket, file, number, &mut block));
        if !exchange(shared, socket, options.timeout(), again, |number| transfer.acknowledge(number))? {
            return Ok("given up by the client".to_owned());
        }
    }
    Ok(format!("{size} bytes in {:.1} s", began.elapsed().as_secs_f64()))
}

fn send_block(socket: &UdpSocket, file: &File, number: u64, block: &mut [u8]) -> io::Result<()> {
    let size = block.len() - 4;
    block[..4].copy_from_slice(&packet::block_header(number as u16));
    let mut filled = 0;
    while filled < size {
        match file.read_at(&mut block[4 + filled..], (number - 1) * size as u64 + filled as u64)? {
            0 => break,
            count => filled += count,
        }
    }
    socket.send(&block[..4 + filled]).map(drop)
}

/// Sends, and sends again until `take` accepts the number of an acknowledgement.
///
/// Gives false when the client gave up.
fn exchange(
    shared: &Shared,
    socket: &UdpSocket,
    patience: Duration,
    mut send: impl FnMut() -> io::Result<()>,
    mut take: impl FnMut(u16) -> bool,
) -> io::Result<bool> {
    let mut packet = [0; LONGEST_REQUEST];
    for _ in 0..ATTEMPTS {
        send()?;
        let deadline = Instant::now() + patience;
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            if shared.stopping() {
                return Err(io::Error::other("the server stops"));
            }
            socket.set_read_timeout(Some(left.min(BLINK)))?;
            match socket.recv(&mut packet) {
                Ok(length) => match packet::answer(&packet[..length]) {
                    Answer::Acknowledged(number) if take(number) => return Ok(true),
                    Answer::Error => return Ok(false),
                    _ => {}
                },
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
    }
    Err(io::Error::new(io::ErrorKind::TimedOut, "no answer"))
}
