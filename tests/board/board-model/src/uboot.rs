use std::collections::BTreeMap;

use crate::words::words;

/// A line typed at U-Boot's prompt.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Nothing,
    Setenv { name: String, value: Option<String> },
    Dhcp,
    Tftp { address: u64, path: String },
    Boot(Booting),
    Echo(String),
    Reset,
}

/// What is booted.
#[derive(Debug, PartialEq, Eq)]
pub struct Booting {
    pub how: How,
    pub kernel: u64,
    pub ramdisk: Option<Ramdisk>,
    pub dtb: Option<u64>,
}

/// A ramdisk's place, and its size where that is given: else it has a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramdisk {
    pub address: u64,
    pub size: Option<u64>,
}

/// By which command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    Bootm,
    Bootz,
    Booti,
}

/// U-Boot's variables.
#[derive(Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn set(&mut self, name: &str, value: Option<String>) {
        match value {
            Some(value) => drop(self.0.insert(name.to_owned(), value)),
            None => drop(self.0.remove(name)),
        }
    }

    /// Reads a line; the error is what U-Boot prints.
    pub fn parse(&self, line: &str) -> Result<Command, String> {
        let words = words(line, |name| self.get(name).unwrap_or_default());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Ok(match words.as_slice() {
            [] => Command::Nothing,
            ["setenv", name, value @ ..] => {
                let value = (!value.is_empty()).then(|| value.join(" "));
                Command::Setenv { name: (*name).to_owned(), value }
            }
            ["dhcp"] => Command::Dhcp,
            ["tftp" | "tftpboot", address, path] => {
                Command::Tftp { address: hexadecimal(address)?, path: (*path).to_owned() }
            }
            ["bootm", rest @ ..] => Command::Boot(booting(How::Bootm, rest)?),
            ["bootz", rest @ ..] => Command::Boot(booting(How::Bootz, rest)?),
            ["booti", rest @ ..] => Command::Boot(booting(How::Booti, rest)?),
            ["echo", rest @ ..] => Command::Echo(rest.join(" ")),
            ["reset"] => Command::Reset,
            [name @ ("setenv" | "tftp" | "tftpboot" | "dhcp"), ..] => return Err(format!("Usage:\n{name}")),
            [other, ..] => return Err(format!("Unknown command '{other}' - try 'help'")),
        })
    }
}

fn booting(how: How, words: &[&str]) -> Result<Booting, String> {
    let [kernel, rest @ ..] = words else { return Err("Usage:\nboot: needs an address".to_owned()) };
    let ramdisk = match rest.first() {
        None | Some(&"-") => None,
        Some(place) => {
            let (address, size) = place.split_once(':').map_or((*place, None), |(address, size)| (address, Some(size)));
            Some(Ramdisk { address: hexadecimal(address)?, size: size.map(hexadecimal).transpose()? })
        }
    };
    let dtb = rest.get(1).map(|dtb| hexadecimal(dtb)).transpose()?;
    Ok(Booting { how, kernel: hexadecimal(kernel)?, ramdisk, dtb })
}

fn hexadecimal(text: &str) -> Result<u64, String> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).map_err(|_| format!("Usage:\n'{text}' is no address"))
}

/// The kinds of files in a uImage's header.
pub const KERNEL: u8 = 2;
pub const RAMDISK: u8 = 3;

/// The size of that header.
pub const HEADER: usize = 64;

/// Whether a file has the header of this kind of file, and both checksums of it are right.
pub fn is_uimage(bytes: &[u8], kind: u8) -> bool {
    let Some((header, data)) = bytes.split_at_checked(HEADER) else { return false };
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let mut blank = header.to_vec();
    blank[4..8].fill(0);
    number(0) == 0x2705_1956
        && number(4) == crc32(&blank)
        && number(12) as usize == data.len()
        && number(24) == crc32(data)
        && header[30] == kind
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_words_together_and_variables_are_replaced() {
        let mut environment = Environment::default();
        environment.set("filesize", Some("1f".to_owned()));
        let set = |name: &str, value: &str| Command::Setenv { name: name.to_owned(), value: Some(value.to_owned()) };
        assert_eq!(environment.parse("setenv initrd_size ${filesize}"), Ok(set("initrd_size", "1f")));
        assert_eq!(environment.parse("setenv bootargs 'a=b  ${filesize}'"), Ok(set("bootargs", "a=b  ${filesize}")));
        assert_eq!(environment.parse("setenv a"), Ok(Command::Setenv { name: "a".to_owned(), value: None }));
        assert_eq!(environment.parse("  "), Ok(Command::Nothing));
    }

    #[test]
    fn a_boot_line_names_a_kernel_a_ramdisk_and_a_device_tree() {
        let mut environment = Environment::default();
        environment.set("initrd_size", Some("10".to_owned()));
        let booting = |line: &str| match environment.parse(line) {
            Ok(Command::Boot(booting)) => (booting.how, booting.kernel, booting.ramdisk, booting.dtb),
            other => panic!("{other:?}"),
        };
        let ramdisk = |size| Some(Ramdisk { address: 0x83, size });
        assert_eq!(booting("bootz 0x82 0x83:${initrd_size} 0x88"), (How::Bootz, 0x82, ramdisk(Some(16)), Some(0x88)));
        assert_eq!(booting("bootm 82 83"), (How::Bootm, 0x82, ramdisk(None), None));
        assert_eq!(booting("booti 82 - 88"), (How::Booti, 0x82, None, Some(0x88)));
        assert_eq!(environment.parse("bootz {KERNEL_ADDR}"), Err("Usage:\n'{KERNEL_ADDR}' is no address".to_owned()));
        assert_eq!(environment.parse("explode"), Err("Unknown command 'explode' - try 'help'".to_owned()));
    }

    #[test]
    fn a_checksum_is_the_one_that_everybody_computes() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
