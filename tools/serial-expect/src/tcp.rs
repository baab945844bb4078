//! A TCP connection to a terminal server, made within a deadline, that does not outlive a dead link unnoticed.

use crate::specification::Address;
use mn_cli::{Cannot, Deadline, Error, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrStorage, bind, getsockname, getsockopt, setsockopt, socket, sockopt,
};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, TcpStream, ToSocketAddrs};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long it may take to find the host and to connect, all its addresses together.
pub const CONNECT: Duration = Duration::from_secs(15);
/// How often a silent server is asked whether it is there, in the time after which one that does not answer has gone.
const QUESTIONS: u32 = 6;

/// How a server is connected.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// How long it may leave without an answer what it is sent, and questions whether it is there; whole seconds.
    pub patience: Duration,
    /// This end of a connection that was lost, of which the server may not know. To be asked from there for another
    /// has it find out: RFC 9293, 3.5.1.
    pub from: Option<SocketAddr>,
}

/// Connects to the first address of the host that answers.
///
/// # Errors
/// Status 3 when none does in time.
pub fn connect(address: &Address, terms: Terms) -> Result<TcpStream> {
    let deadline = Deadline::after(CONNECT);
    let mut last = Err(io::Error::new(ErrorKind::NotFound, "the name has no address"));
    for place in resolve(address, deadline)? {
        last = attempt(place, terms, deadline);
        if last.is_ok() {
            break;
        }
    }
    last.cannot(format_args!("connect to '{address}'"))
}

/// This end of a connection; none of what is no connection.
pub fn near_end(descriptor: RawFd) -> Option<SocketAddr> {
    let name = getsockname::<SockaddrStorage>(descriptor).ok()?;
    let v4 = name.as_sockaddr_in().map(|name| SocketAddrV4::from(*name).into());
    v4.or_else(|| name.as_sockaddr_in6().map(|name| SocketAddrV6::from(*name).into()))
}

/// The resolver has no deadline of its own.
fn resolve(address: &Address, deadline: Deadline) -> Result<Vec<SocketAddr>> {
    let (sender, found) = channel();
    let place = (address.host.clone(), address.port);
    std::thread::spawn(move || sender.send(place.to_socket_addrs().map(Vec::from_iter)));
    let cannot = format!("find '{}'", address.host);
    match found.recv_timeout(deadline.remaining()) {
        Ok(found) => found.cannot(cannot),
        Err(_) => Err(Error::lab(format_args!("cannot {cannot}: no name server answered in {} s", CONNECT.as_secs()))),
    }
}

fn attempt(place: SocketAddr, terms: Terms, deadline: Deadline) -> io::Result<TcpStream> {
    let family = if place.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket = socket(family, SockType::Stream, flags, None)?;
    setsockopt(&socket, sockopt::TcpNoDelay, &true)?;
    set_limits(&socket, terms.patience)?;
    if let Some(from) = terms.from.filter(|from| from.is_ipv4() == place.is_ipv4()) {
        setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        // Where another has it now, any other end will do.
        let _ = bind(socket.as_raw_fd(), &SockaddrStorage::from(from));
    }
    match nix::sys::socket::connect(socket.as_raw_fd(), &SockaddrStorage::from(place)) {
        Err(Errno::EINPROGRESS) => connected(&socket, deadline)?,
        begun => begun?,
    }
    Ok(socket.into())
}

/// Waits until it is connected.
fn connected(socket: &OwnedFd, deadline: Deadline) -> nix::Result<()> {
    loop {
        match poll(&mut [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)], deadline.poll_timeout()) {
            Ok(0) if deadline.passed() => return Err(Errno::ETIMEDOUT),
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => break,
            Err(errno) => return Err(errno),
        }
    }
    match getsockopt(socket, sockopt::SocketError)? {
        0 => Ok(()),
        errno => Err(Errno::from_raw(errno)),
    }
}

/// Without them a link that dies, or a server that loses its power, is never missed.
fn set_limits(socket: &OwnedFd, patience: Duration) -> nix::Result<()> {
    let seconds = u32::try_from(patience.as_secs()).unwrap_or(u32::MAX);
    let question = (seconds / QUESTIONS).max(1);
    setsockopt(socket, sockopt::KeepAlive, &true)?;
    setsockopt(socket, sockopt::TcpKeepIdle, &question)?;
    setsockopt(socket, sockopt::TcpKeepInterval, &question)?;
    // It counts for what was typed, and in place of a number of questions: tcp(7).
    setsockopt(socket, sockopt::TcpUserTimeout, &seconds.saturating_mul(1000))
}
