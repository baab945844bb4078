//! A port that cannot be had, and what to do about it.

use std::io::{self, ErrorKind};
use std::net::{SocketAddr, SocketAddrV4};
use std::time::Duration;

use mn_cli::{Cannot, Error, Result};
use tokio::net::{TcpListener, TcpStream};

/// Gives the socket bound to `address` for `purpose`, or says why there is none, with the mend where it is known.
///
/// # Errors
/// Status 3.
pub fn bound<T>(socket: io::Result<T>, address: SocketAddrV4, purpose: &str) -> Result<T> {
    let kind = socket.as_ref().err().map(io::Error::kind);
    let mend = match kind {
        Some(ErrorKind::PermissionDenied) => ": ports below 1024 take root, or a user and network namespace",
        Some(ErrorKind::AddrInUse) => ": another server runs on this machine",
        Some(ErrorKind::AddrNotAvailable) => ": this machine does not have the address, see --dispatcher-ip",
        _ => "",
    };
    let socket = socket.cannot(format_args!("listen on '{address}' for {purpose}"));
    socket.map_err(|error| Error::new(error.status(), format_args!("{error}{mend}")))
}

/// The next connection. While this machine has no descriptors left, others are let finish.
pub async fn accepted(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(connection) => return connection,
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};

    #[test]
    fn a_taken_port_is_named_with_the_mend() {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = first.local_addr().unwrap().port();
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let error = bound(TcpListener::bind(address), address, "NFS").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on '{address}' for NFS: Address already in use: another server runs on this machine"
            )
        );
    }
}
