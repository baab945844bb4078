//! The broker beside lava-coordinator: how fast members meet, and what that costs.

use crate::coordinator::{self, Coordinator, millis};
use crate::figure::{Figure, Goal, Peer};
use mn_ipc::{Call, Client, Failure, Object};
use pumice_tests::broker::members_stream;
use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const LAVA: &str = "lava-coordinator";

/// A broker of the release build; it ends with the value.
struct Broker {
    child: Child,
    directory: tempfile::TempDir,
}

impl Broker {
    /// Serves so many members, in a directory of `base`, with more options.
    fn start(top: &Path, base: &Path, members: usize, options: &[&str]) -> Result<Self> {
        let directory = tempfile::tempdir_in(base)?;
        let ids: Vec<String> = (1..=members).map(|id| id.to_string()).collect();
        let list: Vec<_> = ids.iter().map(|id| (id.as_str(), "node", None)).collect();
        std::fs::write(directory.path().join("members"), members_stream(&list))?;
        let other: Vec<_> = [("8001", "node", None), ("8002", "node", None)].to_vec();
        std::fs::write(directory.path().join("other"), members_stream(&other).replace("0b6e", "other"))?;
        let mut command = Command::new(top.join("target/release/mn-broker"));
        command.current_dir(directory.path()).args(["serve", "--socket", "s", "--members", "members"]);
        command.args(["--ready-fd", "1"]).args(options).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let mut byte = [0];
        child.stdout.as_mut().ok_or_else(|| Error::other("no pipe"))?.read_exact(&mut byte)?;
        Ok(Self { child, directory })
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("s")
    }

    fn join(&self, member: usize) -> Result<Client> {
        let mut client = Client::connect(&self.socket()).map_err(other)?;
        client.call(Call::Join { member: member.to_string() }).map_err(other)?;
        Ok(client)
    }

