//! Definitions of repositories that are here already: in a mirror of overlay-pack's cache, or in the work tree of a
//! `file://` address.

use crate::definitions::Git;
use mn_cli::Deadline;
use mn_yaml::Node;
use nix::poll::{PollFd, PollFlags, poll};
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::{Component, Path};
use std::process::{ChildStdout, Command, Stdio};
use std::time::Duration;

/// How long git may take for one file of a mirror.
const PATIENCE: Duration = Duration::from_secs(10);

/// The definition in the file `path` of a repository, as overlay-pack would take it from its cache `mirrors`; none
/// when it is elsewhere, of another revision, or no YAML, which the stage that fetches it tells.
pub fn definition(git: &Git, path: &str, mirrors: Option<&Path>) -> Option<Node> {
    let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if !inside {
        return None;
    }
    let bytes = mirrors.and_then(|mirrors| of_mirror(git, path, mirrors)).or_else(|| of_work_tree(git, path))?;
    mn_yaml::parse(&bytes).ok().map(|document| document.root)
}

fn of_work_tree(git: &Git, path: &str) -> Option<Vec<u8>> {
    let root = git.repository.strip_prefix("file://")?;
    if git.revision.is_some() || git.branch.is_some() {
        return None;
    }
    let mut bytes = Vec::new();
    File::open(Path::new(root).join(path)).ok()?.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// More is no definition: the reader says so.
const MOST: u64 = mn_yaml::MAX_BYTES as u64 + 1;

fn of_mirror(git: &Git, path: &str, mirrors: &Path) -> Option<Vec<u8>> {
    let mirror = mn_fetch::mirror(mirrors, &git.repository);
    if !mirror.exists() {
        return None;
    }
    let branch = git.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
    let revision = git.revision.clone().or(branch).unwrap_or_else(|| "HEAD".to_owned());
    let path = path.trim_start_matches("./");
    let mut child = Command::new("git")
        .arg("--git-dir")
        .arg(mirror)
        .args(["cat-file", "blob", "--end-of-options", &format!("{revision}:{path}")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let bytes = child.stdout.take().and_then(read_all);
    // It has written all, or is not to go on.
    let _ = child.kill();
    child.wait().ok()?;
    bytes.filter(|bytes| !bytes.is_empty())
}

/// What comes before the end; none when it does not come in time, or is too much.
fn read_all(mut output: ChildStdout) -> Option<Vec<u8>> {
    let deadline = Deadline::after(PATIENCE);
    let (mut bytes, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    while bytes.len() as u64 <= MOST {
        poll(&mut [PollFd::new(output.as_fd(), PollFlags::POLLIN)], deadline.poll_timeout()).ok()?;
        if deadline.passed() {
            return None;
        }
        match output.read(&mut buffer).ok()? {
            0 => return Some(bytes),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
    None
}
