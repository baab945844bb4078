//! A directory as NFSv3 sees a file system: every procedure of RFC 1813 as a function on files, with none of
//! its wire types.
//!
//! Nothing outside the exported directory can be reached: every path is opened beneath its descriptor by
//! openat2(2) with symbolic links refused, and the last component never follows one. Symbolic links are data
//! for the client, which resolves them on its own side.
//!
//! One lock covers the table of names and every operation on names, so no operation sees another's half. Reading
//! and writing happen outside it, on an open file.
//!
//! Nothing is synced to disk before an answer, as in LAVA's own export (`async`): what is staged does not
//! outlive the process that serves it.

mod changing;

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{self, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{self, Mode};
use nix::sys::statvfs::{Statvfs, fstatvfs};

use super::attributes::{Attributes, Changes, FileType};
use super::entry::{Entry, SET_IDS, errno, mode};
use super::names::{Id, Names};
use super::permission::{self, Caller, EXECUTE, READ};

/// An error number, as the system calls below give it. ESTALE: the handle means nothing any more.
pub type Result<T> = nix::Result<T>;

/// Longest piece of a path opened at once, in bytes; PATH_MAX is 4096.
const PIECE: usize = 2048;

/// An exported directory.
pub struct Directory {
    root: OwnedFd,
    device: u64,
    names: Mutex<Names>,
}

/// A file that was found or made.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub id: Id,
    pub attributes: Attributes,
}

/// A directory's attributes around a change, so that a client can tell its own change from others'.
#[derive(Clone, Copy, Debug)]
pub struct Changed {
    pub before: Attributes,
    pub after: Attributes,
}

/// What CREATE does about a file that is already there.
#[derive(Clone, Copy, Debug)]
pub enum Creation {
    /// Takes it, cut to the size asked for.
    Unchecked(Changes),
    /// Refuses.
    Guarded(Changes),
    /// Takes it if it was made with the same eight bytes: the same request, sent twice.
    Exclusive([u8; 8]),
}

/// What is made besides regular files.
#[derive(Clone, Debug)]
pub enum Special {
    Directory,
    /// With its target.
    Symlink(String),
    Character(u32, u32),
    Block(u32, u32),
    Fifo,
    Socket,
}

/// An open directory and a name in it.
struct Spot {
    directory: OwnedFd,
    name: String,
}

impl Spot {
    fn entry(&self) -> Result<Entry<'_>> {
        Entry::at(&self.directory, &self.name)
    }
}

