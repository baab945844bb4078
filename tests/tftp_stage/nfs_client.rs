//! A client of MOUNT and NFS version 3, spoken by hand.

use crate::rpc::{Reply, Rpc, Xdr};
use crate::served::serve;
use crate::stage::{Lab, staged_root};

pub const NFS: u32 = 100_003;
pub const MOUNT: u32 = 100_005;

/// Statuses of RFC 1813, 2.6.
pub const OK: u32 = 0;
pub const PERM: u32 = 1;
pub const NOENT: u32 = 2;
pub const ACCES: u32 = 13;
pub const EXIST: u32 = 17;
pub const NOTDIR: u32 = 20;
pub const NOTEMPTY: u32 = 66;
pub const STALE: u32 = 70;
pub const NOT_SYNC: u32 = 10002;

/// Attributes that the tests look at.
#[derive(Clone, Copy, Debug)]
pub struct Attributes {
    pub kind: u32,
    pub mode: u32,
    pub links: u32,
    pub uid: u32,
    pub gid: u32,
    pub size: u64,
    pub inode: u64,
    pub modified: u32,
    pub changed: (u32, u32),
}

pub fn attributes(reply: &mut Reply) -> Attributes {
    let (kind, mode, links, uid, gid, size) =
        (reply.u32(), reply.u32(), reply.u32(), reply.u32(), reply.u32(), reply.u64());
    reply.skip(8 + 8 + 8);
    let inode = reply.u64();
    reply.skip(8);
    let (modified, _, changed) = (reply.u32(), reply.u32(), (reply.u32(), reply.u32()));
    Attributes { kind, mode, links, uid, gid, size, inode, modified, changed }
}

pub fn optional_attributes(reply: &mut Reply) -> Option<Attributes> {
    (reply.u32() == 1).then(|| attributes(reply))
}

/// What a SETATTR or a creation sets; `None` stays.
#[derive(Clone, Copy, Default)]
pub struct Set {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub size: Option<u64>,
    pub modified: Option<u32>,
}

impl Set {
    pub fn xdr(self, xdr: Xdr) -> Xdr {
        let word = |xdr: Xdr, value: Option<u32>| match value {
            Some(value) => xdr.u32(1).u32(value),
            None => xdr.u32(0),
        };
        let xdr = word(word(xdr, self.mode), self.uid).u32(0);
        let xdr = match self.size {
            Some(size) => xdr.u32(1).u64(size),
            None => xdr.u32(0),
        };
        // The time of access stays; that of modification is the client's, if any.
        match self.modified {
            Some(seconds) => xdr.u32(0).u32(2).u32(seconds).u32(0),
            None => xdr.u32(0).u32(0),
        }
    }
}

type Handle = Vec<u8>;

/// An NFSv3 client for one mounted directory.
pub struct Client {
    pub rpc: Rpc,
    pub root: Handle,
}

impl Client {
    pub fn mount(lab: &Lab) -> Self {
        let mut rpc = Rpc::connect(2049);
        let root = mount(&mut rpc, staged_root(lab).to_str().unwrap()).unwrap();
        Client { rpc, root }
    }

    pub fn call(&mut self, procedure: u32, arguments: Xdr) -> Reply {
        self.rpc.call(NFS, 3, procedure, arguments)
    }

    pub fn status(&mut self, procedure: u32, arguments: Xdr) -> u32 {
        self.call(procedure, arguments).u32()
    }

    pub fn lookup(&mut self, directory: &Handle, name: &str) -> Result<(Handle, Attributes), u32> {
        let mut reply = self.call(3, place(directory, name));
        match reply.u32() {
            OK => Ok((reply.opaque(), optional_attributes(&mut reply).unwrap())),
            status => Err(status),
        }
    }

    pub fn lookup_path(&mut self, path: &str) -> (Handle, Attributes) {
        let mut at = (self.root.clone(), None);
        for name in path.split('/') {
            let (handle, attributes) = self.lookup(&at.0, name).unwrap();
            at = (handle, Some(attributes));
        }
        (at.0, at.1.unwrap())
    }

    pub fn attributes(&mut self, handle: &Handle) -> Result<Attributes, u32> {
        let mut reply = self.call(1, Xdr::default().opaque(handle));
        match reply.u32() {
            OK => Ok(attributes(&mut reply)),
            status => Err(status),
        }
    }

