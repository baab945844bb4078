//! What is to be staged, read from a role message. No file is touched here.

use std::path::{Component, Path, PathBuf};

use mn_cli::{Error, Result};
use mn_msg::Role;
use mn_msg::role::{Deploy, Device, Overlay, Resource};

use crate::uimage::Header;

/// Everything that stands in the message and is needed here, checked.
#[derive(Clone, Debug)]
pub struct Plan {
    pub job_id: String,
    pub device: Device,
    /// The specification of the console.
    pub console: String,
    /// Seconds for everything.
    pub timeout: u64,
    /// What is fetched, in order.
    pub resources: Vec<Download>,
    /// Where the modules go.
    pub modules_into: Targets,
    /// The overlay's archive and where it goes.
    pub overlay: Option<(PathBuf, Target)>,
    /// The overlay, where the system that has booted fetches it.
    pub transfer: Option<Overlay>,
    /// Whether there are files for TFTP at all.
    pub to: To,
    /// The lines of a script for iPXE.
    pub script: Vec<String>,
    /// The directory in the root that counts, relative; empty: the root itself.
    pub prefix: PathBuf,
    pub ssh: Ssh,
}

/// The methods of a deploy block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// The board boots from here.
    Tftp,
    /// It has its system, and only gets the overlay.
    Overlay,
}

/// A file to fetch.
#[derive(Clone, Debug)]
pub struct Download {
    pub what: What,
    pub resource: Resource,
    /// The last component of the address.
    pub file_name: String,
    pub compression: Compression,
    /// What U-Boot wants before it.
    pub header: Option<Header>,
    /// Of a kernel: whether the device tree comes behind it.
    pub with_dtb: bool,
}

/// The resources of a tftp deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Kernel,
    Ramdisk,
    Dtb,
    NfsRoot,
    Modules,
}

/// How a file is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As it comes; archives tell by themselves whether they are compressed.
    AsIs,
    Gzip,
}

/// One place to lay something in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    NfsRoot,
    Ramdisk,
}

/// Several places to lay something in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Targets {
    pub nfs_root: bool,
    pub ramdisk: bool,
}

/// Whether the group's key is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ssh {
    Authorize,
    Leave,
}

impl What {
    /// The resource's name in a job, and its directory under TFTP.
    pub fn name(self) -> &'static str {
        match self {
            What::Kernel => "kernel",
            What::Ramdisk => "ramdisk",
            What::Dtb => "dtb",
            What::NfsRoot => "nfsrootfs",
            What::Modules => "modules",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        [What::Kernel, What::Ramdisk, What::Dtb, What::NfsRoot, What::Modules]
            .into_iter()
            .find(|what| what.name() == name)
    }

    /// Whether it is served by TFTP as it is, rather than unpacked.
    pub fn is_file(self) -> bool {
        matches!(self, What::Kernel | What::Ramdisk | What::Dtb)
    }
}

impl Plan {
    /// Reads the role's deploy block.
    ///
    /// # Errors
    /// Status 2 for what is missing, contradictory or not supported.
    pub fn new(role: &Role) -> Result<Self> {
        let facts = role.facts();
        let device = facts.device.clone().ok_or_else(|| {
            Error::wrong(format_args!(
                "cannot stage for role '{}': it has no device dictionary: give 'job-split --device TYPE=FILE'",
                facts.role
            ))
        })?;
        let console = device.connect.clone().ok_or_else(|| {
            Error::wrong(format_args!("cannot stage for '{}': its dictionary names no console", device.hostname))
        })?;
        // A board whose bootloader is all that is tested needs no files.
        let deploy = role.deploy();
        let to = deploy.map_or(Ok(To::Overlay), to)?;
        let resources = deploy.map(downloads).transpose()?.unwrap_or_default();
        let boot = role.boot();
        let transfer = boot.and_then(|boot| boot.transfer_overlay.as_deref());
        let resource =
            |what| resources.iter().find(|download| download.what == what).map(|download| &download.resource);
        let (root, ramdisk) = (resource(What::NfsRoot), resource(What::Ramdisk));
        Ok(Plan {
            job_id: facts.job_id.clone(),
            console,
            timeout: deploy.map_or(facts.timeouts.job, |deploy| deploy.timeout),
            modules_into: modules_into(resource(What::Modules), root, ramdisk)?,
            overlay: match &facts.overlay {
                // It may be nowhere else then.
                Some(_) if transfer.is_some() && root.is_none() && ramdisk.is_none() => None,
                Some(overlay) => overlay_into(overlay, root, ramdisk)?,
                None => None,
            },
            transfer: transfer.map(|method| by_transfer(method, facts.overlay.as_ref())).transpose()?,
            to,
            script: boot.map(|boot| boot.bootscript.clone()).unwrap_or_default(),
            prefix: prefix(root)?,
            ssh: deploy.map_or(Ok(Ssh::Leave), |deploy| ssh(deploy, root))?,
            device,
            resources,
        })
    }

