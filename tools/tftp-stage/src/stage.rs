//! The work: fetch everything, lay it in, serve it. Runs in a thread of its own, which the main thread may give up.

use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flate2::read::MultiGzDecoder;
use mn_cli::{Cannot, Deadline, Error, Result};
use mn_msg::{MemberDir, Object};
use serde_json::Value;

use crate::cli::{Options, Servers};
use crate::copy::{self, Source};
use crate::download::{Compression, Download, What};
use crate::fetch::{Fetched, Fetcher};
use crate::plan::{Plan, Ssh, Target, To};
use crate::root::Root;
use crate::stop::Stop;
use crate::unpack;
use crate::world::World;
use crate::{archive, bootscript, keys, ramdisk};

/// The directory below RUNDIR/ID that TFTP serves.
const TFTP_DIRECTORY: &str = "tftp";
/// The directory below RUNDIR/ID that NFS serves.
const ROOT_DIRECTORY: &str = "nfsrootfs";

/// Everything the work needs.
pub struct Stage {
    pub plan: Plan,
    pub options: Options,
    pub member: MemberDir,
    /// This machine, as the board reaches it.
    pub address: Ipv4Addr,
    pub deadline: Deadline,
    pub stop: Stop,
    pub world: Arc<Mutex<World>>,
}

/// Downloads that are here, in the order of the plan.
type Files<'a> = Vec<(&'a Download, Fetched)>;

impl Stage {
    /// Stages and serves; gives the placeholders of the dictionary's commands.
    ///
    /// # Errors
    /// Of any step; what is held by then is in the world, for the caller to release.
    pub fn run(&self) -> Result<Object> {
        let mut files = self.fetch()?;
        let tftp = self.hold(TFTP_DIRECTORY)?;
        let root = self.plan.download(What::NfsRoot).map(|_| self.hold(ROOT_DIRECTORY)).transpose()?;
        for (download, fetched) in files.iter_mut().filter(|(download, _)| download.what.is_file()) {
            self.lay_out(&tftp, download, fetched)?;
        }
        if let Some(root) = &root {
            self.fill_root(root, &files)?;
        }
        self.extend_ramdisk(&tftp, &files)?;
        self.append_dtb(&tftp)?;
        self.add_headers(&tftp)?;
        let mut staged = self.placeholders(root.as_deref());
        staged.extend(self.write_script(&tftp, &staged)?);
        if self.options.servers == Servers::Own {
            let files = (self.plan.to == To::Tftp).then_some(tftp.as_path());
            self.world().serve(self.address, files, root.as_deref())?;
            self.say("serve", &format!("serving at {}", self.address));
        }
        staged.extend(self.offer_overlay()?);
        Ok(staged)
    }

