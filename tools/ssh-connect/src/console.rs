use crate::cli::TOOL;
use mn_cli::{Cannot, Result};
use mn_ipc::socket;
use mn_msg::{Held, MemberDir};
use std::io::ErrorKind;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// The socket RUNDIR/ID/console.sock, on which one client gets the console.
pub struct Console {
    path: PathBuf,
    listener: UnixListener,
    held: Held,
}

impl Console {
    /// Listens, mode 0600; how to undo that is written first.
    pub fn open(dir: &MemberDir) -> Result<Self> {
        let path = dir.path().join("console.sock");
        let name = path.display().to_string();
        let held = Held::write(dir, TOOL, &["rm", "-f", "--", &name])?;
        let listener = socket::bind(&path).cannot(format_args!("listen at '{name}'"))?;
        listener.set_nonblocking(true).cannot("set up a socket")?;
        Ok(Self { path, listener, held })
    }

    /// The console as a specification of mn-message(5).
    pub fn specification(&self) -> String {
        format!("unix:{}", self.path.display())
    }

    /// The client, if one has come.
    pub fn accept(&self) -> Result<Option<UnixStream>> {
        match self.listener.accept() {
            Ok((stream, _)) => stream.set_nonblocking(true).cannot("set up a socket").map(|()| Some(stream)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error).cannot("let a client in"),
        }
    }

    /// Removes the socket.
    pub fn close(self) -> Result<()> {
        std::fs::remove_file(&self.path).cannot(format_args!("remove '{}'", self.path.display()))?;
        self.held.release()
    }
}

impl AsFd for Console {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}
