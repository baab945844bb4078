//! Real overlays on a real shell, whose console loses, doubles and mixes bytes: what is recorded is what a quiet line
//! gives, or the role ends with an error.

use crate::device::{Board, SHELLS, Shell, inline, role};
use crate::running::{END, Running};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use pumice_tests::broker::Broker;
use pumice_tests::random::Random;
use pumice_tests::{Outcome, tool};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// Runs of each kind of noise, unless PUMICE_NOISY_RUNS says otherwise.
const RUNS: u64 = 12;
/// Runs at a time: most of their time they wait.
const AT_A_TIME: u64 = 4;
/// How long one may take.
const LIMIT: Duration = Duration::from_secs(180);

const MEMBERS: [(&str, &str, Option<&str>); 2] = [("7", "guest", None), ("8", "peer", None)];

// ---------------------------------------------------------------- the line

/// How often something befalls a byte from the board: once in so many, never for 0.
#[derive(Clone, Copy, Default)]
struct Noise {
    dropped: u64,
    kernel: u64,
    doubled: u64,
    /// How often a line to the board loses a byte: an answer, or a question for what was lost.
    typed: u64,
}

const KERNEL: [&str; 4] = [
    "[   12.345678] usb 1-1: new high-speed USB device number 2 using xhci_hcd\r\n",
    "\r\n[  100.000001] random: crng init done\r\n",
    "[    0.1] >",
    "[mn 3 00000000]",
];

/// The way from the board.
struct Line {
    noise: Noise,
    random: Random,
    past: Vec<u8>,
}

impl Line {
    fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        for &byte in bytes {
            self.past.push(byte);
            if self.random.once_in(self.noise.kernel) {
                out.extend(KERNEL[self.random.below(KERNEL.len() as u32) as usize].bytes());
            }
            if !self.random.once_in(self.noise.dropped) {
                out.push(byte);
            }
            if self.random.once_in(self.noise.doubled) {
                let back = self.random.below(200) as usize;
                out.extend(&self.past[self.past.len().saturating_sub(back)..]);
            }
        }
        out
    }
}

/// What is typed, with a byte lost now and then where that can be told.
fn typed(bytes: &[u8], noise: Noise, random: &mut Random) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let guarded = text.contains("_COMPLETE") || text.contains("lava-test-journal /tmp");
    let mut bytes = bytes.to_vec();
    if guarded && bytes.len() > 2 && random.once_in(noise.typed) {
        let at = random.below(bytes.len() as u32 - 1) as usize;
        bytes.remove(at);
    }
    bytes
}

/// A shell on a terminal whose other end is a noisy line to a socket.
struct Console {
    path: PathBuf,
    _dir: TempDir,
    shell: Child,
    threads: Vec<JoinHandle<()>>,
}

impl Console {
    fn start(board: &Board, noise: Noise, seed: u64) -> Console {
        let pty = openpty(None, None).expect("a terminal");
        let inner = board.command(&format!("PS1='# '; export PS1; exec {} -i", board.shell.interpreter));
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(inner.get_program()).args(inner.get_args());
        let slave = || Stdio::from(pty.slave.try_clone().expect("a descriptor"));
        let shell = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().expect("a shell");
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("console.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let master = File::from(pty.master);
        let other = master.try_clone().expect("a descriptor");
        let (sender, receiver) = std::sync::mpsc::channel::<UnixStream>();
        let from_board = std::thread::spawn(move || {
            let stream = receiver.recv().expect("a connection");
            let line = Line { noise, random: Random::new(seed), past: Vec::new() };
            carry_from(other, stream, line);
        });
        let to_board = std::thread::spawn(move || {
            let (stream, _) = listener.accept().expect("a connection");
            sender.send(stream.try_clone().expect("a descriptor")).expect("the other way is there");
            carry_to(stream, master, noise, Random::new(!seed));
        });
        Console { path, _dir: dir, shell, threads: vec![from_board, to_board] }
    }

    fn end(mut self) {
        self.shell.kill().expect("a child");
        self.shell.wait().expect("a child");
        for thread in self.threads {
            thread.join().expect("a way ends");
        }
    }
}

fn carry_from(mut board: File, mut stream: UnixStream, mut line: Line) {
    let mut bytes = [0; 4096];
    // A terminal that nobody has open any more gives EIO.
    while let Ok(count @ 1..) = board.read(&mut bytes) {
        if stream.write_all(&line.pass(&bytes[..count])).is_err() {
            break;
        }
    }
}

fn carry_to(mut stream: UnixStream, mut board: File, noise: Noise, mut random: Random) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        if board.write_all(&typed(&bytes[..count], noise, &mut random)).is_err() {
            break;
        }
    }
    // The end of a session.
    let _ = board.write_all(b"\x03\n\x04");
}