    fn fetch(&self) -> Result<Files<'_>> {
        let fetcher = Fetcher {
            temporary: self.member.path().to_owned(),
            cache: self.options.cache.clone(),
            deadline: self.deadline,
            stop: self.stop.clone(),
        };
        let mut files = Vec::new();
        for download in &self.plan.resources {
            let fetched = fetcher.fetch(download)?;
            let (name, url) = (download.what.name(), &download.resource.url);
            self.say("fetch", &format!("{name}: {} bytes from {url}", fetched.size));
            files.push((download, fetched));
        }
        Ok(files)
    }

    /// Puts a file where TFTP serves it.
    fn lay_out(&self, tftp: &Path, download: &Download, fetched: &mut Fetched) -> Result<()> {
        let path = tftp.join(self.plan.tftp_path(download));
        let what = || format!("write '{}'", path.display());
        let directory = path.parent().unwrap_or(tftp);
        std::fs::create_dir_all(directory).cannot(format_args!("make '{}'", directory.display()))?;
        let mut output = File::create_new(&path).cannot(what())?;
        let url = download.resource.url.as_str();
        let take = |piece: &[u8], _| output.write_all(piece).cannot(what());
        match download.compression {
            Compression::AsIs => copy::all(&mut fetched.file, Source::Disk(url), &self.stop, take)?,
            Compression::Gzip => {
                let mut input = MultiGzDecoder::new(BufReader::new(&mut fetched.file));
                copy::all(&mut input, Source::Archive(url), &self.stop, take)?
            }
        };
        Ok(())
    }

    fn fill_root(&self, path: &Path, files: &Files<'_>) -> Result<()> {
        let whole = Root::open(path).cannot(format_args!("open '{}'", path.display()))?;
        self.unpack(&whole, files, What::NfsRoot)?;
        let prefix = self.plan.prefix.as_path();
        let root = whole.below(prefix).map_err(|errno| {
            Error::wrong(format_args!("cannot use prefix '{}' of the root: {}", prefix.display(), errno.desc()))
        })?;
        if self.plan.modules_into.nfs_root {
            self.unpack(&root, files, What::Modules)?;
        }
        if let Some((overlay, Target::NfsRoot)) = &self.plan.overlay {
            let (archive, name) = open_overlay(overlay)?;
            unpack::into_root(archive, &name, &root, &self.stop)?;
            self.say("overlay", &format!("laid '{name}' into the root"));
        }
        if self.plan.ssh == Ssh::Authorize {
            keys::authorize(&root, &self.options.authorize)?;
            keys::publish_host_key(&root, &self.member, &self.plan.job_id)?;
        }
        Ok(())
    }

    fn unpack(&self, root: &Root, files: &Files<'_>, what: What) -> Result<()> {
        let Some((archive, name)) = open_download(files, what)? else { return Ok(()) };
        let count = unpack::into_root(archive, &name, root, &self.stop)?;
        self.say("unpack", &format!("{}: {} entries", what.name(), count.entries));
        Ok(())
    }

    /// Appends to the ramdisk what goes there.
    fn extend_ramdisk(&self, tftp: &Path, files: &Files<'_>) -> Result<()> {
        let Some(ramdisk) = self.plan.download(What::Ramdisk) else { return Ok(()) };
        let modules = if self.plan.modules_into.ramdisk { open_download(files, What::Modules)? } else { None };
        let overlay = match &self.plan.overlay {
            Some((overlay, Target::Ramdisk)) => Some(open_overlay(overlay)?),
            _ => None,
        };
        let archives: Vec<_> = modules.into_iter().chain(overlay).collect();
        if archives.is_empty() {
            return Ok(());
        }
        let path = tftp.join(self.plan.tftp_path(ramdisk));
        ramdisk::append(&path, &ramdisk.resource.url, archives, &self.stop)?;
        self.say("ramdisk", "added what belongs into the ramdisk");
        Ok(())
    }

    /// For a kernel that looks for its device tree behind itself.
    fn append_dtb(&self, tftp: &Path) -> Result<()> {
        let kernel = self.plan.resources.iter().find(|download| download.with_dtb);
        let (Some(kernel), Some(dtb)) = (kernel, self.plan.download(What::Dtb)) else { return Ok(()) };
        let [kernel, dtb] = [kernel, dtb].map(|download| tftp.join(self.plan.tftp_path(download)));
        let what = || format!("put '{}' behind '{}'", dtb.display(), kernel.display());
        let mut output = File::options().append(true).open(&kernel).cannot(what())?;
        std::io::copy(&mut File::open(&dtb).cannot(what())?, &mut output).cannot(what())?;
        self.say("dtb", "kernel: put the device tree behind it");
        Ok(())
    }

    /// Writes the script for iPXE, if there is one; gives the placeholder for it.
    fn write_script(&self, tftp: &Path, staged: &Object) -> Result<Object> {
        if self.plan.script.is_empty() {
            return Ok(Object::new());
        }
        let name = format!("{}/{}", self.plan.job_id, bootscript::NAME);
        let path = tftp.join(&name);
        let what = || format!("write '{}'", path.display());
        std::fs::create_dir_all(path.parent().unwrap_or(tftp)).cannot(what())?;
        std::fs::write(&path, bootscript::text(&self.plan.script, staged)).cannot(what())?;
        self.say("script", "wrote the script for iPXE");
        Ok([("BOOTSCRIPT".to_owned(), name.into())].into_iter().collect())
    }

    /// Serves the overlay to the system that fetches it; gives the placeholders of the commands for that.
    fn offer_overlay(&self) -> Result<Object> {
        let Some(overlay) = &self.plan.transfer else { return Ok(Object::new()) };
        if self.options.servers == Servers::Others {
            return Err(Error::wrong("cannot let the board fetch its overlay without '--serve'"));
        }
        let file = Path::new(&overlay.file);
        let url = self.world().offer(self.address, file)?;
        self.say("serve", &format!("offering the overlay as {url}"));
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let values = [("OVERLAY", name), ("OVERLAY_URL", url), ("OVERLAY_DIRECTORY", overlay.directory.clone())];
        Ok(values.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }

    /// The last that is done to a file: a header has the checksum of all that follows.
    fn add_headers(&self, tftp: &Path) -> Result<()> {
        for download in &self.plan.resources {
            let Some(header) = download.header else { continue };
            header.put_before(&tftp.join(self.plan.tftp_path(download)), &self.stop)?;
            self.say("header", &format!("{}: put U-Boot's header before it", download.what.name()));
        }
        Ok(())
    }

    fn placeholders(&self, root: Option<&Path>) -> Object {
        let address = self.address.to_string();
        let path = |what| self.plan.download(what).map_or(Value::Null, |file| self.plan.tftp_path(file).into());
        let root = root.map(|root| root.join(&self.plan.prefix));
        let root = match &root {
            // A trailing separator is what joining an empty prefix leaves.
            Some(root) => root.components().as_path().to_str().map_or(Value::Null, Value::from),
            None => Value::Null,
        };
        let mut staged = Object::new();
        for (name, value) in [
            ("SERVER_IP", address.as_str().into()),
            ("NFS_SERVER_IP", address.as_str().into()),
            ("LAVA_DISPATCHER_IP", address.as_str().into()),
            ("LAVA_JOB_ID", self.plan.job_id.as_str().into()),
            ("KERNEL", path(What::Kernel)),
            ("RAMDISK", path(What::Ramdisk)),
            ("INITRD", path(What::Ramdisk)),
            ("DTB", path(What::Dtb)),
            ("NFSROOTFS", root),
        ] {
            staged.insert(name.to_owned(), value);
        }
        staged
    }

    fn hold(&self, name: &str) -> Result<PathBuf> {
        self.stop.check()?;
        self.world().make_directory(&self.member, name)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Progress for those who watch; that it cannot be written is no reason to stop.
    fn say(&self, step: &str, text: &str) {
        mn_cli::note(1, text);
        if let Err(error) = self.member.progress(crate::TOOL, step, text) {
            mn_cli::warn(error);
        }
    }
}

/// An archive to unpack, and its name for messages.
type Named = (Box<dyn Read + Send>, String);

/// Opens a download that is an archive, if the job has it.
fn open_download(files: &Files<'_>, what: What) -> Result<Option<Named>> {
    let Some((download, fetched)) = files.iter().find(|(download, _)| download.what == what) else { return Ok(None) };
    let name = download.resource.url.as_str();
    // It shares its place in the file with the other descriptor; opening goes to the beginning.
    let file = fetched.file.try_clone().cannot(format_args!("read '{name}'"))?;
    Ok(Some((archive::open(file, name, download.compression)?, name.to_owned())))
}

fn open_overlay(path: &Path) -> Result<Named> {
    let name = path.display().to_string();
    let file = File::open(path).cannot(format_args!("open the overlay '{name}'"))?;
    Ok((archive::open(file, &name, Compression::Gzip)?, name))
}
