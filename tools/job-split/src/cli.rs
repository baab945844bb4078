//! The command line.

use crate::check::flow::Drawing;
use crate::report::Form;
use crate::rewrite::Rewrite;
use clap::{Parser, ValueEnum};
use mn_cli::{Error, Result};
use mn_msg::RunDir;
use mn_msg::role::Member;
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
    /// The one role whose members are written.
    pub role: Option<String>,
    /// Names and values for all test definitions.
    pub params: Vec<(String, String)>,
    /// Whether packages of members that share a board are installed by one of them.
    pub collate: bool,
    /// The form of the diagnostics.
    pub diagnostics: Form,
    /// What a warning means.
    pub warnings: Warnings,
    /// Device types and their dictionaries, in the order given.
    pub devices: Vec<(String, PathBuf)>,
    /// A directory of further dictionaries, which say their device types themselves.
    pub devices_dir: Option<PathBuf>,
    /// Prefixes of addresses and what takes their place.
    pub rewrites: Vec<Rewrite>,
    /// The mirrors in which definitions are looked up for the check.
    pub cache: Option<PathBuf>,
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
    /// Jobs for LAVA's dispatcher.
    Lava,
    /// What the roles do with each other.
    Flow(Drawing),
    /// Nothing: the job is only checked.
    Check,
}

/// What a warning means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Warnings {
    /// A person is told.
    Tell,
    /// The job is refused.
    Refuse,
}

impl Options {
    /// Whether a member is one of those to be written.
    pub fn chosen(&self, member: &Member) -> bool {
        self.only.is_none_or(|only| member.job_id == only.to_string())
            && self.role.as_ref().is_none_or(|role| member.role == *role)
    }

    /// Whether nothing is to be written.
    pub fn is_check(&self) -> bool {
        self.format == Format::Check
    }
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
    /// Write the members of this role alone
    #[arg(long, value_name = "NAME")]
    role: Option<String>,
    /// The dictionary of a board of this device type; repeat it for further boards of the type
    #[arg(long, value_name = "TYPE=FILE", value_parser = device)]
    device: Vec<(String, PathBuf)>,
    /// A directory of dictionaries that say their device types themselves, used in the order of their names
    #[arg(long, value_name = "DIR")]
    devices: Option<PathBuf>,
    /// Set a parameter of all test definitions
    #[arg(long, value_name = "KEY=VALUE", value_parser = param)]
    param: Vec<(String, String)>,
    /// Replace the beginning OLD of an artefact's or a repository's address; the first that matches counts
    #[arg(long, value_name = "OLD=NEW", value_parser = Rewrite::parse)]
    rewrite: Vec<Rewrite>,
    /// Read definitions from overlay-pack's mirrors in this directory, to check their calls
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// What to write
    #[arg(long, value_enum, default_value_t = FormatName::Message)]
    format: FormatName,
    /// Leave 'install: deps:' where they are
    #[arg(long)]
    no_collate_deps: bool,
    /// Report what is wrong with the job and write nothing
    #[arg(long)]
    check: bool,
    /// Draw the roles side by side with their meeting points, and write nothing else
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "text", conflicts_with = "check")]
    flow: Option<DrawingName>,
    /// The form of the diagnostics
    #[arg(long, value_enum, value_name = "FORM", default_value_t = FormName::Text)]
    diagnostics: FormName,
    /// Treat warnings as errors
    #[arg(short = 'W', value_enum, value_name = "error")]
    warnings: Option<WarningsName>,
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
    /// YAML documents as LAVA's own split makes them
    Lava,
    /// A line of job id, role and deploy method for each member
    List,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum FormName {
    /// A line, and the source below it
    Text,
    /// A JSON object a line
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum DrawingName {
    /// For a terminal
    Text,
    /// A picture
    Svg,
    /// A diagram for documents
    Mermaid,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum WarningsName {
    Error,
}

/// Reads the command line.
///
/// # Errors
/// Status 2 when it is wrong, 3 when the run directory cannot be reached.
pub fn options() -> Result<Options> {
    let arguments: Arguments = mn_cli::options()?;
    let format = match arguments.format {
        _ if arguments.check => Format::Check,
        _ if arguments.flow == Some(DrawingName::Text) => Format::Flow(Drawing::Text),
        _ if arguments.flow == Some(DrawingName::Svg) => Format::Flow(Drawing::Svg),
        _ if arguments.flow == Some(DrawingName::Mermaid) => Format::Flow(Drawing::Mermaid),
        FormatName::Message => Format::Message,
        FormatName::List => Format::List,
        FormatName::Lava => Format::Lava,
    };
    if let Some(group) = &arguments.group {
        check_group(group)?;
    }
    let run_dir = arguments.run_dir.or_else(|| mn_cli::path_variable("MN_RUNDIR"));
    Ok(Options {
        job_id: arguments.job_id,
        group: arguments.group,
        only: arguments.only,
        role: arguments.role,
        params: arguments.param,
        collate: !arguments.no_collate_deps,
        diagnostics: match arguments.diagnostics {
            FormName::Text => Form::Text,
            FormName::Json => Form::Json,
        },
        warnings: if arguments.warnings.is_some() { Warnings::Refuse } else { Warnings::Tell },
        devices_dir: arguments.devices,
        devices: arguments.device,
        rewrites: arguments.rewrite,
        cache: arguments.cache.or_else(|| Some(run_dir.as_ref()?.join("git"))),
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

/// A name is a variable of the shell.
fn param(text: &str) -> std::result::Result<(String, String), String> {
    let is_name = |name: &str| {
        !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    match text.split_once('=') {
        Some((name, value)) if is_name(name) => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a parameter is given as KEY=VALUE, the key a name of the shell".to_owned()),
    }
}

fn device(text: &str) -> std::result::Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((kind, file)) if !kind.is_empty() && !file.is_empty() => Ok((kind.to_owned(), file.into())),
        _ => Err("a device is given as TYPE=FILE".to_owned()),
    }
}
