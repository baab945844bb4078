//! Definitions of repositories that are here already: a `file://` address with a work tree.

use crate::definitions::Git;
use mn_yaml::Node;
use std::io::Read;
use std::path::{Component, Path};

/// The definition in the file `path` of a repository; none when it is elsewhere, of another revision, or no YAML,
/// which the stage that fetches it tells.
pub fn definition(git: &Git, path: &str) -> Option<Node> {
    let root = git.repository.strip_prefix("file://")?;
    let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if git.is_pinned() || !inside {
        return None;
    }
    let file = std::fs::File::open(Path::new(root).join(path)).ok()?;
    let mut bytes = Vec::new();
    file.take(mn_yaml::MAX_BYTES as u64 + 1).read_to_end(&mut bytes).ok()?;
    mn_yaml::parse(&bytes).ok().map(|document| document.root)
}
