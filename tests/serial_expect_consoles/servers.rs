//! Terminal servers: ser2net and conserver as Debian has them, and one that is spoken by hand.

use pumice_tests::console::{RESULTS, RUN, Terminal, guest, serial_expect, until};
use pumice_tests::running::{Running, results};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use tempfile::TempDir;

/// A server that ends with the value.
pub struct Server {
    child: Child,
    pub port: u16,
    _dir: TempDir,
}

impl Server {
    /// Runs a command in a directory of its own where `file` is, until it listens.
    fn start(port: u16, file: (&str, String), command: &[&str]) -> Server {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join(file.0), file.1).expect("a file");
        let log = std::fs::File::create(dir.path().join("log")).expect("a file");
        // Servers are where an ordinary user's PATH does not lead.
        let path = std::env::var("PATH").expect("a PATH") + ":/usr/sbin:/sbin";
        let mut child = Command::new(command[0])
            .args(&command[1..])
            .env("PATH", path)
            .current_dir(&dir)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a descriptor"))
            .stderr(log)
            .spawn()
            .expect("the server is installed");
        until(&format!("{} listens", command[0]), || {
            assert!(
                child.try_wait().expect("a child").is_none(),
                "{:?} has ended",
                std::fs::read(dir.path().join("log"))
            );
            listens(child.id(), port)
        });
        Server { child, port, _dir: dir }
    }

    /// ser2net with one port; `accepter` is what it speaks.
    pub fn ser2net(accepter: &str, terminal: &Terminal) -> Server {
        Server::ser2net_at(free_port(), accepter, terminal)
    }

    /// The same at a port that is known.
    pub fn ser2net_at(port: u16, accepter: &str, terminal: &Terminal) -> Server {
        Server::ser2net_run(&[], ("127.0.0.1", port), accepter, terminal)
    }

    /// The same, run by a command, at an address where that is.
    pub fn ser2net_run(by: &[&str], (host, port): (&str, u16), accepter: &str, terminal: &Terminal) -> Server {
        let accepter = accepter.replace("tcp", &format!("tcp,{host},{port}"));
        let name = terminal.name.display();
        let text = format!("connection: &c\n  accepter: {accepter}\n  connector: serialdev,{name},115200n81,local\n");
        let command = [by, &["ser2net", "-n", "-d", "-c", "ser2net.yaml"]].concat();
        Server::start(port, ("ser2net.yaml", text), &command)
    }

    fn conserver(terminal: &Terminal) -> Server {
        let port = free_port();
        let text = format!(
            "config * {{ passwdfile /dev/null; logfile /dev/null; }}
            default * {{ rw *; logfile /dev/null; timestamp \"\"; }}
            console board {{ master localhost; type device; device {}; baud 115200; parity none; }}
            access * {{ trusted 127.0.0.1; allowed 127.0.0.1; }}\n",
            terminal.name.display()
        );
        let (port_text, second) = (port.to_string(), free_port().to_string());
        let options = ["-C", "conserver.cf", "-M", "127.0.0.1", "-p", &port_text, "-b", &second];
        Server::start(port, ("conserver.cf", text), &[["conserver"].as_slice(), &options].concat())
    }

    fn console(&self, kind: &str) -> Running {
        Running::start(&mut serial_expect(&format!("{kind}:127.0.0.1:{}", self.port)), &guest())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).expect("a process id"));
        // In order: conserver has children.
        let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

/// Whether somebody listens where this process is; to connect would be to use the console.
fn listens(process: u32, port: u16) -> bool {
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).expect("the system's table");
    let place = format!(":{port:04X} 00000000:0000 0A");
    table.lines().any(|line| line.contains(&place))
}