/// A terminal server before a console: it lets its first client go after so many bytes from the board, and has lost some
/// when the next one comes.
fn server_that_breaks(console: &Path, after: usize, lost: usize) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let mut board = UnixStream::connect(console).expect("the console");
    let thread = std::thread::spawn(move || {
        relay(&mut listener.accept().expect("a client").0, &mut board, after);
        board.read_exact(&mut vec![0; lost]).expect("the board speaks");
        relay(&mut listener.accept().expect("the client comes again").0, &mut board, usize::MAX);
    });
    (port, thread)
}

/// Passes on what both say until the board has said so many bytes, or one of them goes.
fn relay(client: &mut TcpStream, board: &mut UnixStream, most: usize) {
    let (mut passed, mut bytes) = (0, [0; 256]);
    while passed < most {
        let mut both = [client.as_fd(), board.as_fd()].map(|end| PollFd::new(end, PollFlags::POLLIN));
        poll(&mut both, PollTimeout::NONE).expect("descriptors");
        let [typed, said] = both.map(|end| end.any().expect("known events"));
        if typed {
            match client.read(&mut bytes) {
                Ok(count @ 1..) => board.write_all(&bytes[..count]).expect("the board is there"),
                _ => return,
            }
        }
        if said {
            let room = bytes.len().min(most - passed);
            match board.read(&mut bytes[..room]) {
                Ok(count @ 1..) if client.write_all(&bytes[..count]).is_ok() => passed += count,
                _ => return,
            }
        }
    }
}

// ---------------------------------------------------------------- the board

/// An overlay that is unpacked for every run anew.
struct Overlay {
    shell: &'static Shell,
    dir: TempDir,
    role: Value,
}

impl Overlay {
    fn pack(shell: &'static Shell) -> Overlay {
        let definition = |number: usize, name: &str, steps: &[&str]| {
            let mut definition = inline(name, steps);
            definition["run"] = json!(format!("{number}_{name}"));
            definition
        };
        let many =
            "for i in 1 2 3 4 5 6 7 8; do lava-test-case many-$i --result pass --measurement $i.5 --units s; done";
        let definitions = json!([
            definition(
                0,
                "smoke",
                &[
                    "lava-test-set start s",
                    "lava-test-case a --shell echo hello",
                    "lava-test-case b --shell false",
                    "lava-test-set stop",
                    "lava-test-case c --result skip"
                ]
            ),
            definition(
                1,
                "meet",
                &[
                    "lava-send here k=v n=2",
                    "lava-wait ipv4",
                    "grep -q 10.0.0.2 /tmp/lava-7/received/ipv4.txt",
                    "lava-test-case met --result pass",
                    "lava-sync end"
                ]
            ),
            definition(
                2,
                "dies",
                &["lava-test-case before --result pass", "exit 3", "lava-test-case after --result pass"]
            ),
            definition(3, "many", &[many]),
        ]);
        let mut message = role(shell.interpreter, "/tmp/lava-7", definitions);
        message["data"]["group"] = crate::lab::group(&MEMBERS);
        message["data"].as_object_mut().expect("an object").remove("host");
        let dir = tempfile::tempdir().expect("a directory");
        let input = format!("{message}\n{END}");
        let packed = pumice_tests::run(tool("overlay-pack").arg("-o").arg(dir.path()), input.as_bytes());
        assert_eq!(packed.status, 0, "{}", packed.stderr);
        let first = packed.stdout.lines().next().expect("a message");
        let role = serde_json::from_str::<Value>(first).expect("JSON")["data"].clone();
        Overlay { shell, dir, role }
    }

