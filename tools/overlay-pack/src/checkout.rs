//! A directory of this machine as members of an archive.

use mn_cli::{Cannot, Error, Result};
use std::fs::{self, DirEntry};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::tree::{Content, Member, Mode, Tree, is_inside};

/// Whether the history, `.git`, comes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History {
    /// The working tree and `.git`.
    Keep,
    /// The working tree alone.
    Drop,
}

/// Puts what is in the directory `from` into the tree, below the name `to`.
///
/// # Errors
/// Status 2 for what is no file, directory or symbolic link, 3 for what cannot be read.
pub fn add(tree: &mut Tree, from: &Path, to: &Path, history: History) -> Result<()> {
    let mut directories = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = directories.pop() {
        let what = || format!("read '{}'", from.display());
        for entry in fs::read_dir(&from).cannot(what())? {
            let entry = entry.cannot(what())?;
            // A submodule has a file of that name.
            if history == History::Drop && entry.file_name() == ".git" {
                continue;
            }
            let name = to.join(entry.file_name());
            let member = member(&entry, &name)?;
            if member == Member::Directory {
                directories.push((entry.path(), name.clone()));
            }
            tree.insert(name, member).map_err(Error::wrong)?;
        }
    }
    Ok(())
}

fn member(entry: &DirEntry, name: &Path) -> Result<Member> {
    let what = || format!("read '{}'", entry.path().display());
    let metadata = entry.metadata().cannot(what())?;
    let kind = metadata.file_type();
    if kind.is_dir() {
        Ok(Member::Directory)
    } else if kind.is_symlink() {
        Ok(Member::Symlink(fs::read_link(entry.path()).cannot(what())?))
    } else if kind.is_file() {
        // As in git: whether it can be executed is all that a file's mode says.
        let executable = metadata.permissions().mode() & 0o100 != 0;
        let mode = if executable { Mode::Executable } else { Mode::Plain };
        Ok(Member::File(mode, Content::OnDisk(entry.path())))
    } else {
        Err(Error::wrong(format_args!("cannot pack '{}': it is no file, directory or symbolic link", name.display())))
    }
}

/// Reads a definition's file out of a working tree.
///
/// # Errors
/// In words: a name or a link that leads out of the tree, or the system's reason.
pub fn read(root: &Path, name: &str) -> std::result::Result<Vec<u8>, String> {
    if !is_inside(Path::new(name)) {
        return Err("its path does not stay in the repository".to_owned());
    }
    let file = real(&root.join(name))?;
    if !file.starts_with(real(root)?) {
        return Err("its path leads out of the repository".to_owned());
    }
    let open = || fs::File::open(&file).cannot("open it");
    let mut bytes = Vec::new();
    // One byte more than is allowed: then the parser says what the limit is.
    let limit = mn_yaml::MAX_BYTES as u64 + 1;
    let read = open().and_then(|file| file.take(limit).read_to_end(&mut bytes).cannot("read it"));
    read.map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn real(path: &Path) -> std::result::Result<PathBuf, String> {
    path.canonicalize().cannot("open it").map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).unwrap();
        let error = add(&mut Tree::default(), directory.path(), Path::new("a/b"), History::Drop).unwrap_err();
        assert_eq!(error.to_string(), "cannot pack 'a/b/socket': it is no file, directory or symbolic link");
    }

    #[test]
    fn a_definition_cannot_be_read_from_outside() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join("link")).unwrap();
        for (name, expected) in [
            ("../x", "its path does not stay in the repository"),
            ("/etc/passwd", "its path does not stay in the repository"),
            ("link", "its path leads out of the repository"),
            ("none", "cannot open it: No such file or directory"),
        ] {
            assert_eq!(read(directory.path(), name).unwrap_err(), expected);
        }
    }
}
