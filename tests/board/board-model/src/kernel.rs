use crate::board::hang;
use crate::fault::Fault;
use crate::groups;
use crate::root::{self, Root};
use crate::screen::Screen;
use mn_cli::{Result, Status};
use std::path::PathBuf;

/// Boots: says a kernel's lines, enters the root that `arguments` name, and becomes its /sbin/init. What goes wrong
/// is said as the kernel says it, and then nothing more happens until the power goes.
pub fn boot(mut screen: Screen, arguments: &str, faults: &[Fault]) -> Result<Status> {
    screen.say_lines(&format!(
        "[    0.000000] Linux version 6.1.0-board-model (pumice) #1 SMP\n\
         [    0.000000] Kernel command line: {arguments}\n\
         [    0.104001] smp: Brought up 1 node, 8 CPUs\n"
    ))?;
    if faults.contains(&Fault::HangAtBoot) {
        hang();
    }
    let directory = match nfs_root(arguments) {
        Some(directory) if !faults.contains(&Fault::PanicAtBoot) => directory,
        _ => panic(&mut screen, "VFS: Unable to mount root fs on unknown-block(0,255)")?,
    };
    let root = match Root::build(&directory, &consoles(arguments)) {
        Ok(root) => root,
        Err(error) => panic(&mut screen, &format!("VFS: Unable to mount root fs via NFS: {error}"))?,
    };
    screen.say_lines(
        "[    0.417213] VFS: Mounted root (nfs filesystem) on device 0:18.\n\
         [    0.420110] Run /sbin/init as init process\n",
    )?;
    if faults.contains(&Fault::NoLogin) {
        hang();
    }
    groups::tolerate()?;
    let error = root::enter(root, screen)?;
    // The terminal is the root's by now.
    let mut screen = Screen::open()?;
    panic(&mut screen, &format!("Requested init /sbin/init failed ({error})."))
}

fn panic<T>(screen: &mut Screen, reason: &str) -> Result<T> {
    let text = format!("Kernel panic - not syncing: {reason}");
    screen.say_lines(&format!("[    0.500000] {text}\n[    0.500300] ---[ end {text} ]---\n"))?;
    hang()
}

/// The directory on the server, when the root is on NFS: `root=/dev/nfs nfsroot=[SERVER:]DIRECTORY[,OPTIONS]`.
fn nfs_root(arguments: &str) -> Option<PathBuf> {
    if !arguments.split_whitespace().any(|word| word == "root=/dev/nfs") {
        return None;
    }
    let value = arguments.split_whitespace().find_map(|word| word.strip_prefix("nfsroot="))?;
    let place = value.split(',').next()?;
    let path = place.split_once(':').map_or(place, |(_, path)| path);
    path.starts_with('/').then(|| PathBuf::from(path))
}

/// The names of the devices of `console=NAME[,OPTIONS]`.
fn consoles(arguments: &str) -> Vec<&str> {
    let plain = |name: &&str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric());
    let values = arguments.split_whitespace().filter_map(|word| word.strip_prefix("console="));
    values.filter_map(|value| value.split(',').next()).filter(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_taken_from_the_line_that_was_typed() {
        let line = "debug root=/dev/nfs rw nfsroot=10.77.0.1:/run/x/nfsrootfs,tcp,hard ip=:::::eth0:dhcp";
        assert_eq!(nfs_root(line), Some(PathBuf::from("/run/x/nfsrootfs")));
        assert_eq!(nfs_root("root=/dev/nfs nfsroot=/srv/root"), Some(PathBuf::from("/srv/root")));
        assert_eq!(nfs_root("root=/dev/nfs nfsroot=10.0.0.1:{NFSROOTFS},tcp"), None);
        assert_eq!(nfs_root("root=/dev/ram0 nfsroot=10.0.0.1:/x"), None);
    }

    #[test]
    fn a_console_is_a_name_and_never_a_path() {
        assert_eq!(consoles("console=ttyS0,115200n8 console=../x console= console=hvc0"), ["ttyS0", "hvc0"]);
    }
}
