//! Adding files to a ramdisk without unpacking it.
//!
//! A kernel takes several cpio archives in a row, compressed or not, as one. So what is to be added is appended
//! as an archive of its own, and the bytes of the job's ramdisk stay as they are in front of it.
//!
//! One thing must be known of the ramdisk: its symbolic links. The kernel replaces a link `lib -> usr/lib` by a
//! directory when an archive has a directory `lib`, and the ramdisk's own libraries are out of reach. So the
//! ramdisk is read once, and what is added goes to where its links lead.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use cpio::newc::{self, ModeFileType};
use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use mn_cli::{Cannot, Error, Result};

use crate::root::inner;
use crate::stop::Stop;
use crate::unpack::{self, Header, Kind};

/// Appended archives begin at a multiple of this, in bytes; the kernel needs 4.
const ALIGNMENT: u64 = 512;

/// Most directories and links of a ramdisk.
const MOST_NAMES: usize = 200_000;

/// Longest name in a ramdisk, in bytes: the kernel's PATH_MAX.
const LONGEST_NAME: u32 = 4096;

/// Symbolic links followed in one path; more are a loop.
const MOST_LINKS: usize = 40;

const MAGICS: [&[u8]; 2] = [b"070701", b"070702"];

/// The directories and symbolic links of a ramdisk.
#[derive(Debug, Default)]
struct Layout {
    directories: HashSet<PathBuf>,
    links: HashMap<PathBuf, PathBuf>,
}

impl Layout {
    /// Where the directory of `path` really is, so that no link is replaced.
    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        let mut waiting: Vec<_> = path.iter().rev().map(ToOwned::to_owned).collect();
        let mut at = PathBuf::new();
        let mut followed = 0;
        while let Some(name) = waiting.pop() {
            match name.to_str() {
                Some("/" | ".") => continue,
                Some("..") => {
                    at.pop();
                    continue;
                }
                _ => at.push(name),
            }
            if let Some(target) = self.links.get(&at) {
                followed += 1;
                if followed > MOST_LINKS {
                    return None;
                }
                at.pop();
                if target.is_absolute() {
                    at = PathBuf::new();
                }
                waiting.extend(target.iter().rev().map(ToOwned::to_owned));
            }
        }
        Some(at)
    }
}

/// Appends the files of tar archives to the ramdisk at `path`; each with its name for messages.
///
/// # Errors
/// Status 2 for a ramdisk or an archive that cannot be read, 3 for a disk that fails.
pub fn append(path: &Path, name: &str, archives: Vec<(Box<dyn Read + Send>, String)>, stop: &Stop) -> Result<()> {
    let disk = || format!("write '{}'", path.display());
    let mut file = File::options().read(true).write(true).open(path).cannot(disk())?;
    let (layout, last) = scan(&mut file, name, stop)?;
    let end = file.seek(SeekFrom::End(0)).cannot(disk())?;
    let padding = end.next_multiple_of(ALIGNMENT) - end;
    file.write_all(&vec![0; padding as usize]).cannot(disk())?;
    // The kernel of a ramdisk that comes as gzip reads gzip.
    match last {
        Part::Gzip => {
            let output = GzEncoder::new(BufWriter::new(file), Compression::fast());
            let output = write_archive(output, &layout, archives, stop, &disk)?;
            output.finish().and_then(|mut output| output.flush()).cannot(disk())
        }
        Part::Plain => {
            let mut output = write_archive(BufWriter::new(file), &layout, archives, stop, &disk)?;
            output.flush().cannot(disk())
        }
    }
}

fn write_archive<W: Write>(
    output: W,
    layout: &Layout,
    archives: Vec<(Box<dyn Read + Send>, String)>,
    stop: &Stop,
    disk: &dyn Fn() -> String,
) -> Result<W> {
    let mut appendix = Appendix { output, layout, made: HashSet::new(), inode: 0, stop };
    for (archive, name) in archives {
        unpack::each_entry(archive, &name, stop, |header, data| appendix.put(header, data, &name, disk))?;
    }
    newc::trailer(appendix.output).cannot(disk())
}

