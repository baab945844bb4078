use clap::Parser;
use mn_cli::{Error, Result, path_variable};
use std::path::PathBuf;

/// The tool's name.
pub const TOOL: &str = "ssh-connect";

/// Where things are.
pub struct Options {
    /// The run directory.
    pub run_dir: PathBuf,
    /// The broker's socket.
    pub socket: PathBuf,
    /// The private key to log in with.
    pub key: PathBuf,
    /// The boards' host keys, under the job ids of their members.
    pub known_hosts: PathBuf,
    /// How much is said: 0 nothing.
    pub verbosity: u8,
}

#[derive(Parser)]
#[command(name = TOOL, version, about = "Make a shell reachable on the board of a role's host", after_help = "See ssh-connect(1).")]
struct Cli {
    /// The private key to log in with [default: RUNDIR/keys/id_ed25519]
    #[arg(short = 'i', value_name = "KEY")]
    key: Option<PathBuf>,
    /// The boards' host keys [default: RUNDIR/known_hosts]
    #[arg(long, value_name = "FILE")]
    known_hosts: Option<PathBuf>,
    /// The run directory [default: $MN_RUNDIR]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Say what is done
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// Reads the command line, MN_RUNDIR and MN_SOCKET.
pub fn read() -> Result<Options> {
    let cli: Cli = mn_cli::options()?;
    let run_dir = cli
        .run_dir
        .or_else(|| path_variable("MN_RUNDIR"))
        .ok_or_else(|| Error::usage("no run directory given: use --run-dir or set MN_RUNDIR"))?;
    Ok(Options {
        socket: path_variable("MN_SOCKET").unwrap_or_else(|| run_dir.join("broker.sock")),
        key: cli.key.unwrap_or_else(|| run_dir.join("keys/id_ed25519")),
        known_hosts: cli.known_hosts.unwrap_or_else(|| run_dir.join("known_hosts")),
        run_dir,
        verbosity: cli.verbose,
    })
}
