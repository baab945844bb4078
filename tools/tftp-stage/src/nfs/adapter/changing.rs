//! The procedures that change what is on the disk.

use nfs_mamont::auth::Credential;
use nfs_mamont::vfs::{
    self, WccData, commit, create, link, mk_dir, mk_node, remove, rename, rm_dir, set_attr, symlink, write,
};
use nfs_mamont::{Buffer, Slice};
use nix::unistd::UnlinkatFlags;

use crate::nfs::attributes::Attributes;
use crate::nfs::directory::{Changed, Creation, Directory, Found, Special};

use super::{Adapter, attr, caller, changes, id, no_wcc, plain_time, wcc};

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
