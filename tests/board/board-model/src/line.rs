use mn_cli::{Cannot, Result};
use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};
use std::fs::{File, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// The board's serial line: a pseudo terminal, new for each time that the power comes on.
pub struct Line {
    lab: PtyMaster,
    board: File,
}

impl Line {
    /// A line whose lab's end does not block.
    pub fn new() -> Result<Self> {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let lab = posix_openpt(flags).cannot("open a pseudo terminal")?;
        grantpt(&lab).and_then(|()| unlockpt(&lab)).cannot("unlock a pseudo terminal")?;
        let name = ptsname_r(&lab).cannot("name a pseudo terminal")?;
        let board = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(OFlag::O_NOCTTY.bits())
            .open(&name)
            .cannot(format_args!("open '{name}'"))?;
        Ok(Self { lab, board })
    }

    /// The lab's end, to read and write.
    pub fn lab(&self) -> &PtyMaster {
        &self.lab
    }

    /// The board's end. It stays open here too: a line without a board is silent, it does not hang up.
    pub fn board(&self) -> &File {
        &self.board
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lab.as_fd()
    }
}
