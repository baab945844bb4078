//! The socket in the file system: made once, replaced when its broker is dead, removed at the end.

use mn_cli::{Cannot, Error, Result};
use mn_ipc::socket;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

/// The place of a socket that is ours.
pub struct Place {
    path: PathBuf,
    /// Device and inode: what stands there later may be another broker's.
    identity: (u64, u64),
}

impl Place {
    /// Makes the socket.
    ///
    /// # Errors
    /// Status 3 when a broker answers there already, when something else is there, or by the system.
    pub fn take(path: &Path) -> Result<(Self, UnixListener)> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = File::open(parent).cannot(format_args!("open '{}'", parent.display()))?;
        // Two brokers that find the same dead socket must not both replace it.
        let _lock = Flock::lock(directory, FlockArg::LockExclusive)
            .map_err(|(_, errno)| errno)
            .cannot(format_args!("lock '{}'", parent.display()))?;
        let listener = match socket::bind(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {
                remove_dead(path)?;
                socket::bind(path)
            }
            bound => bound,
        };
        let listener = listener.cannot(format_args!("listen on '{}'", path.display()))?;
        let found = std::fs::symlink_metadata(path).cannot(format_args!("look at '{}'", path.display()))?;
        Ok((Self { path: path.to_owned(), identity: (found.dev(), found.ino()) }, listener))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let ours = std::fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.identity);
        if ours && let Err(error) = std::fs::remove_file(&self.path) {
            mn_cli::warn(format_args!("cannot remove '{}': {error}", self.path.display()));
        }
    }
}

/// Removes a socket that nobody listens on.
fn remove_dead(path: &Path) -> Result<()> {
    let shown = path.display();
    let found = std::fs::symlink_metadata(path).cannot(format_args!("look at '{shown}'"))?;
    if !found.file_type().is_socket() {
        return Err(Error::lab(format_args!("cannot listen on '{shown}': it is there and is no socket")));
    }
    match socket::connect(path) {
        Ok(_) => Err(Error::lab(format_args!("cannot listen on '{shown}': a broker is there already"))),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).cannot(format_args!("remove '{shown}'"))
        }
        Err(error) => Err(error).cannot(format_args!("listen on '{shown}': something is there that cannot be asked")),
    }
}
