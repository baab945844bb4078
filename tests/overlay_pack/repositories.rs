//! Repositories for definitions to come from.

use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

pub fn git(number: usize, name: &str, repository: &str, path: &str) -> Value {
    json!({
        "from": "git", "name": name, "run": format!("{number}_{name}"), "uuid": format!("4212_1.1.3.{}", 4 * number + 1),
        "path": path, "repository": repository, "shallow": true, "history": false, "recursive": false,
    })
}

/// Runs git in a directory, and gives its output.
pub fn run_git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .arg("-C")
        .arg(directory)
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"])
        .args(arguments)
        .envs([("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z"), ("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with a definition, an executable script and symbolic links.
pub fn repository() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    run_git(root, &["init", "--quiet", "--initial-branch=main"]);
    fs::create_dir_all(root.join("dir/scripts")).unwrap();
    fs::write(
        root.join("smoke.yaml"),
        "metadata: {format: Lava-Test Test Definition 1.0, name: smoke}\nrun:\n  steps: [dir/scripts/go.sh]\n",
    )
    .unwrap();
    fs::write(root.join("dir/scripts/go.sh"), "#!/bin/sh\necho gone\n").unwrap();
    fs::set_permissions(root.join("dir/scripts/go.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    // What the overlay writes goes over what a repository has.
    fs::write(root.join("run.sh"), "echo theirs\n").unwrap();
    symlink("../dir/./scripts/go.sh", root.join("dir/link")).unwrap();
    symlink("/etc/passwd", root.join("passwd.yaml")).unwrap();
    symlink(".", root.join("here")).unwrap();
    fs::write(root.join("a".repeat(120)), "").unwrap();
    run_git(root, &["add", "--all"]);
    run_git(root, &["commit", "--quiet", "--message=one"]);
    directory
}

pub fn url(directory: &Path) -> String {
    format!("file://{}", directory.display())
}

/// A git that does as the test says, in front of PATH.
pub fn fake_git(script: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("git");
    fs::write(&file, format!("#!/bin/sh\necho $$ >'{}/pid'\n{script}\n", directory.path().display())).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap());
    (directory, path)
}

pub fn assert_killed(directory: &TempDir) {
    let pid = fs::read_to_string(directory.path().join("pid")).unwrap().trim().parse().unwrap();
    assert_eq!(kill(Pid::from_raw(pid), None), Err(Errno::ESRCH));
}

/// A repository with these files.
pub fn repository_of(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    run_git(directory.path(), &["init", "--quiet", "--initial-branch=main"]);
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    run_git(directory.path(), &["add", "--all"]);
    run_git(directory.path(), &["commit", "--quiet", "--message=one"]);
    directory
}
