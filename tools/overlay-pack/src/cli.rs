//! The command line.

use clap::Parser;
use mn_cli::Result;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

/// The most threads that compress at a time, when nobody asks for a number.
const MAX_THREADS: usize = 8;

/// What the command line and the environment ask for.
pub struct Options {
    /// The directory of the archives, where it is not the run directory's.
    pub output: Option<PathBuf>,
    /// The archive's name, with placeholders.
    pub name: String,
    /// What becomes of an overlay.
    pub purpose: Purpose,
    /// Where mirrors of repositories are kept from run to run.
    pub cache: Option<PathBuf>,
    /// The dispatcher's address as boards see it.
    pub dispatcher_ip: Option<IpAddr>,
    /// The file with the secrets of the job.
    pub secrets: Option<PathBuf>,
    /// How many threads compress.
    pub threads: NonZeroUsize,
    /// The run directory.
    pub run_dir: Option<PathBuf>,
}

/// What is done with an overlay that has been laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is written.
    Write,
    /// Its members are printed.
    List,
}

/// Pack the tests and helpers of each role message into an archive for its board
#[derive(Parser)]
#[command(name = "overlay-pack", version, after_help = "See overlay-pack(1).")]
struct Arguments {
    /// Write the archives into DIR instead of the run directory
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Name the archives; {job_id}, {role} and {level} are filled in
    #[arg(long, value_name = "NAME", default_value = "{job_id}-overlay-{level}.tar.gz")]
    name: String,
    /// Print what the archives would hold, and write neither archives nor messages
    #[arg(long)]
    list: bool,
    /// Keep mirrors of repositories in DIR [default: for this run only, in the run directory]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Tell the tests this address of the dispatcher, as LAVA_DISPATCHER_IP
    #[arg(long, value_name = "ADDR")]
    dispatcher_ip: Option<IpAddr>,
    /// Pack the secrets of FILE, a map in YAML
    #[arg(long, value_name = "FILE")]
    secrets: Option<PathBuf>,
    /// Compress on N threads [default: as many as there are processors, at most 8]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
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
    let from_environment = || mn_cli::path_variable("MN_RUNDIR");
    let processors = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    Ok(Options {
        output: arguments.output,
        name: arguments.name,
        purpose: if arguments.list { Purpose::List } else { Purpose::Write },
        cache: arguments.cache,
        dispatcher_ip: arguments.dispatcher_ip,
        secrets: arguments.secrets,
        threads: arguments
            .threads
            .unwrap_or_else(|| processors().min(NonZeroUsize::new(MAX_THREADS).unwrap_or(NonZeroUsize::MIN))),
        run_dir: arguments.run_dir.or_else(from_environment),
    })
}
