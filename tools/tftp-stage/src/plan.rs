//! What is to be staged, read from a role message. No file is touched here.

use std::path::{Component, Path, PathBuf};

use mn_cli::{Error, Result};
use mn_msg::Role;
use mn_msg::role::{Deploy, Device, Overlay, Resource};

use crate::download::{Download, What, downloads};

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
    /// What the deploy block is for.
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
                // Its transfer is place enough.
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

    fn resource(value: Value) -> Resource {
        serde_json::from_value(value).unwrap()
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
