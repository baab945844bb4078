//! The command line.

use clap::Parser;
use mn_cli::Result;
use std::path::PathBuf;

/// What the command line and the environment ask for.
pub struct Options {
    /// The directory of the archives, where it is not the run directory's.
    pub output: Option<PathBuf>,
    /// The run directory.
    pub run_dir: Option<PathBuf>,
}

/// Pack the tests and helpers of each role message into an archive for its board
#[derive(Parser)]
#[command(name = "overlay-pack", version, after_help = "See overlay-pack(1).")]
struct Arguments {
    /// Write the archives into DIR instead of the run directory
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// The run directory [default: $MN_RUNDIR]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Say what is done
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

/// Reads the command line.
///
/// # Errors
/// A usage error, status 2.
pub fn options() -> Result<Options> {
    let arguments: Arguments = mn_cli::options()?;
    mn_cli::set_verbosity(arguments.verbose);
    let from_environment = || std::env::var_os("MN_RUNDIR").filter(|path| !path.is_empty()).map(PathBuf::from);
    Ok(Options { output: arguments.output, run_dir: arguments.run_dir.or_else(from_environment) })
}
