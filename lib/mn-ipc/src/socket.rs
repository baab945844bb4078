//! Unix sockets opened relative to their directory: a path may then be longer than the 108 bytes of a socket address.

use nix::errno::Errno;
use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Listens at `path`, mode 0600; what stands there already is an error of kind `AddrInUse`.
///
/// The name appears when the socket has its mode and is listened at: nobody is refused who comes early.
///
/// # Errors
/// What the system says, of the directory or the socket.
pub fn bind(path: &Path) -> Result<UnixListener> {
    let (_directory, short) = shorten(path)?;
    let aside = short.with_file_name(format!(".mn-{}", std::process::id()));
    let listener = UnixListener::bind(&aside)?;
    let named = std::fs::set_permissions(&aside, std::fs::Permissions::from_mode(0o600))
        .and_then(|()| std::fs::hard_link(&aside, &short));
    std::fs::remove_file(&aside)?;
    match named {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(Errno::EADDRINUSE.into()),
        named => named.map(|()| listener),
    }
}

/// Connects to the socket at `path`.
///
/// # Errors
/// What the system says.
pub fn connect(path: &Path) -> Result<UnixStream> {
    let (_directory, short) = shorten(path)?;
    UnixStream::connect(short)
}

/// The directory, which must stay open as long as the short path is used, and the path through it.
fn shorten(path: &Path) -> Result<(File, PathBuf)> {
    let name = path.file_name().ok_or_else(|| Error::new(ErrorKind::InvalidInput, "not the path of a socket"))?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = File::open(parent)?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
    Ok((directory, short))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_more_than_108_bytes_works() {
        let base = std::env::temp_dir().join(format!("mn-ipc-{}", std::process::id()));
        let dir = base.join("d".repeat(120));
        std::fs::create_dir_all(&dir).unwrap();
        let listener = bind(&dir.join("s")).unwrap();
        connect(&dir.join("s")).unwrap();
        assert!(listener.accept().is_ok());
        let mode = std::fs::metadata(dir.join("s")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(bind(&dir.join("s")).unwrap_err().kind(), ErrorKind::AddrInUse);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
        std::fs::remove_dir_all(&base).unwrap();
    }
}