/// A cpio archive being written.
struct Appendix<'a, W> {
    output: W,
    layout: &'a Layout,
    made: HashSet<PathBuf>,
    inode: u32,
    stop: &'a Stop,
}

impl<W: Write> Appendix<'_, W> {
    fn put(&mut self, header: &Header, data: &mut dyn Read, name: &str, disk: &dyn Fn() -> String) -> Result<()> {
        let refused = |why: &str| {
            Error::wrong(format_args!("cannot add '{}' of '{name}' to the ramdisk: {why}", header.path.display()))
        };
        let (Some(parent), Some(file_name)) = (header.path.parent(), header.path.file_name()) else { return Ok(()) };
        let looped = || refused("the ramdisk's symbolic links go in a circle");
        if matches!(header.kind, Kind::Directory) {
            let path = self.layout.resolve(&header.path).ok_or_else(looped)?;
            return self.directory(&path, Some(header)).cannot(disk());
        }
        let parent = self.layout.resolve(parent).ok_or_else(looped)?;
        self.directory(&parent, None).cannot(disk())?;
        let path = parent.join(file_name);
        let builder = self.builder(&path, header);
        match &header.kind {
            Kind::Symlink(target) => {
                let target = target.as_os_str().as_encoded_bytes();
                self.entry(builder.set_mode_file_type(ModeFileType::Symlink), target).cannot(disk())
            }
            Kind::Fifo => self.entry(builder.set_mode_file_type(ModeFileType::Fifo), &[]).cannot(disk()),
            Kind::Character(major, minor) => {
                let node = builder.set_mode_file_type(ModeFileType::Char).rdev_major(*major).rdev_minor(*minor);
                self.entry(node, &[]).cannot(disk())
            }
            Kind::Block(major, minor) => {
                let node = builder.set_mode_file_type(ModeFileType::Block).rdev_major(*major).rdev_minor(*minor);
                self.entry(node, &[]).cannot(disk())
            }
            Kind::Link(_) => Err(refused("this version does not support hard links there")),
            Kind::File => {
                if header.size > u32::MAX.into() {
                    return Err(refused("it is larger than 4 GiB"));
                }
                self.file(builder.set_mode_file_type(ModeFileType::Regular), header, data, name, disk)
            }
            Kind::Directory => Ok(()),
        }
    }

    /// Makes a directory and those above it, unless the ramdisk or this archive has them.
    fn directory(&mut self, path: &Path, header: Option<&Header>) -> io::Result<()> {
        if path.as_os_str().is_empty() || self.layout.directories.contains(path) || self.made.contains(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent, None)?;
        }
        self.made.insert(path.to_owned());
        let builder = match header {
            Some(header) => self.builder(path, header),
            None => newc::Builder::new(&path.to_string_lossy()).ino(self.next_inode()).mode(0o755).nlink(2),
        };
        self.entry(builder.set_mode_file_type(ModeFileType::Directory), &[])
    }

    fn builder(&mut self, path: &Path, header: &Header) -> newc::Builder {
        let metadata = header.metadata;
        newc::Builder::new(&path.to_string_lossy())
            .ino(self.next_inode())
            .mode(metadata.mode)
            .uid(metadata.uid)
            .gid(metadata.gid)
            .nlink(1)
            .mtime(u32::try_from(metadata.modified).unwrap_or(0))
    }

    fn next_inode(&mut self) -> u32 {
        self.inode += 1;
        self.inode
    }

    fn entry(&mut self, builder: newc::Builder, data: &[u8]) -> io::Result<()> {
        let mut entry = builder.write(&mut self.output, data.len() as u32);
        entry.write_all(data)?;
        entry.finish().map(drop)
    }

    fn file(
        &mut self,
        builder: newc::Builder,
        header: &Header,
        data: &mut dyn Read,
        name: &str,
        disk: &dyn Fn() -> String,
    ) -> Result<()> {
        let mut entry = builder.write(&mut self.output, header.size as u32);
        unpack::copy_file(header, data, name, self.stop, |piece| entry.write_all(piece).cannot(disk()))?;
        entry.finish().map(drop).cannot(disk())
    }
}

