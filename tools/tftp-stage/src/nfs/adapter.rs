//! Between the protocol layer (the crate nfs-mamont) and [`Directory`]: only translation, no decision.
//!
//! A handle carries the number of a file in eight bytes. Every call on the disk runs on a blocking thread, so a
//! slow disk delays no other connection.

use std::sync::Arc;

use nfs_mamont::auth::Credential;
use nfs_mamont::vfs::{
    self, DirOpArgs, WccData, access, commit, create, file, fs_info, fs_stat, get_attr, link, lookup, mk_dir, mk_node,
    path_conf, read, read_dir, read_dir_plus, read_link, remove, rename, rm_dir, set_attr, symlink, write,
};
use nfs_mamont::{BackendId, Buffer, Slice};
use nix::errno::Errno;
use nix::unistd::UnlinkatFlags;

use super::attributes::{Attributes, Changes, FileType, SetTime, Time};
use super::directory::{Changed, Creation, Directory, Found, Special};
use super::listing::Listing;
use super::names::Id;
use super::permission::{self, Caller, Kind};

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

fn listing_budget(count: u32) -> usize {
    (count.min(LISTING) as usize).saturating_sub(LISTING_FRAME)
}

impl get_attr::GetAttr for Adapter {
    async fn get_attr(&self, args: get_attr::Args, _: &Credential) -> Result<get_attr::Success, get_attr::Fail> {
        let result = self.run(move |directory| directory.attributes(id(&args.file))).await;
        result.map(|found| get_attr::Success { object: attr(&found) }).map_err(|error| get_attr::Fail { error })
    }
}

impl set_attr::SetAttr for Adapter {
    async fn set_attr(&self, args: set_attr::Args, cred: &Credential) -> Result<set_attr::Success, set_attr::Fail> {
        let (caller, changes) = (caller(cred), changes(&args.new_attr));
        let guard = args.guard.map(|guard| plain_time(guard.ctime));
        let result =
            self.run(move |directory| directory.set_attributes(&caller, id(&args.file), &changes, guard)).await;
        result
            .map(|changed| set_attr::Success { wcc_data: wcc(changed) })
            .map_err(|error| set_attr::Fail { error, wcc_data: no_wcc() })
    }
}

impl lookup::Lookup for Adapter {
    async fn lookup(&self, args: lookup::Args, cred: &Credential) -> Result<lookup::Success, lookup::Fail> {
        let caller = caller(cred);
        let work = move |directory: &Directory| directory.lookup(&caller, id(&args.parent), args.name.as_str());
        let success = |found: Found| lookup::Success {
            file: Adapter::handle(found.id),
            file_attr: Some(attr(&found.attributes)),
            dir_attr: None,
        };
        self.run(work).await.map(success).map_err(|error| lookup::Fail { error, dir_attr: None })
    }
}

impl access::Access for Adapter {
    async fn access(&self, args: access::Args, cred: &Credential) -> Result<access::Success, access::Fail> {
        let result = self.run(move |directory| directory.attributes(id(&args.file))).await;
        let caller = caller(cred);
        let success = |found: Attributes| {
            let granted = access_mask(permission::rights(&caller, found.owner, found.kind()), found.kind());
            let access = access::Mask::from_wire(args.mask.bits() & granted);
            access::Success { object_attr: Some(attr(&found)), access }
        };
        result.map(success).map_err(|error| access::Fail { error, object_attr: None })
    }
}

/// The rights in the words of ACCESS: who may write a directory may add, change and remove names in it.
fn access_mask(rights: u32, kind: Kind) -> u32 {
    use access::Mask;
    let (write, execute) = match kind {
        Kind::Directory => (Mask::MODIFY | Mask::EXTEND | Mask::DELETE, Mask::LOOKUP),
        Kind::Other => (Mask::MODIFY | Mask::EXTEND, Mask::EXECUTE),
    };
    let bits = [(permission::READ, Mask::READ), (permission::WRITE, write), (permission::EXECUTE, execute)];
    bits.iter().filter(|(right, _)| rights & right != 0).fold(0, |mask, (_, bits)| mask | bits)
}

impl read_link::ReadLink for Adapter {
    async fn read_link(&self, args: read_link::Args, _: &Credential) -> Result<read_link::Success, read_link::Fail> {
        let result = self.run(move |directory| directory.read_link(id(&args.file))).await;
        let success = result.and_then(|(target, found)| {
            // The protocol layer has no targets over 1024 bytes.
            let data = file::Path::new(target).map_err(|_| vfs::Error::IO)?;
            Ok(read_link::Success { symlink_attr: Some(attr(&found)), data })
        });
        success.map_err(|error| read_link::Fail { error, symlink_attr: None })
    }
}

