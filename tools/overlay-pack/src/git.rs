//! Definitions from git: each repository is cloned once for a stream of messages.

use mn_cli::{Cannot, Deadline, Error, Result, Signals, Status};
use mn_msg::role::Definition;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

use crate::process::{self, Ended};

/// What is cloned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    repository: String,
    branch: Option<String>,
    revision: Option<String>,
    depth: Depth,
    submodules: Submodules,
}

/// How much of the history is fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Depth {
    One,
    All,
}

/// Whether submodules are cloned too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Submodules {
    With,
    Without,
}

/// A clone in a directory that vanishes with it.
pub struct Repository {
    directory: TempDir,
    /// The commit that is checked out.
    pub commit_id: String,
}

impl Repository {
    /// The directory of the working tree.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Source {
    /// What the job asks for.
    ///
    /// # Errors
    /// A word that git would take for an option; in words.
    pub fn new(order: &Definition) -> std::result::Result<Self, String> {
        let words = [("repository", &order.repository), ("branch", &order.branch), ("revision", &order.revision)];
        for (name, word) in words.iter().filter_map(|(name, word)| word.as_ref().map(|word| (name, word))) {
            if word.is_empty() || word.starts_with('-') || word.contains('\0') {
                return Err(format!("its {name} is '{word}', which git would misunderstand"));
            }
        }
        // A revision may be any commit: only a whole history is sure to hold it.
        let shallow = order.shallow.unwrap_or(true) && order.revision.is_none();
        Ok(Self {
            repository: order.repository.clone().ok_or("it has no 'repository'")?,
            branch: order.branch.clone(),
            revision: order.revision.clone(),
            depth: if shallow { Depth::One } else { Depth::All },
            submodules: if order.recursive == Some(true) { Submodules::With } else { Submodules::Without },
        })
    }

    fn clone_arguments(&self, depth: Depth, into: &Path) -> Vec<OsString> {
        // Without a template: no hooks of this machine.
        let mut arguments: Vec<OsString> = ["clone", "--quiet", "--template="].map(OsString::from).into();
        if depth == Depth::One {
            arguments.push("--depth=1".into());
        }
        if self.submodules == Submodules::With {
            arguments.push("--recurse-submodules".into());
        }
        if let Some(branch) = &self.branch {
            arguments.push(format!("--branch={branch}").into());
        }
        arguments.extend(["--".into(), self.repository.clone().into(), into.into()]);
        arguments
    }
}

/// The clones of one stream.
#[derive(Default)]
pub struct Repositories(BTreeMap<Source, Repository>);

impl Repositories {
    /// The clone of a source, made in a new directory of `parent` unless it is there already.
    ///
    /// # Errors
    /// Git's own reason: status 2 for a branch or revision that is not there, 3 for a repository
    /// that cannot be reached, 124 out of time, 128+N when a signal came.
    pub fn get(
        &mut self,
        source: &Source,
        parent: &Path,
        deadline: Deadline,
        signals: &mut Signals,
    ) -> Result<&Repository> {
        if !self.0.contains_key(source) {
            let clone = fetch(source, parent, deadline, signals)?;
            self.0.insert(source.clone(), clone);
        }
        self.0.get(source).ok_or_else(|| Error::lab("cannot find a clone that was made"))
    }
}

fn fetch(source: &Source, parent: &Path, deadline: Deadline, signals: &mut Signals) -> Result<Repository> {
    let directory = tempfile::Builder::new().prefix(".overlay-pack-").tempdir_in(parent);
    let directory = directory.cannot(format_args!("make a directory in '{}'", parent.display()))?;
    let into = directory.path();
    mn_cli::note(1, format_args!("clones '{}'", shown(&source.repository)));
    let mut ended = git(&source.clone_arguments(source.depth, into), deadline, signals)?;
    // A server without the smart protocol has no shallow clones.
    if !ended.status.success() && source.depth == Depth::One && ended.errors.contains("shallow") {
        ended = git(&source.clone_arguments(Depth::All, into), deadline, signals)?;
    }
    if !ended.status.success() {
        let no_branch = source.branch.is_some() && ended.errors.contains("Remote branch");
        return Err(Error::new(if no_branch { Status::Wrong } else { Status::Lab }, reason(&ended)));
    }
    if let Some(revision) = &source.revision {
        check_out(revision, source.submodules, into, deadline, signals)?;
    }
    let head = git(&in_directory(into, &["rev-parse", "--verify", "HEAD"]), deadline, signals)?;
    match head.status.success() {
        true => Ok(Repository { directory, commit_id: head.output.trim().to_owned() }),
        false => Err(Error::wrong("the repository has no commit")),
    }
}

