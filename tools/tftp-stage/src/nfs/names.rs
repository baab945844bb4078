//! Which file a handle means.
//!
//! NFSv3 handles here carry a number; this table says under which directory and name that number was last
//! seen. Directories are named by their own number, so a renamed directory takes everything below it along.
//! A number is never given twice, so a handle of a removed file cannot come to mean a new one that got the
//! same inode. The table grows with the files a client has looked up, about 150 bytes each, and shrinks as
//! they are removed: the exported tree bounds it.

use std::collections::HashMap;

/// The number in a handle.
pub type Id = u64;

/// One name of a file: the directory it is in, and the name there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub parent: Id,
    pub name: Box<str>,
}

/// What is known about a number.
#[derive(Debug)]
pub struct Node {
    pub inode: u64,
    /// All names seen, the newest first; more than one for hard links, none for the root.
    pub places: Vec<Place>,
}

/// The table, from number to names and from inode to number.
#[derive(Debug)]
pub struct Names {
    root: Id,
    next: Id,
    nodes: HashMap<Id, Node>,
    by_inode: HashMap<u64, Id>,
}

impl Names {
    /// A table that knows only the root, whose inode is given.
    ///
    /// `first` should differ from run to run: then a client that outlived another server gets "stale", not
    /// somebody else's file.
    pub fn new(first: Id, root_inode: u64) -> Self {
        let mut names = Names { root: first, next: first, nodes: HashMap::new(), by_inode: HashMap::new() };
        names.insert(root_inode, Vec::new());
        names
    }

    /// The number of the exported directory itself.
    pub fn root(&self) -> Id {
        self.root
    }

    /// What is known about `id`.
    pub fn get(&self, id: Id) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// Notes that `inode` is at `parent`/`name`, and gives its number.
    pub fn remember(&mut self, parent: Id, name: &str, inode: u64) -> Id {
        let place = Place { parent, name: name.into() };
        let Some(&id) = self.by_inode.get(&inode) else {
            return self.insert(inode, vec![place]);
        };
        if let Some(node) = self.nodes.get_mut(&id)
            && id != self.root
        {
            // The newest comes first: a directory has one name only, whatever was known before.
            node.places.retain(|known| *known != place);
            node.places.insert(0, place);
        }
        id
    }

    /// Notes that `parent`/`name` no longer is `inode`; with its last name the number goes too.
    pub fn forget(&mut self, parent: Id, name: &str, inode: u64, links_left: Links) {
        let Some(&id) = self.by_inode.get(&inode) else { return };
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.places.retain(|place| place.parent != parent || *place.name != *name);
        if links_left == Links::None {
            self.nodes.remove(&id);
            self.by_inode.remove(&inode);
        }
    }

    /// The names from the root down to `id`, by its newest name; `None` for an unknown number.
    pub fn path(&self, id: Id) -> Option<Vec<&str>> {
        let mut path = Vec::new();
        let mut at = id;
        while at != self.root {
            let place = self.nodes.get(&at)?.places.first()?;
            path.push(&*place.name);
            at = place.parent;
        }
        path.reverse();
        Some(path)
    }

    /// The directory `id` is in; the root is its own parent.
    pub fn parent(&self, id: Id) -> Option<Id> {
        if id == self.root {
            return Some(id);
        }
        Some(self.nodes.get(&id)?.places.first()?.parent)
    }

    fn insert(&mut self, inode: u64, places: Vec<Place>) -> Id {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.nodes.insert(id, Node { inode, places });
        self.by_inode.insert(inode, id);
        id
    }
}

/// Whether an inode has further names after one was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Links {
    /// It had only this one: the inode is gone.
    None,
    /// Other hard links remain, known here or not.
    Some,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Id = 7;

    fn table() -> Names {
        Names::new(ROOT, 100)
    }

    #[test]
    fn a_path_is_read_from_the_root_down() {
        let mut names = table();
        let usr = names.remember(ROOT, "usr", 101);
        let lib = names.remember(usr, "lib", 102);
        assert_eq!(names.path(lib), Some(vec!["usr", "lib"]));
        assert_eq!(names.path(ROOT), Some(vec![]));
    }

    #[test]
    fn a_renamed_directory_takes_its_children_along() {
        let mut names = table();
        let old = names.remember(ROOT, "old", 101);
        let file = names.remember(old, "file", 102);
        names.forget(ROOT, "old", 101, Links::Some);
        assert_eq!(names.remember(ROOT, "new", 101), old);
        assert_eq!(names.path(file), Some(vec!["new", "file"]));
    }

    #[test]
    fn a_hard_link_keeps_its_number_when_one_name_goes() {
        let mut names = table();
        let id = names.remember(ROOT, "a", 101);
        assert_eq!(names.remember(ROOT, "b", 101), id);
        names.forget(ROOT, "a", 101, Links::Some);
        assert_eq!(names.path(id), Some(vec!["b"]));
    }

    #[test]
    fn a_reused_inode_gets_a_new_number() {
        let mut names = table();
        let first = names.remember(ROOT, "a", 101);
        names.forget(ROOT, "a", 101, Links::None);
        assert_eq!(names.path(first), None);
        assert_ne!(names.remember(ROOT, "a", 101), first);
    }

    #[test]
    fn the_root_is_its_own_parent() {
        let mut names = table();
        let dir = names.remember(ROOT, "dir", 101);
        assert_eq!(names.parent(dir), Some(ROOT));
        assert_eq!(names.parent(ROOT), Some(ROOT));
    }
}
