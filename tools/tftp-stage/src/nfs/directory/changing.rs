//! The procedures that change names and attributes.

use nix::errno::Errno;
use nix::fcntl::{self, OFlag};
use nix::sys::stat::{self, Mode, SFlag};
use nix::unistd::{self, UnlinkatFlags};

use super::{Changed, Creation, Directory, Found, Result, Special, check_name};
use crate::nfs::attributes::{Attributes, Changes, FileType, SetTime, Time};
use crate::nfs::entry::{Entry, verifier_as_times};
use crate::nfs::names::{Id, Links};
use crate::nfs::permission::{self, Caller};

impl Directory {
    /// SETATTR. `guard`: only if the file's change time still is this (EAGAIN otherwise).
    pub fn set_attributes(&self, caller: &Caller, id: Id, changes: &Changes, guard: Option<Time>) -> Result<Changed> {
        let names = self.names();
        let spot = self.spot(&names, id)?;
        let entry = spot.entry()?;
        let before = entry.attributes;
        if guard.is_some_and(|guard| guard != before.changed) {
            return Err(Errno::EAGAIN);
        }
        entry.apply(caller, changes)?;
        Ok(Changed { before, after: entry.again()?.attributes })
    }

    /// CREATE of a regular file.
    pub fn create(&self, caller: &Caller, parent: Id, name: &str, how: Creation) -> Result<(Found, Changed)> {
        self.change(caller, parent, name, |names, directory, before| {
            let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
            let changes = match how {
                Creation::Unchecked(changes) | Creation::Guarded(changes) => changes,
                Creation::Exclusive(verifier) => verifier_as_times(verifier),
            };
            match fcntl::openat(directory, name, flags, Mode::empty()) {
                Ok(_) => Entry::at(directory, name)?.settle(caller, before, &changes)?,
                Err(Errno::EEXIST) => take_existing(caller, Entry::at(directory, name)?, how)?,
                Err(error) => return Err(error),
            }
            self.found(names, parent, directory, name)
        })
    }

    /// MKDIR, SYMLINK and MKNOD.
    pub fn make(
        &self,
        caller: &Caller,
        parent: Id,
        name: &str,
        what: &Special,
        changes: &Changes,
    ) -> Result<(Found, Changed)> {
        let node = |kind, major: u32, minor: u32| (kind, stat::makedev(major.into(), minor.into()));
        self.change(caller, parent, name, |names, directory, before| {
            let (kind, device) = match what {
                Special::Directory => (SFlag::S_IFDIR, 0),
                Special::Symlink(_) => (SFlag::S_IFLNK, 0),
                Special::Character(major, minor) => node(SFlag::S_IFCHR, *major, *minor),
                Special::Block(major, minor) => node(SFlag::S_IFBLK, *major, *minor),
                Special::Fifo => node(SFlag::S_IFIFO, 0, 0),
                Special::Socket => node(SFlag::S_IFSOCK, 0, 0),
            };
            match what {
                Special::Directory => stat::mkdirat(directory, name, Mode::empty())?,
                Special::Symlink(target) => unistd::symlinkat(target.as_str(), directory, name)?,
                _ => stat::mknodat(directory, name, kind, Mode::empty(), device)?,
            }
            Entry::at(directory, name)?.settle(caller, before, changes)?;
            self.found(names, parent, directory, name)
        })
    }

    /// LINK: another name for `id`.
    pub fn link(&self, caller: &Caller, id: Id, parent: Id, name: &str) -> Result<(Attributes, Changed)> {
        let (found, changed) = self.change(caller, parent, name, |names, directory, _| {
            let spot = self.spot(names, id)?;
            let entry = spot.entry()?;
            if entry.attributes.file_type == FileType::Directory {
                return Err(Errno::EISDIR);
            }
            entry.link_to(directory, name)?;
            self.found(names, parent, directory, name)
        })?;
        Ok((found.attributes, changed))
    }

    /// REMOVE and RMDIR.
    pub fn remove(&self, caller: &Caller, parent: Id, name: &str, what: UnlinkatFlags) -> Result<Changed> {
        let ((), changed) = self.change(caller, parent, name, |names, directory, before| {
            let victim = Entry::at(directory, name)?.attributes;
            if !permission::may_remove(caller, before.owner, victim.owner) {
                return Err(Errno::EACCES);
            }
            unistd::unlinkat(directory, name, what)?;
            names.forget(parent, name, victim.inode, links_left(&victim));
            Ok(())
        })?;
        Ok(changed)
    }

    /// RENAME, over an existing file if need be.
    pub fn rename(&self, caller: &Caller, from: (Id, &str), to: (Id, &str)) -> Result<(Changed, Changed)> {
        check_name(from.1)?;
        self.change(caller, to.0, to.1, |names, directory, before| {
            let (source, source_before) = self.directory(names, from.0)?;
            let moved = Entry::at(&source, from.1)?.attributes;
            let replaced = Entry::at(directory, to.1).ok().map(|entry| entry.attributes);
            let may_replace =
                replaced.is_none_or(|replaced| permission::may_remove(caller, before.owner, replaced.owner));
            if !permission::may_remove(caller, source_before.owner, moved.owner) || !may_replace {
                return Err(Errno::EACCES);
            }
            fcntl::renameat(&source, from.1, directory, to.1)?;
            // Two names of one file: the kernel leaves both.
            if replaced.is_none_or(|replaced| replaced.inode != moved.inode) {
                if let Some(replaced) = replaced {
                    names.forget(to.0, to.1, replaced.inode, links_left(&replaced));
                }
                names.remember(to.0, to.1, moved.inode);
                names.forget(from.0, from.1, moved.inode, Links::Some);
            }
            Ok(Changed { before: source_before, after: Attributes::from_stat(&stat::fstat(&source)?) })
        })
    }
}

fn links_left(file: &Attributes) -> Links {
    if file.file_type == FileType::Directory || file.links <= 1 { Links::None } else { Links::Some }
}

/// What CREATE does with a file of that name.
fn take_existing(caller: &Caller, existing: Entry<'_>, how: Creation) -> Result<()> {
    let attributes = existing.attributes;
    match how {
        Creation::Guarded(_) => Err(Errno::EEXIST),
        _ if attributes.file_type != FileType::Regular => Err(Errno::EEXIST),
        Creation::Exclusive(verifier) => {
            let times = verifier_as_times(verifier);
            let kept = [SetTime::To(attributes.accessed), SetTime::To(attributes.modified)];
            if kept == [times.accessed, times.modified] { Ok(()) } else { Err(Errno::EEXIST) }
        }
        Creation::Unchecked(changes) => existing.apply(caller, &Changes { size: changes.size, ..Changes::default() }),
    }
}