    fn board(&self) -> Board {
        let root = tempfile::tempdir().expect("a directory");
        let file = self.dir.path().join("7-overlay-1.1.4.tar.gz");
        crate::device::unpack(file.to_str().expect("a path"), root.path());
        for name in ["applets", "fakes"] {
            std::fs::create_dir(root.path().join(name)).expect("a directory");
        }
        Board { shell: self.shell, root }
    }
}

/// What the other member does: once each.
fn peer(broker: &Broker) -> JoinHandle<()> {
    let mut peer = broker.join("8");
    std::thread::spawn(move || {
        let got = peer.ask(json!({"id": 1, "call": "wait", "args": {"message": "here", "timeout": 100}}));
        assert_eq!(got["return"]["messages"], json!([{"from": "7", "data": {"k": "v", "n": "2"}}]));
        peer.ask(json!({"id": 2, "call": "send", "args": {"message": "ipv4", "data": {"ipaddr": "10.0.0.2"}}}));
        peer.ask(json!({"id": 3, "call": "sync", "args": {"message": "end", "timeout": 100}}));
        peer.ask(json!({"id": 4, "call": "leave"}));
    })
}

/// Runs the overlay over a line; gives how it ended, and how often the broker was called by the board.
fn conduct(overlay: &Overlay, board: &Board, noise: Noise, seed: u64) -> (Outcome, usize) {
    let console = Console::start(board, noise, seed);
    let outcome = play(overlay, &format!("unix:{}", console.path.display()), &[]);
    console.end();
    outcome
}

/// The same on any console.
fn play(overlay: &Overlay, console: &str, options: &[&str]) -> (Outcome, usize) {
    let broker = Broker::with_journal(&MEMBERS, &[]);
    let peer = peer(&broker);
    let mut role = overlay.role.clone();
    role["console"] = json!(console);
    for action in role["actions"].as_array_mut().expect("a list") {
        action["timeout"] = json!(LIMIT.as_secs());
    }
    let message = format!("{}\n{END}", json!({"v": 1, "type": "role", "data": role}));
    let mut command = tool("serial-expect");
    let outcome =
        Running::start(command.args(options).env("MN_SOCKET", broker.socket()), &message).outcome_within(LIMIT);
    let calls = std::fs::read_to_string(broker.file("journal")).expect("a journal");
    let calls = calls.lines().filter(|line| line.contains("\"here\"") && line.contains("\"send\"")).count();
    // When the role has failed early it has left, and the other's calls have ended with that.
    if outcome.status == 1 {
        peer.join().expect("the other got what was sent, once");
    }
    (outcome, calls)
}

/// The results, without their times and places.
fn recorded(stdout: &str) -> Vec<Value> {
    let messages = stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("a message"));
    let results = messages.filter(|message| message["type"] == "result");
    let plain = results.map(|mut message| {
        let data = message["data"].as_object_mut().expect("an object");
        for key in ["at", "duration", "starttc", "endtc"] {
            data.remove(key);
        }
        message["data"].take()
    });
    plain.collect()
}

