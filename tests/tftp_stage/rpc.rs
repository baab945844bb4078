//! ONC RPC over TCP with XDR (RFC 5531, RFC 4506), as far as a test speaks it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Words and byte strings, one after the other.
#[derive(Clone, Default)]
pub struct Xdr(pub Vec<u8>);

impl Xdr {
    pub fn u32(mut self, word: u32) -> Self {
        self.0.extend(word.to_be_bytes());
        self
    }

    pub fn u64(self, word: u64) -> Self {
        self.u32((word >> 32) as u32).u32(word as u32)
    }

    pub fn opaque(mut self, bytes: &[u8]) -> Self {
        self = self.u32(bytes.len() as u32);
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }
}

/// Reads what [`Xdr`] writes; a reply that is too short fails the test.
pub struct Reply(Vec<u8>, usize);

impl Reply {
    pub fn u32(&mut self) -> u32 {
        let word = self.0[self.1..self.1 + 4].try_into().unwrap();
        self.1 += 4;
        u32::from_be_bytes(word)
    }

    pub fn u64(&mut self) -> u64 {
        u64::from(self.u32()) << 32 | u64::from(self.u32())
    }

    pub fn opaque(&mut self) -> Vec<u8> {
        let length = self.u32() as usize;
        let bytes = self.0[self.1..self.1 + length].to_vec();
        self.1 += length.next_multiple_of(4);
        bytes
    }

    pub fn skip(&mut self, bytes: usize) {
        self.1 += bytes;
    }

    pub fn is_at_end(&self) -> bool {
        self.1 == self.0.len()
    }
}

/// A connection whose calls are made in the name of one user.
pub struct Rpc {
    stream: TcpStream,
    xid: u32,
    pub uid: u32,
}

impl Rpc {
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Rpc { stream, xid: 0, uid: 0 }
    }

    /// The results of a call that was accepted.
    pub fn call(&mut self, program: u32, version: u32, procedure: u32, arguments: Xdr) -> Reply {
        self.xid += 1;
        let user = Xdr::default().u32(0).opaque(b"test").u32(self.uid).u32(self.uid).u32(0);
        let head = [self.xid, 0, 2, program, version, procedure, 1];
        let mut call = head.iter().fold(Xdr::default(), |xdr, &word| xdr.u32(word)).opaque(&user.0).u32(0).u32(0).0;
        call.extend(arguments.0);
        let mark = 0x8000_0000 | call.len() as u32;
        self.stream.write_all(&[&mark.to_be_bytes()[..], &call].concat()).unwrap();
        let mut mark = [0; 4];
        self.stream.read_exact(&mut mark).unwrap();
        let mut reply = vec![0; (u32::from_be_bytes(mark) & 0x7fff_ffff) as usize];
        self.stream.read_exact(&mut reply).unwrap();
        let mut reply = Reply(reply, 0);
        let head: Vec<u32> = (0..6).map(|_| reply.u32()).collect();
        assert_eq!(head, [self.xid, 1, 0, 0, 0, 0]);
        reply
    }
}
