//! What each group has filled of the journal: one that fills its share stops itself, not the others.

use std::collections::HashMap;

/// How much a journal takes, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Of one group.
    pub share: u64,
    /// Of all groups together, before a further group is made.
    pub founding: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { share: 256 << 20, founding: 4 << 30 }
    }
}

/// The bytes of each group.
#[derive(Debug)]
pub struct Shares {
    bounds: Bounds,
    by_group: HashMap<String, u64>,
    all: u64,
}

impl Shares {
    /// Names kept before those of groups that are gone are forgotten; more than there may be groups.
    const NAMES: usize = 1024;

    /// Nothing is filled.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, by_group: HashMap::new(), all: 0 }
    }

    /// So many bytes were written for a group; `exists` tells which groups there are.
    pub fn charge(&mut self, group: Option<&str>, bytes: u64, exists: impl Fn(&str) -> bool) {
        self.all += bytes;
        let Some(group) = group else { return };
        match self.by_group.get_mut(group) {
            Some(filled) => *filled += bytes,
            None => {
                if self.by_group.len() >= Self::NAMES {
                    self.by_group.retain(|name, _| exists(name));
                }
                self.by_group.insert(group.to_owned(), bytes);
            }
        }
    }

    /// Why a group's request is not taken, if it is not.
    pub fn refusal(&self, group: &str, exists: impl Fn(&str) -> bool) -> Option<&'static str> {
        if !exists(group) {
            return (self.all >= self.bounds.founding).then_some("the journal is full and takes no further group");
        }
        let full = self.by_group.get(group).is_some_and(|filled| *filled >= self.bounds.share);
        full.then_some("the group has filled its share of the journal")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_that_fills_its_share_stops_itself_only() {
        let mut shares = Shares::new(Bounds { share: 100, founding: 1000 });
        shares.charge(Some("a"), 99, |_| true);
        assert_eq!(shares.refusal("a", |_| true), None);
        shares.charge(Some("a"), 1, |_| true);
        assert!(shares.refusal("a", |_| true).is_some_and(|text| text.contains("share")));
        assert_eq!(shares.refusal("b", |_| true), None);
        assert_eq!(shares.refusal("new", |_| false), None);
    }

    #[test]
    fn a_full_journal_takes_no_further_group_and_goes_on_for_those_it_has() {
        let mut shares = Shares::new(Bounds { share: 100, founding: 1000 });
        for nth in 0..10 {
            shares.charge(Some(&format!("gone {nth}")), 100, |_| true);
        }
        assert!(shares.refusal("new", |_| false).is_some_and(|text| text.contains("further")));
        assert_eq!(shares.refusal("a", |_| true), None);
    }

    #[test]
    fn names_of_groups_that_are_gone_do_not_pile_up() {
        let mut shares = Shares::new(Bounds::default());
        for nth in 0..10_000 {
            shares.charge(Some(&format!("g{nth}")), 1, |name| name == "g0");
        }
        assert!(shares.by_group.len() <= Shares::NAMES && shares.by_group.contains_key("g0"));
        assert_eq!(shares.all, 10_000);
    }
}
