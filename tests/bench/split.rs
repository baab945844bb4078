//! How long a split takes, from the start of the process to its end.

use crate::figure::{Figure, Goal, Peer};
use std::io::{Error, Result, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const LAVA: &str = "lava-run --validate of one role";

/// Of a job with four members, and of the same with a thousand and with ten times as few.
pub fn split(top: &Path) -> Result<Vec<Figure>> {
    let four = top.join("tests/data/jobs/mustang-ssh-guest.yaml");
    let text = std::fs::read_to_string(&four)?;
    let device = format!("mustang={}", top.join("tests/data/devices/qemu-mustang.yaml").display());
    let sized = |guests: u32| -> Result<tempfile::NamedTempFile> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(text.replace("count: 3", &format!("count: {guests}")).as_bytes())?;
        Ok(file)
    };
    let (hundred, thousand) = (sized(99)?, sized(999)?);
    let times = |arguments: &[&str], job: &Path| {
        (0..21).map(|_| run(top, &device, arguments, job)).collect::<Result<Vec<f64>>>()
    };
    let small = times(&["--check"], hundred.path())?;
    let large = times(&["--check"], thousand.path())?;
    let mut growth: Vec<f64> = small.iter().zip(&large).map(|(small, large)| large / small).collect();
    growth.remove(0);
    Ok(vec![
        figure("split-4", "ms", 5.0, times(&[], &four)?),
        figure("check-4", "ms", 5.0, times(&["--check"], &four)?),
        figure("check-1000", "ms", 100.0, large),
        figure("list-1000", "ms", 100.0, times(&["--format", "list"], thousand.path())?),
        figure("split-1000", "ms", 100.0, times(&[], thousand.path())?),
        figure("check-1000/100", "x", 10.0, growth),
    ])
}

fn figure(name: &'static str, unit: &'static str, goal: f64, values: Vec<f64>) -> Figure {
    let peer = Peer { name: LAVA, value: None };
    Figure { tool: "job-split", name, unit, peer, goal: Goal::AtMost(goal), values }
}

/// The milliseconds of one process.
fn run(top: &Path, device: &str, arguments: &[&str], job: &Path) -> Result<f64> {
    let mut command = Command::new(top.join("target/release/job-split"));
    command.args(["--device", device]).args(arguments).arg(job);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let status = command.status()?;
    let took = began.elapsed().as_secs_f64() * 1000.0;
    if !status.success() {
        return Err(Error::other(format!("job-split ended with {status}")));
    }
    Ok(took)
}