    /// The path of a file as TFTP has it; one with a header has the name that LAVA gives it.
    pub fn tftp_path(&self, download: &Download) -> String {
        let name = match (download.header, download.what) {
            (Some(_), What::Kernel) => "uImage".to_owned(),
            (Some(_), _) => format!("{}.uboot", download.staged_name()),
            (None, _) if download.with_dtb => "kernel-dtb".to_owned(),
            (None, _) => download.staged_name().to_owned(),
        };
        format!("{}/{}/{name}", self.job_id, download.what.name())
    }

    /// The download of `what`, if the job has it.
    pub fn download(&self, what: What) -> Option<&Download> {
        self.resources.iter().find(|download| download.what == what)
    }
}

impl Download {
    fn new(resource: &Resource) -> Result<Self> {
        let what = What::from_name(&resource.name).ok_or_else(|| {
            Error::wrong(format_args!("cannot stage resource '{}': this version does not support it", resource.name))
        })?;
        // A query is no part of a name.
        let path = resource.url.split(['?', '#']).next().unwrap_or_default();
        let file_name = path.rsplit('/').next().unwrap_or_default();
        if file_name.is_empty() || file_name == ".." || file_name == "." {
            return Err(Error::wrong(format_args!("cannot fetch '{}': the address names no file", resource.url)));
        }
        let compression = match (what, resource.compression.as_deref()) {
            // A bootloader hands the ramdisk on as it is, and the kernel unpacks it.
            (What::Ramdisk, _) | (_, None) => Compression::AsIs,
            (_, Some("gz")) => Compression::Gzip,
            (_, Some(other)) => {
                return Err(Error::wrong(format_args!(
                    "cannot unpack '{}': this version does not support compression '{other}'",
                    resource.url
                )));
            }
        };
        let header = resource.uimage.as_ref().map(|image| Header::new(image, what)).transpose()?;
        let with_dtb = resource.append_dtb == Some(true) && what == What::Kernel;
        Ok(Download {
            what,
            resource: resource.clone(),
            file_name: file_name.to_owned(),
            compression,
            header,
            with_dtb,
        })
    }

    /// The name under which the file is staged: without the suffix of the compression that was taken off.
    pub fn staged_name(&self) -> &str {
        match (self.compression, self.file_name.rsplit_once('.')) {
            (Compression::Gzip, Some((stem, _))) if !stem.is_empty() => stem,
            _ => &self.file_name,
        }
    }
}

fn downloads(deploy: &Deploy) -> Result<Vec<Download>> {
    let mut downloads: Vec<Download> = Vec::new();
    for resource in &deploy.resources {
        let download = Download::new(resource)?;
        if downloads.iter().any(|other| other.what == download.what) {
            return Err(Error::wrong(format_args!("cannot stage resource '{}' twice", resource.name)));
        }
        downloads.push(download);
    }
    let has_dtb = downloads.iter().any(|download| download.what == What::Dtb);
    if !has_dtb && downloads.iter().any(|download| download.with_dtb) {
        return Err(Error::wrong("cannot put a dtb behind the kernel: the job has none"));
    }
    Ok(downloads)
}

fn to(deploy: &Deploy) -> Result<To> {
    match deploy.to.as_str() {
        "tftp" => Ok(To::Tftp),
        "overlay" => Ok(To::Overlay),
        other => {
            Err(Error::wrong(format_args!("cannot deploy to '{other}': only 'tftp' and 'overlay' are staged here")))
        }
    }
}

fn by_transfer(method: &str, overlay: Option<&Overlay>) -> Result<Overlay> {
    match overlay {
        _ if method != "http" => {
            Err(Error::wrong(format_args!("cannot transfer the overlay by '{method}': only 'http' is known")))
        }
        None => Err(Error::wrong("cannot transfer the overlay: the message has none; put 'overlay-pack' before")),
        Some(overlay) => Ok(overlay.clone()),
    }
}

/// Modules go wherever there is a place that does not refuse them.
fn modules_into(modules: Option<&Resource>, root: Option<&Resource>, ramdisk: Option<&Resource>) -> Result<Targets> {
    if modules.is_none() {
        return Ok(Targets::default());
    }
    if root.is_none() && ramdisk.is_none() {
        return Err(Error::wrong("cannot lay modules into anything: the job has neither nfsrootfs nor ramdisk"));
    }
    let takes = |target: Option<&Resource>| target.is_some_and(|resource| resource.install_modules != Some(false));
    Ok(Targets { nfs_root: takes(root), ramdisk: takes(ramdisk) })
}

/// The overlay goes into one place, the root before the ramdisk; if that one refuses, nowhere.
fn overlay_into(
    overlay: &Overlay,
    root: Option<&Resource>,
    ramdisk: Option<&Resource>,
) -> Result<Option<(PathBuf, Target)>> {
    let (resource, target) = match (root, ramdisk) {
        (Some(root), _) => (root, Target::NfsRoot),
        (None, Some(ramdisk)) => (ramdisk, Target::Ramdisk),
        (None, None) => {
            return Err(Error::wrong(
                "cannot lay the overlay into anything: the job has neither nfsrootfs nor ramdisk, and no transfer_overlay",
            ));
        }
    };
    Ok((resource.install_overlay != Some(false)).then(|| (PathBuf::from(&overlay.file), target)))
}

