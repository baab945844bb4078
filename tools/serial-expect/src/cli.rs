//! The command line.

use clap::{ArgAction, Parser};
use mn_cli::{Error, Result};
use std::path::PathBuf;
use std::time::Duration;

/// Hold the conversation with a role's console: power, bootloader, login, tests, power-off
#[derive(Parser)]
#[command(name = "serial-expect", version, after_help = "See serial-expect(1).")]
struct Arguments {
    /// Use this console instead of the message's: exec:COMMAND, unix:PATH, tcp:HOST:PORT or /dev/NAME[,BAUD[n8]]
    #[arg(short, long, value_name = "CONSOLE")]
    console: Option<String>,
    /// Keep logs and results in this directory [default: $MN_RUNDIR]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Wait so many seconds for the guests of this board before it is powered off
    #[arg(long, value_name = "SECONDS", default_value_t = 300.0)]
    drain_timeout: f64,
    /// Say what is done
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

/// What the command line and the environment ask for.
pub struct Options {
    /// A console other than the message's.
    pub console: Option<String>,
    /// Where logs and results are kept.
    pub run_dir: Option<PathBuf>,
    /// Where the broker is; there need be none.
    pub socket: Option<PathBuf>,
    /// How long the guests may take.
    pub drain_timeout: Duration,
    /// 1 to say what is done.
    pub verbosity: u8,
}

/// Reads them.
pub fn options() -> Result<Options> {
    let arguments: Arguments = mn_cli::options()?;
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let run_dir = arguments.run_dir.or_else(|| variable("MN_RUNDIR"));
    let in_run_dir = || run_dir.as_ref().map(|dir| dir.join("broker.sock")).filter(|path| path.exists());
    let seconds = arguments.drain_timeout;
    let drain_timeout = Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero());
    Ok(Options {
        console: arguments.console,
        socket: variable("MN_SOCKET").or_else(in_run_dir),
        run_dir,
        drain_timeout: drain_timeout.ok_or_else(|| {
            Error::usage(format_args!("--drain-timeout '{seconds}' is no time: give seconds above 0"))
        })?,
        verbosity: arguments.verbose,
    })
}