/// How a part of a ramdisk is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Plain,
    Gzip,
}

/// Reads a ramdisk for its layout; gives how its last part is packed, too.
fn scan(file: &mut File, name: &str, stop: &Stop) -> Result<(Layout, Part)> {
    let broken = |reason: io::Error| Error::wrong(format_args!("cannot read ramdisk '{name}': {reason}"));
    file.rewind().map_err(broken)?;
    let mut layout = Layout::default();
    let mut input = BufReader::with_capacity(64 * 1024, file);
    let mut last = None;
    while let Some(part) = next_part(&mut input).map_err(broken)? {
        last = Some(part);
        match part {
            Part::Plain => scan_archive(&mut input, &mut layout, stop, &broken)?,
            Part::Gzip => {
                let mut unpacked = BufReader::with_capacity(64 * 1024, GzDecoder::new(&mut input));
                while next_part(&mut unpacked).map_err(broken)? == Some(Part::Plain) {
                    scan_archive(&mut unpacked, &mut layout, stop, &broken)?;
                }
            }
        }
    }
    last.map(|last| (layout, last)).ok_or_else(|| broken(io::Error::other("it is empty")))
}

/// Skips zeros and looks at what comes then; `None` at the end.
fn next_part(input: &mut impl BufRead) -> io::Result<Option<Part>> {
    loop {
        let bytes = input.fill_buf()?;
        let Some(&first) = bytes.first() else { return Ok(None) };
        match first {
            0 => {
                let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
                input.consume(zeros);
            }
            b'0' => return Ok(Some(Part::Plain)),
            0x1f => return Ok(Some(Part::Gzip)),
            _ => return Err(io::Error::other("neither cpio nor gzip, which is all this version supports")),
        }
    }
}

/// Reads one cpio archive up to and including its trailer.
fn scan_archive(
    input: &mut impl Read,
    layout: &mut Layout,
    stop: &Stop,
    broken: &dyn Fn(io::Error) -> Error,
) -> Result<()> {
    loop {
        stop.check()?;
        let Some(member) = read_member(input).map_err(broken)? else { return Ok(()) };
        let Some(path) = inner(&member.path) else { continue };
        match member.target {
            Some(target) => {
                layout.directories.remove(&path);
                layout.links.insert(path, target);
            }
            None if member.mode & 0o170_000 == 0o040_000 => {
                layout.links.remove(&path);
                layout.directories.insert(path);
            }
            None => {}
        }
        if layout.directories.len() + layout.links.len() > MOST_NAMES {
            return Err(broken(io::Error::other("it has too many directories and links")));
        }
    }
}

/// One member of a cpio archive.
struct Member {
    path: PathBuf,
    mode: u32,
    /// Of a symbolic link.
    target: Option<PathBuf>,
}

/// Reads a member and skips its data; `None` for the trailer. Format: the kernel's
/// driver-api/early-userspace/buffer-format.
fn read_member(input: &mut impl Read) -> io::Result<Option<Member>> {
    let mut header = [0; 110];
    input.read_exact(&mut header)?;
    if !MAGICS.contains(&&header[..6]) {
        return Err(io::Error::other("not a cpio archive in newc format"));
    }
    let field = |number: usize| {
        let digits = std::str::from_utf8(&header[6 + 8 * number..14 + 8 * number]).ok();
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        value.ok_or_else(|| io::Error::other("a cpio header with a field that is no number"))
    };
    let (mode, size, name_size) = (field(1)?, field(6)?, field(11)?);
    let name = read_text(input, name_size, 110)?;
    if name == Path::new("TRAILER!!!") {
        return Ok(None);
    }
    let target = if mode & 0o170_000 == 0o120_000 {
        Some(read_text(input, size, 0)?)
    } else {
        skip(input, u64::from(size).next_multiple_of(4))?;
        None
    };
    Ok(Some(Member { path: name, mode, target }))
}

