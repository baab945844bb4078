//! serial-expect: how fast it looks, how soon it answers, and what many consoles cost.

mod board;

use crate::figure::{Figure, Goal, Peer};
use board::{Board, PROMPT};
use std::io::{Result, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const MEGABYTE: usize = 1_000_000;
/// What a peer is given, in megabytes: the slow one would need half an hour for 50.
const SIZES: [(&str, usize); 3] = [("expect", 50), ("pexpect, window of 8184", 5), ("pexpect", 1)];

/// All figures.
pub fn all(top: &Path) -> Result<Vec<Figure>> {
    let mut figures = throughput(top)?;
    figures.push(memory()?);
    figures.push(reply()?);
    figures.push(start_up()?);
    figures.push(many()?);
    Ok(figures)
}

fn figure(name: &'static str, unit: &'static str, goal: Goal, values: Vec<f64>, peer: Peer) -> Figure {
    Figure { tool: "serial-expect", name, unit, peer, goal, values }
}

const NOBODY: Peer = Peer { name: "pexpect", value: None };

/// Waiting for a login behind 50 MB of kernel messages, the whole process; in MB/s.
fn throughput(top: &Path) -> Result<Vec<Figure>> {
    let mut values = Vec::new();
    let flood = board::noise(50 * MEGABYTE);
    for _ in 0..3 {
        let began = Instant::now();
        let mut board = Board::start(&board::boot())?;
        board.says(&flood)?;
        board.ends()?;
        values.push(50.0 / began.elapsed().as_secs_f64());
    }
    let ours = values.clone();
    let mut figures = Vec::new();
    for (name, megabytes) in SIZES {
        let value = peer(top, name, megabytes)?;
        let goal = if name == "pexpect" { Goal::AtLeast(100.0) } else { Goal::Open };
        figures.push(figure("match-50MB", "MB/s", goal, ours.clone(), Peer { name, value }));
    }
    Ok(figures)
}

/// MB/s of another tool; none when it is not there.
fn peer(top: &Path, name: &str, megabytes: usize) -> Result<Option<f64>> {
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&board::noise(megabytes * MEGABYTE))?;
    file.write_all(PROMPT)?;
    let scripts = top.join("tests/bench/console");
    let mut command = if name == "expect" {
        Command::new(scripts.join("with-expect"))
    } else {
        let mut command = Command::new(scripts.join("with-pexpect"));
        command.arg(if name == "pexpect" { "none" } else { "8184" });
        command
    };
    let began = Instant::now();
    let ran = command.arg(file.path()).stdin(Stdio::null()).stderr(Stdio::null()).status();
    let ran = ran.is_ok_and(|status| status.success());
    Ok(ran.then(|| megabytes as f64 / began.elapsed().as_secs_f64()))
}

/// The most memory that 1 GB of console ever took, in MiB.
fn memory() -> Result<Figure> {
    let mut board = Board::start(&board::boot())?;
    let piece = board::noise(MEGABYTE);
    for _ in 0..1000 {
        board.says(&piece)?;
    }
    let peak = board.peak_memory()?;
    board.ends()?;
    Ok(figure("memory-1GB", "MiB", Goal::AtMost(30.0), vec![peak], NOBODY))
}

/// From a marker's last byte to the first byte of what is typed then, 99 of 100 times; in ms.
fn reply() -> Result<Figure> {
    let mut times = Board::start(&board::stages(500))?.plays_stages(500)?;
    times.sort_by(f64::total_cmp);
    let p99 = times[times.len() * 99 / 100];
    Ok(figure("reply-p99", "ms", Goal::AtMost(1.0), vec![p99], NOBODY))
}

/// From the start of the process to the first byte that it types; in ms.
fn start_up() -> Result<Figure> {
    let mut values = Vec::new();
    for _ in 0..30 {
        let began = Instant::now();
        let mut board = Board::start(&board::stages(1))?;
        board.hears(b"\n")?;
        values.push(began.elapsed().as_secs_f64() * 1000.0);
        board.kill()?;
    }
    Ok(figure("start-up", "ms", Goal::AtMost(15.0), values, NOBODY))
}

/// 64 consoles at 115,200 baud in chunks of 64 bytes, each with its logs in a run directory: the share of one processor
/// that they take together, in percent.
fn many() -> Result<Figure> {
    const CONSOLES: usize = 64;
    const CHUNK: usize = 64;
    const FOR: Duration = Duration::from_secs(5);
    let mut boards: Vec<Board> = (0..CONSOLES).map(|_| Board::start(&board::stages(1))).collect::<Result<_>>()?;
    for board in &mut boards {
        board.is_ready()?;
    }
    let used = |boards: &[Board]| boards.iter().map(Board::processor_time).sum::<Result<f64>>();
    let (before, began) = (used(&boards)?, Instant::now());
    // 115,200 baud are 11,520 bytes a second.
    let pause = Duration::from_secs_f64(CHUNK as f64 / 11_520.0);
    let lines = board::noise(FOR.as_secs() as usize * 11_520);
    let mut next = began;
    for chunk in lines.chunks_exact(CHUNK) {
        for board in &mut boards {
            board.says(chunk)?;
        }
        next += pause;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    let share = 100.0 * (used(&boards)? - before) / began.elapsed().as_secs_f64();
    boards.into_iter().try_for_each(Board::kill)?;
    Ok(figure("consoles-64", "%", Goal::AtMost(10.0), vec![share], NOBODY))
}