/// Runs a guest; gives how the port is driven meanwhile.
fn passes(server: &Server, console: &str, terminal: &mut Terminal) -> String {
    let dir = tempfile::tempdir().expect("a directory");
    let mut command = serial_expect(&console.replace("PORT", &server.port.to_string()));
    let running = Running::start(command.arg("--run-dir").arg(dir.path()), &guest());
    // What is typed has come through a port that was set up before; at its end a server may set it back.
    terminal.hears("ready 101.0 $?\n");
    let mode = terminal.mode();
    terminal.answers();
    let outcome = running.outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{console}");
    assert_eq!(results(&outcome.stdout), RESULTS, "{console}");
    let log = std::fs::read(dir.path().join("101/console.log")).expect("a log");
    assert!(log.ends_with(RUN), "{console}: {}", log.escape_ascii());
    mode
}

#[test]
fn ser2net_with_raw_tcp_is_a_console() {
    let mut terminal = Terminal::new();
    passes(&Server::ser2net("tcp", &terminal), "tcp:127.0.0.1:PORT", &mut terminal);
}

#[test]
fn ser2net_with_telnet_is_a_console_that_changes_no_byte() {
    let mut terminal = Terminal::new();
    passes(&Server::ser2net("telnet,tcp", &terminal), "telnet:localhost:PORT", &mut terminal);
}

#[test]
fn ser2net_with_rfc_2217_is_a_console_whose_port_is_set_up() {
    let mut terminal = Terminal::new();
    let server = Server::ser2net("telnet(rfc2217),tcp", &terminal);
    let mode = passes(&server, "rfc2217:127.0.0.1:PORT,9600n82,rtscts", &mut terminal);
    for part in ["speed 9600 baud", " cstopb", " crtscts"] {
        assert!(mode.contains(part), "no '{part}': {mode}");
    }
}

#[test]
fn a_port_that_cannot_be_set_up_is_told_with_the_mend() {
    let terminal = Terminal::new();
    let server = Server::ser2net("telnet,tcp", &terminal);
    let outcome = server.console("rfc2217").outcome();
    let place = format!("127.0.0.1:{}", server.port);
    let why = format!(
        "serial-expect: cannot set up the port behind '{place}': the server does not speak RFC 2217 there; try 'telnet:'\n"
    );
    assert_eq!((outcome.status, outcome.stderr), (3, why));
}

#[test]
fn a_second_client_of_a_server_is_told_what_the_server_says() {
    let mut terminal = Terminal::new();
    let server = Server::ser2net("telnet,tcp", &terminal);
    let first = server.console("telnet");
    terminal.hears("ready 101.0");
    let outcome = server.console("telnet").outcome();
    assert_eq!(outcome.status, 3);
    assert!(outcome.stderr.ends_with("; last seen: 'Port already in use'\n"), "{}", outcome.stderr);
    first.crash();
}

#[test]
fn conserver_is_a_console_by_its_client() {
    let mut terminal = Terminal::new();
    let server = Server::conserver(&terminal);
    let dir = tempfile::tempdir().expect("a directory");
    // By force: whoever looks on stays, and may type no more.
    let command = format!("exec:console -M 127.0.0.1 -p {} -f board", server.port);
    let running = Running::start(serial_expect(&command).arg("--run-dir").arg(dir.path()), &guest());
    terminal.plays_guest();
    let outcome = running.outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
    assert_eq!(results(&outcome.stdout), RESULTS);
    let log = std::fs::read(dir.path().join("101/console.log")).expect("a log");
    assert!(log.windows(RUN.len()).any(|window| window == RUN), "{}", log.escape_ascii());
}

// ---------------------------------------------------------------- a server spoken by hand

/// A server that plays `script` with its first client.
fn by_hand(address: &str, script: impl FnOnce(&mut TcpStream) + Send + 'static) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind(address).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.set_read_timeout(Some(pumice_tests::running::PATIENCE)).expect("a limit");
        script(&mut stream);
    });
    (port, thread)
}

