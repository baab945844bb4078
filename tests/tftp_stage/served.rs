//! What is served: TFTP, the portmapper, MOUNT and NFS, spoken by hand.

use crate::archives;
use crate::http::{Answer, Http};
use crate::nfs_client::{Client, MOUNT, NFS};
use crate::rpc::{Rpc, Xdr};
use crate::stage::{Lab, Stage, assert_refused, in_namespace, resource, whole_job, whole_resources};
use nix::sys::signal::Signal;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::symlink;
use std::time::{Duration, Instant};

const PORTMAPPER: u32 = 100_000;

/// A whole job, served.
pub fn serve() -> (Lab, Http, Stage) {
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

/// Sends a request and gives all that is answered.
fn ask(address: &str, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn a_running_system_fetches_its_overlay_by_http() {
    in_namespace("served::a_running_system_fetches_its_overlay_by_http", || {
        let lab = Lab::new().with(&["--serve"]);
        let mut message = lab.message(&[]);
        let actions = &mut message["data"]["actions"];
        actions[0]["to"] = "overlay".into();
        actions[0].as_object_mut().unwrap().remove("authorize");
        actions[1]["transfer_overlay"] = "http".into();
        let mut stage = lab.start(&message);
        let staged = stage.staged()["staged"].clone();
        assert_eq!(
            (&staged["OVERLAY"], &staged["OVERLAY_DIRECTORY"]),
            (&json!("overlay.tar.gz"), &json!("/lava-74588"))
        );
        let url = staged["OVERLAY_URL"].as_str().unwrap();
        let address = url.strip_prefix("http://").unwrap().strip_suffix("/overlay.tar.gz").unwrap();
        // No board boots from here: somebody else may serve TFTP.
        UdpSocket::bind("127.0.0.1:69").expect("the port is free");
        let answer = ask(address, "GET /overlay.tar.gz HTTP/1.1\r\nHost: x\r\n\r\n");
        let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
        assert_eq!(answer[head + 4..], std::fs::read(lab.path("overlay.tar.gz")).unwrap());
        let head = String::from_utf8(ask(address, "HEAD /overlay.tar.gz?x HTTP/1.1\r\nHost: x\r\n\r\n")).unwrap();
        let size = format!("content-length: {}\r\n", std::fs::metadata(lab.path("overlay.tar.gz")).unwrap().len());
        assert!(head.to_lowercase().contains(&size) && head.ends_with("\r\n\r\n"), "{head}");
        assert!(ask(address, "GET /../keys/id_ed25519.pub HTTP/1.1\r\n\r\n").starts_with(b"HTTP/1.1 404 Not Found"));
        assert!(ask(address, "DELETE /overlay.tar.gz HTTP/1.1\r\n\r\n").starts_with(b"HTTP/1.1 405 "));
        assert!(ask(address, "rubbish\r\n\r\n").starts_with(b"HTTP/1.1 400 "));
        // One that says nothing keeps nobody from ending.
        let silent = TcpStream::connect(address).unwrap();
        assert_eq!(stage.end(), (0, String::new()));
        drop(silent);
        TcpStream::connect(address).expect_err("nobody listens");
        lab.assert_released();
    });
}

#[test]
fn a_client_that_takes_nothing_keeps_nobody_from_ending() {
    in_namespace("served::a_client_that_takes_nothing_keeps_nobody_from_ending", || {
        let lab = Lab::new().with(&["--serve"]);
        let mut message = lab.message(&[]);
        message["data"]["actions"][0]["to"] = "overlay".into();
        message["data"]["actions"][0].as_object_mut().unwrap().remove("authorize");
        message["data"]["actions"][1]["transfer_overlay"] = "http".into();
        // More than the sockets between them hold.
        std::fs::File::options().write(true).open(lab.path("overlay.tar.gz")).unwrap().set_len(64 << 20).unwrap();
        let mut stage = lab.start(&message);
        let url = stage.staged()["staged"]["OVERLAY_URL"].as_str().unwrap().to_owned();
        let address = url.strip_prefix("http://").unwrap().strip_suffix("/overlay.tar.gz").unwrap();
        let mut client = TcpStream::connect(address).unwrap();
        client.write_all(b"GET /overlay.tar.gz HTTP/1.1\r\n\r\n").unwrap();
        client.read_exact(&mut [0; 100_000]).unwrap();
        let began = Instant::now();
        assert_eq!(stage.end(), (0, String::new()));
        assert!(began.elapsed() < Duration::from_secs(15), "it waits for the client");
        drop(client);
        lab.assert_released();
    });
}

#[test]
fn an_overlay_whose_name_no_address_can_have_is_refused() {
    in_namespace("served::an_overlay_whose_name_no_address_can_have_is_refused", || {
        let lab = Lab::new().with(&["--serve"]);
        let mut message = lab.message(&[]);
        message["data"]["actions"][0]["to"] = "overlay".into();
        message["data"]["actions"][0].as_object_mut().unwrap().remove("authorize");
        message["data"]["actions"][1]["transfer_overlay"] = "http".into();
        for name in ["a b.tar.gz", "a#b.tar.gz", "\u{fc}.tar.gz"] {
            std::fs::write(lab.path(name), "overlay").unwrap();
            message["data"]["overlay"]["file"] = lab.path(name).to_str().unwrap().into();
            let reason = format!(
                "cannot let the board fetch '{}': its name may have letters, digits, dots, hyphens and underscores \
                 only, see --name of 'overlay-pack'",
                lab.path(name).display()
            );
            assert_refused(&lab, &message, 2, &reason);
        }
    });
}

#[test]
fn an_overlay_that_nobody_would_serve_is_refused() {
    in_namespace("served::an_overlay_that_nobody_would_serve_is_refused", || {
        let lab = Lab::new();
        let mut message = lab.message(&[]);
        message["data"]["actions"][0].as_object_mut().unwrap().remove("authorize");
        let nowhere =
            "cannot lay the overlay into anything: the job has neither nfsrootfs nor ramdisk, and no transfer_overlay";
        assert_refused(&lab, &message, 2, nowhere);
        message["data"]["actions"][1]["transfer_overlay"] = "http".into();
        assert_refused(&lab, &message, 2, "cannot let the board fetch its overlay without '--serve'");
        message["data"]["actions"][1]["transfer_overlay"] = "zmodem".into();
        assert_refused(&lab, &message, 2, "cannot transfer the overlay by 'zmodem': only 'http' is known");
    });
}