/// Reads a name of `size` bytes that follows `before` bytes, and the padding to a multiple of 4.
fn read_text(input: &mut impl Read, size: u32, before: u32) -> io::Result<PathBuf> {
    if size > LONGEST_NAME {
        return Err(io::Error::other("a cpio name that is too long"));
    }
    let mut text = vec![0; size as usize];
    input.read_exact(&mut text)?;
    skip(input, u64::from((before + size).next_multiple_of(4) - before - size))?;
    while text.last() == Some(&0) {
        text.pop();
    }
    Ok(PathBuf::from(OsString::from_vec(text)))
}

fn skip(input: &mut impl Read, size: u64) -> io::Result<()> {
    match io::copy(&mut input.take(size), &mut io::sink())? {
        skipped if skipped == size => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(links: &[(&str, &str)]) -> Layout {
        let links = links.iter().map(|(path, target)| (PathBuf::from(path), PathBuf::from(target)));
        Layout { links: links.collect(), ..Layout::default() }
    }

    fn resolve(layout: &Layout, path: &str) -> Option<String> {
        layout.resolve(Path::new(path)).map(|path| path.to_string_lossy().into_owned())
    }

    #[test]
    fn what_is_below_a_link_goes_to_where_it_leads() {
        let merged = layout(&[("lib", "usr/lib"), ("bin", "/usr/bin"), ("usr/bin", "../sbin")]);
        assert_eq!(resolve(&merged, "lib/modules").unwrap(), "usr/lib/modules");
        assert_eq!(resolve(&merged, "bin/x").unwrap(), "sbin/x");
        assert_eq!(resolve(&merged, "etc/x").unwrap(), "etc/x");
    }

    #[test]
    fn links_in_a_circle_are_found() {
        assert_eq!(resolve(&layout(&[("a", "b"), ("b", "a")]), "a/x"), None);
    }

    fn archive<const N: usize>(members: [(&str, ModeFileType, &[u8]); N]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, kind, data) in members {
            let mut entry =
                newc::Builder::new(name).mode(0o755).set_mode_file_type(kind).write(bytes, data.len() as u32);
            entry.write_all(data).unwrap();
            bytes = entry.finish().unwrap();
        }
        newc::trailer(bytes).unwrap()
    }

    fn scan_bytes(bytes: &[u8]) -> Result<(Layout, Part)> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        scan(&mut file, "initrd", &Stop::default())
    }

    #[test]
    fn every_part_of_a_ramdisk_is_read() {
        let mut bytes = archive([("kernel/x86/microcode", ModeFileType::Directory, b"")]);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        let mut packed = GzEncoder::new(bytes, Compression::fast());
        let main = archive([
            ("./usr/lib", ModeFileType::Directory, b""),
            ("init", ModeFileType::Regular, b"abc"),
            ("lib", ModeFileType::Symlink, b"usr/lib"),
        ]);
        packed.write_all(&main).unwrap();
        let (layout, last) = scan_bytes(&packed.finish().unwrap()).unwrap();
        assert_eq!(last, Part::Gzip);
        assert!(layout.directories.contains(Path::new("kernel/x86/microcode")));
        assert!(layout.directories.contains(Path::new("usr/lib")));
        assert_eq!(layout.links[Path::new("lib")], Path::new("usr/lib"));
    }

    #[test]
    fn a_broken_ramdisk_is_an_error() {
        let whole = archive([("init", ModeFileType::Regular, b"abc")]);
        for length in (1..whole.len() - 4).step_by(7) {
            assert!(scan_bytes(&whole[..length]).is_err(), "{length} bytes");
        }
        assert!(scan_bytes(b"").is_err());
        let error = scan_bytes(b"\xfd7zXZ\0").unwrap_err().to_string();
        assert_eq!(error, "cannot read ramdisk 'initrd': neither cpio nor gzip, which is all this version supports");
    }
}
