//! The command line.

use crate::rewrite::Rewrite;
use clap::{Parser, ValueEnum};
use mn_cli::{Error, Result};
use mn_msg::RunDir;
use std::path::PathBuf;

/// What the work needs to know.
#[derive(Debug)]
pub struct Options {
    /// The id of the first member.
    pub job_id: u64,
    /// The group's name, when it is given.
    pub group: Option<String>,
    /// The one member to write.
    pub only: Option<u64>,
    /// Device types and their dictionaries, in the order given.
    pub devices: Vec<(String, PathBuf)>,
    /// Prefixes of addresses and what takes their place.
    pub rewrites: Vec<Rewrite>,
    /// What to write.
    pub format: Format,
    /// The job's file, `-` for standard input.
    pub job: PathBuf,
    /// Where the messages are kept besides.
    pub run_dir: Option<RunDir>,
}

/// What is written on standard output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    /// Role messages.
    Message,
    /// A line of id, role and deploy method for each member.
    List,
    /// Nothing: the job is only checked.
    Nothing,
}

/// Split a LAVA multinode job into one role message per member
#[derive(Debug, Parser)]
#[command(name = "job-split", version, after_help = "See job-split(1).")]
struct Arguments {
    /// The first member's id; the others count up from it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=999_999_999_999))]
    job_id: u64,
    /// The group's name [default: a UUID derived from the job and its first id]
    #[arg(long, value_name = "G")]
    group: Option<String>,
    /// Write this member alone
    #[arg(long, value_name = "ID")]
    only: Option<u64>,
    /// The dictionary of a board of this device type; repeat it for further boards of the type
    #[arg(long, value_name = "TYPE=FILE", value_parser = device)]
    device: Vec<(String, PathBuf)>,
    /// Replace the beginning OLD of an artefact's or a repository's address; the first that matches counts
    #[arg(long, value_name = "OLD=NEW", value_parser = Rewrite::parse)]
    rewrite: Vec<Rewrite>,
    /// What to write
    #[arg(long, value_enum, default_value_t = FormatName::Message)]
    format: FormatName,
    /// Report what is wrong with the job and write nothing
    #[arg(long)]
    check: bool,
    /// Keep a copy of the messages in this directory [default: MN_RUNDIR]
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// The job, or - for standard input
    #[arg(value_name = "JOB")]
    job: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum FormatName {
    /// Role messages, see mn-message(5)
    Message,
    /// A job for a LAVA dispatcher
    #[value(hide = true)]
    Lava,
    /// A line of job id, role and deploy method for each member
    List,
}

/// Reads the command line.
///
/// # Errors
/// Status 2 when it is wrong, 3 when the run directory cannot be reached.
pub fn options() -> Result<Options> {
    let arguments: Arguments = mn_cli::options()?;
    let format = match arguments.format {
        _ if arguments.check => Format::Nothing,
        FormatName::Message => Format::Message,
        FormatName::List => Format::List,
        FormatName::Lava => return Err(Error::usage("format 'lava' is not supported by this version")),
    };
    if let Some(group) = &arguments.group {
        check_group(group)?;
    }
    let run_dir = arguments.run_dir.or_else(|| std::env::var_os("MN_RUNDIR").map(PathBuf::from));
    Ok(Options {
        job_id: arguments.job_id,
        group: arguments.group,
        only: arguments.only,
        devices: arguments.device,
        rewrites: arguments.rewrite,
        format,
        job: arguments.job,
        run_dir: run_dir.as_deref().map(RunDir::open).transpose()?,
    })
}

fn check_group(group: &str) -> Result<()> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    if (1..=64).contains(&group.len()) && group.bytes().all(fits) {
        return Ok(());
    }
    Err(Error::usage(format_args!("group '{group}' is not 1 to 64 letters, digits, dots, hyphens and underscores")))
}

fn device(text: &str) -> std::result::Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((kind, file)) if !kind.is_empty() && !file.is_empty() => Ok((kind.to_owned(), file.into())),
        _ => Err("a device is given as TYPE=FILE".to_owned()),
    }
}
