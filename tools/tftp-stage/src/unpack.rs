//! Unpacking a tar archive into a root, entry by entry, so that nothing is lost without a word.
//!
//! The crate's own unpacking makes devices and FIFOs empty files, sparse files of the PAX format rubbish, and
//! fails where a directory of the archive meets a symbolic link to a directory. Here the link stays, as with
//! `tar --keep-directory-symlink`: a root whose `lib` is `usr/lib` keeps its layout. Extended attributes are
//! left out: NFSv3, by which a root is served, has none.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use mn_cli::{Cannot, Error, Result};
use nix::errno::Errno;
use nix::sys::stat::SFlag;
use tar::{Archive, Entry, EntryType};

use crate::copy::{self, Source};
use crate::root::{Metadata, Present, Root, Spot, inner};
use crate::stop::Stop;

/// How many entries an archive had, for a message.
#[derive(Clone, Copy, Debug, Default)]
pub struct Count {
    pub entries: u64,
}

/// What an entry of an archive is, checked.
#[derive(Debug)]
pub enum Kind {
    Directory,
    File,
    Symlink(PathBuf),
    /// Another name of an earlier file.
    Link(PathBuf),
    Fifo,
    /// Major and minor number.
    Character(u32, u32),
    Block(u32, u32),
}

/// The header of an entry.
#[derive(Debug)]
pub struct Header {
    /// Relative, without dots; empty for the root itself.
    pub path: PathBuf,
    pub kind: Kind,
    pub metadata: Metadata,
    /// Of a file, in bytes.
    pub size: u64,
}

/// Goes through an archive. `name` is for messages.
///
/// # Errors
/// Status 2 for an archive that is broken or has an entry that cannot be kept, and what `each` gives.
pub fn each_entry(
    archive: impl Read,
    name: &str,
    stop: &Stop,
    mut each: impl FnMut(&Header, &mut dyn Read) -> Result<()>,
) -> Result<Count> {
    let broken = |reason: std::io::Error| Source::Archive(name).error(&reason);
    let mut archive = Archive::new(archive);
    let mut count = Count::default();
    for entry in archive.entries().map_err(broken)? {
        stop.check()?;
        let mut entry = entry.map_err(broken)?;
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        let header = header(&mut entry).map_err(|why| refused(name, &entry.path_bytes(), &why))?;
        each(&header, &mut entry)?;
        count.entries += 1;
    }
    // What follows the archive's end is nothing, but a compressed file proves itself whole only there.
    copy::all(&mut archive.into_inner(), Source::Archive(name), stop, |_, _| Ok(()))?;
    if count.entries == 0 {
        return Err(Error::wrong(format_args!("cannot unpack '{name}': it holds nothing")));
    }
    Ok(count)
}

fn refused(name: &str, path: &[u8], why: &str) -> Error {
    Error::wrong(format_args!("cannot unpack '{name}': entry '{}' {why}", String::from_utf8_lossy(path)))
}

fn header(entry: &mut Entry<'_, impl Read>) -> std::result::Result<Header, String> {
    refuse_sparse(entry)?;
    let path = entry.path().map_err(|error| format!("has no path: {error}"))?;
    let path = inner(&path).ok_or("goes up with '..'")?;
    let (size, header) = (entry.size(), entry.header());
    let number = |value: std::io::Result<u64>| {
        value.ok().and_then(|value| u32::try_from(value).ok()).ok_or("has an owner that cannot be")
    };
    let metadata = Metadata {
        uid: number(header.uid())?,
        gid: number(header.gid())?,
        mode: header.mode().map_err(|_| "has a mode that cannot be")? & 0o7777,
        modified: header.mtime().map_err(|_| "has a time that cannot be")? as i64,
    };
    let kind = kind(entry)?;
    if path.as_os_str().is_empty() && !matches!(kind, Kind::Directory) {
        return Err("is the root, but no directory".to_owned());
    }
    Ok(Header { path, kind, metadata, size })
}

/// The newer sparse formats look like plain files with a map in front of the data.
fn refuse_sparse(entry: &mut Entry<'_, impl Read>) -> std::result::Result<(), String> {
    let extensions = entry.pax_extensions().map_err(|error| format!("has a broken PAX header: {error}"))?;
    for extension in extensions.into_iter().flatten() {
        let extension = extension.map_err(|error| format!("has a broken PAX header: {error}"))?;
        if extension.key_bytes().starts_with(b"GNU.sparse.") {
            return Err("is a sparse file in PAX format, which this version does not support".to_owned());
        }
    }
    Ok(())
}

fn kind(entry: &Entry<'_, impl Read>) -> std::result::Result<Kind, String> {
    let header = entry.header();
    let target = || {
        let target = entry.link_name().ok().flatten().ok_or("is a link without a target")?;
        Ok::<_, String>(target.into_owned())
    };
    let device = || {
        let (major, minor) = (header.device_major(), header.device_minor());
        match (major, minor) {
            (Ok(Some(major)), Ok(Some(minor))) => Ok((major, minor)),
            _ => Err("is a device without numbers".to_owned()),
        }
    };
    match header.entry_type() {
        EntryType::Directory => Ok(Kind::Directory),
        // Very old archives mark directories by a slash only.
        EntryType::Regular if entry.path_bytes().ends_with(b"/") => Ok(Kind::Directory),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => Ok(Kind::File),
        EntryType::Symlink => target().map(Kind::Symlink),
        EntryType::Link => inner(&target()?).map(Kind::Link).ok_or_else(|| "links to a path with '..'".to_owned()),
        EntryType::Fifo => Ok(Kind::Fifo),
        EntryType::Char => device().map(|(major, minor)| Kind::Character(major, minor)),
        EntryType::Block => device().map(|(major, minor)| Kind::Block(major, minor)),
        other => Err(format!("is of type '{}', which cannot be kept", other.as_byte().escape_ascii())),
    }
}

