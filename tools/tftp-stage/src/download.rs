//! A file of the deploy block: what it is, and how it is taken.

use mn_cli::{Error, Result};
use mn_msg::role::{Deploy, Resource};

use crate::uimage::Header;

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

/// The files of a deploy block, each once.
///
/// # Errors
/// Status 2 for one that is there twice, cannot be taken, or misses what belongs to it.
pub fn downloads(deploy: &Deploy) -> Result<Vec<Download>> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn download(value: Value) -> Result<Download> {
        Download::new(&serde_json::from_value(value).unwrap())
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
}
