//! Kinds of consoles.

use crate::lab::Lab;
use crate::running::{Running, results};
use crate::shell::{GUEST_OUTPUT, GUEST_RUN, READY, guest, plain};
use pumice_tests::tool;
use serde_json::json;
use std::io::{Read, Write};

#[test]
fn a_console_that_closes_by_itself_is_lost() {
    let message = guest("exec:printf 'hello\\n'");
    let outcome = Running::start(&mut tool("serial-expect"), &message).outcome();
    let why = "lost the console: it has closed; last seen: 'hello'";
    assert_eq!((outcome.status, outcome.stderr), (3, format!("serial-expect: {why}\n")));
}

#[test]
fn a_tcp_port_is_a_console() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let board = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut bytes = [0; 512];
        assert!(stream.read(&mut bytes).expect("the shell is asked") > 0);
        stream.write_all(READY.as_bytes()).expect("the tool reads");
        assert!(stream.read(&mut bytes).expect("the runner is typed") > 0);
        stream.write_all(GUEST_RUN.as_bytes()).expect("the tool reads");
        assert_eq!(stream.read(&mut bytes).expect("the end"), 0);
    });
    let mut command = tool("serial-expect");
    command.arg("-c").arg(format!("tcp:{address}"));
    let outcome = Running::start(&mut command, &guest("unix:/no/such")).outcome();
    assert_eq!(plain(&outcome.stdout), GUEST_OUTPUT);
    board.join().expect("the board was used as a board");
}

#[test]
fn a_serial_port_is_a_console() {
    let pty = nix::pty::openpty(None, None).expect("a terminal");
    let mut mode = nix::sys::termios::tcgetattr(&pty.slave).expect("a mode");
    nix::sys::termios::cfmakeraw(&mut mode);
    nix::sys::termios::tcsetattr(&pty.slave, nix::sys::termios::SetArg::TCSANOW, &mode).expect("a mode");
    let port = nix::unistd::ttyname(&pty.slave).expect("a name");
    let mut board = std::fs::File::from(pty.master);
    let running = {
        let mut command = tool("serial-expect");
        command.arg("-c").arg(format!("{},115200n8", port.display()));
        Running::start(&mut command, &guest("unix:/no/such"))
    };
    for (awaited, answer) in [("ready 101.0", READY), ("lava-test-runner /lava-101/0", GUEST_RUN)] {
        let mut typed = String::new();
        while !(typed.contains(awaited) && typed.ends_with('\n')) {
            let mut bytes = [0; 512];
            let count = board.read(&mut bytes).expect("something is typed");
            typed.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        board.write_all(answer.as_bytes()).expect("the tool reads");
    }
    assert_eq!(plain(&running.outcome().stdout), GUEST_OUTPUT);
}

#[test]
fn a_console_that_cannot_be_opened_is_named_before_anything_is_touched() {
    let mut lab = Lab::host("");
    for (console, status, why) in [
        ("/dev/no-such-port", 3, "cannot open '/dev/no-such-port': No such file or directory"),
        ("unix:/no/such", 3, "connect to '/no/such': No such file or directory"),
        ("exec:/no/such", 3, "run the console command '/no/such': No such file or directory"),
        (
            "telnet host",
            2,
            "cannot use the console 'telnet host': it begins with exec:, unix:, tcp: or a device's path",
        ),
    ] {
        lab.role["console"] = json!(console);
        let outcome = lab.start().outcome();
        assert_eq!(outcome.status, status, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
        assert_eq!(results(&outcome.stdout), ["lava/job fail"]);
    }
    assert_eq!(lab.text("off"), "");
}