impl Directory {
    /// Exports `path`.
    ///
    /// # Errors
    /// The system's, when it is no directory or cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = fcntl::open(path, flags, Mode::empty())?;
        let stat = stat::fstat(&root)?;
        // Unguessable, so that handles of an earlier server are stale here and not another file's.
        let first = RandomState::new().hash_one(stat.st_ino);
        Ok(Directory { root, device: stat.st_dev, names: Mutex::new(Names::new(first, stat.st_ino)) })
    }

    /// The handle of the exported directory itself.
    pub fn root(&self) -> Id {
        self.names().root()
    }

    /// GETATTR.
    pub fn attributes(&self, id: Id) -> Result<Attributes> {
        self.spot(&self.names(), id)?.entry().map(|entry| entry.attributes)
    }

    /// LOOKUP of one name.
    pub fn lookup(&self, caller: &Caller, parent: Id, name: &str) -> Result<Found> {
        let mut names = self.names();
        let (directory, attributes) = self.directory(&names, parent)?;
        if permission::rights(caller, attributes.owner, attributes.kind()) & EXECUTE == 0 {
            return Err(Errno::EACCES);
        }
        let id = match name {
            "." => parent,
            ".." => names.parent(parent).ok_or(Errno::ESTALE)?,
            _ => return self.found(&mut names, parent, &directory, name),
        };
        Ok(Found { id, attributes: self.spot(&names, id)?.entry()?.attributes })
    }

    /// The directory at `path` below the root, for MOUNT; symbolic links are not followed.
    pub fn descend(&self, path: &Path) -> Result<Id> {
        let root = Caller { uid: 0, gid: 0, groups: Vec::new() };
        let mut id = self.root();
        for name in path {
            let found = self.lookup(&root, id, name.to_str().ok_or(Errno::ENOENT)?)?;
            if found.attributes.file_type != FileType::Directory {
                return Err(Errno::ENOTDIR);
            }
            id = found.id;
        }
        Ok(id)
    }

    /// READLINK.
    pub fn read_link(&self, id: Id) -> Result<(String, Attributes)> {
        let spot = self.spot(&self.names(), id)?;
        let entry = spot.entry()?;
        Ok((entry.target()?, entry.attributes))
    }

    /// READ: fills `buffer` from `offset` on as far as the file goes. Gives the number of bytes and the
    /// attributes; the file has ended when both numbers add up to its size.
    pub fn read(&self, caller: &Caller, id: Id, offset: u64, buffer: &mut [u8]) -> Result<(usize, Attributes)> {
        let (file, attributes) = self.open_file(id, OFlag::O_RDONLY)?;
        if !permission::may_read(caller, attributes.owner) {
            return Err(Errno::EACCES);
        }
        let mut filled = 0;
        while filled < buffer.len() {
            match file.read_at(&mut buffer[filled..], offset.saturating_add(filled as u64)) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(errno(&error)),
            }
        }
        Ok((filled, Attributes::from_stat(&stat::fstat(&file)?)))
    }

    /// WRITE: all of `pieces`, one after the other, from `offset` on.
    pub fn write<'a>(
        &self,
        caller: &Caller,
        id: Id,
        offset: u64,
        pieces: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Changed> {
        let (file, before) = self.open_file(id, OFlag::O_WRONLY)?;
        if !permission::may_write(caller, before.owner) {
            return Err(Errno::EACCES);
        }
        let mut at = offset;
        for piece in pieces {
            file.write_all_at(piece, at).map_err(|error| errno(&error))?;
            at = at.checked_add(piece.len() as u64).ok_or(Errno::EFBIG)?;
        }
        // The kernel spares set-id bits when root writes; the writer is whoever sits at the client.
        if !caller.is_root() && before.owner.mode & SET_IDS != 0 {
            stat::fchmod(&file, mode(before.owner.mode & !SET_IDS))?;
        }
        Ok(Changed { before, after: Attributes::from_stat(&stat::fstat(&file)?) })
    }

    /// FSSTAT.
    pub fn space(&self) -> Result<Statvfs> {
        fstatvfs(&self.root)
    }

    /// The open descriptor and attributes of a directory that may be listed.
    pub(super) fn listable(&self, caller: &Caller, id: Id) -> Result<(OwnedFd, Attributes)> {
        let (path, attributes) = self.directory(&self.names(), id)?;
        if permission::rights(caller, attributes.owner, attributes.kind()) & READ == 0 {
            return Err(Errno::EACCES);
        }
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok((fcntl::openat(&path, ".", flags, Mode::empty())?, attributes))
    }

    /// The inode number of the directory above `id`.
    pub(super) fn parent_inode(&self, id: Id) -> Result<u64> {
        let names = self.names();
        let parent = names.parent(id).and_then(|parent| names.get(parent));
        Ok(parent.ok_or(Errno::ESTALE)?.inode)
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        // The table is whole at every point where an operation can end.
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a change of the names in a directory, with its attributes before and after.
    fn change<T>(
        &self,
        caller: &Caller,
        parent: Id,
        name: &str,
        work: impl FnOnce(&mut Names, &OwnedFd, &Attributes) -> Result<T>,
    ) -> Result<(T, Changed)> {
        check_name(name)?;
        let mut names = self.names();
        let (directory, before) = self.directory(&names, parent)?;
        if !permission::may_add(caller, before.owner) {
            return Err(Errno::EACCES);
        }
        let result = work(&mut names, &directory, &before)?;
        let after = Attributes::from_stat(&stat::fstat(&directory)?);
        Ok((result, Changed { before, after }))
    }

    /// Notes a name that is known to be there.
    fn found(&self, names: &mut Names, parent: Id, directory: &OwnedFd, name: &str) -> Result<Found> {
        let attributes = Entry::at(directory, name)?.attributes;
        if attributes.device != self.device {
            // Inode numbers name files only within one file system.
            return Err(Errno::EXDEV);
        }
        Ok(Found { id: names.remember(parent, name, attributes.inode), attributes })
    }

    /// Opens the directory `id` for use with the "at" system calls.
    fn directory(&self, names: &Names, id: Id) -> Result<(OwnedFd, Attributes)> {
        let expected = names.get(id).ok_or(Errno::ESTALE)?.inode;
        let path = names.path(id).ok_or(Errno::ESTALE)?;
        let mut directory = beneath(&self.root, ".")?;
        let mut piece = String::new();
        for name in path {
            if !piece.is_empty() && piece.len() + name.len() > PIECE {
                directory = beneath(&directory, &piece)?;
                piece.clear();
            }
            if !piece.is_empty() {
                piece.push('/');
            }
            piece.push_str(name);
        }
        if !piece.is_empty() {
            directory = beneath(&directory, &piece)?;
        }
        let attributes = Attributes::from_stat(&stat::fstat(&directory)?);
        if attributes.inode != expected { Err(Errno::ESTALE) } else { Ok((directory, attributes)) }
    }

    /// Finds the file `id` by any of its names.
    fn spot(&self, names: &Names, id: Id) -> Result<Spot> {
        let node = names.get(id).ok_or(Errno::ESTALE)?;
        if id == names.root() {
            let (directory, _) = self.directory(names, id)?;
            return Ok(Spot { directory, name: ".".to_owned() });
        }
        for place in &node.places {
            let Ok((directory, _)) = self.directory(names, place.parent) else { continue };
            if Entry::at(&directory, &place.name).is_ok_and(|entry| entry.attributes.inode == node.inode) {
                return Ok(Spot { directory, name: place.name.to_string() });
            }
        }
        Err(Errno::ESTALE)
    }

    fn open_file(&self, id: Id, flags: OFlag) -> Result<(File, Attributes)> {
        let names = self.names();
        let spot = self.spot(&names, id)?;
        let entry = spot.entry()?;
        Ok((entry.open(flags)?, entry.attributes))
    }
}

fn beneath(directory: &OwnedFd, path: &str) -> Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
        .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
    match fcntl::openat2(directory, path, how) {
        Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => Err(Errno::ESTALE),
        other => other,
    }
}

fn check_name(name: &str) -> Result<()> {
    match name {
        "" | "." | ".." => Err(Errno::EINVAL),
        _ if name.contains(['/', '\0']) => Err(Errno::EINVAL),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
