//! Links to a terminal server that die without a word: a cable is pulled, a server loses its power.

use crate::reconnect::noted;
use crate::servers::Server;
use pumice_tests::console::{READY, RESULTS, RUN, Terminal, guest, serial_expect, until};
use pumice_tests::in_namespace;
use pumice_tests::running::{Running, results};
use serde_json::json;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

const NEAR: &str = "10.77.1.1";
const FAR: &str = "10.77.1.2";
const PORT: u16 = 7012;

/// The far end of a cable: a network namespace of its own, as long as the value.
struct Far(Child);

impl Far {
    fn new() -> Far {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", "echo && exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("unshare runs");
        child.stdout.as_mut().expect("a pipe").read_exact(&mut [0]).expect("the namespace is there");
        let far = Far(child);
        ip(&format!("link add near0 type veth peer name far0 netns {}", far.0.id()));
        ip(&format!("address add {NEAR}/24 dev near0"));
        ip("link set near0 up");
        far.ip(&format!("address add {FAR}/24 dev far0"));
        far.plug();
        far
    }

    /// What a command begins with that is to be run there.
    fn enter(&self) -> Vec<String> {
        ["nsenter", "--target", &self.0.id().to_string(), "--net"].map(str::to_owned).to_vec()
    }

    fn ip(&self, words: &str) {
        run(self.enter().iter().map(String::as_str).chain(["ip"]).chain(words.split(' ')));
    }

    fn pull(&self) {
        self.ip("link set far0 down");
    }

    fn plug(&self) {
        self.ip("link set far0 up");
    }

    fn ser2net(&self, accepter: &str, terminal: &Terminal) -> Server {
        let by = self.enter();
        let by: Vec<&str> = by.iter().map(String::as_str).collect();
        Server::ser2net_run(&by, (FAR, PORT), accepter, terminal)
    }

    /// Bytes that the server has sent and of which it does not know that they have come.
    fn unanswered(&self) -> u64 {
        unanswered(self.0.id()).iter().map(|(bytes, _)| bytes).sum()
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run<'a>(words: impl Iterator<Item = &'a str>) {
    let words: Vec<&str> = words.collect();
    assert!(Command::new(words[0]).args(&words[1..]).status().expect("it is installed").success(), "{words:?}");
}

fn ip(words: &str) {
    run(["ip"].into_iter().chain(words.split(' ')));
}

/// Of each connection where a process is: the bytes that have not been answered, and how often they were sent again.
fn unanswered(process: u32) -> Vec<(u64, u64)> {
    let table = std::fs::read_to_string(format!("/proc/{process}/net/tcp")).expect("the system's table");
    let established =
        table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|row| row[3] == "01");
    let number = |text: &str| u64::from_str_radix(text, 16).expect("a number");
    established.map(|row| (number(row[4].split(':').next().expect("a queue")), number(row[6]))).collect()
}

/// A guest in the middle of its test, behind a cable.
struct Job {
    dir: TempDir,
    terminal: Terminal,
    running: Running,
    rest: &'static [u8],
}

impl Job {
    /// Begins on a console of this kind, with the server's words for it.
    fn begin(far: &Far, (kind, accepter): (&str, &str), link_timeout: &str, connection: u64) -> (Job, Server) {
        let mut terminal = Terminal::new();
        let server = far.ser2net(accepter, &terminal);
        let dir = tempfile::tempdir().expect("a directory");
        let mut command = serial_expect(&format!("{kind}:{FAR}:{PORT}"));
        command.args(["--link-timeout", link_timeout, "--run-dir"]).arg(dir.path());
        let message = guest().replace("\"connection\":20", &format!("\"connection\":{connection}"));
        let running = Running::start(&mut command, &message);
        terminal.hears("ready 101.0 $?\n");
        terminal.says(READY.as_bytes());
        terminal.hears("end 101.0 $?\n");
        let (first, rest) = RUN.split_at(RUN.len() / 2);
        let mut job = Job { dir, terminal, running, rest };
        job.says(first);
        until("the server has sent all", || far.unanswered() == 0);
        (job, server)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("101").join(name)
    }

    /// The board says this, and it is heard.
    fn says(&mut self, text: &[u8]) {
        self.terminal.says(text);
        self.hears(text);
    }

    fn hears(&self, text: &[u8]) {
        until("it is heard", || std::fs::read(self.path("console.log")).unwrap_or_default().ends_with(text));
    }

