//! The procedures that change nothing.

use nfs_mamont::auth::Credential;
use nfs_mamont::vfs::{
    self, access, file, fs_info, fs_stat, get_attr, lookup, path_conf, read, read_dir, read_dir_plus, read_link,
};
use nfs_mamont::{Buffer, Slice};

use crate::nfs::attributes::Attributes;
use crate::nfs::directory::{Directory, Found};
use crate::nfs::listing::{Item, Listing};
use crate::nfs::permission::{self, Kind};

use super::{Adapter, LISTING, LISTING_FRAME, TRANSFER, attr, caller, id};

impl get_attr::GetAttr for Adapter {
    async fn get_attr(&self, args: get_attr::Args, _: &Credential) -> Result<get_attr::Success, get_attr::Fail> {
        let result = self.run(move |directory| directory.attributes(id(&args.file))).await;
        result.map(|found| get_attr::Success { object: attr(&found) }).map_err(|error| get_attr::Fail { error })
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

fn plain_entry(item: Item) -> Option<read_dir::Entry> {
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
            let entry = |item: Item| {
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

fn listing_budget(count: u32) -> usize {
    (count.min(LISTING) as usize).saturating_sub(LISTING_FRAME)
}
