//! Opening a tar archive that may be compressed.

use std::fs::File;
use std::io::{BufReader, Read, Seek};

use flate2::read::MultiGzDecoder;
use mn_cli::{Error, Result};

use crate::copy::Source;
use crate::download::Compression;

/// Beginnings of compressed files that this version cannot read.
const OTHERS: [(&str, &[u8]); 3] = [("xz", b"\xfd7zXZ\0"), ("bzip2", b"BZh"), ("zstd", b"\x28\xb5\x2f\xfd")];

const GZIP: &[u8] = b"\x1f\x8b";

/// Gives the decompressed bytes of `file`, from its beginning.
///
/// An archive without a declared compression may be compressed all the same, as for tar(1); a declared one must
/// be there.
///
/// # Errors
/// Status 2 for a compression that is not the declared one or not supported, 3 for a disk that fails.
pub fn open(mut file: File, name: &str, compression: Compression) -> Result<Box<dyn Read + Send>> {
    let mut beginning = [0; 6];
    // It may have been read before.
    let length = file.rewind().and_then(|()| read_up_to(&mut file, &mut beginning));
    let length = length.and_then(|length| file.rewind().map(|()| length));
    let beginning = &beginning[..length.map_err(|reason| Source::Disk(name).error(&reason))?];
    if beginning.starts_with(GZIP) {
        return Ok(Box::new(MultiGzDecoder::new(BufReader::with_capacity(64 * 1024, file))));
    }
    if let Some((other, _)) = OTHERS.iter().find(|(_, magic)| beginning.starts_with(magic)) {
        return Err(Error::wrong(format_args!("cannot unpack '{name}': this version does not support {other}")));
    }
    match compression {
        Compression::Gzip => Err(Error::wrong(format_args!("cannot unpack '{name}': not in gzip format"))),
        Compression::AsIs => Ok(Box::new(BufReader::with_capacity(64 * 1024, file))),
    }
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
