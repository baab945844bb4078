//! The command line.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::Parser;
use mn_cli::{Error, Result};

/// Make a role's files reachable for its board
#[derive(Parser)]
#[command(name = crate::TOOL, version, after_help = "See tftp-stage(1).")]
struct Arguments {
    /// Serve TFTP and NFS until the end (ports 69, 111 and 2049)
    #[arg(long)]
    serve: bool,
    /// Keep downloads in DIR and use them again while they are unchanged
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// The address under which the board reaches this machine [default: the one towards the board]
    #[arg(long, value_name = "ADDR")]
    dispatcher_ip: Option<Ipv4Addr>,
    /// Hold until a signal, whatever standard output is
    #[arg(long)]
    hold: bool,
    /// The public key for `authorize: ssh` [default: keys/id_ed25519.pub in the run directory]
    #[arg(long, value_name = "FILE.pub")]
    authorize: Option<PathBuf>,
    /// The run directory [default: $MN_RUNDIR]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Say what is done, TFTP transfers included
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// What the command line and the environment ask for.
#[derive(Clone, Debug)]
pub struct Options {
    pub servers: Servers,
    /// Where downloads are kept.
    pub cache: Option<PathBuf>,
    /// The dispatcher's address, if it is not to be found out.
    pub dispatcher_ip: Option<Ipv4Addr>,
    pub until: Until,
    /// The public half of the group's key.
    pub authorize: PathBuf,
    pub run_dir: PathBuf,
}

/// Who serves what was staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Servers {
    /// This process.
    Own,
    /// Servers that are there already.
    Others,
}

/// What ends the holding, besides a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The reader of standard output has gone, if that is a pipe or a socket.
    ReaderGone,
    /// Nothing.
    Signal,
}

/// Reads the command line and `MN_RUNDIR`.
///
/// # Errors
/// Status 2 for a wrong command line or when there is no run directory.
pub fn read() -> Result<Options> {
    let arguments: Arguments = mn_cli::options()?;
    mn_cli::set_verbosity(arguments.verbose);
    let from_environment = || mn_cli::path_variable("MN_RUNDIR");
    let run_dir = arguments.run_dir.or_else(from_environment);
    let run_dir = run_dir.ok_or_else(|| Error::usage("no run directory: give --run-dir or set MN_RUNDIR"))?;
    Ok(Options {
        servers: if arguments.serve { Servers::Own } else { Servers::Others },
        cache: arguments.cache,
        dispatcher_ip: arguments.dispatcher_ip,
        until: if arguments.hold { Until::Signal } else { Until::ReaderGone },
        authorize: arguments.authorize.unwrap_or_else(|| run_dir.join("keys/id_ed25519.pub")),
        run_dir,
    })
}
