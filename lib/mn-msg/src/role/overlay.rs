//! The test definitions of a role, and the overlay that they are packed into.

use crate::Object;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A test definition as the job names it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Definition {
    /// `inline`, `git` or `url`.
    pub from: String,
    /// Its name.
    pub name: String,
    /// The run's name, `0_smoke`.
    pub run: String,
    /// The run's identifier.
    pub uuid: String,
    /// The file of the definition.
    pub path: String,
    /// The definition itself, when it is inline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Value>,
    /// The repository, of git; the archive's address, of url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The branch, of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The revision, of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether one commit is enough, of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shallow: Option<bool>,
    /// Whether the history comes along, of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<bool>,
    /// Whether submodules come along, of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recursive: Option<bool>,
    /// How the archive is compressed, of url: `gz`, `bz2`, `xz`, `zstd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// How many directories are taken off the archive's names, of url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strip_components: Option<u32>,
    /// Headers of the request, of url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Object>,
    /// Digest of the archive as transferred, hexadecimal, of url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256sum: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha512sum: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5sum: Option<String>,
    /// The job's parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Object>,
    /// Which parts of `install` are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_install: Option<Vec<String>>,
    /// The cases that must be reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Vec<String>>,
    /// `stdout` or `kmsg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Packages to install besides its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deps: Vec<String>,
}

/// A packed overlay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Overlay {
    /// The archive, absolute.
    pub file: String,
    /// Its digest, hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its directory on the board.
    pub directory: String,
    /// What it runs, in order.
    pub runs: Vec<Run>,
}

/// A run of one definition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Its name, `0_smoke`.
    pub run: String,
    /// Its identifier.
    pub uuid: String,
    /// Its test block.
    pub stage: u32,
    /// `inline`, `git` or `url`.
    pub from: String,
    /// The definition's name.
    pub name: String,
    /// The definition's file.
    pub path: String,
    /// The repository, of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The revision that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The commit that was packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_id: Option<String>,
    /// The cases that must be reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Vec<String>>,
    /// A pattern that finds results in plain output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// What the pattern's results mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixupdict: Option<Object>,
}
