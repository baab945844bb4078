//! What stands in the place of each tool while a case is played: it does to the tool what the case says, and becomes it.

use mn_msg::now;
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::getppid;
use pumice_tests::random::Random;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Error, Read, Result, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// What has a shim: the tools on PATH, and the script of a member.
pub const TOOLS: [&str; 7] =
    ["job-split", "overlay-pack", "tftp-stage", "ssh-connect", "serial-expect", "mn-broker", SCRIPT];
/// It runs the pipeline of a member; its first argument is the member's number.
const SCRIPT: &str = "member";

const ORDER: &str = "PUMICE_ENDINGS";
const MEMBER: &str = "PUMICE_ENDINGS_MEMBER";

/// What is done to the tools of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Their lifetimes are measured: a line `TOOL MEMBER NANOSECONDS` each in the file.
    Measure(PathBuf),
    /// The tool of a member, or of none (`-`), is killed so long after its start; the file says when.
    Kill { tool: String, member: String, after: Duration, record: PathBuf },
    /// Each begins late, at most by so much.
    Delay { seed: u64, most: Duration },
    /// As `Delay`, and the host does not wait for its guests.
    CutOff { seed: u64, most: Duration },
}

impl Order {
    /// Gives it to the tools of a run.
    pub fn hand_over(&self, command: &mut Command) {
        let text = match self {
            Self::Measure(record) => format!("measure {}", record.display()),
            Self::Kill { tool, member, after, record } => {
                format!("kill {tool} {member} {} {}", after.as_nanos(), record.display())
            }
            Self::Delay { seed, most } => format!("delay {seed} {}", most.as_nanos()),
            Self::CutOff { seed, most } => format!("cut-off {seed} {}", most.as_nanos()),
        };
        command.env(ORDER, text);
    }

    fn taken() -> Option<Self> {
        let text = std::env::var(ORDER).ok()?;
        let words: Vec<&str> = text.split(' ').collect();
        let nanoseconds = |word: &str| word.parse().map(Duration::from_nanos).ok();
        Some(match words[..] {
            ["measure", record] => Self::Measure(record.into()),
            ["kill", tool, member, after, record] => Self::Kill {
                tool: tool.to_owned(),
                member: member.to_owned(),
                after: nanoseconds(after)?,
                record: record.into(),
            },
            ["delay", seed, most] => Self::Delay { seed: seed.parse().ok()?, most: nanoseconds(most)? },
            ["cut-off", seed, most] => Self::CutOff { seed: seed.parse().ok()?, most: nanoseconds(most)? },
            _ => return None,
        })
    }
}

/// Does what the order says to the tool `name`, and becomes it.
///
/// # Errors
/// When it cannot; there is no other way back.
pub fn stand_in(name: &str, mut arguments: Vec<OsString>) -> Result<()> {
    let first = arguments.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let member = match name {
        SCRIPT => first.clone(),
        _ => std::env::var(MEMBER).unwrap_or_else(|_| "-".to_owned()),
    };
    // The client verbs of the broker, and the job-split of mn-run itself, are nobody's stages.
    let stage = if name == "mn-broker" { first == "serve" } else { member != "-" };
    match Order::taken() {
        Some(Order::Measure(record)) if stage => {
            accompany(&["measure", name, &member, &record.to_string_lossy()])?;
        }
        Some(Order::Kill { tool, member: whose, after, record }) if stage && tool == name && whose == member => {
            accompany(&["kill", &after.as_nanos().to_string(), &record.to_string_lossy()])?;
        }
        Some(Order::Delay { seed, most }) => std::thread::sleep(delay(seed, name, &member, most)),
        Some(Order::CutOff { seed, most }) => {
            std::thread::sleep(delay(seed, name, &member, most));
            if name == "serial-expect" {
                arguments.extend(["--drain-timeout", "0.01"].map(OsString::from));
            }
        }
        _ => {}
    }
    Err(Command::new(real(name)?).args(arguments).env(MEMBER, member).exec())
}

/// The same for the same tool of the same member.
fn delay(seed: u64, name: &str, member: &str, most: Duration) -> Duration {
    let words = name.bytes().chain(member.bytes()).fold(seed, |sum, byte| sum.wrapping_mul(31) + u64::from(byte));
    Random::new(words).before(most)
}

fn real(name: &str) -> Result<PathBuf> {
    if name == SCRIPT {
        return Ok(Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/mn-run").join(name));
    }
    let myself = std::env::current_exe()?;
    Ok(myself.parent().unwrap_or(Path::new("/")).join(name))
}

/// Starts a process beside the tool that this one becomes; it is there when this returns, and ends with the tool.
fn accompany(words: &[&str]) -> Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--beside").args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    child.stdout.as_mut().ok_or_else(|| Error::other("no pipe"))?.read_exact(&mut [0])
}

/// What the process beside the tool does; the tool is its parent.
pub fn beside(words: &[String]) -> Result<()> {
    close_all_but_standard();
    let tool = getppid();
    let ready = || std::io::stdout().write_all(b"\n").and_then(|()| std::io::stdout().flush());
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["kill", after, record] => {
            let after = after.parse().map(Duration::from_nanos).map_err(Error::other)?;
            set_pdeathsig(Signal::SIGKILL)?;
            ready()?;
            std::thread::sleep(after);
            if getppid() == tool {
                fs::write(record, now())?;
                kill(tool, Signal::SIGKILL)?;
            }
        }
        ["measure", name, member, record] => {
            let end = SigSet::from(Signal::SIGTERM);
            end.thread_block()?;
            set_pdeathsig(Signal::SIGTERM)?;
            ready()?;
            let began = std::time::Instant::now();
            end.wait()?;
            let line = format!("{name} {member} {}\n", began.elapsed().as_nanos());
            File::options().append(true).create(true).open(record)?.write_all(line.as_bytes())?;
        }
        _ => return Err(Error::other("not known")),
    }
    Ok(())
}

/// Nothing that the tool was given is to stay open because of this process.
fn close_all_but_standard() {
    let entries = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let numbers: Vec<i32> =
        entries.filter_map(|entry| std::str::from_utf8(entry.file_name().as_bytes()).ok()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|&number| number > 2) {
        let _ = nix::unistd::close(number);
    }
}
