//! Sessions that cannot be, and what is said then.

use crate::scene::{GUEST, HOST, Scene, in_lab, run};
use pumice_tests::tool_path;
use serde_json::json;
use std::fs;
use std::io::{BufRead, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

#[test]
fn another_machine_at_the_address_is_not_trusted() {
    in_lab("refusals::another_machine_at_the_address_is_not_trusted", |scene| {
        scene.start_sshd();
        scene.release();
        scene.trust(HOST, &scene.run_dir().join("keys/id_ed25519.pub"));
        let (status, error) = scene.fail();
        let known_hosts = scene.run_dir().join("known_hosts");
        let wanted = format!(
            "ssh-connect: cannot trust 127.0.0.2:2222: its ssh key is not that of job {HOST} in '{}'; is this another machine?\n",
            known_hosts.display()
        );
        assert_eq!((status, error), (3, wanted));
        assert!(!scene.root().join(format!("{GUEST}-overlay-1.1.4.tar.gz")).exists());
    });
}

#[test]
fn a_board_without_a_known_key_is_not_trusted() {
    in_lab("refusals::a_board_without_a_known_key_is_not_trusted", |scene| {
        scene.start_sshd();
        scene.release();
        scene.trust("1", &scene.root().join("etc/host_key.pub"));
        let (status, error) = scene.fail();
        let wanted = format!(
            "ssh-connect: cannot trust the board of job {HOST}: no ssh key of it in '{}', where the 'tftp-stage' of job {HOST} writes it\n",
            scene.run_dir().join("known_hosts").display()
        );
        assert_eq!((status, error), (3, wanted));
    });
}

#[test]
fn a_key_that_is_not_let_in_says_what_lets_it_in() {
    in_lab("refusals::a_key_that_is_not_let_in_says_what_lets_it_in", |scene| {
        scene.authorize(&scene.root().join("etc/host_key.pub"));
        scene.start_sshd();
        scene.release();
        let (status, error) = scene.fail();
        let wanted = format!(
            "ssh-connect: cannot log in as 'root' at 127.0.0.2:2222 with '{}': the key was refused; 'authorize: ssh' in the host's deploy lets it in\n",
            scene.run_dir().join("keys/id_ed25519").display()
        );
        assert_eq!((status, error), (3, wanted));
        assert_eq!(scene.guest_state(), "left");
    });
}

/// A key with a passphrase, of this kind: no prompt, and libssh2 must not crash over it.
fn refuse_encrypted_key(scene: &mut Scene, kind: &[&str]) {
    scene.start_sshd();
    scene.release();
    let key = scene.run_dir().join("keys/id_ed25519");
    fs::remove_file(&key).unwrap();
    run(Command::new("ssh-keygen").args(["-q", "-N", "secret", "-f"]).arg(&key).args(kind));
    let wanted = format!(
        "ssh-connect: cannot log in as 'root' at 127.0.0.2:2222 with '{}': no private key without a passphrase is in this file\n",
        key.display()
    );
    assert_eq!(scene.fail(), (3, wanted));
}

#[test]
fn a_pem_key_with_a_passphrase_is_refused() {
    in_lab("refusals::a_pem_key_with_a_passphrase_is_refused", |scene| {
        refuse_encrypted_key(scene, &["-t", "rsa", "-m", "PEM"])
    });
}

#[test]
fn an_openssh_key_with_a_passphrase_is_refused() {
    in_lab("refusals::an_openssh_key_with_a_passphrase_is_refused", |scene| {
        refuse_encrypted_key(scene, &["-t", "ed25519"])
    });
}

#[test]
fn an_overlay_that_arrives_changed_is_not_unpacked() {
    in_lab("refusals::an_overlay_that_arrives_changed_is_not_unpacked", |scene| {
        scene.start_sshd();
        scene.release();
        // The board's own sha256sum sees another file.
        let usr_local = scene.root().join("usr/local/bin");
        run(Command::new("mount").args(["-t", "tmpfs", "tools"]).arg(&usr_local));
        fs::write(usr_local.join("sha256sum"), "#!/bin/sh\necho 0123 >>$1; exec /usr/bin/sha256sum $1\n").unwrap();
        fs::set_permissions(usr_local.join("sha256sum"), fs::Permissions::from_mode(0o755)).unwrap();
        let (status, error) = scene.fail();
        let overlay = format!("/{GUEST}-overlay-1.1.4.tar.gz");
        let start = format!(
            "ssh-connect: cannot copy '{}/overlay.tar.gz' to '{overlay}' on the board: its sha256 there is not {} but '",
            scene.dir.path().display(),
            scene.role["data"]["overlay"]["sha256"].as_str().unwrap()
        );
        assert!(status == 3 && error.starts_with(&start), "{status}: {error}");
        assert!(!scene.root().join(&overlay[1..]).exists());
        assert!(!scene.root().join("lava-74585").exists());
    });
}

#[test]
fn a_full_board_says_so() {
    in_lab("refusals::a_full_board_says_so", |scene| {
        scene.start_sshd();
        scene.release();
        run(Command::new("mount").args(["-o", "remount,size=1m"]).arg(scene.root()));
        let (status, error) = scene.fail();
        assert!(status == 3 && error.contains("No space left on device'\n"), "{status}: {error}");
    });
}

/// The seconds that were waited for the start, and why it did not come.
fn waited_for_start(error: &str) -> (u64, &str) {
    let rest = error.strip_prefix("ssh-connect: cannot start: waited ");
    let (waited, reason) = rest.and_then(|rest| rest.split_once(" s for 'lava_start' of role 'host': ")).expect(error);
    (waited.parse().expect(error), reason)
}

#[test]
fn a_start_that_never_comes_is_out_of_time() {
    in_lab("refusals::a_start_that_never_comes_is_out_of_time", |scene| {
        scene.role["data"]["start"]["timeout"] = json!(1);
        let (status, error) = scene.fail();
        assert!(status == 124 && (1..).contains(&waited_for_start(&error).0), "{status}: {error}");
        assert_eq!(scene.guest_state(), "left");
    });
}

#[test]
fn a_broker_that_goes_is_the_labs_fault() {
    in_lab("refusals::a_broker_that_goes_is_the_labs_fault", |scene| {
        // While a start is waited for.
        let mut connect = scene.connect(&["-v"]);
        let mut line = String::new();
        connect.errors.read_line(&mut line).unwrap();
        assert_eq!(line, "ssh-connect: waiting for 'lava_start' of role 'host'\n");
        scene.broker.kill().unwrap();
        assert_eq!(connect.message()["data"]["status"], 3);
        let (status, error) = connect.finish();
        let (waited, reason) = waited_for_start(&error);
        // Not all the time that it had.
        assert!(status == 3 && waited < 480 && reason.starts_with("lost the broker: "), "{status}: {error}");
        // And where there is none.
        let (status, error) = scene.fail();
        let wanted = format!("ssh-connect: cannot reach the broker at '{}/broker.sock': ", scene.run_dir().display());
        assert!(status == 3 && error.starts_with(&wanted), "{status}: {error}");
    });
}

#[test]
fn a_broker_that_goes_later_is_told_to_the_reader() {
    in_lab("refusals::a_broker_that_goes_later_is_told_to_the_reader", |scene| {
        scene.start_sshd();
        scene.release();
        let mut connect = scene.connect(&[]);
        connect.served();
        scene.broker.kill().unwrap();
        let gone = connect.message();
        assert_eq!(gone["data"]["status"], 3, "{gone}");
        let (status, error) = connect.finish();
        assert!(status == 3 && error.starts_with("ssh-connect: lost the broker: "), "{status}: {error}");
        assert!(!scene.run_dir().join(GUEST).join("console.sock").exists());
    });
}

#[test]
fn a_message_without_the_address_is_wrong() {
    in_lab("refusals::a_message_without_the_address_is_wrong", |scene| {
        let host = scene.host.as_mut().unwrap();
        host.call("send", json!({ "message": "ipv4", "data": { "ip": "127.0.0.2" } }));
        host.call("send", json!({ "message": "lava_start" }));
        let error = format!("ssh-connect: cannot use message 'ipv4' of host {HOST}: it has no 'ipaddr'\n");
        assert_eq!(scene.fail(), (2, error));
    });
}

#[test]
fn an_earlier_status_passes_through() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(tool_path("ssh-connect"))
        .arg("--run-dir")
        .arg(dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let end = b"{\"v\":1,\"type\":\"end\",\"data\":{\"status\":124}}\n";
    child.stdin.take().unwrap().write_all(end).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.stdout, output.stderr, output.status.code()), (end.to_vec(), Vec::new(), Some(124)));
}

#[test]
fn a_run_directory_is_needed() {
    let output = Command::new(tool_path("ssh-connect")).env_remove("MN_RUNDIR").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = "ssh-connect: no run directory given: use --run-dir or set MN_RUNDIR\n\
                Try 'ssh-connect --help' for more information.\n";
    assert_eq!(String::from_utf8_lossy(&output.stderr), said);
}
