//! What a file system knows about a file, without anybody's wire format.

use nix::sys::stat::{FileStat, SFlag, major, minor};

use super::permission::{Kind, Ownership};

/// The types of files NFSv3 knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    Regular,
    Directory,
    Symlink,
    /// Block device with major and minor number.
    Block(u32, u32),
    /// Character device with major and minor number.
    Character(u32, u32),
    Fifo,
    Socket,
}

/// Seconds since 1970 and nanoseconds; times before 1970 and after 2106 are cut to what NFSv3 can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    pub seconds: u32,
    pub nanoseconds: u32,
}

/// The attributes of a file, sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    pub file_type: FileType,
    pub owner: Ownership,
    pub links: u32,
    pub size: u64,
    /// Bytes on disk.
    pub used: u64,
    pub device: u64,
    pub inode: u64,
    pub accessed: Time,
    pub modified: Time,
    pub changed: Time,
}

impl Attributes {
    /// Reads what stat(2) gave.
    pub fn from_stat(stat: &FileStat) -> Self {
        let kind = SFlag::from_bits_truncate(stat.st_mode & SFlag::S_IFMT.bits());
        let (major, minor) = (major(stat.st_rdev) as u32, minor(stat.st_rdev) as u32);
        Attributes {
            file_type: match kind {
                SFlag::S_IFDIR => FileType::Directory,
                SFlag::S_IFLNK => FileType::Symlink,
                SFlag::S_IFBLK => FileType::Block(major, minor),
                SFlag::S_IFCHR => FileType::Character(major, minor),
                SFlag::S_IFIFO => FileType::Fifo,
                SFlag::S_IFSOCK => FileType::Socket,
                _ => FileType::Regular,
            },
            owner: Ownership { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777 },
            links: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
            size: stat.st_size.max(0) as u64,
            used: (stat.st_blocks.max(0) as u64).saturating_mul(512),
            device: stat.st_dev,
            inode: stat.st_ino,
            accessed: Time::new(stat.st_atime, stat.st_atime_nsec),
            modified: Time::new(stat.st_mtime, stat.st_mtime_nsec),
            changed: Time::new(stat.st_ctime, stat.st_ctime_nsec),
        }
    }

    /// Whether rights are read as those of a directory.
    pub fn kind(&self) -> Kind {
        if self.file_type == FileType::Directory { Kind::Directory } else { Kind::Other }
    }
}

impl Time {
    fn new(seconds: i64, nanoseconds: i64) -> Self {
        Time {
            seconds: seconds.clamp(0, i64::from(u32::MAX)) as u32,
            nanoseconds: nanoseconds.clamp(0, 999_999_999) as u32,
        }
    }
}

/// What to do with a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetTime {
    #[default]
    Keep,
    Now,
    To(Time),
}

/// Changes a client asks for; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub size: Option<u64>,
    pub accessed: SetTime,
    pub modified: SetTime,
}

impl Changes {
    /// Whether an owner or a group is asked for.
    pub fn changes_owner(&self) -> bool {
        self.uid.is_some() || self.gid.is_some()
    }
}