impl read::Read<Slice> for Adapter {
    async fn read(
        &self,
        args: read::Args,
        mut data: Slice,
        cred: &Credential,
    ) -> Result<read::Success<Slice>, read::Fail> {
        let caller = caller(cred);
        let work = move |directory: &Directory| {
            let (mut count, mut offset) = (0, args.offset);
            let mut found = None;
            for chunk in data.chunks_mut() {
                let (read, attributes) = directory.read(&caller, id(&args.file), offset, chunk)?;
                (count, offset, found) = (count + read, offset + read as u64, Some(attributes));
                if read < chunk.len() {
                    break;
                }
            }
            // A request for no bytes has no chunk.
            let attributes = found.map_or_else(|| directory.attributes(id(&args.file)), Ok)?;
            let eof = offset >= attributes.size;
            let head = read::SuccessHeader { file_attr: Some(attr(&attributes)), count: count as u32, eof };
            Ok(read::Success { head, data })
        };
        self.run(work).await.map_err(|error| read::Fail { error, file_attr: None })
    }
}

impl write::Write<Slice> for Adapter {
    async fn write(&self, args: write::Args<Slice>, cred: &Credential) -> Result<write::Success, write::Fail> {
        let caller = caller(cred);
        let count = args.size.min(args.data.len() as u32);
        let work = move |directory: &Directory| {
            let mut left = count as usize;
            let pieces = args.data.chunks().map(|chunk| {
                let piece = &chunk[..chunk.len().min(left)];
                left -= piece.len();
                piece
            });
            directory.write(&caller, id(&args.file), args.offset, pieces)
        };
        let success = |changed| write::Success {
            file_wcc: wcc(changed),
            count,
            committed: write::StableHow::FileSync,
            verifier: write::Verifier([0; 8]),
        };
        self.run(work).await.map(success).map_err(|error| write::Fail { error, wcc_data: no_wcc() })
    }
}

impl commit::Commit for Adapter {
    async fn commit(&self, args: commit::Args, _: &Credential) -> Result<commit::Success, commit::Fail> {
        let result = self.run(move |directory| directory.attributes(id(&args.file))).await;
        let success = |found: Attributes| commit::Success {
            file_wcc: WccData { before: None, after: Some(attr(&found)) },
            verifier: write::Verifier([0; 8]),
        };
        result.map(success).map_err(|error| commit::Fail { error, file_wcc: no_wcc() })
    }
}

impl create::Create for Adapter {
    async fn create(&self, args: create::Args, cred: &Credential) -> Result<create::Success, create::Fail> {
        let caller = caller(cred);
        let how = match args.how {
            create::How::Unchecked(new) => Creation::Unchecked(changes(&new)),
            create::How::Guarded(new) => Creation::Guarded(changes(&new)),
            create::How::Exclusive(verifier) => Creation::Exclusive(verifier.0),
        };
        let object = args.object;
        let work = move |directory: &Directory| directory.create(&caller, id(&object.dir), object.name.as_str(), how);
        let success = |(found, changed): (Found, Changed)| create::Success {
            file: Some(Adapter::handle(found.id)),
            attr: Some(attr(&found.attributes)),
            wcc_data: wcc(changed),
        };
        self.run(work).await.map(success).map_err(|error| create::Fail { error, wcc_data: no_wcc() })
    }
}

impl mk_dir::MkDir for Adapter {
    async fn mk_dir(&self, args: mk_dir::Args, cred: &Credential) -> Result<mk_dir::Success, mk_dir::Fail> {
        let made = self.make(args.object, Special::Directory, &args.attr, cred).await;
        let success = |(found, changed): (Found, Changed)| mk_dir::Success {
            file: Some(Adapter::handle(found.id)),
            attr: Some(attr(&found.attributes)),
            wcc_data: wcc(changed),
        };
        made.map(success).map_err(|error| mk_dir::Fail { error, dir_wcc: no_wcc() })
    }
}

