//! What is served: TFTP, the portmapper, MOUNT and NFS, spoken by hand.

use crate::archives;
use crate::http::{Answer, Http};
use crate::rpc::{Reply, Rpc, Xdr};
use crate::stage::{
    Lab, Stage, assert_refused, in_namespace, is_real_root, resource, staged_root, whole_job, whole_resources,
};
use nix::sys::signal::Signal;
use std::fs;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::{FileTypeExt, MetadataExt, symlink};
use std::time::Duration;

const NFS: u32 = 100_003;
const MOUNT: u32 = 100_005;
const PORTMAPPER: u32 = 100_000;

/// Statuses of RFC 1813, 2.6.
const OK: u32 = 0;
const PERM: u32 = 1;
const NOENT: u32 = 2;
const ACCES: u32 = 13;
const EXIST: u32 = 17;
const NOTDIR: u32 = 20;
const NOTEMPTY: u32 = 66;
const STALE: u32 = 70;
const NOT_SYNC: u32 = 10002;

fn serve() -> (Lab, Http, Stage) {
    let (lab, http) = (Lab::new().with(&["--serve"]), whole_job());
    let mut stage = lab.start(&lab.message(&whole_resources(&http)));
    stage.staged();
    (lab, http, stage)
}

#[test]
fn a_bootloader_fetches_by_tftp() {
    in_namespace("served::a_bootloader_fetches_by_tftp", || {
        let kernel: Vec<u8> = (0..100_000_u32).flat_map(u32::to_be_bytes).collect();
        let http = Http::serve(&[
            ("/vmlinuz", Answer::File(kernel.clone())),
            ("/root.tar", Answer::File(archives::root().plain())),
        ]);
        let lab = Lab::new().with(&["--serve"]);
        let resources = [resource("kernel", &http.url("/vmlinuz")), resource("nfsrootfs", &http.url("/root.tar"))];
        let mut stage = lab.start(&lab.message(&resources));
        let staged = stage.staged();
        let path = staged["staged"]["KERNEL"].as_str().unwrap().to_owned();
        assert_eq!(tftp(&path, ""), Ok(kernel.clone()));
        assert_eq!(tftp(&format!("/{path}"), "blksize\x001024\0tsize\x000\0"), Ok(kernel.clone()));
        assert_eq!(tftp(&path, "windowsize\x008\0"), Ok(kernel));
        assert_eq!(tftp("74588/kernel/other", ""), Err("1 file not found".to_owned()));
        assert_eq!(tftp("../held", ""), Err("2 access violation".to_owned()));
        symlink("/etc/passwd", lab.path("74588/tftp/link")).unwrap();
        assert_eq!(tftp("link", ""), Err("2 access violation".to_owned()));
        assert_eq!(tftp("74588", ""), Err("2 access violation".to_owned()));
        assert_eq!(stage.end(), (0, String::new()));
        lab.assert_released();
        UdpSocket::bind("127.0.0.1:69").expect("the port is free again");
    });
}

/// Fetches a file, or gives number and text of the error.
pub fn tftp(path: &str, options: &str) -> Result<Vec<u8>, String> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = [&[0, 1], format!("{path}\0octet\0{options}").as_bytes()].concat();
    socket.send_to(&request, "127.0.0.1:69").unwrap();
    let (mut file, mut expected, mut block_size) = (Vec::new(), 1_u16, 512);
    let mut packet = [0; 2048];
    loop {
        let (length, from) = socket.recv_from(&mut packet).unwrap();
        let number = u16::from_be_bytes([packet[2], packet[3]]);
        let acknowledge = |number: u16| socket.send_to(&[[0, 4], number.to_be_bytes()].concat(), from).unwrap();
        match packet[1] {
            6 => {
                let text = String::from_utf8_lossy(&packet[2..length]).into_owned();
                if let Some(at) = text.find("blksize\0") {
                    block_size = text[at + 8..].split('\0').next().unwrap().parse().unwrap();
                }
                acknowledge(0);
            }
            3 if number == expected => {
                file.extend(&packet[4..length]);
                acknowledge(number);
                expected = expected.wrapping_add(1);
                if length - 4 < block_size {
                    return Ok(file);
                }
            }
            3 => {}
            5 => return Err(format!("{number} {}", String::from_utf8_lossy(&packet[4..length - 1]))),
            other => panic!("packet of type {other}"),
        }
    }
}

