//! A run directory with a broker, and a board with an sshd.

use crate::peers::{Connect, Console, Host};
use pumice_tests::random::Random;
use pumice_tests::{not_run, tool_path};
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub const LIMIT: Duration = Duration::from_secs(20);
pub const HOST: &str = "74588";
pub const GUEST: &str = "74585";

/// Runs the test `name` again inside a lab, unless it is there already.
pub fn in_lab(name: &str, test: impl FnOnce(&mut Scene)) {
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

pub fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A run directory with a broker, keys and an overlay, and a board that may be up.
pub struct Scene {
    pub dir: tempfile::TempDir,
    pub broker: Child,
    pub host: Option<Host>,
    pub sshd: Option<Child>,
    /// The role message for ssh-connect, to be changed by a test before it starts.
    pub role: Value,
}

impl Scene {
    pub fn new() -> Self {
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

    pub fn run_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// The board's root directory.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// A root on a file system of its own, with this machine's programs in it.
    pub fn make_board(&self) {
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

    pub fn authorize(&self, public: &Path) {
        fs::copy(public, self.root().join("etc/authorized_keys")).unwrap();
    }

    /// Writes the known_hosts that tftp-stage writes.
    pub fn trust(&self, name: &str, public: &Path) {
        let key = fs::read_to_string(public).unwrap();
        fs::write(self.run_dir().join("known_hosts"), format!("garbage\n{name} {key}")).unwrap();
    }

    pub fn start_sshd(&mut self) {
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
    pub fn release(&mut self) {
        let host = self.host.as_mut().unwrap();
        host.call("send", json!({ "message": "ipv4", "data": { "ipaddr": "127.0.0.2" } }));
        host.call("send", json!({ "message": "lava_start" }));
    }

    pub fn connect(&self, arguments: &[&str]) -> Connect {
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
    pub fn fail(&self) -> (i32, String) {
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

    pub fn console(&self) -> Console {
        let path = self.run_dir().join(GUEST).join("console.sock");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let stream = UnixStream::connect(path).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Console { stream, seen: Vec::new() }
    }

    /// What the broker says of the guest.
    pub fn guest_state(&mut self) -> String {
        let status = self.host.as_mut().unwrap().call("status", json!({}));
        let members = status["return"]["members"].as_array().unwrap();
        let guest = members.iter().find(|member| member["job_id"] == GUEST).unwrap();
        guest["state"].as_str().unwrap().to_owned()
    }

    /// That nothing is left of a session: no socket, no line that is held, no process of a login.
    pub fn assert_nothing_is_left(&mut self) {
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

pub fn keygen(path: &Path) {
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
    let mut random = Random::new(1);
    let noise: Vec<u8> = (0..3_000_000).map(|_| random.number() as u8).collect();
    fs::write(dir.join("tree/lava-74585/noise"), noise).unwrap();
    run(Command::new("tar").arg("-C").arg(dir.join("tree")).arg("-czf").arg(&overlay).arg("lava-74585"));
    let data = &mut role["data"];
    data["overlay"]["file"] = json!(overlay);
    data["overlay"]["size"] = json!(fs::metadata(&overlay).unwrap().len());
    data["overlay"]["sha256"] = json!(sha256(&overlay));
    data["device"]["ssh"]["port"] = json!(2222);
    role
}

pub fn sha256(path: &Path) -> String {
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
