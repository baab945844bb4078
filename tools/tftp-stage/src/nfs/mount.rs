//! MOUNT: which handle a path on the server has. The exported directory and every directory below it can be
//! mounted, by anybody who reaches the port.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use nfs_mamont::auth::Credential;
use nfs_mamont::mount::{ExportEntry, dump, export, mnt, umnt, umntall};
use nfs_mamont::vfs::file;
use nix::errno::Errno;
use num_traits::FromPrimitive;

use super::adapter::Adapter;
use super::directory::Directory;

/// AUTH_SYS, RFC 5531.
const AUTH_SYS: u32 = 1;

/// The MOUNT program for one export.
pub struct Mounts {
    pub directory: Arc<Directory>,
    pub export: PathBuf,
}

impl Mounts {
    fn resolve(&self, path: &file::Path) -> Result<file::Handle, mnt::Fail> {
        let below = path.as_path().strip_prefix(&self.export).map_err(|_| mnt::Fail::Access)?;
        self.directory.descend(below).map(Adapter::handle).map_err(|error| match error {
            Errno::ENOENT => mnt::Fail::NoEnt,
            Errno::ENOTDIR => mnt::Fail::NoDir,
            _ => mnt::Fail::Io,
        })
    }
}

impl mnt::Mnt for Mounts {
    async fn mnt(&self, args: mnt::Args, _: SocketAddr, _: &Credential) -> Result<mnt::Success, mnt::Fail> {
        let file_handle = self.resolve(&args.dirpath)?;
        // The flavours' type cannot be named outside its crate, but made from its number.
        Ok(mnt::Success { file_handle, auth_flavors: FromPrimitive::from_u32(AUTH_SYS).into_iter().collect() })
    }
}

impl export::Export for Mounts {
    async fn export(&self, _: &Credential) -> export::Success {
        let path = self.export.to_str().and_then(|path| file::Path::new(path.to_owned()).ok());
        export::Success {
            exports: path.map(|directory| ExportEntry { directory, names: Vec::new() }).into_iter().collect(),
        }
    }
}

// Who has mounted what is advice that nobody needs here, and would grow with every caller: it is not kept.

impl dump::Dump for Mounts {
    async fn dump(&self, _: &Credential) -> dump::Success {
        dump::Success { mount_list: Vec::new() }
    }
}

impl umnt::Umnt for Mounts {
    async fn umnt(&self, _: umnt::Args, _: SocketAddr, _: &Credential) {}
}

impl umntall::Umntall for Mounts {
    async fn umntall(&self, _: SocketAddr, _: &Credential) {}
}
