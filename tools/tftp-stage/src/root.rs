//! A directory tree that is somebody else's root file system.
//!
//! Its symbolic links mean what they will mean on the board: `lib -> /usr/lib` is a directory inside this tree.
//! So every directory is opened by openat2(2) with RESOLVE_IN_ROOT, and every last component is taken as it is.
//! Nothing here can reach a file outside.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{self, AtFlags, OFlag, OpenHow, ResolveFlag};
use nix::sys::stat::{self, FileStat, Mode, SFlag, UtimensatFlags};
use nix::sys::time::TimeSpec;
use nix::unistd::{self, Gid, LinkatFlags, Uid, UnlinkatFlags};

/// A root file system being made.
pub struct Root {
    directory: OwnedFd,
}

/// A name in an open directory of the tree.
pub struct Spot {
    directory: OwnedFd,
    name: OsString,
}

/// What is at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    Nothing,
    Directory,
    /// A symbolic link that leads to a directory of the tree.
    LinkToDirectory,
    Other,
}

/// Owner, group, permission bits and time of change (seconds since 1970).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    pub uid: u32,
    pub gid: u32,
    pub mode: u32,
    pub modified: i64,
}

impl Root {
    /// Opens an existing directory as a root.
    ///
    /// # Errors
    /// The system's.
    pub fn open(path: &Path) -> nix::Result<Self> {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Root { directory: fcntl::open(path, flags, Mode::empty())? })
    }

    /// Finds the directory of `path` and gives the name in it. Directories that are missing are made, 0755.
    ///
    /// # Errors
    /// EINVAL for a path that is the root itself, ELOOP and the like from the tree's symbolic links.
    pub fn spot(&self, path: &Path) -> nix::Result<Spot> {
        let path = inner(path).ok_or(Errno::EINVAL)?;
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::EINVAL) };
        let directory = match self.resolve(parent) {
            Err(Errno::ENOENT) => self.make_directories(parent)?,
            other => other?,
        };
        Ok(Spot { directory, name: name.to_owned() })
    }

    /// Opens a file for reading, through the tree's symbolic links.
    ///
    /// # Errors
    /// The system's; ENOENT when it is not there.
    pub fn read(&self, path: &Path) -> nix::Result<File> {
        let how = OpenHow::new()
            .flags(OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        Ok(File::from(fcntl::openat2(&self.directory, path, how)?))
    }

    /// Opens a file for appending, through the tree's symbolic links; made with `mode` if it is not there.
    ///
    /// # Errors
    /// The system's.
    pub fn append(&self, path: &Path, mode: u32) -> nix::Result<File> {
        let how = OpenHow::new()
            .flags(OFlag::O_RDWR | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)
            .mode(Mode::from_bits_truncate(mode))
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        Ok(File::from(fcntl::openat2(&self.directory, path, how)?))
    }

    /// Another root, below this one.
    ///
    /// # Errors
    /// ENOENT or ENOTDIR when there is no such directory; symbolic links are refused (ELOOP).
    pub fn below(&self, path: &Path) -> nix::Result<Root> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_BENEATH | ResolveFlag::RESOLVE_NO_SYMLINKS);
        Ok(Root { directory: fcntl::openat2(&self.directory, path, how)? })
    }

    /// Sets owner, mode and time of the root directory itself.
    ///
    /// # Errors
    /// The system's.
    pub fn set_metadata(&self, metadata: Metadata) -> nix::Result<()> {
        let spot = Spot { directory: self.resolve(Path::new("."))?, name: ".".into() };
        spot.set_metadata(metadata)
    }

    fn resolve(&self, path: &Path) -> nix::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        fcntl::openat2(&self.directory, path, how)
    }

    fn make_directories(&self, path: &Path) -> nix::Result<OwnedFd> {
        let mut so_far = PathBuf::new();
        let mut directory = self.resolve(&so_far)?;
        for name in path {
            so_far.push(name);
            directory = match self.resolve(&so_far) {
                Err(Errno::ENOENT) => {
                    // A symbolic link that leads nowhere yet is refused here (EEXIST).
                    stat::mkdirat(&directory, name, Mode::empty())?;
                    let spot = Spot { directory, name: name.to_owned() };
                    spot.chmod(0o755)?;
                    self.resolve(&so_far)?
                }
                other => other?,
            };
        }
        Ok(directory)
    }
}

/// The path as one inside the tree: relative, without dots; `None` for one that goes up.
pub fn inner(path: &Path) -> Option<PathBuf> {
    let mut inner = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => inner.push(name),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(inner)
}

impl Spot {
    /// What is at the name.
    ///
    /// # Errors
    /// The system's.
    pub fn present(&self, root: &Root, path: &Path) -> nix::Result<Present> {
        match self.stat() {
            Err(Errno::ENOENT) => Ok(Present::Nothing),
            Err(error) => Err(error),
            Ok(stat) if is(&stat, SFlag::S_IFDIR) => Ok(Present::Directory),
            Ok(stat) if is(&stat, SFlag::S_IFLNK) && inner(path).is_some_and(|path| root.resolve(&path).is_ok()) => {
                Ok(Present::LinkToDirectory)
            }
            Ok(_) => Ok(Present::Other),
        }
    }