    /// A person types.
    fn types(&self, text: &str) -> UnixStream {
        let mut person = UnixStream::connect(self.path("attach.sock")).expect("the console is shared");
        for (what, data) in [("attach", json!({})), ("console", json!({"text": text}))] {
            writeln!(person, "{}", json!({"v": 1, "type": what, "data": data})).expect("it is taken");
        }
        person
    }

    fn noted(&self, text: &str) {
        noted(self.dir.path(), "101", text);
    }

    /// The board says the rest, and the test passes; gives what was said on standard error.
    fn passes(mut self) -> String {
        self.terminal.says(self.rest);
        let outcome = self.running.outcome();
        assert_eq!((outcome.status, results(&outcome.stdout)), (0, RESULTS.map(str::to_owned).to_vec()));
        let log = std::fs::read(self.dir.path().join("101/console.log")).expect("a log");
        assert!(log.ends_with(RUN), "{}", log.escape_ascii());
        outcome.stderr
    }
}

/// The server is told as gone, for a reason that is the system's: a time that is up, or no way there.
fn assert_gone(line: &str, connection: u64) {
    let begins = line.starts_with(&format!("serial-expect: warning: '{FAR}:{PORT}' has gone ("));
    assert!(begins && line.ends_with(&format!("): waiting {connection} s for it")), "{line}");
}

#[test]
fn a_link_that_comes_back_in_time_has_lost_nothing() {
    in_namespace("links::a_link_that_comes_back_in_time_has_lost_nothing", || {
        let far = Far::new();
        let (mut job, _server) = Job::begin(&far, ("tcp", "tcp"), "60", 20);
        far.pull();
        let _person = job.types("y\n");
        let (now, rest) = job.rest.split_at(job.rest.len() / 2);
        job.terminal.says(now);
        until("the server sends in vain", || far.unanswered() > 0);
        until("what was typed is sent again and again", || unanswered(std::process::id()).iter().any(|row| row.1 > 2));
        far.plug();
        job.terminal.hears("y\n");
        job.hears(now);
        job.rest = rest;
        assert_eq!(job.passes(), "");
    });
}

#[test]
fn a_link_that_dies_in_silence_is_missed_and_the_server_lets_its_client_in_again() {
    in_namespace("links::a_link_that_dies_in_silence_is_missed_and_the_server_lets_its_client_in_again", || {
        let far = Far::new();
        let (job, _server) = Job::begin(&far, ("rfc2217", "telnet(rfc2217),tcp"), "3", 20);
        far.pull();
        job.noted("has gone");
        far.plug();
        // The server, which has nothing to say, takes the first connection for alive, and has room for one.
        job.noted("there again after");
        let stderr = job.passes();
        let [gone, back] = stderr.lines().collect::<Vec<_>>()[..] else { panic!("{stderr}") };
        assert_gone(gone, 20);
        assert!(back.starts_with("serial-expect: warning: the console is there again after "), "{back}");
    });
}

#[test]
fn a_link_that_stays_dead_after_something_was_typed_ends_the_role() {
    in_namespace("links::a_link_that_stays_dead_after_something_was_typed_ends_the_role", || {
        let far = Far::new();
        let (job, _server) = Job::begin(&far, ("telnet", "telnet,tcp"), "3", 4);
        far.pull();
        let _person = job.types("y\n");
        let outcome = job.running.outcome();
        assert_eq!(outcome.status, 3);
        assert_eq!(results(&outcome.stdout).first().map(String::as_str), Some("lava/0_smoke fail"));
        let [gone, lost] = outcome.stderr.lines().collect::<Vec<_>>()[..] else { panic!("{}", outcome.stderr) };
        assert_gone(gone, 4);
        let why = "serial-expect: lost the console: it has closed: it did not come back: cannot connect to";
        assert!(lost.starts_with(&format!("{why} '{FAR}:{PORT}': ")), "{lost}");
    });
}

#[test]
fn a_server_that_has_lost_its_power_is_used_again_when_it_is_next_asked() {
    in_namespace("links::a_server_that_has_lost_its_power_is_used_again_when_it_is_next_asked", || {
        let far = Far::new();
        let (job, server) = Job::begin(&far, ("tcp", "tcp"), "30", 20);
        far.pull();
        drop((server, far));
        ip("link delete near0");
        let far = Far::new();
        let _server = far.ser2net("tcp", &job.terminal);
        job.noted("has gone (Connection reset by peer)");
        job.noted("there again after");
        job.passes();
    });
}
