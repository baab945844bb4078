//! The command line.

use clap::{ArgAction, Args, Parser, Subcommand};
use mn_cli::{Error, Result, path_variable};
use std::path::PathBuf;
use std::time::Duration;

/// Hold the conversation with a role's console: power, bootloader, login, tests, power-off
#[derive(Parser)]
#[command(
    name = "serial-expect",
    version,
    after_help = "See serial-expect(1).",
    args_conflicts_with_subcommands = true
)]
struct Arguments {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Use this console instead of the message's: a device's path with its mode, or exec:, unix:, tcp:, telnet:,
    /// rfc2217:, pty: or share: and what it is
    #[arg(short, long, value_name = "CONSOLE")]
    console: Option<String>,
    /// Keep logs and results in this directory [default: $MN_RUNDIR]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Let others watch the console, and type, at this socket [default: attach.sock, with a run directory]
    #[arg(long, value_name = "SOCKET")]
    share: Option<PathBuf>,
    /// Type so that the board can follow: words between commas of 'echo', 'chunk:BYTES:MS' and 'quiet:MS'
    #[arg(long, value_name = "PACING")]
    pace: Option<String>,
    /// Record the conversation here, as an asciicast
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Play the role with this recording instead of a console, and without waiting
    #[arg(long, value_name = "FILE", conflicts_with_all = ["console", "share", "record", "pace"])]
    replay: Option<PathBuf>,
    /// Wait so many seconds for the guests of this board before it is powered off
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0)]
    drain_timeout: f64,
    /// Take a terminal server that has not answered for so many seconds for gone
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3600))]
    link_timeout: u64,
    /// Say what is done
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Verb {
    /// Watch a shared console; at a terminal, type on it
    Attach(Attach),
    /// Say which recorded boards the boot of a role message would lead to their shell
    Check(Check),
}

#[derive(Args)]
struct Check {
    /// The role message, in a file
    dialogue: PathBuf,
    /// Recordings of boards
    #[arg(required = true)]
    recordings: Vec<PathBuf>,
}

#[derive(Args)]
struct Attach {
    /// The socket of the console, RUNDIR/ID/attach.sock
    socket: PathBuf,
    /// Show it from here: 'start', 'now', or a number of bytes [default: the last lines]
    #[arg(long, value_name = "PLACE", value_parser = place)]
    from: Option<Begin>,
    /// Watch only
    #[arg(short, long)]
    read_only: bool,
}

/// Where a watcher begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With about the last screen.
    Screen,
    /// With this byte.
    Offset(i64),
    /// With what is printed next.
    Now,
}

fn place(text: &str) -> std::result::Result<Begin, String> {
    match text {
        "start" => Ok(Begin::Offset(0)),
        "now" => Ok(Begin::Now),
        _ => text
            .parse()
            .ok()
            .filter(|&offset| offset >= 0)
            .map(Begin::Offset)
            .ok_or_else(|| "it is 'start', 'now', or a number of bytes".to_owned()),
    }
}

/// What is asked for.
pub enum Work {
    /// Play a role.
    Role(Options),
    /// Watch a shared console.
    Attach(AttachOptions),
    /// Try a boot on recordings.
    Check(CheckOptions),
}

/// What is to be tried.
pub struct CheckOptions {
    /// The file with the role message.
    pub dialogue: PathBuf,
    /// The boards.
    pub recordings: Vec<PathBuf>,
}

/// What a watcher asks for.
pub struct AttachOptions {
    /// Where the console is.
    pub socket: PathBuf,
    /// Where to begin.
    pub from: Begin,
    /// Whether nothing is to be typed.
    pub read_only: bool,
}

/// What the command line and the environment ask for.
pub struct Options {
    /// A console other than the message's.
    pub console: Option<String>,
    /// Where logs and results are kept.
    pub run_dir: Option<PathBuf>,
    /// Where others may watch, other than in the run directory.
    pub share: Option<PathBuf>,
    /// How the console is typed on, other than as the message says.
    pub pace: Option<String>,
    /// Where the conversation is recorded.
    pub record: Option<PathBuf>,
    /// The recording that is played.
    pub replay: Option<PathBuf>,
    /// Where the broker is; there need be none.
    pub socket: Option<PathBuf>,
    /// How long the guests may take.
    pub drain_timeout: Duration,
    /// How long a terminal server may not answer.
    pub link_timeout: Duration,
    /// 1 to say what is done.
    pub verbosity: u8,
}

/// Reads them.
pub fn work() -> Result<Work> {
    let arguments: Arguments = mn_cli::options()?;
    match arguments.verb {
        Some(Verb::Attach(Attach { socket, from, read_only })) => {
            return Ok(Work::Attach(AttachOptions { socket, from: from.unwrap_or(Begin::Screen), read_only }));
        }
        Some(Verb::Check(Check { dialogue, recordings })) => {
            return Ok(Work::Check(CheckOptions { dialogue, recordings }));
        }
        None => {}
    }
    // What is played belongs to no run, unless it is told to.
    let in_run = || path_variable("MN_RUNDIR").filter(|_| arguments.replay.is_none());
    let run_dir = arguments.run_dir.or_else(in_run);
    let in_run_dir = || run_dir.as_ref().map(|dir| dir.join("broker.sock")).filter(|path| path.exists());
    let seconds = arguments.drain_timeout;
    let drain_timeout = Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero());
    Ok(Work::Role(Options {
        console: arguments.console,
        socket: path_variable("MN_SOCKET").or_else(in_run_dir),
        run_dir,
        share: arguments.share,
        pace: arguments.pace,
        record: arguments.record,
        replay: arguments.replay,
        drain_timeout: drain_timeout.ok_or_else(|| {
            Error::usage(format_args!("--drain-timeout '{seconds}' is no time: give seconds above 0"))
        })?,
        link_timeout: Duration::from_secs(arguments.link_timeout),
        verbosity: arguments.verbose,
    }))
}
