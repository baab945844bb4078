//! lava-coordinator from Debian, and LAVA's wire in general: what its clients measure.

use serde_json::{Value, json};
use std::io::{Error, Read, Result, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Barrier, Mutex};
use std::time::{Duration, Instant};

/// How long LAVA's clients sleep between two polls.
const POLL: Duration = Duration::from_secs(1);

/// A running lava-coordinator; it ends with the value.
pub struct Coordinator {
    child: Child,
    pub port: u16,
    _directory: tempfile::TempDir,
}

impl Coordinator {
    /// Starts it.
    ///
    /// # Errors
    /// When it is not installed, or does not listen within ten seconds.
    pub fn start() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let port = free_port()?;
        let config = directory.path().join("c.conf");
        let settings = json!({ "port": port, "blocksize": 4096, "poll_delay": 1, "coordinator_hostname": "localhost" });
        std::fs::write(&config, settings.to_string())?;
        let mut command = Command::new("lava-coordinator");
        command.args(["--logfile", "-", "--config"]).arg(&config).stdin(Stdio::null());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let coordinator = Self { child, port, _directory: directory };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > Duration::from_secs(10) {
                return Err(Error::other("it does not listen"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(coordinator)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of loopback that is free now.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// One client of a group.
#[derive(Clone)]
pub struct Job {
    pub port: u16,
    pub group: String,
    pub size: usize,
    pub name: usize,
}

impl Job {
    fn ask(&self, request: &Value) -> Result<Value> {
        let mut whole = json!({
            "port": self.port, "blocksize": 4096, "poll_delay": 1, "host": "127.0.0.1", "hostname": "h", "role": "r",
            "client_name": self.name.to_string(), "group_name": self.group, "group_size": self.size,
        });
        if let (Some(whole), Some(request)) = (whole.as_object_mut(), request.as_object()) {
            whole.extend(request.clone());
        }
        let body = whole.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(format!("{:08X}{body}", body.len()).as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard)?;
        serde_json::from_slice(heard.get(8..).unwrap_or_default()).map_err(Error::other)
    }

    /// Polls until the answer is not `wait`, as LAVA's client does; a lost connection counts as `wait`.
    fn poll(&self, request: &Value) {
        while self.ask(request).map_or("wait".into(), |reply| reply["response"].clone()) == "wait" {
            std::thread::sleep(POLL);
        }
    }
}

/// All clients of a new group, known to the server.
pub fn group(port: u16, name: &str, size: usize) -> Vec<Job> {
    let job = |name_: usize| Job { port, group: name.to_owned(), size, name: 100 + name_ };
    let jobs: Vec<Job> = (0..size).map(job).collect();
    for job in &jobs {
        while job.ask(&json!({ "request": "group_data" })).is_err() {}
    }
    jobs
}

/// Milliseconds from a send to the answer of another client's wait.
pub fn send_wait(port: u16, rounds: usize) -> Vec<f64> {
    let round = |nth: usize| {
        let jobs = group(port, &format!("send-{nth}"), 2);
        let wait = json!({ "request": "lava_wait", "messageID": "m" });
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                jobs[1].poll(&wait);
                Instant::now()
            });
            // Anywhere between two polls.
            std::thread::sleep(Duration::from_millis(50 + (nth as u64 * 377) % 1000));
            let began = Instant::now();
            let _ = jobs[0].ask(&json!({ "request": "lava_send", "messageID": "m", "message": { "k": "v" } }));
            waiter.join().map_or(f64::NAN, |end| millis(end.saturating_duration_since(began)))
        })
    };
    (0..rounds).map(round).collect()
}

/// Milliseconds from the last arrival at a sync to the last release.
pub fn sync(port: u16, size: usize, rounds: usize) -> Vec<f64> {
    let round = |nth: usize| {
        let jobs = group(port, &format!("sync-{size}-{nth}"), size);
        let times = Mutex::new((None, None));
        let sync = json!({ "request": "lava_sync", "messageID": "s" });
        std::thread::scope(|scope| {
            for (at, job) in jobs.iter().enumerate() {
                let (times, sync) = (&times, &sync);
                scope.spawn(move || {
                    std::thread::sleep(Duration::from_millis((at as u64 * 7919) % 1000));
                    let arrived = Instant::now();
                    job.poll(sync);
                    if let Ok(mut times) = times.lock() {
                        times.0 = times.0.max(Some(arrived));
                        times.1 = times.1.max(Some(Instant::now()));
                    }
                });
            }
        });
        match times.into_inner() {
            Ok((Some(arrived), Some(released))) => millis(released.saturating_duration_since(arrived)),
            _ => f64::NAN,
        }
    };
    (0..rounds).map(round).collect()
}

/// Requests a second of one client after another.
pub fn rate(port: u16) -> f64 {
    let jobs = group(port, "rate", 2);
    let (began, mut count) = (Instant::now(), 0.0);
    while began.elapsed() < Duration::from_secs(2) {
        let _ = jobs[0].ask(&json!({ "request": "lava_wait", "messageID": "nope" }));
        count += 1.0;
    }
    count / began.elapsed().as_secs_f64()
}

/// Connections that fail when 64 clients come at the same moment, of 320.
pub fn resets(port: u16) -> f64 {
    let mut failed = 0;
    for round in 0..5 {
        let jobs = group(port, &format!("burst-{round}"), 1);
        let (job, barrier) = (&jobs[0], Barrier::new(64));
        failed += std::thread::scope(|scope| {
            let come = || {
                barrier.wait();
                usize::from(job.ask(&json!({ "request": "lava_wait", "messageID": "nope" })).is_err())
            };
            let clients: Vec<_> = (0..64).map(|_| scope.spawn(come)).collect();
            clients.into_iter().map(|client| client.join().unwrap_or(1)).sum::<usize>()
        });
    }
    failed as f64
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
