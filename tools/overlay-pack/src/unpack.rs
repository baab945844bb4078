//! A downloaded archive as members of an overlay.
//!
//! Files are written under numbers, not under their names: no name in an archive decides where something is written.

use flate2::read::MultiGzDecoder;
use mn_cli::{Cannot, Deadline, Error, Result, Signals};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::process::Command;
use tar::{Archive, Entry, EntryType};
use tempfile::TempDir;

use crate::process;
use crate::tree::{Content, Member, Mode, Tree};

/// The most that is unpacked, in bytes and in members.
const MAX_BYTES: u64 = 4 << 30;
const MAX_MEMBERS: usize = 1 << 20;

/// How an archive is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// gzip.
    Gzip,
    /// By another program: its name.
    Program(&'static str),
}

impl Compression {
    /// As a job names it.
    ///
    /// # Errors
    /// A name that is none, in words.
    pub fn named(name: Option<&str>) -> std::result::Result<Self, String> {
        match name {
            None => Ok(Self::None),
            Some("gz") => Ok(Self::Gzip),
            Some("bz2") => Ok(Self::Program("bzip2")),
            Some("xz") => Ok(Self::Program("xz")),
            Some("zstd") => Ok(Self::Program("zstd")),
            Some(other) => Err(format!("its compression '{other}' is none of gz, bz2, xz, zstd")),
        }
    }
}

/// What was in an archive.
pub struct Unpacked {
    /// The directory of the files, which vanishes with this.
    _directory: TempDir,
    members: BTreeMap<PathBuf, Member>,
}

impl Unpacked {
    /// Puts everything into the tree, below the name `to`.
    ///
    /// # Errors
    /// A file in the place of a directory, in words.
    pub fn add(&self, tree: &mut Tree, to: &Path) -> std::result::Result<(), String> {
        self.members.iter().try_for_each(|(name, member)| tree.insert(to.join(name), member.clone()))
    }

    /// Reads a definition's file.
    ///
    /// # Errors
    /// That it is no file of the archive, or the system's reason; in words.
    pub fn read(&self, name: &str) -> std::result::Result<Vec<u8>, String> {
        let Some(Member::File(_, Content::OnDisk(path))) = self.members.get(Path::new(name)) else {
            return Err("there is no such file in the archive".to_owned());
        };
        let mut bytes = Vec::new();
        let limit = mn_yaml::MAX_BYTES as u64 + 1;
        let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
        read.cannot("open it").map_err(|error| error.to_string())?;
        Ok(bytes)
    }
}

/// Unpacks an archive into a new directory of `parent`, with the first `strip` directories taken off its names.
///
/// # Errors
/// Status 2 for what is no archive or has what cannot be packed, 3 for what cannot be written, 124 out of time,
/// 128+N when a signal came.
pub fn unpack(
    archive: File,
    compression: Compression,
    strip: u32,
    parent: &Path,
    deadline: Deadline,
    signals: &mut Signals,
) -> Result<Unpacked> {
    let directory = tempfile::Builder::new().prefix(".overlay-pack-").tempdir_in(parent);
    let directory = directory.cannot(format_args!("make a directory in '{}'", parent.display()))?;
    let archive: Box<dyn Read> = match compression {
        Compression::None => Box::new(archive),
        Compression::Gzip => Box::new(MultiGzDecoder::new(BufReader::new(archive))),
        Compression::Program(program) => Box::new(decompressed(program, archive, parent, deadline, signals)?),
    };
    let mut reader = Archive::new(archive.take(MAX_BYTES));
    let mut members = BTreeMap::new();
    for entry in reader.entries().map_err(|error| no_archive(&error))? {
        if let Some(signal) = signals.take() {
            return Err(Error::silent(mn_cli::Status::Signal(signal)));
        }
        if deadline.passed() {
            return Err(Error::timeout("out of time"));
        }
        let entry = entry.map_err(|error| no_archive(&error))?;
        let path = entry.path().map_err(|error| no_archive(&error))?.into_owned();
        let Some(name) = stripped(&path, strip)? else { continue };
        if members.len() == MAX_MEMBERS {
            return Err(Error::wrong(format_args!("it has more than {MAX_MEMBERS} members")));
        }
        let file = directory.path().join(members.len().to_string());
        let member = member(entry, &path, strip, &members, file)?;
        members.insert(name, member);
    }
    if members.is_empty() {
        return Err(Error::wrong("there is nothing in the archive"));
    }
    Ok(Unpacked { _directory: directory, members })
}

fn no_archive(error: &io::Error) -> Error {
    Error::wrong(format_args!("it is no archive: {error}"))
}

