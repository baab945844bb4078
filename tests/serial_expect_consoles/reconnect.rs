//! Terminal servers that go in the middle of a role, and come back or do not.

use crate::servers::{Server, hear};
use pumice_tests::console::{RESULTS, RUN, Terminal, guest, role, serial_expect, until};
use pumice_tests::running::{PATIENCE, Running, results};
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

/// The tool on a server's console. It types only when the connection is older than one that a server refuses.
fn on(console: &str, run_dir: &Path, message: &str) -> Running {
    let mut command = serial_expect(console);
    Running::start(command.args(["--pace", "quiet:1200"]).arg("--run-dir").arg(run_dir), message)
}

/// Waits until this was noted of the console.
pub fn noted(run_dir: &Path, member: &str, text: &str) {
    let path = run_dir.join(member).join("console.jsonl");
    let lines = || std::fs::read_to_string(&path).unwrap_or_default();
    until(&format!("'{text}' is noted"), || {
        lines().lines().any(|line| line.contains("\"warning\"") && line.contains(text))
    });
}

/// A server that plays `script` with each of its clients.
fn by_hand<const N: usize>(script: [fn(&mut TcpStream); N]) -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let thread = std::thread::spawn(move || {
        for part in script {
            let (mut stream, _) = listener.accept().expect("a client");
            stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
            part(&mut stream);
        }
    });
    (port, thread)
}

fn says(stream: &mut TcpStream, text: &[u8]) {
    stream.write_all(text).expect("the tool reads");
}

/// The tool's errors without the times in them.
fn plain(stderr: &str) -> String {
    let words = stderr.split_inclusive(char::is_whitespace);
    let is_time = |word: &str| word.trim_end().parse::<f64>().is_ok() && word.contains('.');
    words.map(|word| if is_time(word) { "N " } else { word }).collect()
}

const BEFORE: &[u8] = b"U-Boot 2026.01\r\nDRAM: 2 GiB\r\n=> ";

#[test]
fn a_server_that_closes_in_the_boot_is_used_again_and_what_it_plays_back_is_no_answer() {
    let (port, server) = by_hand([
        |stream| {
            says(stream, BEFORE);
            hear(stream, b"setenv a b\n");
            says(stream, b"setenv a b\r\n");
        },
        |stream| {
            says(stream, b"welcome back\r\n");
            says(stream, BEFORE);
            says(stream, b"setenv a b\r\n");
            // Nothing of that is a prompt that follows what was typed.
            stream.set_read_timeout(Some(Duration::from_secs(2))).expect("a limit");
            let typed = stream.read(&mut [0; 64]);
            assert_eq!(typed.expect_err("nothing is typed").kind(), ErrorKind::WouldBlock);
            stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
            says(stream, b"=> ");
            hear(stream, b"boot\n");
            says(stream, b"boot\r\nStarting kernel\r\n");
            stream.read_to_end(&mut Vec::new()).expect("the end");
        },
    ]);
    let step = json!({"step": "commands", "prompt": "=> ", "lines": ["setenv a b", "boot"], "errors": [],
        "final_message": "Starting kernel", "name": "bootloader-commands", "timeout": PATIENCE.as_secs()});
    let boot = json!({"action": "boot", "level": "2", "timeout": PATIENCE.as_secs(), "method": "u-boot",
        "prompts": ["#"], "dialogue": [step]});
    let message = role(&[("104", "host")], &json!({"actions": [boot]}));
    let dir = tempfile::tempdir().expect("a directory");
    let outcome = on(&format!("tcp:127.0.0.1:{port}"), dir.path(), &message).outcome();
    let warning = format!(
        "serial-expect: warning: '127.0.0.1:{port}' has gone: waiting 20 s for it\n\
         serial-expect: warning: the console is there again after N s\n"
    );
    assert_eq!((outcome.status, plain(&outcome.stderr)), (0, warning));
    let log = std::fs::read(dir.path().join("104/console.log")).expect("a log");
    let heard = [BEFORE, b"setenv a b\r\n=> boot\r\nStarting kernel\r\n"].concat();
    assert_eq!(log.escape_ascii().to_string(), heard.escape_ascii().to_string());
    let progress = std::fs::read_to_string(dir.path().join("progress.jsonl")).expect("a log");
    assert!(progress.contains("the console is there again after"), "{progress}");
    server.join().expect("the server was used");
}

