//! Definitions from an archive on a server: each is downloaded once for a stream of messages.

use mn_cli::{Cannot, Deadline, Error, Result, Signals};
use mn_fetch::{Digests, Given};
use mn_msg::Object;
use mn_msg::role::Definition;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use crate::attend::attend;
use crate::unpack::{Compression, Unpacked, unpack};

/// The largest archive, in bytes.
const MAX_BYTES: u64 = 1 << 30;

/// The archives of one stream, by what the job says of them.
#[derive(Default)]
pub struct Archives(BTreeMap<String, Unpacked>);

impl Archives {
    /// What is in the archive of a definition, unpacked into a new directory of `parent` unless it is there already.
    ///
    /// # Errors
    /// Status 2 for an address, digest or archive that is wrong, 3 for what cannot be had, 124 out of time, 128+N
    /// when a signal came; the reason without the name of the definition.
    pub fn get(
        &mut self,
        order: &Definition,
        parent: &Path,
        deadline: Deadline,
        signals: &mut Signals,
    ) -> Result<&Unpacked> {
        let Definition { repository, compression, strip_components, headers, .. } = order;
        let sums = (&order.sha256sum, &order.sha512sum, &order.md5sum);
        let key = format!("{:?}", (repository, compression, strip_components, headers, sums));
        if !self.0.contains_key(&key) {
            let unpacked = fetch(order, parent, deadline, signals)?;
            self.0.insert(key.clone(), unpacked);
        }
        self.0.get(&key).ok_or_else(|| Error::lab("cannot find an archive that was unpacked"))
    }
}

fn fetch(order: &Definition, parent: &Path, deadline: Deadline, signals: &mut Signals) -> Result<Unpacked> {
    let url = order.repository.clone().ok_or_else(|| Error::wrong("it has no 'repository'"))?;
    let compression = Compression::named(order.compression.as_deref()).map_err(Error::wrong)?;
    let digests = Digests::new(Given {
        md5sum: order.md5sum.as_deref(),
        sha256sum: order.sha256sum.as_deref(),
        sha512sum: order.sha512sum.as_deref(),
    })?;
    let headers = headers(order.headers.as_ref()).map_err(Error::wrong)?;
    mn_cli::note(1, format_args!("fetches '{}'", crate::git::shown(&url)));
    let file = tempfile::tempfile_in(parent).cannot("make a temporary file")?;
    let download = move || download(&url, &headers, file, digests, deadline);
    let archive = attend("a download", deadline, signals, download)??;
    unpack(archive, compression, order.strip_components.unwrap_or(0), parent, deadline, signals)
}

fn headers(map: Option<&Object>) -> std::result::Result<Vec<(String, String)>, String> {
    let text = |(name, value): (&String, &serde_json::Value)| match value.as_str() {
        Some(value) => Ok((name.clone(), value.to_owned())),
        None => Err(format!("its header '{name}' is not text")),
    };
    map.into_iter().flatten().map(text).collect()
}

/// The archive, checked against the job's digests, open at its beginning.
fn download(
    url: &str,
    headers: &[(String, String)],
    mut file: File,
    mut digests: Digests,
    deadline: Deadline,
) -> Result<File> {
    let from: Box<dyn Read> = match url.split_once("://") {
        Some(("http" | "https", _)) => Box::new(get(url, headers, deadline)?),
        Some(("file", path)) => Box::new(File::open(path).cannot("open it")?),
        _ => return Err(Error::wrong("its address is not http, https or file")),
    };
    let mut from = from.take(MAX_BYTES + 1);
    let mut buffer = vec![0; 64 << 10];
    let mut size = 0;
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) if mn_fetch::is_timeout(&error) => return Err(Error::timeout("out of time")),
            Err(error) => return Err(Error::lab(format_args!("it broke off: {error}"))),
        };
        size += read as u64;
        if size > MAX_BYTES {
            return Err(Error::wrong(format_args!("it has more than {} MiB", MAX_BYTES >> 20)));
        }
        digests.add(&buffer[..read]);
        file.write_all(&buffer[..read]).cannot("write a temporary file")?;
    }
    digests.check()?;
    file.rewind().cannot("read a temporary file")?;
    Ok(file)
}

fn get(url: &str, headers: &[(String, String)], deadline: Deadline) -> Result<impl Read + use<>> {
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Ok(mn_fetch::get(url, &headers, deadline)?.into_body())
}