fn runs() -> u64 {
    std::env::var("PUMICE_NOISY_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(RUNS)
}

/// Every run gives what a quiet line gives, or an error; of these there are few.
fn assert_exact(shell: &'static Shell, noise: Noise) {
    let overlay = Overlay::pack(shell);
    let (quiet, calls) = conduct(&overlay, &overlay.board(), Noise::default(), 0);
    let expected = recorded(&quiet.stdout);
    assert_eq!((quiet.status, quiet.stderr.as_str(), calls), (1, "", 1), "{}", quiet.stdout);
    let failed = |record: &&Value| record["result"] == "fail";
    let names: Vec<_> = expected.iter().filter(failed).map(|record| record["case"].as_str().expect("text")).collect();
    assert_eq!((expected.len(), names), (21, vec!["b", "2_dies"]), "{}", quiet.stdout);
    let died = expected.iter().rfind(failed).expect("the run that dies");
    assert_eq!(died["extra"]["reason"], "step 2 ended with status 3");
    let (next, asked, errors) = (AtomicU64::new(1), AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > runs() {
                        return;
                    }
                    let (outcome, calls) = conduct(&overlay, &overlay.board(), noise, seed);
                    assert!(calls <= 1, "seed {seed}: {calls} sends");
                    asked.fetch_add(u64::from(outcome.stdout.contains("asks the board")), Ordering::Relaxed);
                    if outcome.status == quiet.status {
                        assert_eq!(recorded(&outcome.stdout), expected, "seed {seed}: {}", outcome.stderr);
                    } else {
                        assert!([3, 124].contains(&outcome.status), "seed {seed}: {}", outcome.stderr);
                        errors.lock().expect("a list").push(format!("seed {seed}: {}", outcome.stderr));
                    }
                }
            });
        }
    });
    let errors = errors.into_inner().expect("a list");
    assert!(errors.len() as u64 <= runs() / 10, "{}", errors.concat());
    assert_ne!(asked.into_inner(), 0, "nothing was lost: the noise is none");
}

#[test]
fn lines_of_the_kernel_lose_nothing() {
    assert_exact(&SHELLS[0], Noise { kernel: 300, ..Noise::default() });
}

#[test]
fn a_byte_in_ten_thousand_may_be_lost() {
    assert_exact(&SHELLS[3], Noise { dropped: 10_000, kernel: 1000, typed: 8, ..Noise::default() });
}

#[test]
fn a_byte_in_a_thousand_may_be_lost() {
    assert_exact(&SHELLS[0], Noise { dropped: 1000, kernel: 500, typed: 4, ..Noise::default() });
}

#[test]
fn chunks_may_come_twice() {
    assert_exact(&SHELLS[3], Noise { dropped: 2000, kernel: 1000, doubled: 300, typed: 8 });
}

#[test]
fn what_a_terminal_server_has_lost_is_asked_for() {
    let overlay = Overlay::pack(&SHELLS[0]);
    let (quiet, _) = conduct(&overlay, &overlay.board(), Noise::default(), 0);
    let expected = recorded(&quiet.stdout);
    for (after, lost) in [(1100, 300), (1800, 500)] {
        let board = overlay.board();
        let console = Console::start(&board, Noise::default(), 0);
        let (port, server) = server_that_breaks(&console.path, after, lost);
        // A server that goes within its first second has refused its client.
        let (outcome, calls) = play(&overlay, &format!("tcp:127.0.0.1:{port}"), &["--pace", "quiet:1200"]);
        assert_eq!((outcome.status, calls), (quiet.status, 1), "{}", outcome.stderr);
        server.join().expect("the server was used twice");
        console.end();
        assert_eq!(recorded(&outcome.stdout), expected, "{}", outcome.stderr);
        for text in ["has gone: waiting", "there again after", "asks the board for signals that were lost"] {
            assert!(outcome.stdout.contains(text), "no '{text}': {}", outcome.stdout);
        }
    }
}

#[test]
fn helpers_without_numbers_are_heard_as_lavas() {
    let overlay = Overlay::pack(&SHELLS[0]);
    let expected = recorded(&conduct(&overlay, &overlay.board(), Noise::default(), 0).0.stdout);
    let board = overlay.board();
    std::fs::remove_file(path_on(&board, "bin/lava-test-journal")).expect("a file");
    let (outcome, calls) = conduct(&overlay, &board, Noise::default(), 0);
    assert_eq!((outcome.status, outcome.stderr.as_str(), calls), (1, "", 1), "{}", outcome.stdout);
    assert_eq!(recorded(&outcome.stdout), expected);
}

fn path_on(board: &Board, name: &str) -> PathBuf {
    Path::new(board.root.path()).join("tmp/lava-7").join(name)
}
