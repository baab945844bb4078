//! The command line.

use clap::{Parser, ValueEnum};
use mn_cli::Result;
use std::path::PathBuf;

/// Print the results of a run as a table
#[derive(Parser)]
#[command(name = "mn-report", version, after_help = "See mn-report(1).", disable_help_subcommand = true)]
struct Arguments {
    /// Print WHAT as it comes until SIGTERM: all, or diagnostics only; RESULTS is a run directory
    #[arg(long, value_name = "WHAT")]
    follow: Option<Follow>,
    /// Print why the run did not end well: the first cause, then what followed; end with its status; RESULTS is a run
    /// directory
    #[arg(long, conflicts_with = "follow")]
    why: bool,
    /// A file of results, a run directory, or - for standard input
    #[arg(value_name = "RESULTS")]
    path: PathBuf,
}

/// What is printed while a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Follow {
    /// Steps, warnings, results and diagnostics.
    All,
    /// What the tools say on their standard error.
    Diagnostics,
}

/// What the user asked for.
pub struct Options {
    /// Follow a run instead of printing its table.
    pub follow: Option<Follow>,
    /// Say why it did not end well instead.
    pub why: bool,
    /// Where the results are.
    pub path: PathBuf,
}

impl Options {
    /// Reads the command line.
    ///
    /// # Errors
    /// A usage error, status 2.
    pub fn from_args() -> Result<Self> {
        let Arguments { follow, why, path } = mn_cli::options()?;
        Ok(Self { follow, why, path })
    }
}
