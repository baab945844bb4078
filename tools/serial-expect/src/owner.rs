//! Who has a serial port: by the lock file of the old Unix programs, and by the open files of processes.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fs::{self, Metadata};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Where conserver, minicom, ser2net and others say that they use a port, if they do.
const LOCKS: &str = "/var/lock";

/// The living process whose lock file is there for this port, with its name.
pub fn by_lock_file(port: &Path) -> Option<String> {
    let real = port.canonicalize().ok();
    let names = [Some(port), real.as_deref()].into_iter().flatten().filter_map(Path::file_name);
    names.map(|name| format!("{LOCKS}/LCK..{}", name.to_string_lossy())).find_map(|lock| holder(Path::new(&lock)))
}

fn holder(lock: &Path) -> Option<String> {
    let pid: i32 = fs::read_to_string(lock).ok()?.split_whitespace().next()?.parse().ok().filter(|&pid| pid > 0)?;
    let lives = matches!(kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM));
    let other = u32::try_from(pid).is_ok_and(|pid| pid != std::process::id());
    (lives && other).then(|| described(&pid.to_string()))
}

/// A process that has the port open, as far as this user may see.
pub fn by_open_file(port: &Path) -> Option<String> {
    let port = fs::metadata(port).ok()?;
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").ok()?.filter_map(Result::ok);
    let pids = processes.filter_map(|entry| entry.file_name().into_string().ok());
    let mut pids = pids.filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()) && *pid != own);
    pids.find(|pid| has_open(pid, &port)).map(|pid| described(&pid))
}

fn has_open(pid: &str, port: &Metadata) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    let devices = descriptors
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| fs::read_link(path).is_ok_and(|link| link.starts_with("/dev")));
    devices.filter_map(|path| fs::metadata(path).ok()).any(|file| is_same(&file, port))
}

/// A container has device files of its own for the same port; but its pseudo-terminals are others of the same number.
fn is_same(file: &Metadata, port: &Metadata) -> bool {
    let pseudo_terminal = (136..144).contains(&nix::sys::stat::major(port.rdev()));
    let same_file = (file.dev(), file.ino()) == (port.dev(), port.ino());
    same_file || (!pseudo_terminal && file.file_type().is_char_device() && file.rdev() == port.rdev())
}

fn described(pid: &str) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    if name.is_empty() { format!("process {pid}") } else { format!("'{}', process {pid},", name.trim()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_counts_as_long_as_its_process_lives() {
        let lock = std::env::temp_dir().join(format!("LCK..consoles-{}", std::process::id()));
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        fs::write(&lock, format!("{:10}\n", child.id())).unwrap();
        assert!(holder(&lock).unwrap().ends_with(&format!(", process {},", child.id())));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(holder(&lock), None);
        for nothing in ["", "0\n", "-1\n", "x\n"] {
            fs::write(&lock, nothing).unwrap();
            assert_eq!(holder(&lock), None);
        }
        fs::remove_file(&lock).unwrap();
    }
}
