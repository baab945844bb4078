//! Reads the files: the job and the dictionaries it needs.

use crate::blocks::Work;
use crate::cli::Options;
use crate::device::{self, Dictionary};
use crate::findings::Findings;
use crate::group;
use crate::job::{self, Job};
use crate::roles::Kind;
use mn_cli::{Cannot, Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

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
/// Status 2 when a file cannot be read.
pub fn read(options: &Options) -> Result<Input> {
    let name = if options.job == Path::new("-") { "stdin".to_owned() } else { options.job.display().to_string() };
    let bytes = contents(&options.job)?;
    let mut findings = Findings::with_source(name, &bytes);
    let document = findings.ok(mn_yaml::parse(&bytes));
    let mut job = document.and_then(|document| job::read(&document, &options.rewrites, &mut findings));
    if let Some(job) = &mut job {
        set_parameters(job, &options.params);
    }
    let group = options.group.clone().unwrap_or_else(|| group::derive(&bytes, options.job_id));
    let mut boards = Vec::new();
    for (device_type, file) in &options.devices {
        if job.as_ref().is_none_or(|job| uses(job, device_type)) {
            boards.push(board(Some(device_type), file)?);
        }
    }
    if let Some(directory) = &options.devices_dir {
        let found = files(directory)?.iter().map(|file| board(None, file)).collect::<Result<Vec<_>>>()?;
        boards.extend(found.into_iter().filter(|board| job.as_ref().is_none_or(|job| uses(job, &board.device_type))));
    }
    Ok(Input { job, findings, group, boards })
}

/// The command line's parameters hold over the job's.
fn set_parameters(job: &mut Job, params: &[(String, String)]) {
    for block in &mut job.blocks {
        let Work::Test(test) = &mut block.work else { continue };
        for definition in test.definitions.iter_mut().filter(|_| !params.is_empty()) {
            let parameters = definition.parameters.get_or_insert_default();
            parameters.extend(params.iter().map(|(key, value)| (key.clone(), value.clone().into())));
        }
    }
}

fn uses(job: &Job, device_type: &str) -> bool {
    job.roles.iter().any(|role| matches!(&role.kind, Kind::Device(own) if own == device_type))
}

/// A dictionary; without a device type it must say its own.
fn board(device_type: Option<&str>, file: &Path) -> Result<Board> {
    let bytes = contents(file)?;
    let mut findings = Findings::with_source(file.display().to_string(), &bytes);
    let document = findings.ok(mn_yaml::parse(&bytes));
    let own = document.as_ref().and_then(|document| document.root.as_map().ok()?.get("devicetype")?.as_str().ok());
    let device_type = device_type.or(own).unwrap_or_default().to_owned();
    let dictionary = document.as_ref().and_then(|document| device::read(document, &device_type, &mut findings));
    Ok(Board { device_type, dictionary, findings })
}

/// The YAML files of a directory, by name.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let read = std::fs::read_dir(directory).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let entries = read.cannot(format_args!("read '{}'", directory.display()));
    let entries = entries.map_err(|error| Error::wrong(error.to_string()))?;
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|end| end == "yaml" || end == "yml");
    let mut files: Vec<PathBuf> = entries.iter().map(std::fs::DirEntry::path).filter(is_yaml).collect();
    files.sort();
    Ok(files)
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
