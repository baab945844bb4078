//! The files that a deploy block names.

use serde::{Deserialize, Serialize};

/// A file to fetch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resource {
    /// `ramdisk`, `kernel`, `dtb`, `nfsrootfs` or `modules`.
    pub name: String,
    /// Its address.
    pub url: String,
    /// How it is compressed: `gz`, `bz2`, `xz`, `zstd`, `zip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// Of a kernel: `image`, `uimage`, `zimage`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kernel_type: Option<String>,
    /// Digest of the bytes as transferred, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256sum: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha512sum: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5sum: Option<String>,
    /// Whether the modules are laid into it; they are unless this says false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_modules: Option<bool>,
    /// Whether the overlay may be laid into it; it may unless this says false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_overlay: Option<bool>,
    /// Of a root: the directory in it that counts, relative, with a slash at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Of a kernel or a ramdisk that U-Boot takes with a header: that header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uimage: Option<UImage>,
    /// Of a kernel: whether the device tree is put behind it, in the same file; it is not unless this says true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub append_dtb: Option<bool>,
}

/// The header that U-Boot's bootm wants before a file; mkimage(1) writes the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UImage {
    /// The board's architecture, by mkimage's name for it.
    pub arch: String,
    /// Of a kernel: the address it is moved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<u32>,
    /// Of a kernel: the address it is entered at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u32>,
}
