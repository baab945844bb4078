//! ssh-connect as a pipeline uses it: a role message in, a role message out, a console on a Unix socket; with the real
//! mn-broker and OpenSSH's server.
//!
//! Each test runs in a lab of its own (tests/board/lab) with a board: an sshd in a root directory of its own, at
//! 127.0.0.2. sshd takes on other users, so an ordinary user needs subordinate ids; without them nothing is tested here.
#![allow(clippy::unwrap_used)]

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pumice_tests::{not_run, tool_path};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);
const HOST: &str = "74588";
const GUEST: &str = "74585";

/// Runs the test `name` again inside a lab, unless it is there already.
fn in_lab(name: &str, test: impl FnOnce(&mut Scene)) {
    if std::env::var_os("SSH_CONNECT_TEST_IN_LAB").is_some() {
        return test(&mut Scene::new());
    }
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("board/lab");
    let tried = Command::new(&lab).args(["--users", "true"]).output().unwrap();
    if !tried.status.success() {
        return not_run(name, &String::from_utf8_lossy(&tried.stderr));
    }
    let output = Command::new(lab)
        .arg("--users")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env("SSH_CONNECT_TEST_IN_LAB", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("1 passed"), "{text}");
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A run directory with a broker, keys and an overlay, and a board that may be up.
struct Scene {
    dir: tempfile::TempDir,
    broker: Child,
    host: Option<Host>,
    sshd: Option<Child>,
    /// The role message for ssh-connect, to be changed by a test before it starts.
    role: Value,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = dir.path().join("run");
        fs::create_dir_all(run_dir.join("keys")).unwrap();
        keygen(&run_dir.join("keys/id_ed25519"));
        let role = role_message(dir.path());
        let broker = start_broker(&run_dir, &role);
        let host = Some(Host::join(&run_dir));
        let scene = Self { dir, broker, host, sshd: None, role };
        scene.make_board();
        scene
    }

    fn run_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// The board's root directory.
    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// A root on a file system of its own, with this machine's programs in it.
    fn make_board(&self) {
        let root = self.root();
        fs::create_dir(&root).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "board"]).arg(&root));
        for name in ["bin", "sbin", "lib", "lib64", "usr", "dev", "proc"] {
            let from = Path::new("/").join(name);
            match fs::read_link(&from) {
                Ok(target) => symlink(target, root.join(name)).unwrap(),
                Err(_) => {
                    fs::create_dir(root.join(name)).unwrap();
                    run(Command::new("mount").arg("--rbind").arg(&from).arg(root.join(name)));
                }
            }
        }
        // sshd hands terminals over to their users, which have to be users of these namespaces.
        run(Command::new("mount")
            .args(["-t", "devpts", "-o", "newinstance,ptmxmode=666,mode=620", "devpts"])
            .arg(root.join("dev/pts")));
        for name in ["etc", "root", "run/sshd", "tmp"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let users = "root::0:0:root:/root:/bin/sh\nsshd:x:100:65534::/run/sshd:/usr/sbin/nologin\n";
        fs::write(root.join("etc/passwd"), users).unwrap();
        fs::create_dir_all(root.join("var/log")).unwrap();
        fs::write(root.join("var/log/lastlog"), "").unwrap();
        fs::write(root.join("root/.profile"), "PS1='board# '\n").unwrap();
        fs::write(root.join("etc/sshd_config"), SSHD_CONFIG).unwrap();
        keygen(&root.join("etc/host_key"));
        self.authorize(&self.run_dir().join("keys/id_ed25519.pub"));
        self.trust(HOST, &root.join("etc/host_key.pub"));
    }

    fn authorize(&self, public: &Path) {
        fs::copy(public, self.root().join("etc/authorized_keys")).unwrap();
    }

    /// Writes the known_hosts that tftp-stage writes.
    fn trust(&self, name: &str, public: &Path) {
        let key = fs::read_to_string(public).unwrap();
        fs::write(self.run_dir().join("known_hosts"), format!("garbage\n{name} {key}")).unwrap();
    }

    fn start_sshd(&mut self) {
        let mut sshd = Command::new("/usr/sbin/chroot")
            .arg(self.root())
            .args(["/usr/sbin/sshd", "-D", "-e", "-f", "/etc/sshd_config"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(sshd.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("Server listening on")), "sshd does not start");
        // What it says later is nobody's business, but must have somewhere to go.
        std::thread::spawn(move || lines.for_each(drop));
        self.sshd = Some(sshd);
    }

    /// The host's test has done its part: the address first, then the start.
    fn release(&mut self) {
        let host = self.host.as_mut().unwrap();
        host.call("send", json!({ "message": "ipv4", "data": { "ipaddr": "127.0.0.2" } }));
        host.call("send", json!({ "message": "lava_start" }));
    }

    fn connect(&self, arguments: &[&str]) -> Connect {
        let mut child = Command::new(tool_path("ssh-connect"))
            .args(arguments)
            .env("MN_RUNDIR", self.run_dir())
            .env_remove("MN_SOCKET")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = format!("{}\n{}\n", self.role, json!({ "v": 1, "type": "end", "data": { "status": 0 } }));
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let errors = BufReader::new(child.stderr.take().unwrap());
        Connect { child, output: Some(output), errors }
    }

    /// Runs ssh-connect where it cannot succeed: its status and what it says. The output's end has the same status.
    fn fail(&self) -> (i32, String) {
        let mut connect = self.connect(&[]);
        let end = connect.message();
        assert_eq!(
            (&end["type"], connect.output.as_mut().unwrap().read_line(&mut String::new()).unwrap()),
            (&json!("end"), 0)
        );
        let (status, errors) = connect.finish();
        assert_eq!(end["data"]["status"], status);
        (status, errors)
    }

    fn console(&self) -> Console {
        let path = self.run_dir().join(GUEST).join("console.sock");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Console { stream, seen: Vec::new() }
    }

    /// What the broker says of the guest.
    fn guest_state(&mut self) -> String {
        let status = self.host.as_mut().unwrap().call("status", json!({}));
        let members = status["return"]["members"].as_array().unwrap();
        let guest = members.iter().find(|member| member["job_id"] == GUEST).unwrap();
        guest["state"].as_str().unwrap().to_owned()
    }

    /// That nothing is left of a session: no socket, no line that is held, no process of a login.
    fn assert_nothing_is_left(&mut self) {
        assert!(!self.run_dir().join(GUEST).join("console.sock").exists());
        let held = fs::read_to_string(self.run_dir().join(GUEST).join("held")).unwrap_or_default();
        assert_eq!(held.matches("\n-").count(), held.matches("rm -f").count(), "{held}");
        assert_eq!(self.guest_state(), "left");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        for child in self.sshd.iter_mut().chain([&mut self.broker]) {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = Command::new("umount").arg("-l").arg(self.root()).status();
    }
}

const SSHD_CONFIG: &str = "Port 2222\nListenAddress 127.0.0.2\nHostKey /etc/host_key\n\
    AuthorizedKeysFile /etc/authorized_keys\nStrictModes no\nUsePAM no\nPidFile none\nPrintLastLog no\n\
    PasswordAuthentication no\nKbdInteractiveAuthentication no\n";

fn keygen(path: &Path) {
    run(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(path));
}

/// The golden message of overlay-pack, with an overlay that exists and the port of the test's sshd.
fn role_message(dir: &Path) -> Value {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/messages/guest-overlay-pack.jsonl");
    let golden = fs::read_to_string(golden).unwrap();
    let mut role: Value = serde_json::from_str(golden.lines().next().unwrap()).unwrap();
    let overlay = dir.join("overlay.tar.gz");
    fs::create_dir_all(dir.join("tree/lava-74585")).unwrap();
    fs::write(dir.join("tree/lava-74585/hello"), "from the overlay\n").unwrap();
    // Larger than a window of ssh, and not to be compressed away.
    let noise: Vec<u8> = std::iter::successors(Some(88_172_645_463_325_252u64), |&n| {
        let n = n ^ (n << 13);
        let n = n ^ (n >> 7);
        Some(n ^ (n << 17))
    })
    .take(3_000_000)
    .map(|n| (n >> 32) as u8)
    .collect();
    fs::write(dir.join("tree/lava-74585/noise"), noise).unwrap();
    run(Command::new("tar").arg("-C").arg(dir.join("tree")).arg("-czf").arg(&overlay).arg("lava-74585"));
    let data = &mut role["data"];
    data["overlay"]["file"] = json!(overlay);
    data["overlay"]["size"] = json!(fs::metadata(&overlay).unwrap().len());
    data["overlay"]["sha256"] = json!(sha256(&overlay));
    data["device"]["ssh"]["port"] = json!(2222);
    role
}

fn sha256(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

fn start_broker(run_dir: &Path, role: &Value) -> Child {
    let members = run_dir.join("members");
    fs::write(&members, format!("{role}\n{}\n", json!({ "v": 1, "type": "end", "data": { "status": 0 } }))).unwrap();
    let mut broker = Command::new(tool_path("mn-broker"))
        .args(["serve", "--ready-fd", "1", "--socket"])
        .arg(run_dir.join("broker.sock"))
        .arg("--members")
        .arg(members)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0];
    broker.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    broker
}

/// The host's connection to the broker, by hand.
struct Host {
    stream: BufReader<UnixStream>,
    id: u32,
}

impl Host {
    fn join(run_dir: &Path) -> Self {
        let stream = UnixStream::connect(run_dir.join("broker.sock")).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut host = Self { stream: BufReader::new(stream), id: 0 };
        assert_eq!(host.read()["mn"], 1);
        host.call("join", json!({ "member": HOST }));
        host
    }

    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn call(&mut self, call: &str, args: Value) -> Value {
        self.id += 1;
        let line = format!("{}\n", json!({ "id": self.id, "call": call, "args": args }));
        self.stream.get_mut().write_all(line.as_bytes()).unwrap();
        let answer = self.read();
        assert!(answer["return"].is_object(), "{answer}");
        answer
    }
}

/// A running ssh-connect.
struct Connect {
    child: Child,
    output: Option<BufReader<ChildStdout>>,
    errors: BufReader<ChildStderr>,
}

impl Connect {
    fn message(&mut self) -> Value {
        let mut line = String::new();
        self.output.as_mut().unwrap().read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut errors = String::new();
            self.errors.read_to_string(&mut errors).unwrap();
            panic!("no message but '{line}': {error}: {errors}")
        })
    }

    /// The role message and the end.
    fn served(&mut self) -> Value {
        let role = self.message();
        assert_eq!(role["type"], "role", "{role}");
        assert_eq!(self.message(), json!({ "v": 1, "type": "end", "data": { "status": 0 } }));
        role
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Closes the pipe, as a reader that has finished does; the status and what was said.
    fn finish(mut self) -> (i32, String) {
        drop(self.output.take());
        let mut errors = String::new();
        self.errors.read_to_string(&mut errors).unwrap();
        (self.child.wait().unwrap().code().unwrap(), errors)
    }
}