#[test]
fn a_server_that_refuses_to_be_used_again_is_asked_until_it_does_not() {
    fn refuses(stream: &mut TcpStream) {
        says(stream, b"Port already in use\r\n");
    }
    let (port, server) = by_hand([
        |stream| drop(hear(stream, b"ready 101.0 $?\n")),
        refuses,
        refuses,
        |stream| {
            says(stream, b"\r\n<mn-ready 101.0 127>\r\n");
            hear(stream, b"end 101.0 $?\n");
            says(stream, RUN);
            stream.read_to_end(&mut Vec::new()).expect("the end");
        },
    ]);
    let dir = tempfile::tempdir().expect("a directory");
    let outcome = on(&format!("tcp:127.0.0.1:{port}"), dir.path(), &guest()).outcome();
    assert_eq!((outcome.status, results(&outcome.stdout)), (0, RESULTS.map(str::to_owned).to_vec()));
    server.join().expect("the server was used");
}

/// A server that is there once, and a role whose limits are these.
fn never_again(connection: u64, test: u64) -> (i32, String, u16) {
    let (port, server) = by_hand([|stream| {
        hear(stream, b"ready 101.0 $?\n");
        says(stream, b"\r\n<mn-ready 101.0 127>\r\n");
        hear(stream, b"end 101.0 $?\n");
        says(stream, b"<LAVA_SIGNAL_STARTRUN 0_smoke 101_1.1.3.1>\r\nlast words\r\n");
    }]);
    let message = guest()
        .replace("\"connection\":20", &format!("\"connection\":{connection}"))
        .replace("\"timeout\":60", &format!("\"timeout\":{test}"));
    let dir = tempfile::tempdir().expect("a directory");
    let outcome = on(&format!("tcp:127.0.0.1:{port}"), dir.path(), &message).outcome();
    assert_eq!(results(&outcome.stdout).first().map(String::as_str), Some("lava/0_smoke fail"));
    server.join().expect("the server was used");
    (outcome.status, outcome.stderr, port)
}

#[test]
fn a_server_that_never_comes_back_ends_the_role() {
    let (status, stderr, port) = never_again(3, 60);
    let why = format!(
        "serial-expect: warning: '127.0.0.1:{port}' has gone: waiting 3 s for it\n\
         serial-expect: lost the console: it has closed: it did not come back: cannot connect to '127.0.0.1:{port}': \
         Connection refused; last seen: 'last words'\n"
    );
    assert_eq!((status, stderr), (3, why));
}

#[test]
fn a_server_that_does_not_come_back_in_the_tests_time_ends_the_test() {
    let (status, stderr, port) = never_again(20, 5);
    let why = format!(
        "serial-expect: warning: '127.0.0.1:{port}' has gone: waiting 20 s for it\n\
         serial-expect: test stage 0: timed out after 5 s; '0_smoke' was running, last seen: 'last words'\n"
    );
    assert_eq!((status, stderr), (124, why));
}

/// ser2net is killed in the middle of a test and started again.
fn killed(accepter: &str, kind: &str) {
    let mut terminal = Terminal::new();
    let server = Server::ser2net(accepter, &terminal);
    let port = server.port;
    let dir = tempfile::tempdir().expect("a directory");
    let running = on(&format!("{kind}:127.0.0.1:{port}"), dir.path(), &guest());
    terminal.hears("ready 101.0 $?\n");
    terminal.says(b"\r\n<mn-ready 101.0 127>\r\n");
    terminal.hears("end 101.0 $?\n");
    let (first, rest) = RUN.split_at(RUN.len() / 2);
    terminal.says(first);
    let heard = || std::fs::read(dir.path().join("101/console.log")).unwrap_or_default();
    until("the first half is heard", || heard().ends_with(first));
    drop(server);
    noted(dir.path(), "101", "has gone");
    let _server = Server::ser2net_at(port, accepter, &terminal);
    noted(dir.path(), "101", "there again after");
    terminal.says(rest);
    let outcome = running.outcome();
    assert_eq!((outcome.status, results(&outcome.stdout)), (0, RESULTS.map(str::to_owned).to_vec()), "{kind}");
    assert!(heard().ends_with(RUN), "{kind}: {}", heard().escape_ascii());
}

#[test]
fn ser2net_may_be_killed_and_started_again() {
    killed("tcp", "tcp");
    killed("telnet,tcp", "telnet");
    killed("telnet(rfc2217),tcp", "rfc2217");
}