fn check_out(
    revision: &str,
    submodules: Submodules,
    at: &Path,
    deadline: Deadline,
    signals: &mut Signals,
) -> Result<()> {
    let ended = git(&in_directory(at, &["checkout", "--quiet", revision, "--"]), deadline, signals)?;
    if !ended.status.success() {
        return Err(Error::wrong(reason(&ended)));
    }
    if submodules == Submodules::With {
        let update = ["submodule", "--quiet", "update", "--init", "--recursive"];
        let ended = git(&in_directory(at, &update), deadline, signals)?;
        if !ended.status.success() {
            return Err(Error::lab(reason(&ended)));
        }
    }
    Ok(())
}

fn in_directory(directory: &Path, words: &[&str]) -> Vec<OsString> {
    let mut arguments = vec!["-C".into(), directory.into()];
    arguments.extend(words.iter().map(OsString::from));
    arguments
}

/// Runs git in an environment in which it asks nobody and speaks one language.
fn git(arguments: &[OsString], deadline: Deadline, signals: &mut Signals) -> Result<Ended> {
    let mut command = Command::new("git");
    command.args(arguments).env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    if std::env::var_os("GIT_SSH_COMMAND").is_none() && std::env::var_os("GIT_SSH").is_none() {
        command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
    }
    // Set where this runs below a hook of git: then they speak of another repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    process::run(&mut command, deadline, signals)
}

/// Git's first complaint, which its later ones follow from.
fn reason(ended: &Ended) -> String {
    let lines = || ended.errors.lines().map(str::trim).filter(|line| !line.is_empty());
    let fatal = lines().find_map(|line| line.strip_prefix("fatal: ").or(line.strip_prefix("error: ")));
    match fatal.or_else(|| lines().next_back()) {
        Some(line) => shown(line),
        None => format!("git ended with {}", ended.status),
    }
}

/// Text with the user and password of an address taken out.
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, address) = rest.split_at(at + 3);
        let host_end = address.find(|c: char| c == '/' || c == '\'' || c.is_whitespace()).unwrap_or(address.len());
        shown += before;
        rest = match address[..host_end].rfind('@') {
            Some(sign) => &address[sign + 1..],
            None => address,
        };
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn source(extra: serde_json::Value) -> std::result::Result<Source, String> {
        let mut order = json!({"from": "git", "name": "x", "run": "0_x", "uuid": "1_1", "path": "x.yaml", "repository": "https://h/r.git"});
        for (key, value) in extra.as_object().unwrap() {
            order[key] = value.clone();
        }
        Source::new(&serde_json::from_value(order).unwrap())
    }

    fn arguments(extra: serde_json::Value) -> String {
        let source = source(extra).unwrap();
        let words = source.clone_arguments(source.depth, Path::new("/tmp/x"));
        words.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn one_commit_is_cloned_unless_more_is_needed() {
        assert_eq!(arguments(json!({})), "clone --quiet --template= --depth=1 -- https://h/r.git /tmp/x");
        let all = "clone --quiet --template= -- https://h/r.git /tmp/x";
        assert_eq!(arguments(json!({"shallow": false})), all);
        assert_eq!(arguments(json!({"shallow": true, "revision": "abc"})), all);
        assert_eq!(
            arguments(json!({"branch": "b", "recursive": true})),
            "clone --quiet --template= --depth=1 --recurse-submodules --branch=b -- https://h/r.git /tmp/x"
        );
    }

    #[test]
    fn no_word_of_a_job_is_an_option_of_git() {
        for (name, word) in
            [("repository", "--upload-pack=x"), ("branch", "-b"), ("revision", "--force"), ("branch", "")]
        {
            let error = source(json!({name: word})).unwrap_err();
            assert_eq!(error, format!("its {name} is '{word}', which git would misunderstand"));
        }
    }

    #[test]
    fn passwords_in_addresses_are_not_shown() {
        for (text, expected) in [
            ("https://u:p@h/r", "https://h/r"),
            ("unable to access 'https://token@h:8443/r@x/': no", "unable to access 'https://h:8443/r@x/': no"),
            ("ssh://git@h/a and https://a@b", "ssh://h/a and https://b"),
            ("git@h:r", "git@h:r"),
        ] {
            assert_eq!(shown(text), expected);
        }
    }
}
