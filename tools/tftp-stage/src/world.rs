//! What this process holds in the world, and how it is undone.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mn_cli::{Cannot, Deadline, Error, Result};
use mn_msg::{Held, MemberDir};

use crate::{http, nfs, tftp};

/// Directories and servers; what is left of them is undone by [`World::release`] and only there, so that a
/// defect which kills the process leaves the paper on which the undo stands.
#[derive(Default)]
pub struct World {
    directories: Vec<(PathBuf, Held)>,
    tftp: Option<tftp::Server>,
    nfs: Option<nfs::Server>,
    http: Option<http::Server>,
}

impl World {
    /// Makes a directory, after its undo has been written down.
    ///
    /// # Errors
    /// Status 3 when it cannot be made or is there already.
    pub fn make_directory(&mut self, member: &MemberDir, name: &str) -> Result<PathBuf> {
        let path = member.path().join(name);
        let text = path.to_str().ok_or_else(|| Error::wrong("cannot use a run directory whose name is not UTF-8"))?;
        let held = Held::write(member, crate::TOOL, &["rm", "-rf", "--", text])?;
        match make(&path).cannot(format_args!("make '{}'", path.display())) {
            Ok(()) => self.directories.push((path.clone(), held)),
            Err(error) => {
                // Not ours: whoever made it undoes it.
                held.release()?;
                return Err(error);
            }
        }
        Ok(path)
    }

    /// Serves `files` by TFTP and `root` by NFS, as far as they are there.
    ///
    /// # Errors
    /// Status 3 when a port cannot be had.
    pub fn serve(&mut self, address: Ipv4Addr, files: Option<&Path>, root: Option<&Path>) -> Result<()> {
        if let Some(files) = files {
            self.tftp = Some(tftp::Server::start(address, files)?);
        }
        if let Some(root) = root {
            self.nfs = Some(nfs::Server::start(address, root)?);
        }
        Ok(())
    }

    /// Serves `file` by HTTP; gives its address.
    ///
    /// # Errors
    /// Status 3 when it cannot be read or the address is not this machine's.
    pub fn offer(&mut self, address: Ipv4Addr, file: &Path) -> Result<String> {
        let server = http::Server::start(address, file)?;
        let url = server.url();
        self.http = Some(server);
        Ok(url)
    }

    /// Undoes everything: servers first, then what they served.
    ///
    /// # Errors
    /// Status 3 for the first thing that could not be undone; the others are undone all the same.
    pub fn release(&mut self) -> Result<()> {
        self.http = None;
        self.nfs = None;
        self.tftp = None;
        let mut result = Ok(());
        while let Some((path, held)) = self.directories.pop() {
            let removed = remove(&path).cannot(format_args!("remove '{}'", path.display()));
            result = result.and(removed.and_then(|()| held.release()));
        }
        result
    }
}

/// Makes a directory that everybody on the board may pass, whatever the umask; here RUNDIR/ID keeps others out.
fn make(path: &Path) -> std::io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// Removes a directory with all that is in it, or that somebody writes there meanwhile: a board may still be on, and
/// served by others.
fn remove(path: &Path) -> std::io::Result<()> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let deadline = Deadline::after(PATIENCE);
    loop {
        match fs::remove_dir_all(path) {
            Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty && !deadline.passed() => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            removed => return removed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_directory_is_removed_while_somebody_writes_into_it() {
        // Not every time the writer comes between.
        for _ in 0..10 {
            let place = tempfile::tempdir().unwrap();
            remove_while_somebody_writes(&place.path().join("root"));
        }
    }

    fn remove_while_somebody_writes(root: &Path) {
        let logs = root.join("logs");
        fs::create_dir_all(&logs).unwrap();
        let writer = std::thread::spawn({
            let logs = logs.clone();
            // It ends at some time: one that writes for ever, and faster than files can be removed, wins.
            move || (0..2000).take_while(|number| File::create(logs.join(number.to_string())).is_ok()).count()
        });
        while !logs.join("9").exists() {
            std::thread::yield_now();
        }
        remove(root).unwrap();
        assert!(writer.join().unwrap() > 9);
        assert!(!root.exists());
    }
}