#[test]
fn a_lost_packet_is_sent_again() {
    in_namespace("served::a_lost_packet_is_sent_again", || {
        let (_lab, _http, _stage) = serve();
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let request = [&[0, 1], &b"74588/kernel/vmlinuz\0octet\0"[..]].concat();
        socket.send_to(&request, "127.0.0.1:69").unwrap();
        let mut packet = [0; 1024];
        for _ in 0..2 {
            // Not acknowledged: as if it had been lost.
            let (length, _) = socket.recv_from(&mut packet).unwrap();
            assert_eq!(packet[..length], *b"\0\x03\0\x01a kernel");
        }
    });
}

#[test]
fn a_port_that_is_taken_is_named_and_nothing_is_left() {
    in_namespace("served::a_port_that_is_taken_is_named_and_nothing_is_left", || {
        let (lab, http) = (Lab::new().with(&["--serve"]), whole_job());
        let message = lab.message(&whole_resources(&http));
        let reason = |port: u16, purpose: &str| {
            format!(
                "cannot listen on '127.0.0.1:{port}' for {purpose}: Address already in use: \
                 another server runs on this machine"
            )
        };
        let taken = UdpSocket::bind("127.0.0.1:69").unwrap();
        assert_refused(&lab, &message, 3, &reason(69, "TFTP"));
        drop(taken);
        let taken = TcpListener::bind("127.0.0.1:2049").unwrap();
        assert_refused(&lab, &message, 3, &reason(2049, "NFS"));
        drop(taken);
        let _taken = TcpListener::bind("127.0.0.1:111").unwrap();
        assert_refused(&lab, &message, 3, &reason(111, "the portmapper"));
    });
}

#[test]
fn an_address_of_another_machine_is_refused() {
    in_namespace("served::an_address_of_another_machine_is_refused", || {
        let (mut lab, http) = (Lab::new().with(&["--serve"]), whole_job());
        lab.options[1] = "192.0.2.7".to_owned();
        let reason = "cannot listen on '192.0.2.7:69' for TFTP: Cannot assign requested address: \
                      this machine does not have the address, see --dispatcher-ip";
        assert_refused(&lab, &lab.message(&whole_resources(&http)), 3, reason);
    });
}

#[test]
fn the_address_is_the_one_towards_the_board() {
    in_namespace("served::the_address_is_the_one_towards_the_board", || {
        let (mut lab, http) = (Lab::new(), whole_job());
        lab.options.clear();
        let mut message = lab.message(&whole_resources(&http));
        let reason = "cannot tell this machine's address for the board: no route to the board at 10.77.0.2: \
                      give --dispatcher-ip";
        assert_refused(&lab, &message, 3, reason);
        message["data"]["device"].as_object_mut().unwrap().remove("target_ip");
        let reason = "cannot tell this machine's address for the board: no default route: give --dispatcher-ip";
        assert_refused(&lab, &message, 3, reason);
        message["data"]["device"]["target_ip"] = "127.0.0.9".into();
        let mut stage = lab.start(&message);
        assert_eq!(stage.staged()["staged"]["SERVER_IP"], "127.0.0.1");
    });
}

#[test]
fn the_portmapper_knows_where_nfs_and_mount_are() {
    in_namespace("served::the_portmapper_knows_where_nfs_and_mount_are", || {
        let (_lab, _http, _stage) = serve();
        let mut rpc = Rpc::connect(111);
        for (program, port) in [(NFS, 2049), (MOUNT, 2049), (100_021, 0)] {
            let question = Xdr::default().u32(program).u32(3).u32(6).u32(0);
            assert_eq!(rpc.call(PORTMAPPER, 2, 3, question).u32(), port);
        }
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let question = [9, 0, 2, PORTMAPPER, 2, 3, 0, 0, 0, 0, NFS, 3, 6, 0];
        let question = question.iter().fold(Xdr::default(), |xdr, &word| xdr.u32(word));
        socket.send_to(&question.0, "127.0.0.1:111").unwrap();
        let mut answer = [0; 64];
        let length = socket.recv(&mut answer).unwrap();
        assert_eq!(answer[length - 4..length], 2049_u32.to_be_bytes());
    });
}

