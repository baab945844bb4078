//! Reads the files: the job and the dictionaries it needs.

use crate::cli::Options;
use crate::device::{self, Dictionary};
use crate::findings::Findings;
use crate::group;
use crate::job::{self, Job};
use crate::roles::Kind;
use mn_cli::{Cannot, Error, Result, Status};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What was read, and what was found wrong with it.
pub struct Input {
    /// The job; none when it cannot be understood.
    pub job: Option<Job>,
    /// About the job.
    pub findings: Findings,
    /// The group's name.
    pub group: String,
    /// The dictionaries, in the order of the options.
    pub boards: Vec<Board>,
}

impl Input {
    /// What was found, file by file: the job first.
    pub fn findings(&self) -> impl Iterator<Item = &Findings> {
        std::iter::once(&self.findings).chain(self.boards.iter().map(|board| &board.findings))
    }
}

/// A dictionary that was given for a device type of the job.
pub struct Board {
    /// The device type.
    pub device_type: String,
    /// The dictionary; none when it cannot be understood.
    pub dictionary: Option<Dictionary>,
    /// About it.
    pub findings: Findings,
}

/// Reads the job and those dictionaries whose device type it uses.
///
/// # Errors
/// Status 2 when a file cannot be read, or the job is no YAML.
pub fn read(options: &Options) -> Result<Input> {
    let name = if options.job == Path::new("-") { "stdin".to_owned() } else { options.job.display().to_string() };
    let bytes = contents(&options.job)?;
    let mut findings = Findings::new(&*name);
    let document =
        mn_yaml::parse(&bytes).map_err(|error| Error::list(Status::Wrong, vec![format!("{name}:{error}")]))?;
    let job = job::read(&document, &options.rewrites, &mut findings);
    let group = options.group.clone().unwrap_or_else(|| group::derive(&bytes, options.job_id));
    let mut boards = Vec::new();
    for (device_type, file) in &options.devices {
        if job.as_ref().is_none_or(|job| uses(job, device_type)) {
            boards.push(board(device_type, file)?);
        }
    }
    Ok(Input { job, findings, group, boards })
}

fn uses(job: &Job, device_type: &str) -> bool {
    job.roles.iter().any(|role| matches!(&role.kind, Kind::Device(own) if own == device_type))
}

fn board(device_type: &str, file: &Path) -> Result<Board> {
    let bytes = contents(file)?;
    let mut findings = Findings::new(file.display().to_string());
    let document = findings.ok(mn_yaml::parse(&bytes));
    let dictionary = document.and_then(|document| device::read(&document, device_type, &mut findings));
    Ok(Board { device_type: device_type.to_owned(), dictionary, findings })
}

/// A file, or standard input, as far as a YAML file may be long.
fn contents(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = mn_yaml::MAX_BYTES as u64 + 1;
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    // A file named on the command line that cannot be read is a wrong command line.
    let read = read.cannot(format_args!("read '{}'", path.display()));
    read.map_err(|error| Error::wrong(error.to_string()))?;
    Ok(bytes)
}