impl symlink::Symlink for Adapter {
    async fn symlink(&self, args: symlink::Args, cred: &Credential) -> Result<symlink::Success, symlink::Fail> {
        let fail = |error| symlink::Fail { error, dir_wcc: no_wcc() };
        let target = args.path.into_inner().into_os_string().into_string();
        let target = target.map_err(|_| fail(vfs::Error::InvalidArgument))?;
        let made = self.make(args.object, Special::Symlink(target), &args.attr, cred).await;
        let success = |(found, changed): (Found, Changed)| symlink::Success {
            file: Some(Adapter::handle(found.id)),
            attr: Some(attr(&found.attributes)),
            wcc_data: wcc(changed),
        };
        made.map(success).map_err(fail)
    }
}

impl mk_node::MkNode for Adapter {
    async fn mk_node(&self, args: mk_node::Args, cred: &Credential) -> Result<mk_node::Success, mk_node::Fail> {
        let (what, new) = match args.what {
            mk_node::What::Char(new, device) => (Special::Character(device.major, device.minor), new),
            mk_node::What::Block(new, device) => (Special::Block(device.major, device.minor), new),
            mk_node::What::Socket(new) => (Special::Socket, new),
            mk_node::What::Fifo(new) => (Special::Fifo, new),
        };
        let made = self.make(args.object, what, &new, cred).await;
        let success = |(found, changed): (Found, Changed)| mk_node::Success {
            file: Some(Adapter::handle(found.id)),
            attr: Some(attr(&found.attributes)),
            wcc_data: wcc(changed),
        };
        made.map(success).map_err(|error| mk_node::Fail { error, dir_wcc: no_wcc() })
    }
}

impl remove::Remove for Adapter {
    async fn remove(&self, args: remove::Args, cred: &Credential) -> Result<remove::Success, remove::Fail> {
        let result = self.take_away(args.object, UnlinkatFlags::NoRemoveDir, cred).await;
        result.map(|wcc_data| remove::Success { wcc_data }).map_err(|error| remove::Fail { error, dir_wcc: no_wcc() })
    }
}

impl rm_dir::RmDir for Adapter {
    async fn rm_dir(&self, args: rm_dir::Args, cred: &Credential) -> Result<rm_dir::Success, rm_dir::Fail> {
        let result = self.take_away(args.object, UnlinkatFlags::RemoveDir, cred).await;
        result.map(|wcc_data| rm_dir::Success { wcc_data }).map_err(|error| rm_dir::Fail { error, dir_wcc: no_wcc() })
    }
}

impl rename::Rename for Adapter {
    async fn rename(&self, args: rename::Args, cred: &Credential) -> Result<rename::Success, rename::Fail> {
        let (caller, from, to) = (caller(cred), args.from, args.to);
        let work = move |directory: &Directory| {
            let (from, to) = ((id(&from.dir), from.name.as_str()), (id(&to.dir), to.name.as_str()));
            directory.rename(&caller, from, to)
        };
        let success = |(from, to)| rename::Success { from_dir_wcc: wcc(from), to_dir_wcc: wcc(to) };
        let fail = |error| rename::Fail { error, from_dir_wcc: no_wcc(), to_dir_wcc: no_wcc() };
        self.run(work).await.map(success).map_err(fail)
    }
}

impl link::Link for Adapter {
    async fn link(&self, args: link::Args, cred: &Credential) -> Result<link::Success, link::Fail> {
        let (caller, to) = (caller(cred), args.link);
        let work = move |directory: &Directory| directory.link(&caller, id(&args.file), id(&to.dir), to.name.as_str());
        let success = |(found, changed)| link::Success { file_attr: Some(attr(&found)), dir_wcc: wcc(changed) };
        let fail = |error| link::Fail { error, file_attr: None, dir_wcc: no_wcc() };
        self.run(work).await.map(success).map_err(fail)
    }
}

impl read_dir::ReadDir for Adapter {
    async fn read_dir(&self, args: read_dir::Args, cred: &Credential) -> Result<read_dir::Success, read_dir::Fail> {
        let (caller, budget) = (caller(cred), listing_budget(args.count));
        // An entry: a flag, the inode, the name with its length, the cookie.
        let cost = |name: &str| 4 + 8 + 4 + name.len().next_multiple_of(4) + 8;
        let work = move |directory: &Directory| directory.list(&caller, id(&args.dir), args.cookie.raw(), budget, cost);
        let success = |listing: Listing| read_dir::Success {
            dir_attr: Some(attr(&listing.directory)),
            cookie_verifier: read_dir::CookieVerifier::new([0; 8]),
            entries: listing.items.into_iter().filter_map(plain_entry).collect(),
            eof: listing.end,
        };
        self.run(work).await.map(success).map_err(|error| read_dir::Fail { error, dir_attr: None })
    }
}