/// Unpacks an archive into a root.
///
/// # Errors
/// Status 2 for an archive that cannot be kept whole, 3 for a system that refuses.
pub fn into_root(archive: impl Read, name: &str, root: &Root, stop: &Stop) -> Result<Count> {
    // What is put into a directory changes its time, so directories get theirs at the end.
    let mut directories: Vec<(PathBuf, Metadata)> = Vec::new();
    let count = each_entry(archive, name, stop, |header, data| {
        let made = put(header, data, name, root, stop)?;
        if made == Made::Directory {
            directories.push((header.path.clone(), header.metadata));
        }
        Ok(())
    })?;
    for (path, metadata) in directories.iter().rev() {
        set_metadata(root, path, *metadata).map_err(|errno| cannot(name, path, errno, "set owner and mode"))?;
    }
    Ok(count)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Directory,
    Other,
}

fn put(header: &Header, data: &mut dyn Read, name: &str, root: &Root, stop: &Stop) -> Result<Made> {
    let path = header.path.as_path();
    if path.as_os_str().is_empty() {
        return Ok(Made::Directory);
    }
    let place = root.spot(path).map_err(|errno| cannot(name, path, errno, "reach its directory"))?;
    if matches!(header.kind, Kind::Directory) {
        return make_directory(&place, root, path).map_err(|errno| cannot(name, path, errno, "make the directory"));
    }
    place.clear().map_err(|errno| cannot(name, path, errno, "replace what is there"))?;
    let made = match &header.kind {
        Kind::File => return write_file(header, data, name, &place, stop).map(|()| Made::Other),
        Kind::Link(target) => {
            let linked = root.spot(target).and_then(|target| place.make_link(&target));
            return linked.map(|()| Made::Other).map_err(|errno| cannot(name, path, errno, "make the hard link"));
        }
        Kind::Symlink(target) => place.make_symlink(target),
        Kind::Fifo => place.make_node(SFlag::S_IFIFO, 0, 0),
        Kind::Character(major, minor) => place.make_node(SFlag::S_IFCHR, *major, *minor),
        Kind::Block(major, minor) => place.make_node(SFlag::S_IFBLK, *major, *minor),
        Kind::Directory => Ok(()),
    };
    made.map_err(|errno| cannot(name, path, errno, "make it"))?;
    place.set_metadata(header.metadata).map_err(|errno| cannot(name, path, errno, "set owner and mode"))?;
    Ok(Made::Other)
}

fn make_directory(place: &Spot, root: &Root, path: &Path) -> nix::Result<Made> {
    match place.present(root, path)? {
        Present::Directory => Ok(Made::Directory),
        Present::LinkToDirectory => Ok(Made::Other),
        Present::Other => place.clear().and_then(|()| place.make_directory()).map(|()| Made::Directory),
        Present::Nothing => place.make_directory().map(|()| Made::Directory),
    }
}

fn set_metadata(root: &Root, path: &Path, metadata: Metadata) -> nix::Result<()> {
    if path.as_os_str().is_empty() {
        return root.set_metadata(metadata);
    }
    let place = root.spot(path)?;
    match place.present(root, path)? {
        Present::Directory => place.set_metadata(metadata),
        // A later entry of the archive has taken its place.
        _ => Ok(()),
    }
}

fn write_file(header: &Header, data: &mut dyn Read, name: &str, place: &Spot, stop: &Stop) -> Result<()> {
    let path = header.path.as_path();
    let mut file = place.make_file().map_err(|errno| cannot(name, path, errno, "make the file"))?;
    let what = || format!("write '{}' of '{name}'", path.display());
    copy_file(header, data, name, stop, |piece| write_sparsely(&mut file, piece).cannot(what()))?;
    // A hole at the end has only been skipped.
    let end = file.stream_position().cannot(what())?;
    file.set_len(end).cannot(what())?;
    place.set_metadata(header.metadata).map_err(|errno| cannot(name, path, errno, "set owner and mode"))
}

/// Gives the bytes of a file to `take`, all of them.
///
/// # Errors
/// Status 2 when the archive ends before the file does, an error of `take`, the wish to stop.
pub fn copy_file(
    header: &Header,
    mut data: &mut dyn Read,
    name: &str,
    stop: &Stop,
    mut take: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let size = copy::all(&mut data, Source::Archive(name), stop, |piece, _| take(piece))?;
    if size == header.size {
        return Ok(());
    }
    let path = header.path.display();
    Err(Error::wrong(format_args!("cannot unpack '{name}': entry '{path}' has {size} of {} bytes", header.size)))
}

/// Writes a piece of a file, or skips it where it is all zeros: sparse files stay sparse.
fn write_sparsely(file: &mut File, piece: &[u8]) -> std::io::Result<()> {
    const BLOCK: usize = 64 * 1024;
    for block in piece.chunks(BLOCK) {
        if block.len() == BLOCK && block.iter().all(|&byte| byte == 0) {
            file.seek(SeekFrom::Current(BLOCK as i64))?;
        } else {
            file.write_all(block)?;
        }
    }
    Ok(())
}

fn cannot(name: &str, path: &Path, errno: Errno, what: &str) -> Error {
    let mend = match errno {
        Errno::EPERM | Errno::EINVAL => ": this takes root, or a user namespace that has these owners and no devices",
        _ => "",
    };
    let path = path.display();
    Error::lab(format_args!("cannot unpack '{name}': entry '{path}': cannot {what}: {}{mend}", errno.desc()))
}
