//! A session from its start to its end.

use crate::scene::{GUEST, HOST, LIMIT, Scene, in_lab, sha256};
use nix::sys::signal::Signal;
use serde_json::json;
use std::io::{BufRead, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

#[test]
fn the_overlay_is_on_the_board_and_its_shell_on_the_socket() {
    in_lab("sessions::the_overlay_is_on_the_board_and_its_shell_on_the_socket", |scene| {
        scene.start_sshd();
        scene.release();
        let mut connect = scene.connect(&[]);
        let role = connect.served();
        let path = scene.run_dir().canonicalize().unwrap().join(GUEST).join("console.sock");
        assert_eq!(role["data"]["console"], format!("unix:{}", path.display()));
        assert_eq!(role["data"]["address"], "127.0.0.2");
        assert_eq!(role["data"]["host"], HOST);
        assert!(role["data"]["started"].as_str().unwrap().ends_with('Z'));
        let overlay = scene.root().join(format!("{GUEST}-overlay-1.1.4.tar.gz"));
        assert_eq!(sha256(&overlay), role["data"]["overlay"]["sha256"]);
        assert!(!scene.root().join(format!("{GUEST}-overlay-1.1.4.tar.gz.part")).exists());
        let mut console = scene.console();
        let said = console.ask("stty size; echo $TERM $0; cat /lava-74585/hello; echo do''ne", "done\r\n");
        assert!(said.contains("24 80\r\ndumb -sh\r\nfrom the overlay\r\n"), "{said}");
        assert_eq!(scene.guest_state(), "joined");
        drop(console);
        assert_eq!(connect.finish(), (0, String::new()));
        scene.assert_nothing_is_left();
    });
}

#[test]
fn a_role_whose_tests_need_no_overlay_gets_its_shell_without_one() {
    in_lab("sessions::a_role_whose_tests_need_no_overlay_gets_its_shell_without_one", |scene| {
        let data = scene.role["data"].as_object_mut().unwrap();
        data.remove("overlay");
        let actions = data["actions"].as_array_mut().unwrap();
        actions.retain(|action| action["action"] != "test");
        let script = json!({"name": "net", "prompts": ["# "], "steps": [{"command": "ip address"}]});
        actions.push(json!({"action": "test", "level": "3", "timeout": 60, "stage": 0, "interactive": [script]}));
        scene.start_sshd();
        scene.release();
        let mut connect = scene.connect(&[]);
        connect.served();
        assert!(!scene.root().join(format!("{GUEST}-overlay-1.1.4.tar.gz")).exists());
        let mut console = scene.console();
        console.ask("echo do''ne", "done\r\n");
        drop(console);
        assert_eq!(connect.finish(), (0, String::new()));
    });
}

#[test]
fn half_a_million_bytes_come_through_unchanged_however_slow_the_client() {
    in_lab("sessions::half_a_million_bytes_come_through_unchanged_however_slow_the_client", |scene| {
        scene.start_sshd();
        scene.release();
        let mut connect = scene.connect(&[]);
        connect.served();
        let mut console = scene.console();
        console.ask("stty raw -echo; echo rea''dy; head -c 500000 | base64 -w0; echo; echo do''ne", "ready");
        // Typed before anything is read: both directions fill up.
        let mut typing = console.stream.try_clone().unwrap();
        let sent: Vec<u8> = (0..500_000u32).map(|n| (n % 251) as u8).collect();
        let typed = std::thread::spawn({
            let sent = sent.clone();
            move || typing.write_all(&sent).unwrap()
        });
        let received = console.expect("\ndone");
        typed.join().unwrap();
        let mut decode =
            Command::new("base64").args(["-d", "-i"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = decode.stdin.take().unwrap();
        let writer = std::thread::spawn(move || input.write_all(received.as_bytes()).unwrap());
        let decoded = decode.wait_with_output().unwrap().stdout;
        writer.join().unwrap();
        assert!(decoded == sent, "{} bytes came back", decoded.len());
        connect.finish();
    });
}

#[test]
fn a_reader_that_goes_takes_the_session_with_it() {
    in_lab("sessions::a_reader_that_goes_takes_the_session_with_it", |scene| {
        scene.start_sshd();
        scene.release();
        let mut connect = scene.connect(&[]);
        connect.served();
        let mut console = scene.console();
        let said = console.ask("echo pid=$$ e''nd", " end\r\n");
        let pid = said.rsplit("pid=").next().unwrap().to_owned();
        assert!(Path::new("/proc").join(&pid).exists(), "{said}");
        assert_eq!(connect.finish(), (0, String::new()));
        console.rest();
        let deadline = Instant::now() + LIMIT;
        while Path::new("/proc").join(&pid).exists() {
            assert!(Instant::now() < deadline, "the shell {pid} is still there");
        }
        scene.assert_nothing_is_left();
    });
}

/// Ends the shell with `status`: the reader is told, and ssh-connect ends with `ours`.
fn end_shell(scene: &mut Scene, status: i32, ours: i32) {
    scene.start_sshd();
    scene.release();
    let mut connect = scene.connect(&[]);
    connect.served();
    let mut console = scene.console();
    console.say(&format!("exit {status}"));
    let reason = format!("the shell on the board has ended: exit status {status}");
    let gone = json!({ "v": 1, "type": "gone", "data": { "status": ours, "reason": reason } });
    assert_eq!(connect.message(), gone);
    let said = if ours == 0 { String::new() } else { format!("ssh-connect: {reason}\n") };
    assert_eq!(connect.finish(), (ours, said));
    console.rest();
    scene.assert_nothing_is_left();
}

#[test]
fn a_logout_is_gone_and_no_failure() {
    in_lab("sessions::a_logout_is_gone_and_no_failure", |scene| end_shell(scene, 0, 0));
}

#[test]
fn a_shell_that_fails_is_gone_with_its_status() {
    in_lab("sessions::a_shell_that_fails_is_gone_with_its_status", |scene| end_shell(scene, 7, 3));
}

#[test]
fn an_sshd_that_dies_is_gone() {
    in_lab("sessions::an_sshd_that_dies_is_gone", |scene| {
        scene.start_sshd();
        scene.release();
        let mut connect = scene.connect(&[]);
        connect.served();
        let mut console = scene.console();
        // The shell's parent is the sshd of this session.
        console.say("kill -9 $PPID");
        let gone = connect.message();
        assert_eq!((&gone["type"], &gone["data"]["status"]), (&json!("gone"), &json!(3)));
        let reason = gone["data"]["reason"].as_str().unwrap();
        assert!(reason.starts_with("lost the connection to the board: "), "{reason}");
        assert_eq!(connect.finish(), (3, format!("ssh-connect: {reason}\n")));
        scene.assert_nothing_is_left();
    });
}

#[test]
fn a_signal_is_told_to_the_reader_before_it_takes_effect() {
    in_lab("sessions::a_signal_is_told_to_the_reader_before_it_takes_effect", |scene| {
        scene.start_sshd();
        scene.release();
        let mut connect = scene.connect(&[]);
        connect.served();
        connect.signal(Signal::SIGTERM);
        let gone = connect.message();
        assert_eq!(gone["data"], json!({ "status": 143, "reason": "ssh-connect was ended by signal 15" }));
        // The reader may still use the console.
        scene.console().ask("echo still he''re", "still here");
        assert_eq!(connect.finish(), (143, String::new()));
        scene.assert_nothing_is_left();
    });
}

#[test]
fn an_ssh_server_that_comes_up_late_is_waited_for() {
    in_lab("sessions::an_ssh_server_that_comes_up_late_is_waited_for", |scene| {
        scene.release();
        let mut connect = scene.connect(&["-v"]);
        let refused = "ssh-connect: 127.0.0.2:2222 does not answer yet: Connection refused";
        let mut line = String::new();
        while line.trim_end() != refused {
            line.clear();
            assert!(connect.errors.read_line(&mut line).unwrap() > 0);
        }
        scene.start_sshd();
        connect.served();
        assert_eq!(connect.finish().0, 0);
    });
}

#[test]
fn a_board_that_never_answers_is_out_of_time() {
    in_lab("sessions::a_board_that_never_answers_is_out_of_time", |scene| {
        scene.release();
        scene.role["data"]["actions"][1]["timeout"] = json!(1);
        let error = "ssh-connect: cannot connect to 127.0.0.2:2222: Connection refused\n";
        assert_eq!(scene.fail(), (124, error.to_owned()));
    });
}