fn plain_entry(item: super::listing::Item) -> Option<read_dir::Entry> {
    let cookie = read_dir::Cookie::new(item.cookie);
    Some(read_dir::Entry { file_id: item.inode, file_name: file::Name::new(item.name).ok()?, cookie })
}

impl read_dir_plus::ReadDirPlus for Adapter {
    async fn read_dir_plus(
        &self,
        args: read_dir_plus::Args,
        cred: &Credential,
    ) -> Result<read_dir_plus::Success, read_dir_plus::Fail> {
        let (caller, budget) = (caller(cred), listing_budget(args.max_count));
        // An entry of READDIR, then 84 bytes of attributes and a handle of 12, each with flag, and its length.
        let cost = |name: &str| 4 + 8 + 4 + name.len().next_multiple_of(4) + 8 + 4 + 84 + 4 + 4 + 12;
        let work = move |directory: &Directory| {
            let parent = id(&args.dir);
            let listing = directory.list(&caller, parent, args.cookie.raw(), budget, cost)?;
            let entry = |item: super::listing::Item| {
                // Gone meanwhile, or not to be looked at: its name alone.
                let found = directory.lookup(&caller, parent, &item.name).ok();
                let plain = plain_entry(item)?;
                Some(read_dir_plus::Entry {
                    file_id: found.map_or(plain.file_id, |found| found.attributes.inode),
                    file_name: plain.file_name,
                    cookie: plain.cookie,
                    file_attr: found.map(|found| attr(&found.attributes)),
                    file_handle: found.map(|found| Adapter::handle(found.id)),
                })
            };
            Ok(read_dir_plus::Success {
                dir_attr: Some(attr(&listing.directory)),
                cookie_verifier: read_dir::CookieVerifier::new([0; 8]),
                entries: listing.items.into_iter().filter_map(entry).collect(),
                eof: listing.end,
            })
        };
        self.run(work).await.map_err(|error| read_dir_plus::Fail { error, dir_attr: None })
    }
}

impl fs_stat::FsStat for Adapter {
    async fn fs_stat(&self, _: fs_stat::Args, _: &Credential) -> Result<fs_stat::Success, fs_stat::Fail> {
        let success = |space: nix::sys::statvfs::Statvfs| {
            let bytes = |blocks: u64| blocks.saturating_mul(space.fragment_size());
            fs_stat::Success {
                root_attr: None,
                total_bytes: bytes(space.blocks()),
                free_bytes: bytes(space.blocks_free()),
                available_bytes: bytes(space.blocks_available()),
                total_files: space.files(),
                free_files: space.files_free(),
                available_files: space.files_available(),
                invarsec: 0,
            }
        };
        let result = self.run(|directory| directory.space()).await;
        result.map(success).map_err(|error| fs_stat::Fail { error, root_attr: None })
    }
}

impl fs_info::FsInfo for Adapter {
    async fn fs_info(&self, args: fs_info::Args, _: &Credential) -> Result<fs_info::Success, fs_info::Fail> {
        let result = self.run(move |directory| directory.attributes(id(&args.root))).await;
        let success = |found: Attributes| fs_info::Success {
            root_attr: Some(attr(&found)),
            read_max: TRANSFER as u32,
            read_pref: TRANSFER as u32,
            read_mult: 4096,
            write_max: TRANSFER as u32,
            write_pref: TRANSFER as u32,
            write_mult: 4096,
            read_dir_pref: LISTING,
            max_file_size: i64::MAX as u64,
            time_delta: file::Time { seconds: 0, nanos: 1 },
            properties: fs_info::Properties::from_wire(fs_info::Properties::ALL),
        };
        result.map(success).map_err(|error| fs_info::Fail { error, root_attr: None })
    }
}

impl path_conf::PathConf for Adapter {
    async fn path_conf(&self, args: path_conf::Args, _: &Credential) -> Result<path_conf::Success, path_conf::Fail> {
        let result = self.run(move |directory| directory.attributes(id(&args.file))).await;
        let success = |found: Attributes| path_conf::Success {
            file_attr: Some(attr(&found)),
            link_max: 32000,
            name_max: 255,
            no_trunc: true,
            chown_restricted: true,
            case_insensitive: false,
            case_preserving: true,
        };
        result.map(success).map_err(|error| path_conf::Fail { error, file_attr: None })
    }
}
