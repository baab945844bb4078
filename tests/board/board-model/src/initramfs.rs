use cpio::newc::{ModeFileType, Reader};
use flate2::bufread::GzDecoder;
use std::fs::{self, File, Permissions};
use std::io::{Error, ErrorKind, Read, Result};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

const CPIO: [&[u8]; 2] = [b"070701", b"070702"];
const GZIP: &[u8] = b"\x1f\x8b";

/// Unpacks a ramdisk as a kernel does: cpio archives in a row, each as it is or compressed by gzip, with zeros between
/// them. Devices are left out: nobody may make them here.
///
/// # Errors
/// What is neither, and a disk that fails.
pub fn unpack(bytes: &[u8], root: &Path) -> Result<()> {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte != 0) {
        rest = &rest[at..];
        rest = if CPIO.iter().any(|magic| rest.starts_with(magic)) {
            archive(rest, root)?
        } else if rest.starts_with(GZIP) {
            let mut member = GzDecoder::new(rest);
            let mut plain = Vec::new();
            member.read_to_end(&mut plain)?;
            unpack(&plain, root)?;
            member.into_inner()
        } else {
            return Err(Error::new(ErrorKind::InvalidData, "invalid magic at start of compressed archive"));
        };
    }
    Ok(())
}

/// Unpacks one archive; gives what comes after it.
fn archive<'a>(bytes: &'a [u8], root: &Path) -> Result<&'a [u8]> {
    let mut rest = bytes;
    loop {
        let mut reader = Reader::new(rest)?;
        if reader.entry().is_trailer() {
            return reader.finish();
        }
        entry(&mut reader, root)?;
        rest = reader.finish()?;
    }
}

fn entry(reader: &mut Reader<&[u8]>, root: &Path) -> Result<()> {
    let head = reader.entry();
    let (mode, kind) = (head.mode() & 0o7777, head.mode() & 0o170_000);
    let plain = |part: &Component<'_>| matches!(part, Component::Normal(_));
    let path = root.join(Path::new(head.name()).components().filter(plain).collect::<PathBuf>());
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    if kind == u32::from(ModeFileType::Directory) {
        fs::create_dir_all(&path)?;
    } else if kind == u32::from(ModeFileType::Symlink) {
        let mut target = Vec::new();
        reader.read_to_end(&mut target)?;
        let _ = fs::remove_file(&path);
        return symlink(std::ffi::OsString::from_vec(target), &path);
    } else if kind == u32::from(ModeFileType::Regular) {
        let _ = fs::remove_file(&path);
        std::io::copy(reader, &mut File::create(&path)?)?;
    } else {
        return Ok(());
    }
    fs::set_permissions(&path, Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpio::newc::{Builder, trailer};
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn archive_of<const N: usize>(entries: [(&str, ModeFileType, &str); N]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, kind, text) in entries {
            let builder = Builder::new(name).mode(0o755).set_mode_file_type(kind);
            let mut writer = builder.write(&mut bytes, text.len().try_into().unwrap());
            writer.write_all(text.as_bytes()).unwrap();
            writer.finish().unwrap();
        }
        trailer(bytes).unwrap()
    }

    #[test]
    fn archives_in_a_row_are_one_and_the_last_word_counts() {
        let first = archive_of([
            ("sbin", ModeFileType::Directory, ""),
            ("sbin/init", ModeFileType::Regular, "old"),
            ("init", ModeFileType::Symlink, "sbin/init"),
            ("dev/null", ModeFileType::Char, ""),
        ]);
        let mut second = GzEncoder::new(Vec::new(), Compression::fast());
        second.write_all(&archive_of([("../sbin/init", ModeFileType::Regular, "new")])).unwrap();
        let bytes = [first, vec![0; 512], second.finish().unwrap(), vec![0; 7]].concat();
        let root = std::env::temp_dir().join(format!("board-model-initramfs-{}", std::process::id()));
        fs::create_dir(&root).unwrap();
        let unpacked = unpack(&bytes, &root);
        let read = (fs::read_to_string(root.join("init")), root.join("dev/null").exists());
        fs::remove_dir_all(&root).unwrap();
        unpacked.unwrap();
        assert_eq!((read.0.unwrap(), read.1), ("new".to_owned(), false));
        assert!(unpack(b"rubbish", &root).is_err());
    }
}
