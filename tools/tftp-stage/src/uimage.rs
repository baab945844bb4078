//! The header that U-Boot's bootm wants before a kernel or a ramdisk, as mkimage(1) writes it.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::Crc;
use mn_cli::{Cannot, Error, Result};
use mn_msg::role::UImage;

use crate::copy::{self, Source};
use crate::download::What;
use crate::stop::Stop;

/// Architectures by mkimage's names, and U-Boot's numbers for them.
const ARCHITECTURES: [(&str, u8); 13] = [
    ("arm", 2),
    ("x86", 3),
    ("mips", 5),
    ("mips64", 6),
    ("ppc", 7),
    ("powerpc", 7),
    ("sh", 9),
    ("m68k", 12),
    ("microblaze", 14),
    ("nios2", 15),
    ("arm64", 22),
    ("arc", 23),
    ("riscv", 26),
];

const MAGIC: u32 = 0x2705_1956;
const LINUX: u8 = 5;
const LENGTH: usize = 64;

/// What stands in a header, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    architecture: u8,
    kind: u8,
    load: u32,
    entry: u32,
}

impl Header {
    /// Understands the header of a resource.
    ///
    /// # Errors
    /// Status 2 for an architecture that U-Boot does not have, and for a file that takes no header.
    pub fn new(image: &UImage, what: What) -> Result<Self> {
        let known = ARCHITECTURES.iter().find(|(name, _)| *name == image.arch);
        let Some((_, architecture)) = known else {
            return Err(Error::wrong(format_args!(
                "cannot make a header for U-Boot: it has no architecture '{}'",
                image.arch
            )));
        };
        let kind = match what {
            What::Kernel => 2,
            What::Ramdisk => 3,
            What::Dtb | What::NfsRoot | What::Modules => {
                return Err(Error::wrong(format_args!("cannot put a header for U-Boot before a {}", what.name())));
            }
        };
        let (load, entry) = (image.load.unwrap_or(0), image.entry.unwrap_or(0));
        Ok(Header { architecture: *architecture, kind, load, entry })
    }

    /// The bytes before data of this size and checksum. The time in it is 0, so that the same file gives the same bytes.
    fn bytes(self, size: u32, checksum: u32) -> [u8; LENGTH] {
        let mut header = [0; LENGTH];
        let numbers = [MAGIC, 0, 0, size, self.load, self.entry, checksum];
        for (place, number) in header.chunks_exact_mut(4).zip(numbers) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        header[28..31].copy_from_slice(&[LINUX, self.architecture, self.kind]);
        let mut crc = Crc::new();
        crc.update(&header);
        header[4..8].copy_from_slice(&crc.sum().to_be_bytes());
        header
    }

    /// Puts the header before what is in the file at `path`.
    ///
    /// # Errors
    /// Status 2 for a file of 4 GiB or more, 3 for a disk that fails.
    pub fn put_before(self, path: &Path, stop: &Stop) -> Result<()> {
        let what = || format!("write '{}'", path.display());
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let mut input = File::open(path).cannot(what())?;
        let size = input.metadata().cannot(what())?.len();
        let size = u32::try_from(size).map_err(|_| {
            Error::wrong(format_args!("cannot put a header before '{}': it is too large", path.display()))
        })?;
        let mut output = BufWriter::new(File::create_new(&beside).cannot(what())?);
        output.write_all(&[0; LENGTH]).cannot(what())?;
        let mut crc = Crc::new();
        let name = path.display().to_string();
        copy::all(&mut Read::by_ref(&mut input), Source::Disk(&name), stop, |piece, _| {
            crc.update(piece);
            output.write_all(piece).cannot(what())
        })?;
        output.seek(SeekFrom::Start(0)).cannot(what())?;
        output.write_all(&self.bytes(size, crc.sum())).cannot(what())?;
        output.flush().cannot(what())?;
        std::fs::rename(&beside, path).cannot(what())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(arch: &str) -> UImage {
        UImage { arch: arch.to_owned(), load: Some(0x8000_0000), entry: Some(0x8000_0040) }
    }

    /// As `SOURCE_DATE_EPOCH=0 mkimage -A arm -O linux -T kernel -C none -a 80000000 -e 80000040` of u-boot-tools 2023.01
    /// writes it before `123456789`.
    #[test]
    fn a_header_is_the_one_that_mkimage_writes() {
        let bytes = Header::new(&image("arm"), What::Kernel).unwrap().bytes(9, 0xcbf4_3926);
        let start =
            b"\x27\x05\x19\x56\x97\xd7\x32\xfe\0\0\0\0\0\0\0\x09\x80\0\0\0\x80\0\0\x40\xcb\xf4\x39\x26\x05\x02\x02\0";
        assert_eq!(bytes[..32], *start);
        assert_eq!(bytes[32..], [0; 32]);
    }

    #[test]
    fn what_has_no_header_is_refused() {
        let error = |arch: &str, what| Header::new(&image(arch), what).unwrap_err().to_string();
        assert_eq!(error("arm9", What::Kernel), "cannot make a header for U-Boot: it has no architecture 'arm9'");
        assert_eq!(error("arm", What::Dtb), "cannot put a header for U-Boot before a dtb");
    }
}
