//! The main job, one host and three guests, from mn-run to its exit.

use crate::figure::{Figure, Goal, Peer};
use crate::memory::{self, Peaks};
use std::io::{Error, Result};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const LAVA: &str = "lava-run + lava-coordinator";

/// On the board model, with the memory of each tool.
pub fn on_model(top: &Path) -> Result<Vec<Figure>> {
    let (seconds, peaks) = measure(top, "model", 5)?;
    let mut figures = vec![wall("group-model", 4.0, seconds)];
    figures.extend(peaks.into_iter().map(|(tool, mib)| Figure {
        tool,
        name: "resident",
        unit: "MiB",
        peer: Peer { name: "lava-run", value: None },
        goal: Goal::AtMost(30.0),
        values: vec![mib],
    }));
    Ok(figures)
}

/// On the virtual mustang.
pub fn on_qemu(top: &Path) -> Result<Vec<Figure>> {
    Ok(vec![wall("group-qemu", 45.0, measure(top, "qemu", 3)?.0)])
}

fn wall(name: &'static str, goal: f64, values: Vec<f64>) -> Figure {
    Figure { tool: "mn-run", name, unit: "s", peer: Peer { name: LAVA, value: None }, goal: Goal::AtMost(goal), values }
}

/// The seconds of each run, after one that is not counted, and the peaks of memory.
fn measure(top: &Path, board: &str, runs: usize) -> Result<(Vec<f64>, Peaks)> {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| memory::watch(&stop));
        let seconds: Result<Vec<f64>> = (0..=runs).map(|_| run(top, board)).collect();
        stop.store(true, Ordering::Relaxed);
        let peaks = watcher.join().map_err(|_| Error::other("the watcher of memory ended"))?;
        Ok((seconds?.split_off(1), peaks))
    })
}

/// One run in a directory that is removed; the seconds that mn-run took, which it is told by PUMICE_TIME.
fn run(top: &Path, board: &str) -> Result<f64> {
    let dir = tempfile::tempdir()?;
    let times = dir.path().join("seconds");
    let began = Instant::now();
    let status = Command::new(top.join("tests/board/run-job"))
        .args([board, "--output"])
        .arg(dir.path().join("run"))
        .env("PUMICE_TIME", &times)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(Error::other(format!("the job on the board '{board}' ended with {status}")));
    }
    let text = std::fs::read_to_string(&times)?;
    text.trim().parse().map_err(|_| Error::other(format!("'{text}' is no time; the whole took {:?}", began.elapsed())))
}
