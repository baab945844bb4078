//! One name in one open directory, and what can be changed about the file there.
//!
//! Every system call here takes the directory's descriptor and a single name, and never follows a symbolic link.

use std::fs::File;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, OFlag};
use nix::sys::stat::{self, FchmodatFlags, Mode, UtimensatFlags};
use nix::sys::time::TimeSpec;
use nix::unistd::{self, Gid, Uid, UnlinkatFlags};

use super::attributes::{Attributes, Changes, FileType, SetTime, Time};
use super::permission::{self, Caller};

pub const SET_GROUP_ID: u32 = 0o2000;
/// Both set-id bits.
pub const SET_IDS: u32 = 0o6000;

/// A file at a name, as it was found.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    directory: &'a OwnedFd,
    name: &'a str,
    pub attributes: Attributes,
}

impl<'a> Entry<'a> {
    /// Looks at `name` in `directory`.
    pub fn at(directory: &'a OwnedFd, name: &'a str) -> nix::Result<Self> {
        let stat = stat::fstatat(directory, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
        Ok(Entry { directory, name, attributes: Attributes::from_stat(&stat) })
    }

    /// The same name, looked at again.
    pub fn again(self) -> nix::Result<Self> {
        Entry::at(self.directory, self.name)
    }

    /// Opens a regular file; EINVAL for anything else.
    pub fn open(self, flags: OFlag) -> nix::Result<File> {
        if self.attributes.file_type != FileType::Regular {
            return Err(Errno::EINVAL);
        }
        let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        Ok(File::from(fcntl::openat(self.directory, self.name, flags, Mode::empty())?))
    }

    /// The target of a symbolic link, which must be UTF-8: the protocol layer carries text only.
    pub fn target(self) -> nix::Result<String> {
        fcntl::readlinkat(self.directory, self.name)?.into_string().map_err(|_| Errno::EIO)
    }

    /// Gives it another name, in another directory perhaps.
    pub fn link_to(self, directory: &OwnedFd, name: &str) -> nix::Result<()> {
        unistd::linkat(self.directory, self.name, directory, name, unistd::LinkatFlags::empty())
    }

    /// Makes `changes` in the order in which none undoes another: a new owner or size clears set-id bits, a new size
    /// sets times.
    pub fn apply(self, caller: &Caller, changes: &Changes) -> nix::Result<()> {
        let owner = self.attributes.owner;
        let owns = caller.is_root() || caller.uid == owner.uid;
        if !permission::may_chown(caller, owner, changes.uid, changes.gid) && changes.changes_owner() {
            return Err(Errno::EPERM);
        }
        self.chown(changes.uid, changes.gid)?;
        if let Some(size) = changes.size {
            if !permission::may_write(caller, owner) {
                return Err(Errno::EACCES);
            }
            self.open(OFlag::O_WRONLY)?.set_len(size).map_err(|error| errno(&error))?;
        }
        if let Some(mode) = changes.mode {
            if !owns {
                return Err(Errno::EPERM);
            }
            self.chmod(caller, changes.gid.unwrap_or(owner.gid), mode)?;
        }
        self.set_times(caller, changes, owns)
    }

    /// Gives a file just made its owner, group and mode, or takes it away again.
    ///
    /// It was made without any rights, so nobody got at it before, and whatever the umask.
    pub fn settle(self, caller: &Caller, parent: &Attributes, changes: &Changes) -> nix::Result<()> {
        let is_directory = self.attributes.file_type == FileType::Directory;
        let inherits = parent.owner.mode & SET_GROUP_ID != 0;
        let gid = if inherits { parent.owner.gid } else { caller.gid };
        let default = if is_directory { 0o755 } else { 0o644 };
        let inherited = if inherits && is_directory { SET_GROUP_ID } else { 0 };
        let mode = changes.mode.unwrap_or(default) | inherited;
        let finish = || {
            self.chown(Some(caller.uid), Some(gid))?;
            self.again()?.apply(caller, &Changes { mode: Some(mode), ..*changes })
        };
        finish().inspect_err(|_| {
            let what = if is_directory { UnlinkatFlags::RemoveDir } else { UnlinkatFlags::NoRemoveDir };
            let _ = unistd::unlinkat(self.directory, self.name, what);
        })
    }

    fn chown(self, uid: Option<u32>, gid: Option<u32>) -> nix::Result<()> {
        let owner = self.attributes.owner;
        // A user namespace that maps only root refuses even a change to what is there already.
        if uid.is_none_or(|uid| uid == owner.uid) && gid.is_none_or(|gid| gid == owner.gid) {
            return Ok(());
        }
        let (uid, gid) = (uid.map(Uid::from_raw), gid.map(Gid::from_raw));
        unistd::fchownat(self.directory, self.name, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    fn chmod(self, caller: &Caller, gid: u32, bits: u32) -> nix::Result<()> {
        let file_type = self.attributes.file_type;
        if file_type == FileType::Symlink {
            // A symbolic link's mode means nothing and cannot be set.
            return Ok(());
        }
        let foreign_group = !caller.is_root() && !caller.is_in(gid) && file_type != FileType::Directory;
        let bits = if foreign_group { bits & !SET_GROUP_ID } else { bits };
        stat::fchmodat(self.directory, self.name, mode(bits), FchmodatFlags::NoFollowSymlink)
    }

    fn set_times(self, caller: &Caller, changes: &Changes, owns: bool) -> nix::Result<()> {
        let wanted = [changes.accessed, changes.modified];
        if wanted == [SetTime::Keep; 2] {
            return Ok(());
        }
        let only_now = wanted.iter().all(|time| !matches!(time, SetTime::To(_)));
        let may = owns || only_now && permission::may_write(caller, self.attributes.owner);
        if !may {
            return Err(Errno::EPERM);
        }
        let [accessed, modified] = wanted.map(|time| match time {
            SetTime::Keep => TimeSpec::UTIME_OMIT,
            SetTime::Now => TimeSpec::UTIME_NOW,
            SetTime::To(time) => TimeSpec::new(time.seconds.into(), time.nanoseconds.into()),
        });
        stat::utimensat(self.directory, self.name, &accessed, &modified, UtimensatFlags::NoFollowSymlink)
    }
}

/// Permission bits as the system calls take them.
pub fn mode(bits: u32) -> Mode {
    Mode::from_bits_truncate(bits & 0o7777)
}

/// The error number of a failed read or write.
pub fn errno(error: &std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}

/// The eight bytes of an exclusive CREATE are kept in the file's times until the client sets them (RFC 1813, 3.3.8).
pub fn verifier_as_times(verifier: [u8; 8]) -> Changes {
    let [a, b, c, d, e, f, g, h] = verifier;
    // 31 bits: not every file system has times after 2038.
    let time = |bytes| SetTime::To(Time { seconds: u32::from_be_bytes(bytes) & 0x7fff_ffff, nanoseconds: 0 });
    Changes { mode: Some(0), accessed: time([a, b, c, d]), modified: time([e, f, g, h]), ..Changes::default() }
}
