//! What an archive is to hold, before anything is written.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Component, Path, PathBuf};

/// The members of an archive by their names, which are relative; a directory comes before what
/// is in it.
#[derive(Debug, Default, PartialEq)]
pub struct Tree {
    members: BTreeMap<PathBuf, Member>,
}

/// One member.
#[derive(Clone, Debug, PartialEq)]
pub enum Member {
    /// A directory, 0755.
    Directory,
    /// A regular file, 0644 or 0755.
    File(Mode, Content),
    /// A symbolic link and what it says.
    Symlink(PathBuf),
}

/// The two modes that files have in an overlay, as in git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// 0644.
    Plain,
    /// 0755.
    Executable,
}

/// What is in a file.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// This text.
    Text(String),
    /// What the file of this name has when the archive is written.
    OnDisk(PathBuf),
}

impl Tree {
    /// Puts a member in and makes the directories above it. A file or link takes the place of
    /// another.
    ///
    /// # Errors
    /// A name that is not relative, or that would make a directory of a file or a file of a
    /// directory; in words.
    pub fn insert(&mut self, name: impl Into<PathBuf>, member: Member) -> Result<(), String> {
        let name = name.into();
        if !is_inside(&name) {
            return Err(format!("'{}' does not stay in its directory", name.display()));
        }
        for above in name.ancestors().skip(1).filter(|above| *above != Path::new("")) {
            match self.members.get(above) {
                Some(Member::Directory) => {}
                Some(_) => return Err(format!("'{}' is a file, not a directory", above.display())),
                None => drop(self.members.insert(above.to_owned(), Member::Directory)),
            }
        }
        match self.members.entry(name) {
            Entry::Occupied(there) if (*there.get() == Member::Directory) != (member == Member::Directory) => {
                Err(format!("'{}' is a file and a directory", there.key().display()))
            }
            Entry::Occupied(mut there) => {
                there.insert(member);
                Ok(())
            }
            Entry::Vacant(vacant) => {
                vacant.insert(member);
                Ok(())
            }
        }
    }

    /// Puts a text file in, 0644.
    ///
    /// # Errors
    /// As [`Tree::insert`].
    pub fn text(&mut self, name: impl Into<PathBuf>, text: impl Into<String>) -> Result<(), String> {
        self.insert(name, Member::File(Mode::Plain, Content::Text(text.into())))
    }

    /// The members in the order of an archive.
    pub fn members(&self) -> impl Iterator<Item = (&Path, &Member)> {
        self.members.iter().map(|(name, member)| (name.as_path(), member))
    }
}

/// Whether a name is relative and goes only down, from a directory to what is in it.
pub fn is_inside(name: &Path) -> bool {
    name != Path::new("") && name.components().all(|component| matches!(component, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_first_and_are_made() {
        let mut tree = Tree::default();
        for name in ["a-b", "a/c/d", "a/b"] {
            tree.text(name, "").unwrap();
        }
        let names: Vec<_> = tree.members().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["a", "a/b", "a/c", "a/c/d", "a-b"]);
    }

    #[test]
    fn nothing_leaves_its_directory() {
        for name in ["", "/a", "..", "a/../b", "./a"] {
            assert!(Tree::default().text(name, "").is_err(), "{name}");
        }
    }

    #[test]
    fn a_file_replaces_a_file_or_a_link_but_no_directory() {
        let mut tree = Tree::default();
        tree.insert("a", Member::Symlink("b".into())).unwrap();
        tree.text("a", "new").unwrap();
        assert_eq!(tree.text("a/b", "").unwrap_err(), "'a' is a file, not a directory");
        tree.insert("d", Member::Directory).unwrap();
        assert_eq!(tree.text("d", "").unwrap_err(), "'d' is a file and a directory");
    }
}
