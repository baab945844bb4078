//! Archives made for a test.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use tar::{Builder, EntryType, Header};

/// A tar archive being made.
pub struct Tar(Builder<Vec<u8>>);

impl Tar {
    pub fn new() -> Self {
        Tar(Builder::new(Vec::new()))
    }

    /// An entry of any type; its path is written as it stands, whatever is in it.
    pub fn entry(mut self, path: &str, kind: EntryType, mode: u32, link: &str, data: &[u8]) -> Self {
        let mut header = header(path, kind, mode, link, data.len());
        header.set_cksum();
        self.0.append(&header, data).unwrap();
        self
    }

    pub fn directory(self, path: &str) -> Self {
        self.entry(path, EntryType::Directory, 0o755, "", b"")
    }

    pub fn file(self, path: &str, data: &[u8]) -> Self {
        self.entry(path, EntryType::Regular, 0o644, "", data)
    }

    pub fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(path, EntryType::Symlink, 0o777, target, b"")
    }

    /// An entry with this owner.
    pub fn owned(mut self, path: &str, mode: u32, uid: u64, gid: u64) -> Self {
        let mut header = header(path, EntryType::Regular, mode, "", 0);
        header.set_uid(uid);
        header.set_gid(gid);
        header.set_cksum();
        self.0.append(&header, &b""[..]).unwrap();
        self
    }

    /// A device.
    pub fn device(mut self, path: &str, kind: EntryType, major: u32, minor: u32) -> Self {
        let mut header = header(path, kind, 0o666, "", 0);
        header.set_device_major(major).unwrap();
        header.set_device_minor(minor).unwrap();
        header.set_cksum();
        self.0.append(&header, &b""[..]).unwrap();
        self
    }

    /// The PAX record of the entry that follows.
    pub fn pax(mut self, key: &str, value: &str) -> Self {
        self.0.append_pax_extensions([(key, value.as_bytes())]).unwrap();
        self
    }

    pub fn plain(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    pub fn gzip(self) -> Vec<u8> {
        gzip(&self.plain())
    }
}

fn header(path: &str, kind: EntryType, mode: u32, link: &str, size: usize) -> Header {
    let mut header = Header::new_gnu();
    let name = &mut header.as_old_mut().name;
    name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_link_name_literal(link).unwrap();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_000_000_000);
    header.set_size(size as u64);
    header
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A ramdisk with a merged /usr, as gzip.
pub fn ramdisk() -> Vec<u8> {
    use cpio::newc::{Builder, ModeFileType, trailer};
    let mut bytes = Vec::new();
    for (name, kind, data) in [
        ("usr", ModeFileType::Directory, &b""[..]),
        ("usr/lib", ModeFileType::Directory, b""),
        ("lib", ModeFileType::Symlink, b"usr/lib"),
        ("init", ModeFileType::Regular, b"#!/bin/sh\n"),
    ] {
        let mut entry = Builder::new(name).mode(0o755).set_mode_file_type(kind).write(bytes, data.len() as u32);
        entry.write_all(data).unwrap();
        bytes = entry.finish().unwrap();
    }
    gzip(&trailer(bytes).unwrap())
}

/// The members of a cpio archive, with their data.
pub fn cpio_members(mut bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut members = Vec::new();
    loop {
        let mut entry = cpio::newc::Reader::new(bytes).unwrap();
        if entry.entry().is_trailer() {
            return members;
        }
        let (name, mut data) = (entry.entry().name().to_owned(), Vec::new());
        std::io::Read::read_to_end(&mut entry, &mut data).unwrap();
        members.push((name, data));
        bytes = entry.finish().unwrap();
    }
}

/// A small root with a merged /usr.
pub fn root() -> Tar {
    Tar::new()
        .directory("./")
        .directory("./etc/")
        .file("./etc/hostname", b"mustang\n")
        .directory("./usr/")
        .directory("./usr/lib/")
        .symlink("./lib", "usr/lib")
        .entry("./root", EntryType::Directory, 0o700, "", b"")
}

/// Modules in the layout of kernels' module archives.
pub fn modules() -> Tar {
    Tar::new()
        .directory("lib/")
        .directory("lib/modules/")
        .directory("lib/modules/6.1/")
        .file("lib/modules/6.1/x.ko", b"module")
}

/// An overlay as overlay-pack makes it.
pub fn overlay() -> Tar {
    Tar::new().directory("lava-74588/").entry("lava-74588/run", EntryType::Regular, 0o755, "", b"#!/bin/sh\n")
}