    /// Resident memory at its highest, in MiB.
    fn memory(&self) -> Result<f64> {
        resident(self.child.id())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn resident(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    let kib = line.trim().split(' ').next().and_then(|kib| kib.parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| Error::other("no VmHWM"))
}

fn other(failure: Failure) -> Error {
    let (Failure::Refused(_, text) | Failure::Lost(text)) = failure;
    Error::other(text)
}

/// Everything of the broker.
pub fn all(top: &Path) -> Result<Vec<Figure>> {
    let (ram, disk) = (Path::new("/dev/shm"), top.join("target"));
    let lava = Coordinator::start().map_err(|why| println!("lava-coordinator was not run: {why}")).ok();
    let port = lava.as_ref().map(|lava| lava.port);
    let mut figures = Vec::new();
    let mut add = |name, unit, peer: Option<f64>, goal, values| {
        figures.push(Figure { tool: "mn-broker", name, unit, peer: Peer { name: LAVA, value: peer }, goal, values });
    };

    let theirs = port.map(|port| sorted(coordinator::send_wait(port, 9)));
    let times = sorted(send_wait(&Broker::start(top, ram, 2, &["--journal", "journal"])?)?);
    add("send-wait-p50", "ms", theirs.as_deref().map(|t| part(t, 0.5)), Goal::Open, vec![part(&times, 0.5)]);
    add("send-wait-p99", "ms", theirs.as_deref().map(|t| part(t, 0.99)), Goal::AtMost(1.0), vec![part(&times, 0.99)]);
    let times = sorted(send_wait(&Broker::start(top, &disk, 2, &["--journal", "journal"])?)?);
    add("disk-wait-p99", "ms", theirs.as_deref().map(|t| part(t, 0.99)), Goal::AtMost(10.0), vec![part(&times, 0.99)]);

    for (name, size) in [("sync-2", 2), ("sync-4", 4), ("sync-16", 16), ("sync-64", 64), ("sync-256", 256)] {
        let theirs = port.filter(|_| size <= 64).map(|port| part(&sorted(coordinator::sync(port, size, 3)), 0.5));
        let broker = Broker::start(top, ram, size, &["--journal", "journal"])?;
        let goal = if size == 64 { Goal::AtMost(5.0) } else { Goal::Open };
        add(name, "ms", theirs, goal, sync(&broker, size)?);
        if size == 256 {
            let theirs = lava.as_ref().and_then(|lava| resident(lava.pid()).ok());
            add("memory-256", "MiB", theirs, Goal::AtMost(10.0), vec![broker.memory()?]);
        }
    }

    let rates = (0..3).map(|_| rate(&Broker::start(top, ram, 2, &[])?)).collect::<Result<Vec<_>>>()?;
    add("requests", "1/s", port.map(coordinator::rate), Goal::AtLeast(20_000.0), rates);

    let ours = coordinator::free_port()?;
    let listen = format!("127.0.0.1:{ours}");
    let broker = Broker::start(top, ram, 2, &["--lava-listen", &listen])?;
    add("64-resets", "", port.map(coordinator::resets), Goal::AtMost(0.0), vec![coordinator::resets(ours)]);
    add("lava-requests", "1/s", port.map(coordinator::rate), Goal::Open, vec![coordinator::rate(ours)]);
    drop(broker);

    let ratios =
        (0..5).map(|_| flood(&Broker::start(top, ram, 2, &["--members", "other"])?)).collect::<Result<Vec<_>>>()?;
    add("flood-ratio", "", None, Goal::AtMost(2.0), ratios);
    Ok(figures)
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn part(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

/// Submits a call and gives its id once the broker has taken it.
fn taken(client: &mut Client, call: Call) -> Result<i64> {
    let id = client.submit(call).map_err(other)?;
    client.call(Call::Status { from: 0 }).map_err(other)?;
    Ok(id)
}

/// Waits for the next answer.
fn answer(client: &mut Client) -> Result<()> {
    while client.receive().map_err(other)?.is_empty() {
        let mut fds = [nix::poll::PollFd::new(client.as_fd(), nix::poll::PollFlags::POLLIN)];
        nix::poll::poll(&mut fds, 10_000_u16)?;
    }
    Ok(())
}

/// Milliseconds from before a send until the other has its answer, the other being a thread that waits.
fn send_wait(broker: &Broker) -> Result<Vec<f64>> {
    let (mut sender, mut waiter) = (broker.join(1)?, broker.join(2)?);
    let mut times = Vec::new();
    for round in 0..1000 {
        let message = format!("m{round}");
        taken(&mut waiter, Call::Wait { message: message.clone(), timeout: 20.0 })?;
        let (began, end) = std::thread::scope(|scope| {
            let wait = scope.spawn(|| answer(&mut waiter).map(|()| Instant::now()));
            let began = Instant::now();
            let sent = sender.call(Call::Send { message, data: Object::new() }).map_err(other);
            let end = wait.join().unwrap_or_else(|_| Err(Error::other("the waiter ended")));
            sent.and(end).map(|end| (began, end))
        })?;
        times.push(millis(end.saturating_duration_since(began)));
    }
    Ok(times)
}

/// Milliseconds from the last arrival to the last release.
fn sync(broker: &Broker, size: usize) -> Result<Vec<f64>> {
    let mut clients = (1..=size).map(|member| broker.join(member)).collect::<Result<Vec<_>>>()?;
    let mut times = Vec::new();
    for _ in 0..9 {
        let sync = || Call::Sync { message: "s".into(), timeout: 20.0 };
        let (last, others) = clients.split_last_mut().ok_or_else(|| Error::other("nobody"))?;
        for client in others {
            taken(client, sync())?;
        }
        let began = Instant::now();
        last.submit(sync()).map_err(other)?;
        for client in &mut clients {
            answer(client)?;
        }
        times.push(millis(began.elapsed()));
    }
    Ok(times)
}

/// Sends in batches over one connection until told to stop; gives how many were answered.
fn pump(socket: &Path, group: &str, member: &str, stop: &AtomicBool) -> Result<f64> {
    let mut reader = BufReader::with_capacity(1 << 16, UnixStream::connect(socket)?);
    let hello = format!("{{\"id\":1,\"call\":\"hello\",\"args\":{{\"group\":\"{group}\"}}}}\n");
    let speak = format!("{{\"id\":2,\"call\":\"speak\",\"args\":{{\"member\":\"{member}\"}}}}\n");
    reader.get_mut().write_all((hello + &speak).as_bytes())?;
    let mut line = String::new();
    (0..3).try_for_each(|_| reader.read_line(&mut line).map(drop))?;
    let batch: String = (0..64)
        .map(|id| {
            format!("{{\"id\":{id},\"call\":\"send\",\"args\":{{\"message\":\"m\",\"data\":{{\"k\":\"v\"}}}}}}\n")
        })
        .collect();
    let mut count = 0.0;
    while !stop.load(Ordering::Relaxed) {
        reader.get_mut().write_all(batch.as_bytes())?;
        for _ in 0..64 {
            line.clear();
            reader.read_line(&mut line)?;
        }
        count += 64.0;
    }
    Ok(count)
}

/// Requests a second of one client, pipelined.
fn rate(broker: &Broker) -> Result<f64> {
    let (stop, began) = (AtomicBool::new(false), Instant::now());
    std::thread::scope(|scope| {
        let client = scope.spawn(|| pump(&broker.socket(), "0b6e", "1", &stop));
        std::thread::sleep(Duration::from_secs(2));
        stop.store(true, Ordering::Relaxed);
        let count = client.join().unwrap_or_else(|_| Err(Error::other("the client ended")))?;
        Ok(count / began.elapsed().as_secs_f64())
    })
}

/// How much longer a sync of two takes while another group's member floods the broker.
fn flood(broker: &Broker) -> Result<f64> {
    let meet = || -> Result<f64> {
        let mut clients = [1, 2].map(|member| -> Result<Client> {
            let mut client = Client::connect(&broker.socket()).map_err(other)?;
            client.call(Call::Speak { member: member.to_string() }).map_err(other)?;
            Ok(client)
        });
        let mut times = Vec::new();
        for _ in 0..500 {
            let began = Instant::now();
            for client in &mut clients {
                let Ok(client) = client else { return Err(Error::other("no client")) };
                client.submit(Call::Sync { message: "s".into(), timeout: 20.0 }).map_err(other)?;
            }
            for client in clients.iter_mut().flatten() {
                answer(client)?;
            }
            times.push(millis(began.elapsed()));
        }
        Ok(part(&sorted(times), 0.5))
    };
    let alone = meet()?;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let flood = scope.spawn(|| pump(&broker.socket(), "other", "8001", &stop));
        std::thread::sleep(Duration::from_millis(100));
        let flooded = meet();
        stop.store(true, Ordering::Relaxed);
        let count = flood.join().unwrap_or_else(|_| Err(Error::other("the flood ended")))?;
        if count < 1000.0 { Err(Error::other("no flood")) } else { Ok(flooded? / alone) }
    })
}
