//! Downloads kept for the next run: for each address a file with the server's mark of the newest copy (ETag), and
//! a file with the bytes.
//!
//! The first is named by a digest of the address, the second by one of the address and the mark, so the bytes of
//! one mark can never stand for another. Both come to be by rename(2), bytes first: several runs may share a
//! cache. A download without a mark is kept, too: a job that gives a digest can use it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use mn_cli::{Cannot, Result};
use tempfile::NamedTempFile;

/// A cache directory.
pub struct Cache {
    directory: PathBuf,
}

/// What is kept of an address.
pub struct Kept {
    path: PathBuf,
    etag: String,
}

impl Cache {
    /// Opens the cache, and makes the directory if it is not there.
    ///
    /// # Errors
    /// Status 3 when it cannot be made.
    pub fn open(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).cannot(format_args!("make the cache '{}'", directory.display()))?;
        Ok(Cache { directory: directory.to_owned() })
    }

    /// What is kept of `url`.
    pub fn kept(&self, url: &str) -> Option<Kept> {
        let etag = fs::read_to_string(self.mark_path(url)).ok()?;
        let path = self.bytes_path(url, &etag);
        path.exists().then_some(Kept { path, etag })
    }

    /// A file to write a download into.
    ///
    /// # Errors
    /// Status 3 when it cannot be made.
    pub fn begin(&self) -> Result<(NamedTempFile, File)> {
        let what = || format!("write into the cache '{}'", self.directory.display());
        let temporary = NamedTempFile::new_in(&self.directory).cannot(what())?;
        let file = temporary.as_file().try_clone().cannot(what())?;
        Ok((temporary, file))
    }

    /// Keeps what was written as the bytes of `url`.
    ///
    /// # Errors
    /// Status 3 when it cannot be kept.
    pub fn keep(&self, url: &str, etag: &str, bytes: NamedTempFile) -> Result<()> {
        let what = || format!("write into the cache '{}'", self.directory.display());
        let before = self.kept(url);
        let path = self.bytes_path(url, etag);
        bytes.persist(&path).map_err(|error| error.error).cannot(what())?;
        let mark = NamedTempFile::new_in(&self.directory).cannot(what())?;
        fs::write(mark.path(), etag).cannot(what())?;
        mark.persist(self.mark_path(url)).map_err(|error| error.error).cannot(what())?;
        if let Some(before) = before.filter(|before| before.path != path) {
            // Another run may have been faster; whoever has it open keeps it.
            let _ = fs::remove_file(before.path);
        }
        Ok(())
    }

    fn mark_path(&self, url: &str) -> PathBuf {
        self.directory.join(format!("{}.etag", mn_fetch::name_of(url)))
    }

    fn bytes_path(&self, url: &str, etag: &str) -> PathBuf {
        // No address and no mark has a newline.
        self.directory.join(mn_fetch::name_of(&format!("{url}\n{etag}")))
    }
}

impl Kept {
    /// The bytes, open.
    pub fn file(&self) -> Option<File> {
        File::open(&self.path).ok()
    }

    /// The mark to ask the server about, if it gave one.
    pub fn mark(&self) -> Option<&str> {
        Some(self.etag.as_str()).filter(|etag| !etag.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn what_is_kept_is_found_by_its_address_only() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path()).unwrap();
        let (temporary, mut file) = cache.begin().unwrap();
        file.write_all(b"bytes").unwrap();
        cache.keep("http://h/a", "\"1\"", temporary).unwrap();
        let kept = cache.kept("http://h/a").unwrap();
        let mut text = String::new();
        kept.file().unwrap().read_to_string(&mut text).unwrap();
        assert_eq!((kept.mark(), text.as_str()), (Some("\"1\""), "bytes"));
        assert!(cache.kept("http://h/b").is_none());
    }

    #[test]
    fn a_new_copy_replaces_the_old_one() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path()).unwrap();
        for etag in ["1", "2", ""] {
            cache.keep("http://h/a", etag, cache.begin().unwrap().0).unwrap();
        }
        assert_eq!(cache.kept("http://h/a").unwrap().mark(), None);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn an_abandoned_download_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path()).unwrap();
        drop(cache.begin().unwrap());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
