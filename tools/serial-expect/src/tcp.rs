//! A TCP connection to a terminal server, made within a deadline.

use crate::specification::Address;
use mn_cli::{Cannot, Deadline, Error, Result};
use nix::sys::socket::{setsockopt, sockopt};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::channel;
use std::time::Duration;

/// How long it may take to find the host and to connect, all its addresses together.
pub const CONNECT: Duration = Duration::from_secs(15);
/// Silence after which the other side is asked whether it is there, and the pause between three questions.
const KEEPALIVE: (u32, u32, u32) = (30, 10, 3);

/// Connects to the first address of the host that answers.
///
/// # Errors
/// Status 3 when none does in time.
pub fn connect(address: &Address) -> Result<TcpStream> {
    let cannot = format!("connect to '{address}'");
    let deadline = Deadline::after(CONNECT);
    let mut last = Err(std::io::Error::new(ErrorKind::NotFound, "the name has no address"));
    for place in resolve(address, deadline)? {
        // Zero is no timeout that the system takes.
        last = TcpStream::connect_timeout(&place, deadline.remaining().max(Duration::from_millis(1)));
        if last.is_ok() {
            break;
        }
    }
    let stream = last.cannot(&cannot)?;
    stream.set_nodelay(true).cannot(&cannot)?;
    keep_alive(&stream).cannot(&cannot)?;
    Ok(stream)
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

/// Without it a server that loses its power is never missed.
fn keep_alive(stream: &TcpStream) -> nix::Result<()> {
    let (idle, interval, count) = KEEPALIVE;
    setsockopt(stream, sockopt::KeepAlive, &true)?;
    setsockopt(stream, sockopt::TcpKeepIdle, &idle)?;
    setsockopt(stream, sockopt::TcpKeepInterval, &interval)?;
    setsockopt(stream, sockopt::TcpKeepCount, &count)?;
    // What was typed and is not taken is no reason to wait longer.
    setsockopt(stream, sockopt::TcpUserTimeout, &(1000 * (idle + interval * count)))
}