fn prefix(root: Option<&Resource>) -> Result<PathBuf> {
    let Some(prefix) = root.and_then(|root| root.prefix.as_deref()) else { return Ok(PathBuf::new()) };
    let plain = Path::new(prefix).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !plain || !prefix.ends_with('/') {
        return Err(Error::wrong(format_args!("cannot use prefix '{prefix}': it must be relative and end in '/'")));
    }
    Ok(Path::new(prefix).components().filter(|part| matches!(part, Component::Normal(_))).collect())
}

fn ssh(deploy: &Deploy, root: Option<&Resource>) -> Result<Ssh> {
    match (deploy.authorize.as_deref(), root) {
        (None, _) => Ok(Ssh::Leave),
        (Some("ssh"), Some(_)) => Ok(Ssh::Authorize),
        (Some("ssh"), None) => Err(Error::wrong("cannot authorize ssh: the job has no nfsrootfs to put the key in")),
        (Some(other), _) => Err(Error::wrong(format_args!("cannot authorize '{other}': only 'ssh' is known"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn download(value: Value) -> Result<Download> {
        Download::new(&serde_json::from_value(value).unwrap())
    }

    fn resource(value: Value) -> Resource {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_suffix_goes_with_the_compression_it_names() {
        let staged = |url: &str, compression: Value| {
            download(json!({ "name": "kernel", "url": url, "compression": compression }))
                .unwrap()
                .staged_name()
                .to_owned()
        };
        assert_eq!(staged("http://h/vmlinuz.gz", json!("gz")), "vmlinuz");
        assert_eq!(staged("http://h/vmlinuz", json!("gz")), "vmlinuz");
        assert_eq!(staged("http://h/vmlinuz.gz", Value::Null), "vmlinuz.gz");
        assert_eq!(staged("http://h/vmlinuz?x=a/b", Value::Null), "vmlinuz");
    }

    #[test]
    fn a_ramdisk_is_never_decompressed() {
        let ramdisk = download(json!({ "name": "ramdisk", "url": "http://h/initrd.xz", "compression": "xz" })).unwrap();
        assert_eq!((ramdisk.compression, ramdisk.staged_name()), (Compression::AsIs, "initrd.xz"));
    }

    #[test]
    fn what_cannot_be_staged_is_named() {
        let error = |value| download(value).unwrap_err().to_string();
        assert_eq!(
            error(json!({ "name": "tee", "url": "http://h/tee" })),
            "cannot stage resource 'tee': this version does not support it"
        );
        assert_eq!(
            error(json!({ "name": "kernel", "url": "http://h/k.xz", "compression": "xz" })),
            "cannot unpack 'http://h/k.xz': this version does not support compression 'xz'"
        );
        assert_eq!(
            error(json!({ "name": "kernel", "url": "http://h/" })),
            "cannot fetch 'http://h/': the address names no file"
        );
    }

    #[test]
    fn modules_go_wherever_they_are_not_refused() {
        let plain = resource(json!({ "name": "x", "url": "u" }));
        let refuses = resource(json!({ "name": "x", "url": "u", "install_modules": false }));
        let into = |root, ramdisk| modules_into(Some(&plain), root, ramdisk).unwrap();
        assert_eq!(into(Some(&plain), Some(&plain)), Targets { nfs_root: true, ramdisk: true });
        assert_eq!(into(Some(&plain), Some(&refuses)), Targets { nfs_root: true, ramdisk: false });
        assert!(modules_into(Some(&plain), None, None).is_err());
    }

    #[test]
    fn the_overlay_does_not_fall_through_to_the_ramdisk() {
        let overlay: Overlay = serde_json::from_value(
            json!({ "file": "/o.tar.gz", "sha256": "", "size": 1, "directory": "/lava-1", "runs": [] }),
        )
        .unwrap();
        let plain = resource(json!({ "name": "x", "url": "u" }));
        let refuses = resource(json!({ "name": "x", "url": "u", "install_overlay": false }));
        assert_eq!(overlay_into(&overlay, Some(&refuses), Some(&plain)).unwrap(), None);
        assert_eq!(
            overlay_into(&overlay, None, Some(&plain)).unwrap(),
            Some((PathBuf::from("/o.tar.gz"), Target::Ramdisk))
        );
    }

    #[test]
    fn a_prefix_stays_below_the_root() {
        let with = |text: &str| prefix(Some(&resource(json!({ "name": "x", "url": "u", "prefix": text }))));
        assert_eq!(with("a/b/").unwrap(), PathBuf::from("a/b"));
        for bad in ["/a/", "../a/", "a", "a/../../b/"] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }
}
