//! Writes a tree as a gzip'd tar: the same tree gives the same bytes.

use mn_cli::{Cannot, Error, Result, Signals, Status, hexadecimal};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};
use tempfile::NamedTempFile;

use crate::gzip::Gzip;
use crate::tree::{Content, Member, Mode, Tree};

/// The time of every member, 2 January 1980: older than the clock of any board that has one, and
/// not before what zip files can hold in any time zone.
const MODIFIED: u64 = 315_619_200;

/// What was written.
#[derive(Debug)]
pub struct Archive {
    /// The file, absolute.
    pub file: PathBuf,
    /// The SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// Writes the tree to the file `name` of the directory `into`, which is there whole or not at all.
///
/// # Errors
/// Status 3 when something cannot be read or written, 128+N when a signal came.
pub fn write(tree: &Tree, into: &Path, name: &str, threads: NonZeroUsize, signals: &mut Signals) -> Result<Archive> {
    let file = into.join(name);
    let what = || format!("write '{}'", file.display());
    let hashed = Hashed { file: NamedTempFile::new_in(into).cannot(what())?, digest: Sha256::new(), size: 0 };
    let mut builder = Builder::new(Gzip::new(hashed, threads).cannot(what())?);
    let mut links = Links::default();
    for (name, member) in tree.members() {
        if let Some(signal) = signals.take() {
            return Err(Error::silent(Status::Signal(signal)));
        }
        append(&mut builder, name, member, &mut links).cannot(format_args!("pack '{}'", name.display()))?;
    }
    let hashed = builder.into_inner().and_then(Gzip::finish).cannot(what())?;
    hashed.file.persist(&file).map_err(|error| error.error).cannot(what())?;
    let sha256 = hexadecimal(&hashed.digest.finalize());
    Ok(Archive { file, sha256, size: hashed.size })
}

/// Where the first name of a file with several names is, by device and inode.
type Links = BTreeMap<(u64, u64), PathBuf>;

fn append(builder: &mut Builder<impl Write>, name: &Path, member: &Member, links: &mut Links) -> io::Result<()> {
    match member {
        Member::Directory => {
            let name = PathBuf::from([name.as_os_str(), "/".as_ref()].into_iter().collect::<std::ffi::OsString>());
            builder.append_data(&mut header(EntryType::Directory, 0o755, 0), name, io::empty())
        }
        Member::Symlink(target) => append_symlink(builder, name, target),
        Member::File(mode, Content::Text(text)) => {
            builder.append_data(&mut header(EntryType::Regular, bits(*mode), text.len() as u64), name, text.as_bytes())
        }
        Member::File(mode, Content::OnDisk(path)) => {
            let file = File::open(path)?;
            let metadata = file.metadata()?;
            let inode = (metadata.dev(), metadata.ino());
            if let Some(first) = links.get(&inode) {
                return builder.append_link(&mut header(EntryType::Link, bits(*mode), 0), name, first);
            }
            if metadata.nlink() > 1 {
                links.insert(inode, name.to_owned());
            }
            builder.append_data(&mut header(EntryType::Regular, bits(*mode), metadata.len()), name, file)
        }
    }
}

/// The crate would tidy the target up (`./a` to `a`); a header takes it as it is, up to 100 bytes.
fn append_symlink(builder: &mut Builder<impl Write>, name: &Path, target: &Path) -> io::Result<()> {
    let mut header = header(EntryType::Symlink, 0o777, 0);
    match header.set_link_name_literal(target.as_os_str().as_bytes()) {
        Ok(()) => builder.append_data(&mut header, name, io::empty()),
        Err(_) => builder.append_link(&mut header, name, target),
    }
}

fn bits(mode: Mode) -> u32 {
    match mode {
        Mode::Plain => 0o644,
        Mode::Executable => 0o755,
    }
}

/// A header that owes nothing to who packs, and when.
fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(MODIFIED);
    header.set_uid(0);
    header.set_gid(0);
    // Four letters always fit.
    let _ = header.set_username("root").and_then(|()| header.set_groupname("root"));
    header
}

/// A file whose bytes are counted and digested as they are written.
struct Hashed {
    file: NamedTempFile,
    digest: Sha256,
    size: u64,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::os::unix::fs::symlink;

    /// Type, name and link of each member of what is written.
    fn written(tree: &Tree) -> Vec<(EntryType, String, String)> {
        let into = tempfile::tempdir().unwrap();
        let archive = write(tree, into.path(), "x.tar.gz", NonZeroUsize::MIN, &mut Signals::new().unwrap()).unwrap();
        let mut reader = tar::Archive::new(GzDecoder::new(File::open(archive.file).unwrap()));
        let entry = |entry: io::Result<tar::Entry<_>>| {
            let entry = entry.unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let link = entry.link_name_bytes().map(|link| text(&link)).unwrap_or_default();
            (entry.header().entry_type(), text(&entry.path_bytes()), link)
        };
        reader.entries().unwrap().map(entry).collect()
    }

    #[test]
    fn a_file_with_two_names_stays_one_file() {
        let from = tempfile::tempdir().unwrap();
        std::fs::write(from.path().join("b"), "text").unwrap();
        std::fs::hard_link(from.path().join("b"), from.path().join("a")).unwrap();
        let mut tree = Tree::default();
        crate::checkout::add(&mut tree, from.path(), Path::new("d"), crate::checkout::History::Drop).unwrap();
        let entry = |kind, name: &str, link: &str| (kind, name.to_owned(), link.to_owned());
        let expected = [
            entry(EntryType::Directory, "d/", ""),
            entry(EntryType::Regular, "d/a", ""),
            entry(EntryType::Link, "d/b", "d/a"),
        ];
        assert_eq!(written(&tree), expected);
    }

    #[test]
    fn a_symbolic_link_says_what_it_said() {
        let from = tempfile::tempdir().unwrap();
        let targets = ["./a//b/", ".", "..", "/abs/./x", &"long/".repeat(50), &"n".repeat(100), &"n".repeat(101)];
        let mut tree = Tree::default();
        for (index, target) in targets.iter().enumerate() {
            symlink(target, from.path().join(index.to_string())).unwrap();
        }
        crate::checkout::add(&mut tree, from.path(), Path::new("d"), crate::checkout::History::Drop).unwrap();
        let links: Vec<_> = written(&tree).into_iter().skip(1).map(|(_, _, link)| link).collect();
        assert_eq!(links, targets);
    }
}