/// The name without its first directories; none for what is above them.
fn stripped(path: &Path, strip: u32) -> Result<Option<PathBuf>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name),
            Component::CurDir => {}
            _ => return Err(Error::wrong(format_args!("'{}' leads out of the archive", path.display()))),
        }
    }
    let name: PathBuf = names.into_iter().skip(strip as usize).collect();
    Ok(Some(name).filter(|name| name != Path::new("")))
}

fn member(
    mut entry: Entry<'_, impl Read>,
    name: &Path,
    strip: u32,
    before: &BTreeMap<PathBuf, Member>,
    file: PathBuf,
) -> Result<Member> {
    let link = |entry: &Entry<'_, _>| {
        let link = entry.link_name().map_err(|error| no_archive(&error))?;
        link.map(|link| link.into_owned()).ok_or_else(|| Error::wrong("a link in it has no target"))
    };
    match entry.header().entry_type() {
        EntryType::Directory => Ok(Member::Directory),
        EntryType::Symlink => Ok(Member::Symlink(link(&entry)?)),
        EntryType::Link => {
            let first = stripped(&link(&entry)?, strip)?.and_then(|first| before.get(&first));
            let Some(Member::File(mode, Content::OnDisk(first))) = first else {
                return Err(Error::wrong(format_args!("'{}' links to what is not before it", name.display())));
            };
            fs::hard_link(first, &file).cannot("write a temporary file")?;
            Ok(Member::File(*mode, Content::OnDisk(file)))
        }
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let executable = entry.header().mode().unwrap_or(0) & 0o100 != 0;
            let mut out = File::create(&file).cannot("write a temporary file")?;
            io::copy(&mut entry, &mut out).map_err(|error| no_archive(&error))?;
            Ok(Member::File(if executable { Mode::Executable } else { Mode::Plain }, Content::OnDisk(file)))
        }
        _ => Err(Error::wrong(format_args!(
            "cannot pack '{}': it is no file, directory or symbolic link",
            name.display()
        ))),
    }
}

fn decompressed(
    program: &str,
    archive: File,
    parent: &Path,
    deadline: Deadline,
    signals: &mut Signals,
) -> Result<File> {
    let mut command = Command::new(program);
    command.arg("-dc");
    let (ended, out) = process::filter(&mut command, archive, parent, deadline, signals)?;
    if !ended.status.success() {
        let reason = ended.errors.lines().next().unwrap_or("it failed");
        return Err(Error::wrong(format_args!("{program}: {reason}")));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn unpacked(entries: &[(EntryType, &str, &str)], strip: u32) -> std::result::Result<Vec<(String, Member)>, String> {
        let mut file = tempfile::tempfile().unwrap();
        let mut builder = tar::Builder::new(&mut file);
        for (kind, name, link) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            header.set_size(0);
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            if !link.is_empty() {
                header.set_link_name(link).unwrap();
            }
            header.set_cksum();
            builder.append(&header, io::empty()).unwrap();
        }
        builder.into_inner().unwrap();
        io::Seek::rewind(&mut file).unwrap();
        let parent = tempfile::tempdir().unwrap();
        let (deadline, mut signals) = (Deadline::after(Duration::from_secs(60)), Signals::new().unwrap());
        let unpacked = unpack(file, Compression::None, strip, parent.path(), deadline, &mut signals);
        let members = |unpacked: Unpacked| {
            unpacked.members.iter().map(|(name, member)| (name.display().to_string(), member.clone())).collect()
        };
        unpacked.map(members).map_err(|error| error.to_string())
    }

    #[test]
    fn directories_are_taken_off_and_what_leads_out_is_refused() {
        let entries = [(EntryType::Directory, "./top/", ""), (EntryType::Symlink, "top/a", "../x")];
        assert_eq!(unpacked(&entries, 1).unwrap(), [("a".to_owned(), Member::Symlink("../x".into()))]);
        assert_eq!(unpacked(&entries, 2).unwrap_err(), "there is nothing in the archive");
        for name in ["../a", "/a", "a/../../b"] {
            let reason = unpacked(&[(EntryType::Regular, name, "")], 0).unwrap_err();
            assert_eq!(reason, format!("'{name}' leads out of the archive"));
        }
    }

    #[test]
    fn a_device_does_not_belong_in_an_overlay() {
        let reason = unpacked(&[(EntryType::Char, "null", "")], 0).unwrap_err();
        assert_eq!(reason, "cannot pack 'null': it is no file, directory or symbolic link");
        let reason = unpacked(&[(EntryType::Link, "a", "none")], 0).unwrap_err();
        assert_eq!(reason, "'a' links to what is not before it");
    }
}
