//! The socket, and the end.

use super::*;
use nix::sys::signal::{Signal, kill};
use pumice_tests::broker::{members_stream, process, serve_command};
use pumice_tests::{run, tool};
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};

#[test]
fn the_socket_is_private_and_gone_after_a_signal() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut broker = Broker::founding();
        let found = std::fs::symlink_metadata(broker.socket()).expect("the socket");
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        assert_eq!(broker.end(signal), done(""));
        assert!(!broker.socket().exists());
    }
}

#[test]
fn a_dead_brokers_socket_is_replaced_and_a_living_ones_is_not() {
    let mut dead = Broker::founding();
    dead.end(Signal::SIGKILL);
    assert!(dead.socket().exists(), "a killed broker leaves its socket");
    let list = dead.socket().with_file_name("members.jsonl");
    let mut heir = serve_command(dead.socket(), &list).spawn().expect("it runs");
    heir.stdout.as_mut().expect("a pipe").read_exact(&mut [0]).expect("it gets ready");
    let second = run(&mut serve_command(dead.socket(), &list), b"");
    let message = format!("mn-broker: cannot listen on '{}': a broker is there already\n", dead.socket().display());
    assert_eq!(second, outcome(3, "", &message));
    assert_eq!(dead.run(&["leave", "101"]), done(""), "the first one serves on");
    kill(process(&heir), Signal::SIGTERM).expect("it is there");
    assert_eq!(heir.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_file_in_the_sockets_place_is_left_alone() {
    let broker = Broker::founding();
    let list = broker.socket().with_file_name("members.jsonl");
    let ended = run(&mut serve_command(&list, &list), b"");
    let message = format!("mn-broker: cannot listen on '{}': it is there and is no socket\n", list.display());
    assert_eq!(ended, outcome(3, "", &message));
    assert!(std::fs::read_to_string(&list).is_ok_and(|text| text.contains("members")));
}

#[test]
fn a_descriptor_that_is_not_open_is_named() {
    let broker = Broker::founding();
    let list = broker.socket().with_file_name("members.jsonl");
    let mut serve = tool("mn-broker");
    serve.arg("serve").arg("--socket").arg(list.with_file_name("other.sock")).arg("--members").arg(&list);
    let ended = run(serve.args(["--ready-fd", "77"]), b"");
    assert_eq!(ended, outcome(3, "", "mn-broker: cannot write to descriptor 77: it is not open\n"));
}

#[test]
fn the_sockets_path_may_be_long() {
    let directory = tempfile::tempdir().expect("a directory");
    let deep = directory.path().join("d".repeat(120));
    std::fs::create_dir(&deep).expect("made");
    let list = deep.join("list");
    std::fs::write(&list, members_stream(&[("1", "a", None)])).expect("written");
    let socket = deep.join("broker.sock");
    let mut child = serve_command(&socket, &list).spawn().expect("it runs");
    child.stdout.as_mut().expect("a pipe").read_exact(&mut [0]).expect("it gets ready");
    let left = run(tool("mn-broker").arg("--socket").arg(&socket).args(["leave", "1"]), b"");
    kill(process(&child), Signal::SIGTERM).expect("it is there");
    child.wait().expect("it ends");
    assert_eq!(left, done(""));
}

#[test]
fn the_members_come_on_standard_input_too_and_a_failure_before_goes_through() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("s");
    let serve = |input: &str| run(tool("mn-broker").arg("serve").arg("--socket").arg(&socket), input.as_bytes());
    let end = |status: i32| format!("{{\"v\":1,\"type\":\"end\",\"data\":{{\"status\":{status}}}}}\n");
    assert_eq!(serve(""), outcome(3, "", "mn-broker: input ended early\n"));
    assert_eq!(serve(&end(0)), outcome(2, "", "mn-broker: cannot serve without members: no role message came\n"));
    assert_eq!(serve(&end(2)), outcome(2, "", ""), "who failed has said why");
    let twice = members_stream(&[("1", "a", None), ("1", "b", None)]);
    let message = "mn-broker: cannot use the list of members: member '1' is there twice\n";
    assert_eq!(serve(&twice), outcome(2, "", message));
    assert!(!socket.exists());
}
