//! Fetching a file: over HTTP or from this machine, checked against the job's digests, through a cache if there
//! is one.

mod cache;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use mn_cli::{Cannot, Deadline, Error, Progress, Result};
use mn_fetch::{Digests, Given, Response};
use mn_msg::role::Resource;

use crate::copy::{self, Source};
use crate::download::Download;
use crate::stop::Stop;
use cache::Cache;

/// What fetching needs to know besides the address.
pub struct Fetcher {
    /// A directory on the file system of the run; files in it have no name and go with the process.
    pub temporary: PathBuf,
    pub cache: Option<PathBuf>,
    pub deadline: Deadline,
    pub stop: Stop,
}

/// A file that was fetched, open at its beginning, and its size in bytes.
pub struct Fetched {
    pub file: File,
    pub size: u64,
}

impl Fetcher {
    /// Fetches one file.
    ///
    /// # Errors
    /// Status 2 for an address that cannot be used or a digest that differs, 3 for a file that cannot be had,
    /// 124 when the time is up.
    pub fn fetch(&self, download: &Download) -> Result<Fetched> {
        let url = download.resource.url.as_str();
        let mut digests = digests(&download.resource).cannot(format_args!("check '{url}'"))?;
        let fetched = match url.split_once("://") {
            Some(("http" | "https", _)) => self.over_http(url, &mut digests)?,
            Some(("file", path)) => self.take_from_disk(url, path, &mut digests)?,
            Some((scheme, _)) => {
                return Err(Error::wrong(format_args!(
                    "cannot fetch '{url}': this version does not support scheme '{scheme}'"
                )));
            }
            None => return Err(Error::wrong(format_args!("cannot fetch '{url}': the address has no scheme"))),
        };
        digests.check().cannot(format_args!("use '{url}'"))?;
        Ok(fetched)
    }

    fn take_from_disk(&self, url: &str, path: &str, digests: &mut Digests) -> Result<Fetched> {
        let path = Path::new(path.strip_prefix("localhost").unwrap_or(path));
        let mut file = File::open(path).cannot(format_args!("fetch '{url}'"))?;
        if !file.metadata().cannot(format_args!("fetch '{url}'"))?.is_file() {
            return Err(Error::lab(format_args!("cannot fetch '{url}': not a regular file")));
        }
        let size = self.digest(&mut file, url, digests)?;
        Ok(Fetched { file, size })
    }

    fn over_http(&self, url: &str, digests: &mut Digests) -> Result<Fetched> {
        let Some(cache) = self.cache.as_deref().map(Cache::open).transpose()? else {
            let response = self.get(url, None)?;
            return self.receive(url, response, self.temporary_file()?, digests);
        };
        let kept = cache.kept(url);
        // With a digest in the job the network has nothing to add to a copy that has it.
        if let Some(mut file) = kept.as_ref().and_then(cache::Kept::file)
            && digests.are_wanted()
        {
            let size = self.digest(&mut file, url, digests)?;
            if digests.check().is_ok() {
                mn_cli::note(1, format_args!("using the kept copy of '{url}'"));
                return Ok(Fetched { file, size });
            }
            digests.reset();
        }
        let response = self.get(url, kept.as_ref().and_then(cache::Kept::mark))?;
        if response.is_unchanged()
            && let Some(mut file) = kept.as_ref().and_then(cache::Kept::file)
        {
            mn_cli::note(1, format_args!("using the kept copy of '{url}'"));
            let size = self.digest(&mut file, url, digests)?;
            return Ok(Fetched { file, size });
        }
        let etag = response.etag();
        let (temporary, file) = cache.begin()?;
        let fetched = self.receive(url, response, file, digests)?;
        // A wrong file is not kept.
        digests.check().cannot(format_args!("use '{url}'"))?;
        cache.keep(url, &etag, temporary)?;
        Ok(fetched)
    }

    fn get(&self, url: &str, mark: Option<&str>) -> Result<Response> {
        let headers: Vec<_> = mark.map(|mark| ("If-None-Match", mark)).into_iter().collect();
        mn_fetch::get(url, &headers, self.deadline).cannot(format_args!("fetch '{url}'"))
    }

    fn receive(&self, url: &str, response: Response, mut file: File, digests: &mut Digests) -> Result<Fetched> {
        let expected = response.size();
        let mut progress = Progress::new(url);
        let mut body = response.into_body();
        let size = copy::all(&mut body, Source::Network(url), &self.stop, |piece, done| {
            digests.add(piece);
            progress.update(done, expected);
            std::io::Write::write_all(&mut file, piece).cannot(format_args!("keep '{url}'"))
        })?;
        if let Some(expected) = expected.filter(|&expected| expected != size) {
            return Err(Error::lab(format_args!("cannot fetch '{url}': got {size} of {expected} bytes")));
        }
        file.rewind().cannot(format_args!("keep '{url}'"))?;
        Ok(Fetched { file, size })
    }

    /// Reads a whole file for its digests and goes back to its beginning.
    fn digest(&self, file: &mut File, url: &str, digests: &mut Digests) -> Result<u64> {
        if !digests.are_wanted() {
            return Ok(file.metadata().cannot(format_args!("fetch '{url}'"))?.len());
        }
        let size = copy::all(&mut file.by_ref(), Source::Disk(url), &self.stop, |piece, _| {
            digests.add(piece);
            Ok(())
        })?;
        file.rewind().cannot(format_args!("fetch '{url}'"))?;
        Ok(size)
    }

    fn temporary_file(&self) -> Result<File> {
        let directory = &self.temporary;
        tempfile::tempfile_in(directory).cannot(format_args!("make a file in '{}'", directory.display()))
    }
}

fn digests(resource: &Resource) -> Result<Digests> {
    Digests::new(Given {
        md5sum: resource.md5sum.as_deref(),
        sha256sum: resource.sha256sum.as_deref(),
        sha512sum: resource.sha512sum.as_deref(),
    })
}