    pub fn set(&mut self, handle: &Handle, set: Set, guard: Option<(u32, u32)>) -> u32 {
        let xdr = set.xdr(Xdr::default().opaque(handle));
        let xdr = match guard {
            Some((seconds, nanoseconds)) => xdr.u32(1).u32(seconds).u32(nanoseconds),
            None => xdr.u32(0),
        };
        self.status(2, xdr)
    }

    /// CREATE, MKDIR, SYMLINK or MKNOD: the new handle, or the status.
    pub fn make(&mut self, procedure: u32, arguments: Xdr) -> Result<Handle, u32> {
        let mut reply = self.call(procedure, arguments);
        match reply.u32() {
            OK => {
                assert_eq!(reply.u32(), 1, "a handle is given");
                Ok(reply.opaque())
            }
            status => Err(status),
        }
    }

    pub fn create(&mut self, name: &str, how: u32) -> Result<Handle, u32> {
        let xdr = place(&self.root, name).u32(how);
        let set = Set { mode: Some(0o640), ..Set::default() };
        let xdr = if how == 2 { xdr.u64(0x0123_4567_89ab_cdef) } else { set.xdr(xdr) };
        self.make(8, xdr)
    }

    pub fn write(&mut self, handle: &Handle, offset: u64, data: &[u8]) -> Result<u32, u32> {
        let xdr = Xdr::default().opaque(handle).u64(offset).u32(data.len() as u32).u32(0).opaque(data);
        let mut reply = self.call(7, xdr);
        match reply.u32() {
            OK => {
                skip_wcc(&mut reply);
                Ok(reply.u32())
            }
            status => Err(status),
        }
    }

    pub fn read(&mut self, handle: &Handle, offset: u64, count: u32) -> Result<(Vec<u8>, bool), u32> {
        let mut reply = self.call(6, Xdr::default().opaque(handle).u64(offset).u32(count));
        match reply.u32() {
            OK => {
                optional_attributes(&mut reply);
                let (count, eof) = (reply.u32(), reply.u32() == 1);
                let data = reply.opaque();
                assert_eq!(data.len(), count as usize);
                Ok((data, eof))
            }
            status => Err(status),
        }
    }

    /// All names of a directory, asked for in answers of `count` bytes.
    pub fn list(&mut self, directory: &Handle, plus: bool, count: u32) -> Vec<String> {
        let (mut names, mut cookie) = (Vec::new(), 0);
        loop {
            let xdr = Xdr::default().opaque(directory).u64(cookie).u64(0);
            let mut reply = if plus { self.call(17, xdr.u32(count).u32(count)) } else { self.call(16, xdr.u32(count)) };
            assert_eq!(reply.u32(), OK);
            optional_attributes(&mut reply);
            reply.skip(8);
            while reply.u32() == 1 {
                reply.u64();
                names.push(String::from_utf8(reply.opaque()).unwrap());
                cookie = reply.u64();
                if plus {
                    assert!(optional_attributes(&mut reply).is_some());
                    assert_eq!(reply.u32(), 1);
                    reply.opaque();
                }
            }
            let end = reply.u32() == 1;
            assert!(reply.is_at_end());
            if end {
                names.sort();
                return names;
            }
        }
    }
}

pub fn place(directory: &Handle, name: &str) -> Xdr {
    Xdr::default().opaque(directory).opaque(name.as_bytes())
}

fn skip_wcc(reply: &mut Reply) {
    if reply.u32() == 1 {
        reply.skip(24);
    }
    optional_attributes(reply);
}

pub fn mount(rpc: &mut Rpc, path: &str) -> Result<Handle, u32> {
    let mut reply = rpc.call(MOUNT, 3, 1, Xdr::default().opaque(path.as_bytes()));
    match reply.u32() {
        OK => {
            let handle = reply.opaque();
            assert_eq!((reply.u32(), reply.u32()), (1, 1), "AUTH_SYS is the flavour");
            Ok(handle)
        }
        status => Err(status),
    }
}

/// Serves the small root and gives a client for it.
pub fn with_client(test: impl FnOnce(&mut Client, &std::path::Path)) {
    let (lab, _http, stage) = serve();
    let mut client = Client::mount(&lab);
    test(&mut client, &staged_root(&lab));
    drop(client);
    assert_eq!(stage.end(), (0, String::new()));
    lab.assert_released();
}