/// Reads until these bytes have come; gives all that came.
pub fn hear(stream: &mut TcpStream, awaited: &[u8]) -> Vec<u8> {
    let mut heard = Vec::new();
    while !heard.windows(awaited.len()).any(|window| window == awaited) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the tool speaks");
        heard.push(byte[0]);
    }
    heard
}

/// The answer to a client that asks for a rate: 9600 baud.
const OTHER_RATE: &[u8] = b"\xff\xfa\x2c\x65\0\0\x25\x80\xff\xf0";

#[test]
fn a_server_that_sets_another_rate_is_refused() {
    let (port, server) = by_hand("127.0.0.1:0", |stream| {
        hear(stream, b"\xff\xfb\x2c");
        stream.write_all(b"garbage\xff\xfd\x2c").expect("the tool reads");
        hear(stream, b"\xff\xfa\x2c\x01\0\x01\xc2\0\xff\xf0");
        for byte in OTHER_RATE {
            stream.write_all(&[*byte]).expect("the tool reads");
        }
        // What is closed with unread bytes loses its last words.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let outcome = Running::start(&mut serial_expect(&format!("rfc2217:127.0.0.1:{port}")), &guest()).outcome();
    let why = format!("serial-expect: cannot set up the port behind '127.0.0.1:{port}': it has set 9600 baud\n");
    assert_eq!((outcome.status, outcome.stderr), (3, why));
    server.join().expect("the server was used");
}

#[test]
fn a_server_that_closes_at_once_is_told_with_its_words() {
    let (port, server) = by_hand("127.0.0.1:0", |stream| {
        hear(stream, b"\xff\xfd\x03");
        stream.write_all(b"Port already in use\r\n").expect("the tool reads");
        stream.shutdown(std::net::Shutdown::Write).expect("the tool reads");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let outcome = Running::start(&mut serial_expect(&format!("rfc2217:127.0.0.1:{port}")), &guest()).outcome();
    let words = "the server has closed the connection: 'Port already in use'";
    assert_eq!(outcome.stderr, format!("serial-expect: cannot set up the port behind '127.0.0.1:{port}': {words}\n"));
    server.join().expect("the server was used");
}

#[test]
fn telnet_is_spoken_however_its_bytes_are_cut() {
    let (port, server) = by_hand("[::1]:0", |stream| {
        stream.set_nodelay(true).expect("an option");
        hear(stream, b"\xff\xfd\x03");
        let mut text = b"\xff\xfb\x01\xff\xfd\x18\r\n<mn-\xff\xf1ready 101.0 127>\r\0\n".to_vec();
        for byte in text.drain(..) {
            stream.write_all(&[byte]).expect("the tool reads");
        }
        // What it is asked for and does not know it refuses.
        hear(stream, b"\xff\xfc\x18");
        hear(stream, b"end 101.0 $?\n");
        let run: Vec<u8> = RUN.iter().flat_map(|&byte| if byte == 255 { vec![255, 255] } else { vec![byte] }).collect();
        stream.write_all(&run).expect("the tool reads");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("the end");
    });
    let outcome = Running::start(&mut serial_expect(&format!("telnet:[::1]:{port}")), &guest()).outcome();
    assert_eq!((outcome.status, results(&outcome.stdout)), (0, RESULTS.map(str::to_owned).to_vec()));
    server.join().expect("the server was used");
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let port = free_port();
    let outcome = Running::start(&mut serial_expect(&format!("telnet:127.0.0.1:{port}")), &guest()).outcome();
    let why = format!("serial-expect: cannot connect to '127.0.0.1:{port}': Connection refused\n");
    assert_eq!((outcome.status, outcome.stderr), (3, why));
    let outcome = Running::start(&mut serial_expect("tcp:no-such-host.invalid:1"), &guest()).outcome();
    assert_eq!(outcome.status, 3);
    assert!(outcome.stderr.starts_with("serial-expect: cannot find 'no-such-host.invalid': "), "{}", outcome.stderr);
}
