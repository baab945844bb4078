use crate::fault::Fault;
use crate::packet::{self, Packet};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

/// Why a file did not come.
#[derive(Debug, PartialEq, Eq)]
pub enum Failure {
    NotFound,
    Refused(String),
    Timeout,
    Network,
}

/// A file on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetFile {
    pub server: Ipv4Addr,
    pub path: String,
}

/// Fetches a file, or fails to with the fault for it.
pub fn fetch(file: &NetFile, faults: &[Fault]) -> Result<Vec<u8>, Failure> {
    if faults.contains(&Fault::TftpError) {
        return Err(Failure::Timeout);
    }
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(|_| Failure::Network)?;
    socket.set_read_timeout(Some(Duration::from_secs(1))).map_err(|_| Failure::Network)?;
    let mut transfer = Transfer {
        socket,
        peer: SocketAddr::from((file.server, 69)),
        answered: false,
        request: packet::read_request(&file.path),
        block_size: 512,
        expected: 1,
        bytes: Vec::new(),
    };
    while !transfer.step()? {}
    Ok(transfer.bytes)
}

struct Transfer {
    socket: UdpSocket,
    peer: SocketAddr,
    /// Whether the server has answered, from the port that it uses for this transfer.
    answered: bool,
    /// What is sent again when nothing comes.
    request: Vec<u8>,
    block_size: usize,
    expected: u16,
    bytes: Vec<u8>,
}

impl Transfer {
    /// Says the newest thing and takes the answer; whether that was the last one.
    fn step(&mut self) -> Result<bool, Failure> {
        const TRIES: usize = 5;
        let mut bytes = [0; packet::BLOCK + 4];
        for _ in 0..TRIES {
            self.socket.send_to(&self.request, self.peer).map_err(|_| Failure::Network)?;
            while let Ok((n, from)) = self.socket.recv_from(&mut bytes) {
                if let Some(last) = self.take(&bytes[..n], from)? {
                    return Ok(last);
                }
            }
        }
        Err(Failure::Timeout)
    }

    /// Takes a packet; None when it is not the one that is waited for.
    fn take(&mut self, bytes: &[u8], from: SocketAddr) -> Result<Option<bool>, Failure> {
        let other = if self.answered { from != self.peer } else { from.ip() != self.peer.ip() };
        if other {
            return Ok(None);
        }
        let last = match packet::parse(bytes) {
            Some(Packet::Error { code: 1, .. }) => return Err(Failure::NotFound),
            Some(Packet::Error { message, .. }) => return Err(Failure::Refused(message)),
            Some(Packet::Options { block_size }) if !self.answered => {
                self.block_size = block_size.unwrap_or(self.block_size);
                self.request = packet::acknowledge(0).to_vec();
                false
            }
            Some(Packet::Data { block, bytes }) if block == self.expected => {
                self.bytes.extend_from_slice(bytes);
                self.request = packet::acknowledge(block).to_vec();
                self.expected = block.wrapping_add(1);
                bytes.len() < self.block_size
            }
            _ => return Ok(None),
        };
        (self.answered, self.peer) = (true, from);
        if last {
            // The server's last wait; nobody answers.
            let _ = self.socket.send_to(&self.request, self.peer);
        }
        Ok(Some(last))
    }
}
