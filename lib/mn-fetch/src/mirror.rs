//! Where the mirror of a repository is in a cache that several tools share.

use std::path::{Path, PathBuf};

/// The bare mirror of `repository` in the cache `directory`; whether it is there is another question.
pub fn mirror(directory: &Path, repository: &str) -> PathBuf {
    directory.join(crate::name_of(repository)).with_extension("git")
}