#[test]
fn the_server_survives_what_anybody_may_send() {
    in_namespace("served::the_server_survives_what_anybody_may_send", || {
        let (lab, _http, stage) = serve();
        for port in [111, 2049] {
            for garbage in
                [&b"GET / HTTP/1.0\r\n\r\n"[..], &[0xff; 5000], &[0x80, 0, 0, 4, 0, 0, 0, 1], &[0x80, 0, 0, 0]]
            {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                // The server may hang up at once.
                let _ = std::io::Write::write_all(&mut stream, garbage);
            }
        }
        for port in [69, 111] {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            for garbage in [&b""[..], b"\0", b"\0\x01", &[0xff; 2000]] {
                socket.send_to(garbage, ("127.0.0.1", port)).unwrap();
            }
        }
        assert_eq!(tftp("74588/kernel/vmlinuz", ""), Ok(b"a kernel".to_vec()));
        let mut client = Client::mount(&lab);
        assert_eq!(client.lookup_path("etc/hostname").1.size, 8);
        assert_eq!(stage.end(), (0, String::new()));
    });
}

#[test]
fn an_interrupt_does_not_end_the_service_before_the_reader_goes() {
    in_namespace("served::an_interrupt_does_not_end_the_service_before_the_reader_goes", || {
        let (lab, _http, mut stage) = serve();
        let mut connected = Client::mount(&lab);
        stage.signal(Signal::SIGINT);
        let mut pipe = std::io::BufReader::new(stage.take_pipe());
        let mut gone = String::new();
        std::io::BufRead::read_line(&mut pipe, &mut gone).unwrap();
        assert!(gone.contains(r#""type":"gone""#), "{gone}");
        assert_eq!(connected.lookup_path("etc/hostname").1.size, 8);
        assert_eq!(Client::mount(&lab).lookup_path("etc/hostname").1.size, 8);
        drop(pipe);
        assert_eq!(stage.end(), (130, String::new()));
        lab.assert_released();
    });
}

/// Attributes that the tests look at.
#[derive(Clone, Copy, Debug)]
struct Attributes {
    kind: u32,
    mode: u32,
    links: u32,
    uid: u32,
    gid: u32,
    size: u64,
    inode: u64,
    modified: u32,
    changed: (u32, u32),
}

fn attributes(reply: &mut Reply) -> Attributes {
    let (kind, mode, links, uid, gid, size) =
        (reply.u32(), reply.u32(), reply.u32(), reply.u32(), reply.u32(), reply.u64());
    reply.skip(8 + 8 + 8);
    let inode = reply.u64();
    reply.skip(8);
    let (modified, _, changed) = (reply.u32(), reply.u32(), (reply.u32(), reply.u32()));
    Attributes { kind, mode, links, uid, gid, size, inode, modified, changed }
}

fn optional_attributes(reply: &mut Reply) -> Option<Attributes> {
    (reply.u32() == 1).then(|| attributes(reply))
}

/// What a SETATTR or a creation sets; `None` stays.
#[derive(Clone, Copy, Default)]
struct Set {
    mode: Option<u32>,
    uid: Option<u32>,
    size: Option<u64>,
    modified: Option<u32>,
}

impl Set {
    fn xdr(self, xdr: Xdr) -> Xdr {
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
struct Client {
    rpc: Rpc,
    root: Handle,
}

impl Client {
    fn mount(lab: &Lab) -> Self {
        let mut rpc = Rpc::connect(2049);
        let root = mount(&mut rpc, staged_root(lab).to_str().unwrap()).unwrap();
        Client { rpc, root }
    }

    fn call(&mut self, procedure: u32, arguments: Xdr) -> Reply {
        self.rpc.call(NFS, 3, procedure, arguments)
    }

    fn status(&mut self, procedure: u32, arguments: Xdr) -> u32 {
        self.call(procedure, arguments).u32()
    }

    fn lookup(&mut self, directory: &Handle, name: &str) -> Result<(Handle, Attributes), u32> {
        let mut reply = self.call(3, place(directory, name));
        match reply.u32() {
            OK => Ok((reply.opaque(), optional_attributes(&mut reply).unwrap())),
            status => Err(status),
        }
    }

    fn lookup_path(&mut self, path: &str) -> (Handle, Attributes) {
        let mut at = (self.root.clone(), None);
        for name in path.split('/') {
            let (handle, attributes) = self.lookup(&at.0, name).unwrap();
            at = (handle, Some(attributes));
        }
        (at.0, at.1.unwrap())
    }

    fn attributes(&mut self, handle: &Handle) -> Result<Attributes, u32> {
        let mut reply = self.call(1, Xdr::default().opaque(handle));
        match reply.u32() {
            OK => Ok(attributes(&mut reply)),
            status => Err(status),
        }
    }

    fn set(&mut self, handle: &Handle, set: Set, guard: Option<(u32, u32)>) -> u32 {
        let xdr = set.xdr(Xdr::default().opaque(handle));
        let xdr = match guard {
            Some((seconds, nanoseconds)) => xdr.u32(1).u32(seconds).u32(nanoseconds),
            None => xdr.u32(0),
        };
        self.status(2, xdr)
    }

    /// CREATE, MKDIR, SYMLINK or MKNOD: the new handle, or the status.
    fn make(&mut self, procedure: u32, arguments: Xdr) -> Result<Handle, u32> {
        let mut reply = self.call(procedure, arguments);
        match reply.u32() {
            OK => {
                assert_eq!(reply.u32(), 1, "a handle is given");
                Ok(reply.opaque())
            }
            status => Err(status),
        }
    }

    fn create(&mut self, name: &str, how: u32) -> Result<Handle, u32> {
        let xdr = place(&self.root, name).u32(how);
        let set = Set { mode: Some(0o640), ..Set::default() };
        let xdr = if how == 2 { xdr.u64(0x0123_4567_89ab_cdef) } else { set.xdr(xdr) };
        self.make(8, xdr)
    }

    fn write(&mut self, handle: &Handle, offset: u64, data: &[u8]) -> Result<u32, u32> {
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

    fn read(&mut self, handle: &Handle, offset: u64, count: u32) -> Result<(Vec<u8>, bool), u32> {
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
    fn list(&mut self, directory: &Handle, plus: bool, count: u32) -> Vec<String> {
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

fn place(directory: &Handle, name: &str) -> Xdr {
    Xdr::default().opaque(directory).opaque(name.as_bytes())
}

fn skip_wcc(reply: &mut Reply) {
    if reply.u32() == 1 {
        reply.skip(24);
    }
    optional_attributes(reply);
}

fn mount(rpc: &mut Rpc, path: &str) -> Result<Handle, u32> {
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
fn with_client(test: impl FnOnce(&mut Client, &std::path::Path)) {
    let (lab, _http, stage) = serve();
    let mut client = Client::mount(&lab);
    test(&mut client, &staged_root(&lab));
    drop(client);
    assert_eq!(stage.end(), (0, String::new()));
    lab.assert_released();
}

#[test]
fn the_root_and_what_is_below_it_can_be_mounted_and_nothing_else() {
    in_namespace("served::the_root_and_what_is_below_it_can_be_mounted_and_nothing_else", || {
        let (lab, _http, _stage) = serve();
        let mut rpc = Rpc::connect(2049);
        let root = staged_root(&lab);
        let mut at = |path: &str| mount(&mut rpc, root.join(path).to_str().unwrap());
        assert!(at("").is_ok() && at("usr/lib").is_ok());
        assert_eq!(at("no/such"), Err(NOENT));
        assert_eq!(at("etc/hostname"), Err(NOTDIR));
        // A link is the client's to resolve.
        assert_eq!(at("lib"), Err(NOTDIR));
        assert_eq!(mount(&mut rpc, "/etc"), Err(ACCES));
        let climbing = format!("{}/../..", root.display());
        assert!(
            mount(&mut rpc, &climbing).is_ok_and(|handle| handle == mount(&mut rpc, root.to_str().unwrap()).unwrap())
        );
    });
}

#[test]
fn files_are_written_and_read_back() {
    in_namespace("served::files_are_written_and_read_back", || {
        with_client(|client, root| {
            let file = client.create("file", 0).unwrap();
            let data: Vec<u8> = (0..50_000_u32).flat_map(u32::to_be_bytes).collect();
            assert_eq!(client.write(&file, 0, &data[..100_000]), Ok(100_000));
            assert_eq!(client.write(&file, 100_000, &data[100_000..]), Ok(100_000));
            assert_eq!(client.status(21, Xdr::default().opaque(&file).u64(0).u32(0)), OK, "COMMIT");
            assert_eq!(fs::read(root.join("file")).unwrap(), data);
            assert_eq!(client.read(&file, 0, 131_072).unwrap(), (data[..131_072].to_vec(), false));
            assert_eq!(client.read(&file, 199_990, 100).unwrap(), (data[199_990..].to_vec(), true));
            assert_eq!(client.read(&file, 300_000, 100).unwrap(), (vec![], true));
            assert_eq!(client.write(&file, 1 << 20, b"x"), Ok(1));
            assert_eq!(client.attributes(&file).unwrap().size, (1 << 20) + 1);
            assert!(fs::metadata(root.join("file")).unwrap().blocks() * 512 < 1 << 20, "the hole stays one");
            assert_eq!(client.attributes(&file).unwrap().mode, 0o640);
        });
    });
}

#[test]
fn the_ways_to_create_a_file_differ() {
    in_namespace("served::the_ways_to_create_a_file_differ", || {
        with_client(|client, root| {
            let file = client.create("file", 1).unwrap();
            client.write(&file, 0, b"data").unwrap();
            assert_eq!(client.create("file", 1), Err(EXIST), "guarded");
            assert_eq!(client.create("file", 0), Ok(file.clone()), "unchecked");
            assert_eq!(fs::read(root.join("file")).unwrap(), b"data");
            assert_eq!(client.create("file", 2), Err(EXIST), "exclusive, of another");
            let exclusive = client.create("exclusive", 2).unwrap();
            assert_eq!(client.create("exclusive", 2), Ok(exclusive), "the same request, sent twice");
        });
    });
}

#[test]
fn attributes_are_set() {
    in_namespace("served::attributes_are_set", || {
        with_client(|client, root| {
            let (file, before) = client.lookup_path("etc/hostname");
            let set = Set { mode: Some(0o4755), size: Some(3), modified: Some(77), ..Set::default() };
            assert_eq!(client.set(&file, set, Some((1, 1))), NOT_SYNC, "a guard that does not hold");
            assert_eq!(client.set(&file, set, Some(before.changed)), OK);
            let after = client.attributes(&file).unwrap();
            assert_eq!((after.mode, after.size, after.modified), (0o4755, 3, 77));
            assert_eq!(fs::read(root.join("etc/hostname")).unwrap(), b"mus");
            let status = client.set(&file, Set { uid: Some(1000), ..Set::default() }, None);
            if is_real_root() {
                assert_eq!((status, client.attributes(&file).unwrap().uid), (OK, 1000));
            } else {
                // Said as it is, where a user namespace has no such user.
                assert_eq!(status, 22);
            }
        });
    });
}

#[test]
fn all_kinds_of_files_are_made() {
    in_namespace("served::all_kinds_of_files_are_made", || {
        with_client(|client, root| {
            let (base, set) = (client.root.clone(), Set { mode: Some(0o750), ..Set::default() });
            let directory = client.make(9, set.xdr(place(&base, "directory"))).unwrap();
            assert_eq!(client.attributes(&directory).unwrap().mode, 0o750);
            assert_eq!(client.make(9, set.xdr(place(&base, "directory"))), Err(EXIST));
            let link = client.make(10, set.xdr(place(&directory, "link")).opaque(b"../etc/hostname")).unwrap();
            let mut reply = client.call(5, Xdr::default().opaque(&link));
            assert_eq!(reply.u32(), OK);
            optional_attributes(&mut reply);
            assert_eq!(reply.opaque(), b"../etc/hostname");
            client.make(11, set.xdr(place(&base, "fifo").u32(7))).unwrap();
            assert!(fs::metadata(root.join("fifo")).unwrap().file_type().is_fifo());
            client.make(11, set.xdr(place(&base, "socket").u32(6))).unwrap();
            assert!(fs::metadata(root.join("socket")).unwrap().file_type().is_socket());
            let null = client.make(11, set.xdr(place(&base, "null").u32(4)).u32(1).u32(3));
            if is_real_root() {
                assert_eq!(client.attributes(&null.unwrap()).unwrap().kind, 4);
                assert_eq!(fs::metadata(root.join("null")).unwrap().rdev(), 0x103);
            } else {
                assert_eq!(null, Err(PERM));
            }
        });
    });
}

#[test]
fn names_are_linked_renamed_and_removed() {
    in_namespace("served::names_are_linked_renamed_and_removed", || {
        with_client(|client, root| {
            let base = client.root.clone();
            let file = client.create("a", 0).unwrap();
            client.write(&file, 0, b"data").unwrap();
            assert_eq!(client.status(15, Xdr::default().opaque(&file).opaque(&base).opaque(b"b")), OK, "LINK");
            assert_eq!(client.attributes(&file).unwrap().links, 2);
            assert_eq!(client.status(12, place(&base, "a")), OK, "REMOVE");
            assert_eq!(client.read(&file, 0, 10).unwrap(), (b"data".to_vec(), true), "by its other name");
            let other = client.create("c", 0).unwrap();
            let rename = place(&base, "b").opaque(&base).opaque(b"c");
            assert_eq!(client.status(14, rename), OK, "RENAME over a file");
            assert_eq!(fs::read(root.join("c")).unwrap(), b"data");
            assert_eq!(client.attributes(&other).err(), Some(STALE), "what was there is gone");
            assert_eq!(client.lookup(&base, "c").unwrap().0, file);
            // A renamed directory takes along what is below it.
            let (hostname, _) = client.lookup_path("etc/hostname");
            assert_eq!(client.status(14, place(&base, "etc").opaque(&base).opaque(b"usr")), NOTEMPTY);
            assert_eq!(client.status(14, place(&base, "etc").opaque(&base).opaque(b"moved")), OK);
            assert_eq!(client.read(&hostname, 0, 10).unwrap().0, b"mustang\n");
            assert_eq!(client.status(13, place(&base, "moved")), NOTEMPTY, "RMDIR");
            assert_eq!(client.status(12, place(&base, "none")), NOENT);
            // A removed file's handle never comes to mean another.
            client.status(12, place(&base, "c"));
            client.create("d", 0).unwrap();
            assert_eq!(client.attributes(&file).err(), Some(STALE));
            assert_eq!(client.attributes(&vec![0, 1, 2, 3, 4, 5, 6, 7, 8]).err(), Some(STALE), "a made-up handle");
        });
    });
}

#[test]
fn a_long_directory_is_listed_while_it_is_emptied() {
    in_namespace("served::a_long_directory_is_listed_while_it_is_emptied", || {
        with_client(|client, root| {
            let base = client.root.clone();
            fs::create_dir(root.join("long")).unwrap();
            for number in 0..500 {
                fs::write(root.join(format!("long/file-{number:03}")), "").unwrap();
            }
            let (long, _) = client.lookup(&base, "long").unwrap();
            let mut expected: Vec<_> = (0..500).map(|number| format!("file-{number:03}")).collect();
            expected.extend([".".to_owned(), "..".to_owned()]);
            expected.sort();
            for plus in [false, true] {
                for count in [1024, 8192, 1 << 20] {
                    assert_eq!(client.list(&long, plus, count), expected);
                }
            }
            // rm -r: each answer's files go before the next question.
            let mut cookie = 0;
            loop {
                let mut reply = client.call(16, Xdr::default().opaque(&long).u64(cookie).u64(0).u32(2048));
                assert_eq!(reply.u32(), OK);
                optional_attributes(&mut reply);
                reply.skip(8);
                while reply.u32() == 1 {
                    reply.u64();
                    let name = String::from_utf8(reply.opaque()).unwrap();
                    cookie = reply.u64();
                    if !name.starts_with('.') {
                        assert_eq!(client.status(12, place(&long, &name)), OK, "{name}");
                    }
                }
                if reply.u32() == 1 {
                    break;
                }
            }
            assert_eq!(client.status(13, place(&base, "long")), OK);
        });
    });
}

#[test]
fn others_than_root_are_held_to_the_modes() {
    in_namespace("served::others_than_root_are_held_to_the_modes", || {
        with_client(|client, root| {
            let (base, (etc, _)) = (client.root.clone(), client.lookup_path("etc"));
            let (hostname, _) = client.lookup_path("etc/hostname");
            fs::write(root.join("secret"), "x").unwrap();
            fs::set_permissions(root.join("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
            let (secret, _) = client.lookup(&base, "secret").unwrap();
            client.rpc.uid = 1000;
            assert_eq!(client.read(&hostname, 0, 3).unwrap().0, b"mus");
            assert_eq!(client.read(&secret, 0, 3), Err(ACCES));
            assert_eq!(client.write(&hostname, 0, b"x"), Err(ACCES));
            assert_eq!(client.set(&hostname, Set { mode: Some(0o777), ..Set::default() }, None), PERM);
            assert_eq!(client.status(12, place(&etc, "hostname")), ACCES);
            assert_eq!(client.create("theirs", 0), Err(ACCES));
            let (home, _) = client.lookup(&base, "root").unwrap();
            assert_eq!(client.lookup(&home, ".ssh").err(), Some(ACCES), "a directory that is closed");
            let mut reply = client.call(4, Xdr::default().opaque(&hostname).u32(0x3f));
            assert_eq!(reply.u32(), OK);
            optional_attributes(&mut reply);
            assert_eq!(reply.u32(), 1, "ACCESS: to read and nothing else");
            if is_real_root() {
                fs::create_dir(root.join("tmp")).unwrap();
                fs::set_permissions(root.join("tmp"), std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
                let (tmp, _) = client.lookup(&base, "tmp").unwrap();
                let set = Set { mode: Some(0o644), ..Set::default() };
                let mine = client.make(8, set.xdr(place(&tmp, "mine").u32(0))).unwrap();
                let found = client.attributes(&mine).unwrap();
                assert_eq!((found.uid, found.gid), (1000, 1000), "what a user makes is the user's");
                client.rpc.uid = 1001;
                assert_eq!(client.status(12, place(&tmp, "mine")), ACCES, "the sticky bit");
            }
        });
    });
}

#[test]
fn the_file_system_describes_itself() {
    in_namespace("served::the_file_system_describes_itself", || {
        with_client(|client, root| {
            let base = Xdr::default().opaque(&client.root.clone());
            let mut reply = client.call(19, base.clone());
            assert_eq!(reply.u32(), OK);
            assert_eq!(optional_attributes(&mut reply).unwrap().inode, fs::metadata(root).unwrap().ino());
            assert_eq!((reply.u32(), reply.u32()), (131_072, 131_072), "FSINFO: the largest READ");
            let mut reply = client.call(18, base.clone());
            assert_eq!((reply.u32(), reply.u32()), (OK, 0), "FSSTAT");
            assert!(reply.u64() > 0);
            let mut reply = client.call(20, base.clone());
            assert_eq!(reply.u32(), OK, "PATHCONF");
            optional_attributes(&mut reply);
            assert_eq!((reply.u32(), reply.u32()), (32_000, 255));
            assert!(client.call(0, Xdr::default()).is_at_end(), "NULL");
            let (root_directory, _) = client.lookup(&client.root.clone(), "..").unwrap();
            assert_eq!(root_directory, client.root, "nothing is above the root");
        });
    });
}
