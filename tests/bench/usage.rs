//! What a command and all that it started used: seconds, processors, memory, processes.
//!
//! It is measured where the command runs, in the lab: `pumice-bench under FILE [--watch] COMMAND...` runs it and
//! writes what it used into the file.

use crate::memory::{self, Peaks};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs;
use std::io::{Error, Result};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What was used.
pub struct Usage {
    /// The second of the day (UTC) at which the command began.
    pub began: f64,
    /// Seconds from there to its end.
    pub wall: f64,
    /// Seconds of processor time, in the kernel and outside.
    pub cpu: f64,
    /// Processes and threads that were started meanwhile, the board's included.
    pub tasks: f64,
    /// Nothing unless it was watched.
    pub peaks: Peaks,
}

/// Whether memory is looked at, which takes time itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    No,
    Yes,
}

/// Runs `command` and writes what it used into `file`; the exit status is the command's.
pub fn measure(file: &Path, watch: Watch, command: &[String]) -> Result<i32> {
    let [program, arguments @ ..] = command else { return Err(Error::other("which command?")) };
    // What loses its parent becomes this process's, so that its time counts.
    prctl::set_child_subreaper(true)?;
    let stop = AtomicBool::new(false);
    let began = SystemTime::now().duration_since(UNIX_EPOCH).map_err(Error::other)?;
    let (instant, tasks) = (Instant::now(), last_task()?);
    std::thread::scope(|scope| {
        let watcher = (watch == Watch::Yes).then(|| scope.spawn(|| memory::watch(&stop)));
        // It is waited for below, with the orphans.
        let child = Command::new(program).args(arguments).spawn();
        let status = child.and_then(|child| wait_for(Pid::from_raw(child.id().cast_signed())));
        let wall = instant.elapsed();
        stop.store(true, Ordering::Relaxed);
        let tasks = last_task()? - tasks;
        let peaks = watcher.map(|watcher| watcher.join().map_err(|_| Error::other("the watcher of memory ended")));
        let peaks = peaks.transpose()?.unwrap_or_default();
        let cpu = processor_time()?;
        fs::write(file, Usage { began: second_of_day(began), wall: wall.as_secs_f64(), cpu, tasks, peaks }.json())?;
        status
    })
}

/// Takes in children and orphans until `child` has ended, and those that have ended with it.
fn wait_for(child: Pid) -> Result<i32> {
    let status = loop {
        match waitpid(None, None)? {
            WaitStatus::Exited(pid, status) if pid == child => break status,
            WaitStatus::Signaled(pid, signal, _) if pid == child => break 128 + signal as i32,
            _ => {}
        }
    };
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(status),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// The id of the process or thread that was started last, in this process namespace.
fn last_task() -> Result<f64> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let last = text.split_whitespace().last().and_then(|id| id.parse().ok());
    last.ok_or_else(|| Error::other(format!("'{}' names no last process", text.trim_end())))
}

fn processor_time() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

fn second_of_day(since_epoch: Duration) -> f64 {
    since_epoch.as_secs_f64() % 86400.0
}

impl Usage {
    fn json(&self) -> String {
        let Self { began, wall, cpu, tasks, peaks: Peaks { resident, together } } = self;
        json!({ "began": began, "wall": wall, "cpu": cpu, "tasks": tasks, "together": together, "resident": resident })
            .to_string()
    }

    /// Reads what `measure` wrote.
    pub fn read(file: &Path) -> Result<Self> {
        let value: Value = serde_json::from_str(&fs::read_to_string(file)?)?;
        let number = |key: &str| value[key].as_f64().unwrap_or(f64::NAN);
        let resident = value["resident"].as_object().into_iter().flatten();
        Ok(Self {
            began: number("began"),
            wall: number("wall"),
            cpu: number("cpu"),
            tasks: number("tasks"),
            peaks: Peaks {
                resident: resident.filter_map(|(tool, mib)| Some((tool.clone(), mib.as_f64()?))).collect(),
                together: number("together"),
            },
        })
    }
}
