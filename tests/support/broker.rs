//! A broker for tests, and its protocol spoken by hand.

use crate::{Outcome, run, tool};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How long anything may take before a test has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running `mn-broker serve`; it ends with the value.
pub struct Broker {
    child: Child,
    socket: PathBuf,
    options: Vec<String>,
    directory: TempDir,
}

impl Broker {
    /// The founding group: the guests 101 and 102 on the board of the host 104.
    pub fn founding() -> Self {
        Self::start(&[("101", "guest", Some("104")), ("102", "guest", Some("104")), ("104", "host", None)], &[])
    }

    /// A broker for members given as id, role and host, with further options; ready when this returns.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn start(members: &[(&str, &str, Option<&str>)], options: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        Self::start_in(directory, &members_stream(members), options)
    }

    /// A broker for members, and others, given as id and role, who only look on.
    ///
    /// # Panics
    /// As `start`.
    pub fn watched(members: &[(&str, &str, Option<&str>)], watchers: &[(&str, &str)]) -> Self {
        let mut list = members_list(members);
        list.extend(watchers.iter().map(|(id, role)| json!({ "job_id": id, "role": role, "counted": false })));
        Self::start_in(tempfile::tempdir().expect("a directory"), &stream_of(&list), Vec::new())
    }

    /// As `start`, with a journal on a disk of memory: what is tested is the order of things.
    ///
    /// # Panics
    /// As `start`.
    pub fn with_journal(members: &[(&str, &str, Option<&str>)], options: &[&str]) -> Self {
        let directory = tempfile::tempdir_in("/dev/shm").expect("a directory");
        let mut all: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
        all.extend(["--journal".to_owned(), directory.path().join("journal").display().to_string()]);
        Self::start_in(directory, &members_stream(members), all)
    }

    fn start_in(directory: TempDir, stream: &str, options: Vec<String>) -> Self {
        let socket = directory.path().join("broker.sock");
        let list = directory.path().join("members.jsonl");
        std::fs::write(&list, stream).expect("the list is written");
        let child = serve_command(&socket, &list).args(&options).spawn().expect("the broker runs");
        let mut broker = Self { child, socket, options, directory };
        broker.await_ready();
        broker
    }

    /// Kills the broker as a crash does.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn crash(&mut self) {
        self.child.kill().expect("it is there");
        self.child.wait().expect("it ends");
    }

    /// Makes the broker stand still.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn stop(&self) {
        kill(self.pid(), Signal::SIGSTOP).expect("the broker is there");
        let stopped = nix::sys::wait::waitpid(self.pid(), Some(nix::sys::wait::WaitPidFlag::WUNTRACED));
        assert!(matches!(stopped, Ok(nix::sys::wait::WaitStatus::Stopped(..))), "{stopped:?}");
    }

    /// Lets a broker go on that stood still.
    ///
    /// # Panics
    /// When it has ended before.
    pub fn go_on(&self) {
        kill(self.pid(), Signal::SIGCONT).expect("the broker is there");
    }

    /// A broker in the place of one that has ended, with the same options.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn start_again(&mut self) {
        self.child = self.again().spawn().expect("the broker runs");
        self.await_ready();
    }

    /// The command of `start_again`.
    pub fn again(&self) -> Command {
        let mut command = serve_command(&self.socket, &self.directory.path().join("members.jsonl"));
        command.args(&self.options);
        command
    }

    /// A file beside the socket.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The broker's process.
    pub fn pid(&self) -> Pid {
        process(&self.child)
    }

    fn await_ready(&mut self) {
        let mut byte = [0];
        self.child.stdout.as_mut().expect("a pipe").read_exact(&mut byte).expect("the broker gets ready");
        assert_eq!(byte, *b"\n");
    }

    /// Where its socket is.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// A verb of the tool, for this broker.
    pub fn verb(&self, arguments: &[&str]) -> Command {
        let mut command = tool("mn-broker");
        command.arg("--socket").arg(&self.socket).args(arguments);
        command
    }

    /// Runs a verb to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        run(&mut self.verb(arguments), b"")
    }

    /// A connection that has been greeted.
    pub fn connect(&self) -> Wire {
        Wire::greeted(&self.socket)
    }

    /// A connection that has joined as a member.
    pub fn join(&self, member: &str) -> Wire {
        let mut wire = self.connect();
        let joined = wire.ask(json!({ "id": 0, "call": "join", "args": { "member": member } }));
        assert_eq!(joined["return"]["member"], member, "{joined}");
        wire
    }

    /// Sends a signal and waits for the end.
    ///
    /// # Panics
    /// When the broker has ended before.
    pub fn end(&mut self, signal: Signal) -> Outcome {
        kill(process(&self.child), signal).expect("the broker is there");
        let status = self.child.wait().expect("the broker ends");
        let mut stderr = String::new();
        self.child.stderr.as_mut().expect("a pipe").read_to_string(&mut stderr).expect("text");
        Outcome { status: status.code().unwrap_or(-1), stdout: String::new(), stderr }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process of a child.
pub fn process(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("a process id"))
}

