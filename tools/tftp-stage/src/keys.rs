//! The keys of ssh: the group's public key let into the root, the board's host key made known to the guests.

use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process::{Command, Stdio};

use mn_cli::{Cannot, Error, Result};
use mn_msg::{MemberDir, RunDir};
use nix::sys::stat::{Mode, fchmod};

use crate::root::{Metadata, Present, Root};

const HOST_KEY: &str = "etc/ssh/ssh_host_ed25519_key";

/// Most bytes of a key file that are looked at; an RSA key of 16384 bits has less.
const LONGEST_KEY: u64 = 16 * 1024;

/// Lets the key in the file `public` in as root: appends it to `/root/.ssh/authorized_keys`.
///
/// # Errors
/// Status 2 for a file that holds no public key, 3 for a system that refuses.
pub fn authorize(root: &Root, public: &Path) -> Result<()> {
    let mut text = String::new();
    let file = fs::File::open(public).cannot(format_args!("open the key to authorize '{}'", public.display()))?;
    file.take(LONGEST_KEY).read_to_string(&mut text).cannot(format_args!("read '{}'", public.display()))?;
    let key = text.lines().find_map(public_key).ok_or_else(|| {
        Error::wrong(format_args!("cannot authorize the key in '{}': it holds no public key", public.display()))
    })?;
    for directory in ["root", "root/.ssh"] {
        private_directory(root, Path::new(directory))?;
    }
    append_key(root, Path::new("root/.ssh/authorized_keys"), &key)
}

/// Makes a directory of root's own that sshd trusts; one that is there keeps what it is, but for others' rights.
fn private_directory(root: &Root, path: &Path) -> Result<()> {
    let what = || format!("make '{}' in the root", path.display());
    let place = root.spot(path).cannot(what())?;
    if place.present(root, path).cannot(what())? == Present::Nothing {
        place.make_directory().cannot(what())?;
    }
    let file = root.read(path).cannot(what())?;
    let metadata = file.metadata().cannot(what())?;
    if !metadata.is_dir() {
        return Err(Error::lab(format_args!("cannot {}: something else is there", what())));
    }
    let mode = if path.ends_with(".ssh") { 0o700 } else { metadata.mode() & 0o7755 };
    fchmod(&file, Mode::from_bits_truncate(mode)).cannot(what())
}

fn append_key(root: &Root, path: &Path, key: &str) -> Result<()> {
    let what = || format!("write '{}' in the root", path.display());
    let mut file = root.append(path, 0o600).cannot(what())?;
    let end = file.seek(SeekFrom::End(0)).cannot(what())?;
    let mut last = [b'\n'];
    if end > 0 {
        file.seek(SeekFrom::End(-1)).cannot(what())?;
        file.read_exact(&mut last).cannot(what())?;
    }
    let separator = if last == [b'\n'] { "" } else { "\n" };
    file.write_all(format!("{separator}{key}\n").as_bytes()).cannot(what())?;
    fchmod(&file, Mode::S_IRUSR | Mode::S_IWUSR).cannot(what())
}

/// Makes the root's host key known to the guests as that of `job_id`; makes one where the root has none.
///
/// # Errors
/// Status 3 for a system that refuses.
pub fn publish_host_key(root: &Root, member: &MemberDir, job_id: &str) -> Result<()> {
    let key = match existing_host_key(root)? {
        Some(key) => key,
        None => make_host_key(root, member)?,
    };
    // A comment would be the maker's business.
    let key: Vec<_> = key.split(' ').take(2).collect();
    append_known_host(member.run(), &format!("{job_id} {}\n", key.join(" ")))
}

fn existing_host_key(root: &Root) -> Result<Option<String>> {
    let path = format!("{HOST_KEY}.pub");
    let mut text = String::new();
    match root.read(Path::new(&path)) {
        Err(nix::errno::Errno::ENOENT) => return Ok(None),
        opened => {
            let file = opened.cannot(format_args!("open '{path}' in the root"))?;
            file.take(LONGEST_KEY).read_to_string(&mut text).cannot(format_args!("read '{path}' in the root"))?;
        }
    }
    let key = text.lines().find_map(public_key).filter(|key| key.starts_with("ssh-ed25519 "));
    key.map(Some).ok_or_else(|| Error::wrong(format_args!("cannot use '{path}' in the root: not an ed25519 key")))
}

/// Makes a pair outside the root, where no symbolic link leads astray, and lays it in.
fn make_host_key(root: &Root, member: &MemberDir) -> Result<String> {
    let directory = tempfile::tempdir_in(member.path()).cannot("make a directory for a host key")?;
    let private = directory.path().join("key");
    let output = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(&private)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .cannot("run 'ssh-keygen', which makes the board's host key")?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr);
        return Err(Error::lab(format_args!("cannot make a host key: ssh-keygen: {}", reason.trim())));
    }
    let public = private.with_extension("pub");
    lay_in(root, Path::new(HOST_KEY), &private, 0o600)?;
    lay_in(root, Path::new(&format!("{HOST_KEY}.pub")), &public, 0o644)?;
    let text = fs::read_to_string(&public).cannot("read the new host key")?;
    text.lines().find_map(public_key).ok_or_else(|| Error::lab("cannot make a host key: ssh-keygen wrote none"))
}

fn lay_in(root: &Root, path: &Path, from: &Path, mode: u32) -> Result<()> {
    let what = || format!("write '{}' in the root", path.display());
    let place = root.spot(path).cannot(what())?;
    place.clear().cannot(what())?;
    let text = fs::read(from).cannot(what())?;
    place.make_file().cannot(what())?.write_all(&text).cannot(what())?;
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    place.set_metadata(Metadata { uid: 0, gid: 0, mode, modified: seconds as i64 }).cannot(what())
}

fn append_known_host(run: &RunDir, line: &str) -> Result<()> {
    let path = run.path().join("known_hosts");
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path);
    // In one write: several hosts of a group do this at the same time.
    file.and_then(|mut file| file.write_all(line.as_bytes())).cannot(format_args!("write '{}'", path.display()))
}

/// The line as a public key: a type, base64, and perhaps a comment.
fn public_key(line: &str) -> Option<String> {
    let line = line.trim();
    let mut words = line.split_whitespace();
    let (kind, key) = (words.next()?, words.next()?);
    let base64 = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let known = ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| kind.starts_with(prefix));
    (known && base64 && key.starts_with("AAAA") && !line.contains(char::is_control)).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_is_not_taken_for_a_public_one() {
        assert_eq!(public_key("-----BEGIN OPENSSH PRIVATE KEY-----"), None);
        assert_eq!(public_key("ssh-ed25519 b3BlbnNzaC1rZXk="), None);
        assert_eq!(public_key("# a comment"), None);
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA group key";
        assert_eq!(public_key(key).as_deref(), Some(key));
    }
}
