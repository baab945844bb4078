//! Listing a directory in pieces.
//!
//! A client lists a directory with many requests and may remove files in between. So the mark from which to go
//! on (the cookie) is no position: it is made from the name, and names are given in the order of their cookies.
//! Whatever else happens to the directory, a name that stays is given exactly once. A request keeps only the
//! names that fit its answer, so a directory of any size is listed in bounded memory.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use nix::dir::Dir;
use nix::errno::Errno;

use super::attributes::Attributes;
use super::directory::{Directory, Result};
use super::names::Id;
use super::permission::Caller;

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub name: String,
    pub inode: u64,
    pub cookie: u64,
}

/// Some names of a directory, in the order of their cookies.
pub struct Listing {
    pub items: Vec<Item>,
    /// Whether no name comes after these.
    pub end: bool,
    pub directory: Attributes,
}

impl Directory {
    /// READDIR: the names after the one with the cookie `after` (0: from the beginning) that together cost at
    /// most `budget`. Names that are not UTF-8 are left out: the protocol layer carries text only.
    ///
    /// # Errors
    /// ERANGE when not one name fits.
    pub fn list(&self, caller: &Caller, id: Id, after: u64, budget: usize, cost: fn(&str) -> usize) -> Result<Listing> {
        let (descriptor, directory) = self.listable(caller, id)?;
        let above = self.parent_inode(id)?;
        let mut page = Page::new(after, budget, cost);
        for entry in Dir::from_fd(descriptor)?.iter() {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            // What is above the exported directory is nobody's business.
            page.offer(name, if name == ".." { above } else { entry.ino() });
        }
        let (items, end) = page.finish();
        if items.is_empty() && !end { Err(Errno::ERANGE) } else { Ok(Listing { items, end, directory }) }
    }
}

/// The first names after a cookie that fit a budget.
struct Page {
    after: u64,
    budget: usize,
    cost: fn(&str) -> usize,
    spent: usize,
    items: BTreeMap<u64, (String, u64)>,
    complete: bool,
}

impl Page {
    fn new(after: u64, budget: usize, cost: fn(&str) -> usize) -> Self {
        Page { after, budget, cost, spent: 0, items: BTreeMap::new(), complete: true }
    }

    fn offer(&mut self, name: &str, inode: u64) {
        let cookie = cookie(name);
        if cookie <= self.after {
            return;
        }
        let last = self.items.last_key_value().map(|(&last, _)| last);
        if !self.complete && last.is_none_or(|last| cookie > last) {
            return;
        }
        self.spent += (self.cost)(name);
        self.items.insert(cookie, (name.to_owned(), inode));
        while self.spent > self.budget
            && let Some((_, (name, _))) = self.items.pop_last()
        {
            self.spent -= (self.cost)(&name);
            self.complete = false;
        }
    }

    fn finish(self) -> (Vec<Item>, bool) {
        let item = |(cookie, (name, inode))| Item { name, inode, cookie };
        (self.items.into_iter().map(item).collect(), self.complete)
    }
}

/// The mark of a name: 1 and 2 for the two dots, 62 bits of a hash for the others, of which no directory has
/// enough to make two alike.
fn cookie(name: &str) -> u64 {
    match name {
        "." => 1,
        ".." => 2,
        _ => {
            // Not seeded: the same name has the same cookie in every request.
            let mut hasher = DefaultHasher::new();
            name.hash(&mut hasher);
            (hasher.finish() >> 2).max(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(names: &[String], after: u64, budget: usize) -> (Vec<Item>, bool) {
        let mut page = Page::new(after, budget, str::len);
        for name in names {
            page.offer(name, 1);
        }
        page.finish()
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("file-{number:04}")).collect()
    }

    #[test]
    fn pieces_together_give_every_name_once() {
        let names = names(1000);
        let (mut seen, mut after) = (Vec::new(), 0);
        loop {
            let (items, end) = page(&names, after, 300);
            seen.extend(items.iter().map(|item| item.name.clone()));
            if end {
                break;
            }
            after = items.last().unwrap().cookie;
        }
        seen.sort();
        assert_eq!(seen, names);
    }

    #[test]
    fn removing_what_was_listed_loses_nothing() {
        let mut names = names(50);
        let (first, _) = page(&names, 0, 90);
        let after = first.last().unwrap().cookie;
        names.retain(|name| first.iter().all(|item| item.name != *name));
        let (rest, end) = page(&names, after, usize::MAX);
        assert!(end);
        assert_eq!(first.len() + rest.len(), 50);
    }

    #[test]
    fn dots_come_first() {
        let (items, _) = page(&["zz".into(), "..".into(), ".".into()], 0, 100);
        assert_eq!(items[0].name, ".");
        assert_eq!(items[1].name, "..");
    }

    #[test]
    fn a_budget_too_small_for_one_name_gives_none_and_no_end() {
        assert_eq!(page(&names(3), 0, 4), (vec![], false));
    }
}
