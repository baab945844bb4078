//! Between the protocol layer (the crate nfs-mamont) and [`Directory`]: only translation, no decision.
//!
//! A handle carries the number of a file in eight bytes. Every call on the disk runs on a blocking thread, so a
//! slow disk delays no other connection.

mod changing;
mod reading;

use std::sync::Arc;

use nfs_mamont::BackendId;
use nfs_mamont::auth::Credential;
use nfs_mamont::vfs::{self, DirOpArgs, WccData, file, set_attr};
use nix::errno::Errno;
use nix::unistd::UnlinkatFlags;

use super::attributes::{Attributes, Changes, FileType, SetTime, Time};
use super::directory::{Changed, Directory, Found, Special};
use super::names::Id;
use super::permission::Caller;

/// The largest READ and WRITE, in bytes.
pub const TRANSFER: usize = 128 * 1024;

/// The largest READDIR and READDIRPLUS answer, in bytes.
const LISTING: u32 = 32 * 1024;

/// What a READDIR or READDIRPLUS answer has besides its entries, in bytes (RFC 1813, 3.3.16 and 3.3.17).
const LISTING_FRAME: usize = 128;

/// The one back end there is; the protocol layer numbers them from 0.
const BACKEND: BackendId = 0;

/// A directory, as the protocol layer wants to see it.
pub struct Adapter(pub Arc<Directory>);

impl Adapter {
    /// The handle of a file.
    pub fn handle(id: Id) -> file::Handle {
        file::Handle::new(BACKEND, id.to_be_bytes())
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Directory) -> nix::Result<T> + Send + 'static,
    ) -> Result<T, vfs::Error> {
        let directory = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || work(&directory)).await {
            Ok(result) => result.map_err(status),
            Err(_) => Err(vfs::Error::ServerFault),
        }
    }

    async fn make(
        &self,
        object: DirOpArgs,
        what: Special,
        attributes: &set_attr::NewAttr,
        cred: &Credential,
    ) -> Result<(Found, Changed), vfs::Error> {
        let (caller, changes) = (caller(cred), changes(attributes));
        self.run(move |directory| directory.make(&caller, id(&object.dir), object.name.as_str(), &what, &changes)).await
    }

    async fn take_away(
        &self,
        object: DirOpArgs,
        what: UnlinkatFlags,
        cred: &Credential,
    ) -> Result<WccData, vfs::Error> {
        let caller = caller(cred);
        let work = move |directory: &Directory| directory.remove(&caller, id(&object.dir), object.name.as_str(), what);
        self.run(work).await.map(wcc)
    }
}

fn id(handle: &file::Handle) -> Id {
    u64::from_be_bytes(handle.payload())
}

fn caller(cred: &Credential) -> Caller {
    match cred {
        Credential::None => Caller::NOBODY,
        Credential::Sys(user) => Caller { uid: user.uid, gid: user.gid, groups: user.gids.clone() },
    }
}

fn status(errno: Errno) -> vfs::Error {
    match errno {
        Errno::EPERM => vfs::Error::Permission,
        Errno::ENOENT => vfs::Error::NoEntry,
        Errno::ENXIO => vfs::Error::NXIO,
        Errno::EACCES => vfs::Error::Access,
        Errno::EEXIST => vfs::Error::Exist,
        Errno::EXDEV => vfs::Error::XDev,
        Errno::ENODEV => vfs::Error::NoDev,
        Errno::ENOTDIR => vfs::Error::NotDir,
        Errno::EISDIR => vfs::Error::IsDir,
        Errno::EINVAL | Errno::ELOOP => vfs::Error::InvalidArgument,
        Errno::EFBIG => vfs::Error::FileTooLarge,
        Errno::ENOSPC => vfs::Error::NoSpace,
        Errno::EROFS => vfs::Error::ReadOnlyFs,
        Errno::EMLINK => vfs::Error::TooManyLinks,
        Errno::ENAMETOOLONG => vfs::Error::NameTooLong,
        Errno::ENOTEMPTY => vfs::Error::NotEmpty,
        Errno::EDQUOT => vfs::Error::QuotaExceeded,
        Errno::ESTALE => vfs::Error::StaleFile,
        Errno::EOPNOTSUPP => vfs::Error::NotSupported,
        // A guard that does not hold.
        Errno::EAGAIN => vfs::Error::NotSync,
        // A listing too short for one name.
        Errno::ERANGE => vfs::Error::TooSmall,
        // For a moment out of memory or descriptors: the client tries again.
        Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE => vfs::Error::JUKEBOX,
        _ => vfs::Error::IO,
    }
}

fn attr(attributes: &Attributes) -> file::Attr {
    let (file_type, major, minor) = match attributes.file_type {
        FileType::Regular => (file::Type::Regular, 0, 0),
        FileType::Directory => (file::Type::Directory, 0, 0),
        FileType::Symlink => (file::Type::Symlink, 0, 0),
        FileType::Block(major, minor) => (file::Type::BlockDevice, major, minor),
        FileType::Character(major, minor) => (file::Type::CharacterDevice, major, minor),
        FileType::Fifo => (file::Type::Fifo, 0, 0),
        FileType::Socket => (file::Type::Socket, 0, 0),
    };
    file::Attr {
        file_type,
        mode: attributes.owner.mode,
        nlink: attributes.links,
        uid: attributes.owner.uid,
        gid: attributes.owner.gid,
        size: attributes.size,
        used: attributes.used,
        device: file::Device { major, minor },
        fs_id: attributes.device,
        file_id: attributes.inode,
        atime: time(attributes.accessed),
        mtime: time(attributes.modified),
        ctime: time(attributes.changed),
    }
}

fn time(time: Time) -> file::Time {
    file::Time { seconds: time.seconds, nanos: time.nanoseconds }
}

fn wcc(changed: Changed) -> WccData {
    let before = file::WccAttr {
        size: changed.before.size,
        mtime: time(changed.before.modified),
        ctime: time(changed.before.changed),
    };
    WccData { before: Some(before), after: Some(attr(&changed.after)) }
}

/// "Not said", for failures.
fn no_wcc() -> WccData {
    WccData { before: None, after: None }
}

fn changes(new: &set_attr::NewAttr) -> Changes {
    let time = |time| match time {
        set_attr::SetTime::DontChange => SetTime::Keep,
        set_attr::SetTime::ToServer => SetTime::Now,
        set_attr::SetTime::ToClient(time) => SetTime::To(plain_time(time)),
    };
    Changes {
        mode: new.mode,
        uid: new.uid,
        gid: new.gid,
        size: new.size,
        accessed: time(new.atime),
        modified: time(new.mtime),
    }
}

fn plain_time(time: file::Time) -> Time {
    Time { seconds: time.seconds, nanoseconds: time.nanos }
}
