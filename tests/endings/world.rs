//! What is there outside the run directory: processes, mounts, temporary files.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What was there at a moment.
#[derive(Default)]
pub struct World(BTreeSet<String>);

impl World {
    /// What is there now.
    pub fn now() -> Self {
        let mut things = BTreeSet::new();
        things.extend(processes().into_iter().map(|(id, name)| format!("process {id} {name}")));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        things.extend(
            mounts.lines().map(|line| format!("mount {}", line.split(' ').skip(3).collect::<Vec<_>>().join(" "))),
        );
        let entries = fs::read_dir("/tmp").into_iter().flatten().flatten();
        things.extend(entries.map(|entry| format!("file {}", entry.path().display())));
        Self(things)
    }

    /// What has come since.
    pub fn news(&self) -> Vec<String> {
        Self::now().0.difference(&self.0).cloned().collect()
    }
}

/// All processes of these namespaces that live, by number and name; zombies do not.
fn processes() -> Vec<(i32, String)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| process(&entry.path())).collect()
}

fn process(path: &Path) -> Option<(i32, String)> {
    let id = path.file_name()?.to_str()?.parse().ok()?;
    let stat = fs::read_to_string(path.join("stat")).ok()?;
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
    (!rest.starts_with('Z')).then(|| (id, name.to_owned()))
}

/// What should not be left in a run directory: staged files, sockets, queues, undos that were not made.
pub fn leftovers(run: &Path) -> Vec<String> {
    use std::os::unix::fs::FileTypeExt;
    let mut left = Vec::new();
    for directory in [run.to_owned()].into_iter().chain(entries(run).into_iter().filter(|path| path.is_dir())) {
        for path in entries(&directory) {
            let kind = path.symlink_metadata().map(|data| data.file_type());
            let special = kind.is_ok_and(|kind| kind.is_socket() || kind.is_fifo());
            if special || ["nfsrootfs", "tftp"].iter().any(|name| path.ends_with(name)) {
                left.push(path.display().to_string());
            }
        }
        let held = fs::read_to_string(directory.join("held")).unwrap_or_default();
        let struck = |key: &str| held.lines().any(|line| line.strip_prefix('-') == Some(key));
        let open = held.lines().filter(|line| line.starts_with('+'));
        left.extend(open.filter(|line| !struck(line[1..].split(' ').next().unwrap_or_default())).map(str::to_owned));
    }
    left
}

fn entries(directory: &Path) -> Vec<std::path::PathBuf> {
    fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}
