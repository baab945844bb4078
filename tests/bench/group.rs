//! The main job, one host and three guests, from mn-run to its exit.

use crate::breakdown;
use crate::figure::{Figure, Goal, Peer};
use crate::memory::{Peaks, TOOLS};
use crate::run::{Failure, Run, Script};
use crate::stages;
use crate::usage::Watch;
use std::io::{Error, Result};
use std::path::Path;

const LAVA: &str = "lava-run + lava-coordinator";
/// A file system without a disk: how much of the time is the disk's is seen by comparison.
const MEMORY: &str = "/dev/shm";

const OURS_LOGS: &[&str] = &["progress.jsonl", "results.jsonl"];
const ON_MODEL: Script =
    Script { path: "tests/board/run-job", arguments: &["model", "--output"], logs: OURS_LOGS, ends: &stages::OURS };
const ON_QEMU: Script =
    Script { path: "tests/board/run-job", arguments: &["qemu", "--output"], logs: OURS_LOGS, ends: &stages::OURS };
/// The fourth member is the host.
const WITH_LAVA: Script =
    Script { path: "tests/bench/lava/run-lava", arguments: &[], logs: &["4.log"], ends: &stages::LAVA };

/// Runs of one script, the fastest first, and the memory that was seen in one that does not count.
pub struct Runs {
    pub runs: Vec<Run>,
    pub peaks: Peaks,
}

/// On the board model beside LAVA, with the memory of each tool; and the lines that tell where the time goes.
pub fn on_model(top: &Path) -> Result<(Vec<Figure>, Vec<String>)> {
    let ours = measure(&ON_MODEL, top, &std::env::temp_dir(), 5)?;
    let (lava, said) = lava(top, 3);
    let mut figures = vec![wall("group-model", 4.0, &ours, lava.as_ref())];
    figures.extend(TOOLS.into_iter().filter_map(|tool| resident(tool, &ours, lava.as_ref())));
    let mut lines = breakdown::table(&ours, lava.as_ref());
    lines.extend(said);
    lines.extend(breakdown::obstacles(ours.median(), 2.0));
    if Path::new(MEMORY).is_dir() {
        let in_memory = measure(&ON_MODEL, top, Path::new(MEMORY), 3)?.median().usage.wall;
        lines.push(format!("  with the run directory in memory, not on a disk: {in_memory:.2} s"));
    }
    Ok((figures, lines))
}

/// On the virtual mustang.
pub fn on_qemu(top: &Path) -> Result<Vec<Figure>> {
    Ok(vec![wall("group-qemu", 45.0, &measure(&ON_QEMU, top, &std::env::temp_dir(), 3)?, None)])
}

impl Runs {
    /// The run of the median time.
    pub fn median(&self) -> &Run {
        &self.runs[self.runs.len() / 2]
    }

    /// None without a run.
    fn new(mut runs: Vec<Run>, peaks: Peaks) -> Option<Self> {
        runs.sort_by(|a, b| a.usage.wall.total_cmp(&b.usage.wall));
        (!runs.is_empty()).then_some(Self { runs, peaks })
    }
}

/// That many runs, after one for the memory.
fn measure(script: &Script, top: &Path, place: &Path, runs: usize) -> Result<Runs> {
    let fail = |failure| match failure {
        Failure::Missing(what) => Error::other(what),
        Failure::Failed(error) => error,
    };
    let watched = script.run(top, place, Watch::Yes).map_err(fail)?;
    let runs: Result<Vec<Run>> = (0..runs).map(|_| script.run(top, place, Watch::No).map_err(fail)).collect();
    Runs::new(runs?, watched.usage.peaks).ok_or_else(|| Error::other("no run"))
}

/// LAVA's runs that came to their end, and what there is to say about the others.
fn lava(top: &Path, tries: usize) -> (Option<Runs>, Vec<String>) {
    let (mut runs, mut said, mut peaks) = (Vec::new(), Vec::new(), None);
    for n in 0..=tries {
        let watch = if n == 0 { Watch::Yes } else { Watch::No };
        match WITH_LAVA.run(top, &std::env::temp_dir(), watch) {
            Ok(run) if n == 0 => peaks = Some(run.usage.peaks),
            Ok(run) => runs.push(run),
            Err(Failure::Missing(what)) => return (None, vec![format!("LAVA was not run: {what}")]),
            Err(Failure::Failed(error)) => said.push(format!("LAVA's run {n} of {tries} does not count: {error}")),
        }
    }
    (Runs::new(runs, peaks.unwrap_or_default()), said)
}

fn wall(name: &'static str, goal: f64, ours: &Runs, lava: Option<&Runs>) -> Figure {
    let peer = Peer { name: LAVA, value: lava.map(|lava| lava.median().usage.wall) };
    let values = ours.runs.iter().map(|run| run.usage.wall).collect();
    Figure { tool: "mn-run", name, unit: "s", peer, goal: Goal::AtMost(goal), values }
}

fn resident(tool: &'static str, ours: &Runs, lava: Option<&Runs>) -> Option<Figure> {
    let name = if tool == "mn-broker" { "lava-coordinator" } else { "lava-run" };
    let value = lava.and_then(|lava| lava.peaks.resident.get(name)).copied();
    let mib = *ours.peaks.resident.get(tool)?;
    let (peer, goal) = (Peer { name, value }, Goal::AtMost(30.0));
    Some(Figure { tool, name: "resident", unit: "MiB", peer, goal, values: vec![mib] })
}
