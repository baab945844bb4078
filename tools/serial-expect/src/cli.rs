//! The command line.

use clap::{ArgAction, Args, Parser, Subcommand};
use mn_cli::{Error, Result};
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
    /// Wait so many seconds for the guests of this board before it is powered off
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0)]
    drain_timeout: f64,
    /// Say what is done
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Verb {
    /// Watch a shared console; at a terminal, type on it
    Attach(Attach),
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
    /// Where the broker is; there need be none.
    pub socket: Option<PathBuf>,
    /// How long the guests may take.
    pub drain_timeout: Duration,
    /// 1 to say what is done.
    pub verbosity: u8,
}

/// Reads them.
pub fn work() -> Result<Work> {
    let arguments: Arguments = mn_cli::options()?;
    if let Some(Verb::Attach(Attach { socket, from, read_only })) = arguments.verb {
        return Ok(Work::Attach(AttachOptions { socket, from: from.unwrap_or(Begin::Screen), read_only }));
    }
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let run_dir = arguments.run_dir.or_else(|| variable("MN_RUNDIR"));
    let in_run_dir = || run_dir.as_ref().map(|dir| dir.join("broker.sock")).filter(|path| path.exists());
    let seconds = arguments.drain_timeout;
    let drain_timeout = Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero());
    Ok(Work::Role(Options {
        console: arguments.console,
        socket: variable("MN_SOCKET").or_else(in_run_dir),
        run_dir,
        share: arguments.share,
        drain_timeout: drain_timeout.ok_or_else(|| {
            Error::usage(format_args!("--drain-timeout '{seconds}' is no time: give seconds above 0"))
        })?,
        verbosity: arguments.verbose,
    }))
}