/// The client of console.sock.
struct Console {
    stream: UnixStream,
    seen: Vec<u8>,
}

impl Console {
    fn say(&mut self, line: &str) {
        self.stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// Types a line and reads up to and including `wanted`; gives what came before it.
    fn ask(&mut self, line: &str, wanted: &str) -> String {
        self.say(line);
        self.expect(wanted)
    }

    fn expect(&mut self, wanted: &str) -> String {
        let mut from = 0;
        loop {
            if let Some(at) = self.seen[from..].windows(wanted.len()).position(|window| window == wanted.as_bytes()) {
                let taken: Vec<u8> = self.seen.drain(..from + at + wanted.len()).collect();
                return String::from_utf8_lossy(&taken[..from + at]).into_owned();
            }
            from = self.seen.len().saturating_sub(wanted.len());
            let mut bytes = [0; 4096];
            let n = self.stream.read(&mut bytes).unwrap();
            assert!(n > 0, "no '{wanted}' in '{}'", String::from_utf8_lossy(&self.seen));
            self.seen.extend_from_slice(&bytes[..n]);
        }
    }

    /// Reads to the end.
    fn rest(&mut self) {
        self.stream.read_to_end(&mut self.seen).unwrap();
    }
}

#[test]
fn the_overlay_is_on_the_board_and_its_shell_on_the_socket() {
    in_lab("the_overlay_is_on_the_board_and_its_shell_on_the_socket", |scene| {
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
    in_lab("a_role_whose_tests_need_no_overlay_gets_its_shell_without_one", |scene| {
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
    in_lab("half_a_million_bytes_come_through_unchanged_however_slow_the_client", |scene| {
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
    in_lab("a_reader_that_goes_takes_the_session_with_it", |scene| {
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
    in_lab("a_logout_is_gone_and_no_failure", |scene| end_shell(scene, 0, 0));
}

#[test]
fn a_shell_that_fails_is_gone_with_its_status() {
    in_lab("a_shell_that_fails_is_gone_with_its_status", |scene| end_shell(scene, 7, 3));
}

#[test]
fn an_sshd_that_dies_is_gone() {
    in_lab("an_sshd_that_dies_is_gone", |scene| {
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
    in_lab("a_signal_is_told_to_the_reader_before_it_takes_effect", |scene| {
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
    in_lab("an_ssh_server_that_comes_up_late_is_waited_for", |scene| {
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
    in_lab("a_board_that_never_answers_is_out_of_time", |scene| {
        scene.release();
        scene.role["data"]["actions"][1]["timeout"] = json!(1);
        let error = "ssh-connect: cannot connect to 127.0.0.2:2222: Connection refused\n";
        assert_eq!(scene.fail(), (124, error.to_owned()));
    });
}

#[test]
fn another_machine_at_the_address_is_not_trusted() {
    in_lab("another_machine_at_the_address_is_not_trusted", |scene| {
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
    in_lab("a_board_without_a_known_key_is_not_trusted", |scene| {
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
    in_lab("a_key_that_is_not_let_in_says_what_lets_it_in", |scene| {
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
    in_lab("a_pem_key_with_a_passphrase_is_refused", |scene| refuse_encrypted_key(scene, &["-t", "rsa", "-m", "PEM"]));
}

#[test]
fn an_openssh_key_with_a_passphrase_is_refused() {
    in_lab("an_openssh_key_with_a_passphrase_is_refused", |scene| refuse_encrypted_key(scene, &["-t", "ed25519"]));
}

#[test]
fn an_overlay_that_arrives_changed_is_not_unpacked() {
    in_lab("an_overlay_that_arrives_changed_is_not_unpacked", |scene| {
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
    in_lab("a_full_board_says_so", |scene| {
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
    in_lab("a_start_that_never_comes_is_out_of_time", |scene| {
        scene.role["data"]["start"]["timeout"] = json!(1);
        let (status, error) = scene.fail();
        assert!(status == 124 && (1..).contains(&waited_for_start(&error).0), "{status}: {error}");
        assert_eq!(scene.guest_state(), "left");
    });
}

#[test]
fn a_broker_that_goes_is_the_labs_fault() {
    in_lab("a_broker_that_goes_is_the_labs_fault", |scene| {
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
    in_lab("a_broker_that_goes_later_is_told_to_the_reader", |scene| {
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
    in_lab("a_message_without_the_address_is_wrong", |scene| {
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
