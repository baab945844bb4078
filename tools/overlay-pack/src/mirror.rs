//! Bare mirrors of repositories in a cache that several processes share: whoever comes first clones, the others wait
//! and find it.

use mn_cli::{Cannot, Deadline, Error, Result, Signals, Status};
use nix::fcntl::{Flock, FlockArg};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::attend::attend;
use crate::git::{git, reason, shown};

/// When a mirror that is there is brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refresh {
    /// When it was last before this process began.
    WhenOlder,
    /// Never: all members of a run are to get the same commits.
    Never,
}

/// A cache of mirrors.
pub struct Mirrors {
    directory: PathBuf,
    refresh: Refresh,
    began: SystemTime,
}

impl Mirrors {
    /// The cache in `directory`, which is made when it is not there.
    ///
    /// # Errors
    /// Status 3 when it cannot be made.
    pub fn new(directory: PathBuf, refresh: Refresh) -> Result<Self> {
        fs::create_dir_all(&directory).cannot(format_args!("make the cache '{}'", directory.display()))?;
        Ok(Self { directory, refresh, began: SystemTime::now() })
    }

    /// The mirror of a repository.
    ///
    /// # Errors
    /// Status 3 with git's reason for a repository that cannot be reached, 124 out of time, 128+N when a signal came.
    pub fn get(&self, repository: &str, deadline: Deadline, signals: &mut Signals) -> Result<PathBuf> {
        let mirror = mn_fetch::mirror(&self.directory, repository);
        let lock = lock(&mirror.with_extension("lock"), deadline, signals)?;
        if !mirror.exists() {
            mn_cli::note(1, format_args!("clones '{}'", shown(repository)));
            self.make(repository, &mirror, deadline, signals)?;
        } else if self.refresh == Refresh::WhenOlder && is_older(&lock, self.began) {
            mn_cli::note(1, format_args!("fetches '{}'", shown(repository)));
            update(repository, &mirror, deadline, signals)?;
        } else {
            return Ok(mirror);
        }
        lock.set_modified(SystemTime::now()).cannot(format_args!("mark the mirror '{}'", mirror.display()))?;
        Ok(mirror)
    }

    /// Under another name first: a mirror is there whole or not at all.
    fn make(&self, repository: &str, mirror: &Path, deadline: Deadline, signals: &mut Signals) -> Result<()> {
        let what = || format!("write into the cache '{}'", self.directory.display());
        let directory = tempfile::Builder::new().prefix(".clone-").tempdir_in(&self.directory).cannot(what())?;
        let new = directory.path().join("mirror");
        let words = ["clone", "--quiet", "--template=", "--mirror", "--"].map(OsString::from);
        run([words.as_slice(), &[repository.into(), new.clone().into()]].concat(), deadline, signals)?;
        fs::rename(new, mirror).cannot(what())
    }
}

/// Brings a mirror up to date, and its HEAD: the default branch may have been renamed.
fn update(repository: &str, mirror: &Path, deadline: Deadline, signals: &mut Signals) -> Result<()> {
    let of_mirror = |words: &[&str]| {
        let words = words.iter().map(OsString::from);
        ["-C".into(), mirror.into()].into_iter().chain(words).collect::<Vec<OsString>>()
    };
    let fetch = ["fetch", "--quiet", "--prune", "--force", "--", repository, "+refs/*:refs/*"];
    run(of_mirror(&fetch), deadline, signals)?;
    let ended = git(&of_mirror(&["ls-remote", "--symref", "--", repository, "HEAD"]), deadline, signals)?;
    let head = ended.output.lines().find_map(|line| line.strip_prefix("ref: ")?.strip_suffix("\tHEAD"));
    match head {
        Some(head) => run(of_mirror(&["symbolic-ref", "HEAD", head]), deadline, signals),
        None => Ok(()),
    }
}

fn run(arguments: Vec<OsString>, deadline: Deadline, signals: &mut Signals) -> Result<()> {
    let ended = git(&arguments, deadline, signals)?;
    if ended.status.success() { Ok(()) } else { Err(Error::new(Status::Lab, reason(&ended))) }
}

/// The file is held while it is open, whatever becomes of its holder.
fn lock(file: &Path, deadline: Deadline, signals: &mut Signals) -> Result<Flock<File>> {
    let what = format!("lock '{}'", file.display());
    let opened = OpenOptions::new().create(true).append(true).open(file).cannot(&what)?;
    let locked = attend("another process's clone", deadline, signals, move || {
        Flock::lock(opened, FlockArg::LockExclusive).map_err(|(_, errno)| errno)
    })?;
    locked.cannot(what)
}

fn is_older(lock: &File, than: SystemTime) -> bool {
    lock.metadata().and_then(|metadata| metadata.modified()).is_ok_and(|modified| modified < than)
}