/// `mn-broker serve` that says on its standard output that it is ready.
pub fn serve_command(socket: &Path, members: &Path) -> Command {
    let mut command = tool("mn-broker");
    command.arg("serve").arg("--socket").arg(socket).arg("--members").arg(members).args(["--ready-fd", "1"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A stream of messages with a list of members.
pub fn members_stream(members: &[(&str, &str, Option<&str>)]) -> String {
    stream_of(&members_list(members))
}

fn members_list(members: &[(&str, &str, Option<&str>)]) -> Vec<Value> {
    let member = |(id, role, host): &(&str, &str, Option<&str>)| match host {
        Some(host) => json!({ "job_id": id, "role": role, "host": host }),
        None => json!({ "job_id": id, "role": role }),
    };
    members.iter().map(member).collect()
}

fn stream_of(list: &[Value]) -> String {
    let group = json!({ "name": "0b6e", "size": list.len(), "members": list });
    let role = json!({ "v": 1, "type": "role", "data": { "job_id": list[0]["job_id"], "group": group } });
    format!("{role}\n{{\"v\":1,\"type\":\"end\",\"data\":{{\"status\":0}}}}\n")
}

/// A connection, spoken by hand. Hearing nothing for 20 seconds fails the test.
pub struct Wire {
    reader: BufReader<UnixStream>,
}

impl Wire {
    /// Connects and reads the greeting.
    ///
    /// # Panics
    /// When there is no broker, or it does not greet.
    pub fn greeted(socket: &Path) -> Self {
        let mut wire = Self::silent(socket);
        let greeting = wire.hear();
        assert_eq!(greeting["mn"], 1, "{greeting}");
        wire
    }

    /// Connects and reads nothing.
    ///
    /// # Panics
    /// When there is no broker.
    pub fn silent(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).expect("a broker");
        stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
        stream.set_write_timeout(Some(PATIENCE)).expect("a limit");
        Self { reader: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.reader.get_mut().write_all(bytes)
    }

    /// Sends a line.
    ///
    /// # Panics
    /// When the broker has gone.
    pub fn say(&mut self, value: Value) {
        self.write(format!("{value}\n").as_bytes()).expect("the broker listens");
    }

    /// The next line.
    ///
    /// # Panics
    /// When none comes, or it is no JSON.
    pub fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a line comes");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("no JSON: {line:?}: {error}"))
    }

    /// The next line, whatever is in it.
    ///
    /// # Panics
    /// When none comes.
    pub fn hear_line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).expect("a line comes");
        line
    }

    /// Sends a line and gives the next one that comes.
    pub fn ask(&mut self, value: Value) -> Value {
        self.say(value);
        self.hear()
    }

    /// The bare stream.
    pub fn into_inner(self) -> UnixStream {
        self.reader.into_inner()
    }

    /// Whether the broker has closed the connection and said nothing more.
    pub fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(n) => n == 0,
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}
