//! May this caller do that? The mode bits, read the way a kernel reads them.
//!
//! The server acts as root, so nothing below it would refuse an ordinary user of the board.

/// Who asks, as the client's kernel says (AUTH_SYS; there is no root squashing, as a root file system needs).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub uid: u32,
    pub gid: u32,
    /// Supplementary groups, at most 16.
    pub groups: Vec<u32>,
}

impl Caller {
    /// A caller that did not say who it is.
    pub const NOBODY: Caller = Caller { uid: 65534, gid: 65534, groups: Vec::new() };

    /// Whether the caller is the superuser.
    pub fn is_root(&self) -> bool {
        self.uid == 0
    }

    /// Whether `gid` is among the caller's groups.
    pub fn is_in(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}

/// Whose file it is and what its mode allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ownership {
    pub uid: u32,
    pub gid: u32,
    /// Permission bits, without the file type.
    pub mode: u32,
}

/// The right to read, as the bit of one class in a mode.
pub const READ: u32 = 4;
/// The right to write.
pub const WRITE: u32 = 2;
/// The right to execute a file or to pass through a directory.
pub const EXECUTE: u32 = 1;

const STICKY: u32 = 0o1000;

/// Which of the rights READ, WRITE, EXECUTE `caller` has on a file.
pub fn rights(caller: &Caller, file: Ownership, kind: Kind) -> u32 {
    if caller.is_root() {
        // Even root executes only what somebody may execute.
        let execute = kind == Kind::Directory || file.mode & 0o111 != 0;
        return READ | WRITE | if execute { EXECUTE } else { 0 };
    }
    let class = if caller.uid == file.uid {
        file.mode >> 6
    } else if caller.is_in(file.gid) {
        file.mode >> 3
    } else {
        file.mode
    };
    class & 7
}

/// What the rights are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Directory,
    Other,
}

/// May `caller` read the contents of this file?
///
/// The owner may always: a client checks at open, and a file may lose its mode while it is open. Execution
/// reads too.
pub fn may_read(caller: &Caller, file: Ownership) -> bool {
    caller.uid == file.uid || rights(caller, file, Kind::Other) & (READ | EXECUTE) != 0
}

/// May `caller` write to this file? The owner may always, see [`may_read`].
pub fn may_write(caller: &Caller, file: Ownership) -> bool {
    caller.uid == file.uid || rights(caller, file, Kind::Other) & WRITE != 0
}

/// May `caller` add names to this directory?
pub fn may_add(caller: &Caller, directory: Ownership) -> bool {
    rights(caller, directory, Kind::Directory) & (WRITE | EXECUTE) == WRITE | EXECUTE
}

/// May `caller` take the name of `file` away from this directory?
pub fn may_remove(caller: &Caller, directory: Ownership, file: Ownership) -> bool {
    let sticky = directory.mode & STICKY != 0;
    may_add(caller, directory) && (!sticky || caller.is_root() || caller.uid == file.uid || caller.uid == directory.uid)
}

/// May `caller` give this file these owners? Root may; an owner may change to a group of its own.
pub fn may_chown(caller: &Caller, file: Ownership, uid: Option<u32>, gid: Option<u32>) -> bool {
    let same_uid = uid.is_none_or(|uid| uid == file.uid);
    let own_gid = gid.is_none_or(|gid| gid == file.gid || caller.is_in(gid));
    caller.is_root() || (caller.uid == file.uid && same_uid && own_gid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(uid: u32) -> Caller {
        Caller { uid, gid: uid, groups: vec![50] }
    }

    fn file(uid: u32, gid: u32, mode: u32) -> Ownership {
        Ownership { uid, gid, mode }
    }

    #[test]
    fn the_first_matching_class_decides() {
        let closed_to_group = file(0, 50, 0o604);
        assert_eq!(rights(&user(1000), closed_to_group, Kind::Other), 0);
        assert_eq!(rights(&user(1000), file(0, 7, 0o604), Kind::Other), READ);
    }

    #[test]
    fn root_writes_everything_and_executes_what_is_executable() {
        let root = Caller { uid: 0, gid: 0, groups: vec![] };
        assert_eq!(rights(&root, file(1, 1, 0), Kind::Other), READ | WRITE);
        assert_eq!(rights(&root, file(1, 1, 0), Kind::Directory), 7);
    }

    #[test]
    fn others_may_not_write_a_file_of_root() {
        assert!(!may_write(&user(1000), file(0, 0, 0o644)));
        assert!(may_read(&user(1000), file(0, 0, 0o644)));
    }

    #[test]
    fn an_owner_reads_and_writes_in_spite_of_the_mode() {
        assert!(may_write(&user(1000), file(1000, 0, 0o444)));
        assert!(may_read(&user(1000), file(1000, 0, 0)));
    }

    #[test]
    fn a_sticky_directory_protects_the_files_of_others() {
        let tmp = file(0, 0, 0o1777);
        assert!(!may_remove(&user(1000), tmp, file(1001, 0, 0o666)));
        assert!(may_remove(&user(1000), tmp, file(1000, 0, 0o666)));
        assert!(may_remove(&user(1000), file(0, 0, 0o777), file(1001, 0, 0o666)));
    }

    #[test]
    fn an_owner_may_choose_among_its_groups_but_not_give_away() {
        assert!(may_chown(&user(1000), file(1000, 1000, 0), None, Some(50)));
        assert!(!may_chown(&user(1000), file(1000, 1000, 0), None, Some(51)));
        assert!(!may_chown(&user(1000), file(1000, 1000, 0), Some(1), None));
        assert!(!may_chown(&user(1000), file(0, 0, 0), None, Some(50)));
    }
}
