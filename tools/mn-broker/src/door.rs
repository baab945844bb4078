//! Where connections come in: the Unix socket, and LAVA's port.

use crate::peer::Peer;
use mio::event::Source;
use mio::net::{TcpListener, UnixListener};
use mn_cli::{Cannot, Error, Result, note};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

/// A network whose hosts may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `ADDRESS` or `ADDRESS/BITS`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| "not an address, or an address and '/' and a number")?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(width), |bits| bits.parse().map_err(|_| "the length of a network is a number"))?;
        if bits > width { Err(format!("a network has at most {width} bits")) } else { Ok(Self { address, bits }) }
    }

    fn contains(&self, other: IpAddr) -> bool {
        let number = |address: IpAddr| match address {
            IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 4),
            IpAddr::V6(address) => (address.to_bits(), 6),
        };
        let ((ours, kind), (theirs, other_kind)) = (number(self.address), number(other.to_canonical()));
        let mask = u128::MAX.checked_shl(128 - self.bits).unwrap_or(0);
        kind == other_kind && (ours & mask) == (theirs & mask)
    }
}

/// What somebody comes in by.
enum Listener {
    Unix(UnixListener),
    Lava(TcpListener, Vec<Network>),
}

/// A socket that is listened on.
pub struct Door {
    listener: Listener,
    /// Somebody may wait outside.
    open: bool,
}

impl Door {
    /// The broker's socket.
    pub fn unix(listener: std::os::unix::net::UnixListener) -> Self {
        Self { listener: Listener::Unix(UnixListener::from_std(listener)), open: false }
    }

    /// LAVA's port. Loopback may always come in.
    ///
    /// # Errors
    /// Status 3 when the system refuses.
    pub fn lava(address: SocketAddr, allowed: Vec<Network>) -> Result<Self> {
        let listener = TcpListener::bind(address).cannot(format_args!("listen on '{address}'"))?;
        Ok(Self { listener: Listener::Lava(listener, allowed), open: false })
    }

    /// For the event loop.
    pub fn source(&mut self) -> &mut dyn Source {
        match &mut self.listener {
            Listener::Unix(listener) => listener,
            Listener::Lava(listener, _) => listener,
        }
    }

    /// Somebody has come.
    pub fn wake(&mut self) {
        self.open = true;
    }

    /// Whether somebody may wait outside.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Lets one in; none if nobody is there any more, or may not come in.
    ///
    /// # Errors
    /// When the system has no more descriptors; it is to be tried again later.
    pub fn accept(&mut self) -> std::io::Result<Option<Peer>> {
        let accepted = match &self.listener {
            Listener::Unix(listener) => {
                listener.accept().map(|(stream, _)| of_our_user(&stream).then(|| Peer::unix(stream)))
            }
            Listener::Lava(listener, allowed) => listener.accept().map(|(stream, from)| {
                let _ = stream.set_nodelay(true);
                is_allowed(allowed, from.ip()).then(|| Peer::tcp(stream))
            }),
        };
        match accepted {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.open = false;
                Ok(None)
            }
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => Ok(None),
            accepted => accepted,
        }
    }
}

fn of_our_user(stream: &mio::net::UnixStream) -> bool {
    let ours = nix::unistd::geteuid().as_raw();
    let peer = getsockopt(stream, PeerCredentials).map(|credentials| credentials.uid());
    let welcome = peer.is_ok_and(|uid| uid == ours || uid == 0);
    if !welcome {
        note(1, "refused a connection of another user");
    }
    welcome
}

fn is_allowed(allowed: &[Network], from: IpAddr) -> bool {
    let welcome = from.to_canonical().is_loopback() || allowed.iter().any(|network| network.contains(from));
    if !welcome {
        note(1, format_args!("refused a connection of {from}"));
    }
    welcome
}

/// Checks that somebody could come in at an address.
///
/// # Errors
/// Status 2 when the port is open to a network of which nobody is allowed.
pub fn check(address: SocketAddr, allowed: &[Network]) -> Result<()> {
    if !address.ip().is_loopback() && allowed.is_empty() {
        let text = format_args!("'{address}' is not loopback: say who may come with '--lava-allow ADDRESS/BITS'");
        return Err(Error::usage(text));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses() {
        let network = |text| Network::parse(text).unwrap();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(network("10.77.0.0/24").contains(ip("10.77.0.9")));
        assert!(network("10.77.0.0/24").contains(ip("::ffff:10.77.0.9")));
        assert!(!network("10.77.0.0/24").contains(ip("10.77.1.9")));
        assert!(network("0.0.0.0/0").contains(ip("1.2.3.4")) && !network("0.0.0.0/0").contains(ip("::1")));
        assert!(network("fd00::/8").contains(ip("fd12::1")) && !network("10.0.0.1").contains(ip("10.0.0.2")));
        for wrong in ["10.0.0.0/33", "x", "10.0.0.0/x", ""] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }
}
