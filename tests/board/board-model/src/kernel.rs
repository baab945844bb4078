use crate::board::hang;
use crate::fault::Fault;
use crate::groups;
use crate::initramfs;
use crate::model::Model;
use crate::root::{self, Root};
use crate::screen::Screen;
use mn_cli::{Result, Status};
use nix::mount::{MsFlags, mount};
use std::path::{Path, PathBuf};

/// What a boot loader hands over to.
#[derive(Debug, Default)]
pub struct Image {
    /// The kernel's command line.
    pub arguments: String,
    /// A ramdisk, without any header of the boot loader's.
    pub ramdisk: Option<Vec<u8>>,
}

/// Boots: says a kernel's lines, enters the root that `image` names, and becomes its /sbin/init. What goes wrong
/// is said as the kernel says it, and then nothing more happens until the power goes.
pub fn boot(mut screen: Screen, image: &Image, model: &Model) -> Result<Status> {
    let (arguments, faults) = (image.arguments.as_str(), &model.faults);
    screen.say_lines(&format!(
        "[    0.000000] Linux version 6.1.0-board-model (pumice) #1 SMP\n\
         [    0.000000] Kernel command line: {arguments}\n\
         [    0.104001] smp: Brought up 1 node, 8 CPUs\n"
    ))?;
    if faults.contains(&Fault::HangAtBoot) {
        hang();
    }
    let by_itself = image.ramdisk.as_ref().map(|_| Place::Ramdisk);
    let directory = match where_is_root(arguments).or(by_itself) {
        _ if faults.contains(&Fault::PanicAtBoot) => Err("unknown-block(0,255)".to_owned()),
        Some(Place::Nfs(directory)) => Ok(directory),
        Some(Place::Disk) => model.disk.clone().ok_or_else(|| "unknown-block(8,1)".to_owned()),
        Some(Place::Ramdisk) => from_ramdisk(image.ramdisk.as_deref()),
        None => Err("unknown-block(0,0)".to_owned()),
    };
    let directory = match directory {
        Ok(directory) => directory,
        Err(device) => panic(&mut screen, &format!("VFS: Unable to mount root fs on {device}"))?,
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

/// Where a kernel finds its root.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// In this directory of the server.
    Nfs(PathBuf),
    Ramdisk,
    Disk,
}

/// `root=/dev/nfs nfsroot=[SERVER:]DIRECTORY[,OPTIONS]`, `root=/dev/ram0` or `root=/dev/sda1`.
fn where_is_root(arguments: &str) -> Option<Place> {
    let value = |name: &str| arguments.split_whitespace().find_map(|word| word.strip_prefix(name));
    match value("root=")? {
        "/dev/nfs" => {
            let place = value("nfsroot=")?.split(',').next()?;
            let path = place.split_once(':').map_or(place, |(_, path)| path);
            path.starts_with('/').then(|| Place::Nfs(PathBuf::from(path)))
        }
        "/dev/ram0" => Some(Place::Ramdisk),
        "/dev/sda1" => Some(Place::Disk),
        _ => None,
    }
}

/// Unpacks a ramdisk into memory; the error is the device that cannot be mounted, as the kernel names it.
fn from_ramdisk(ramdisk: Option<&[u8]>) -> std::result::Result<PathBuf, String> {
    let memory = Path::new("/mnt");
    let none = None::<&str>;
    let bytes = ramdisk.ok_or("unknown-block(1,0)")?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)
        .and_then(|()| mount(Some("tmpfs"), memory, Some("tmpfs"), MsFlags::empty(), Some("mode=0755")))
        .map_err(|error| format!("unknown-block(1,0): {error}"))?;
    initramfs::unpack(bytes, memory).map_err(|error| format!("unknown-block(1,0): {error}"))?;
    Ok(memory.to_owned())
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
        assert_eq!(where_is_root(line), Some(Place::Nfs(PathBuf::from("/run/x/nfsrootfs"))));
        assert_eq!(where_is_root("root=/dev/nfs nfsroot=/srv/root"), Some(Place::Nfs(PathBuf::from("/srv/root"))));
        assert_eq!(where_is_root("root=/dev/nfs nfsroot=10.0.0.1:{NFSROOTFS},tcp"), None);
        assert_eq!(where_is_root("root=/dev/ram0 nfsroot=10.0.0.1:/x"), Some(Place::Ramdisk));
        assert_eq!(where_is_root("console=ttyS0 root=/dev/sda1 rw"), Some(Place::Disk));
        assert_eq!(where_is_root("root=/dev/sdb9"), None);
    }

    #[test]
    fn a_console_is_a_name_and_never_a_path() {
        assert_eq!(consoles("console=ttyS0,115200n8 console=../x console= console=hvc0"), ["ttyS0", "hvc0"]);
    }
}