    /// Takes away what is at the name; a directory only if it is empty.
    ///
    /// # Errors
    /// The system's; nothing to take away is none.
    pub fn clear(&self) -> nix::Result<()> {
        match unistd::unlinkat(&self.directory, self.name(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(Errno::EISDIR) => unistd::unlinkat(&self.directory, self.name(), UnlinkatFlags::RemoveDir),
            Err(error) => Err(error),
        }
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// The system's.
    pub fn make_directory(&self) -> nix::Result<()> {
        stat::mkdirat(&self.directory, self.name(), Mode::S_IRWXU)
    }

    /// Makes an empty file, open for writing.
    ///
    /// # Errors
    /// The system's; EEXIST when something is there.
    pub fn make_file(&self) -> nix::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(File::from(fcntl::openat(&self.directory, self.name(), flags, Mode::S_IRUSR | Mode::S_IWUSR)?))
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// The system's.
    pub fn make_symlink(&self, target: &Path) -> nix::Result<()> {
        unistd::symlinkat(target, &self.directory, self.name())
    }

    /// Makes a FIFO or a device with these numbers.
    ///
    /// # Errors
    /// The system's; EPERM where devices may not be made.
    pub fn make_node(&self, kind: SFlag, major: u32, minor: u32) -> nix::Result<()> {
        let device = stat::makedev(major.into(), minor.into());
        stat::mknodat(&self.directory, self.name(), kind, Mode::empty(), device)
    }

    /// Makes another name of the file at `other`.
    ///
    /// # Errors
    /// The system's.
    pub fn make_link(&self, other: &Spot) -> nix::Result<()> {
        unistd::linkat(&other.directory, other.name(), &self.directory, self.name(), LinkatFlags::empty())
    }

    /// Sets owner, then mode, then time: each would undo the one after it.
    ///
    /// # Errors
    /// The system's.
    pub fn set_metadata(&self, metadata: Metadata) -> nix::Result<()> {
        let now = self.stat()?;
        if now.st_uid != metadata.uid || now.st_gid != metadata.gid {
            let (uid, gid) = (Uid::from_raw(metadata.uid), Gid::from_raw(metadata.gid));
            unistd::fchownat(&self.directory, self.name(), Some(uid), Some(gid), AtFlags::AT_SYMLINK_NOFOLLOW)?;
        }
        if !is(&now, SFlag::S_IFLNK) {
            self.chmod(metadata.mode)?;
        }
        let modified = TimeSpec::new(metadata.modified, 0);
        let flag = UtimensatFlags::NoFollowSymlink;
        stat::utimensat(&self.directory, self.name(), &TimeSpec::UTIME_NOW, &modified, flag)
    }

    fn chmod(&self, mode: u32) -> nix::Result<()> {
        let mode = Mode::from_bits_truncate(mode & 0o7777);
        stat::fchmodat(&self.directory, self.name(), mode, stat::FchmodatFlags::NoFollowSymlink)
    }

    fn stat(&self) -> nix::Result<FileStat> {
        stat::fstatat(&self.directory, self.name(), AtFlags::AT_SYMLINK_NOFOLLOW)
    }

    fn name(&self) -> &OsStr {
        &self.name
    }
}

fn is(stat: &FileStat, kind: SFlag) -> bool {
    stat.st_mode & SFlag::S_IFMT.bits() == kind.bits()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn tree() -> (tempfile::TempDir, Root) {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("root")).unwrap();
        let root = Root::open(&directory.path().join("root")).unwrap();
        (directory, root)
    }

    #[test]
    fn an_absolute_link_leads_to_the_tree_and_not_out_of_it() {
        let (directory, root) = tree();
        fs::create_dir_all(directory.path().join("root/usr/lib")).unwrap();
        symlink("/usr/lib", directory.path().join("root/lib")).unwrap();
        root.spot(Path::new("lib/file")).unwrap().make_file().unwrap();
        assert!(directory.path().join("root/usr/lib/file").exists());
    }

    #[test]
    fn a_link_that_climbs_stays_inside() {
        let (directory, root) = tree();
        symlink("../../../..", directory.path().join("root/up")).unwrap();
        root.spot(Path::new("up/file")).unwrap().make_file().unwrap();
        assert!(directory.path().join("root/file").exists());
    }

    #[test]
    fn missing_directories_are_made() {
        let (directory, root) = tree();
        root.spot(Path::new("/a/./b/file")).unwrap().make_file().unwrap();
        assert!(directory.path().join("root/a/b/file").exists());
    }

    #[test]
    fn a_path_that_goes_up_is_refused() {
        let (_directory, root) = tree();
        assert_eq!(root.spot(Path::new("a/../../file")).err(), Some(Errno::EINVAL));
        assert_eq!(root.spot(Path::new("/")).err(), Some(Errno::EINVAL));
    }
}
