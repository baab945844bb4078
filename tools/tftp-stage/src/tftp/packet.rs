//! The packets of TFTP, without sockets.

use std::fmt::Write as _;
use std::time::Duration;

/// Largest request looked at, in bytes (RFC 1350 lets it be one datagram of 512).
pub const LONGEST_REQUEST: usize = 512;

/// Most blocks in flight; more than this only overruns a bootloader's receive ring.
const LARGEST_WINDOW: u16 = 64;

/// What a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub name: String,
    pub options: Options,
}

/// Options of a transfer; `None` where the client did not ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Bytes in a block.
    block_size: Option<u16>,
    /// Blocks sent before an answer is awaited.
    window: Option<u16>,
    /// Seconds before something is sent again.
    timeout: Option<u8>,
    /// Whether the file's size is wanted.
    size: Option<()>,
}

/// Why a client is refused: number and words of RFC 1350's error packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal(pub u16, pub &'static str);

pub const NOT_FOUND: Refusal = Refusal(1, "file not found");
pub const NOT_ALLOWED: Refusal = Refusal(2, "access violation");
pub const READ_ONLY: Refusal = Refusal(2, "this server only reads");
pub const ILLEGAL: Refusal = Refusal(4, "illegal operation");
pub const OCTET_ONLY: Refusal = Refusal(0, "only mode octet is served");

impl Options {
    /// Bytes in a block, 512 unless asked otherwise.
    pub fn block_size(&self) -> usize {
        self.block_size.map_or(512, usize::from)
    }

    /// Blocks in flight, 1 unless asked otherwise.
    pub fn window(&self) -> u16 {
        self.window.unwrap_or(1)
    }

    /// How long to wait before sending again.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout.unwrap_or(1).into())
    }

    /// The acknowledgement of the options, or `None` when there are none to acknowledge.
    pub fn acknowledgement(&self, file_size: u64) -> Option<Vec<u8>> {
        let values = [
            ("blksize", self.block_size.map(u64::from)),
            ("windowsize", self.window.map(u64::from)),
            ("timeout", self.timeout.map(u64::from)),
            ("tsize", self.size.map(|()| file_size)),
        ];
        let mut text = String::new();
        for (name, value) in values {
            if let Some(value) = value {
                // Writing to a String cannot fail.
                let _ = write!(text, "{name}\0{value}\0");
            }
        }
        (!text.is_empty()).then(|| [&[0, 6], text.as_bytes()].concat())
    }

    fn set(&mut self, name: &str, value: &str) {
        // An option or a value that is not understood is left out of the answer (RFC 2347).
        let Ok(number) = value.parse::<u64>() else { return };
        match name.to_ascii_lowercase().as_str() {
            "blksize" if number >= 8 => self.block_size = Some(number.min(65464) as u16),
            "windowsize" if number >= 1 => self.window = Some(number.min(LARGEST_WINDOW.into()) as u16),
            "timeout" if (1..=255).contains(&number) => self.timeout = Some(number as u8),
            "tsize" => self.size = Some(()),
            _ => {}
        }
    }
}

/// Reads a request.
///
/// # Errors
/// What to answer to anything but a read request in mode octet; `None`: nothing.
pub fn request(packet: &[u8]) -> Result<Request, Option<Refusal>> {
    match packet {
        [0, 1, rest @ ..] => read_request(rest),
        [0, 2, ..] => Err(Some(READ_ONLY)),
        // An error is never answered.
        [0, 5, ..] => Err(None),
        _ => Err(Some(ILLEGAL)),
    }
}

fn read_request(rest: &[u8]) -> Result<Request, Option<Refusal>> {
    let text = std::str::from_utf8(rest).map_err(|_| Some(ILLEGAL))?;
    let mut words = text.strip_suffix('\0').ok_or(Some(ILLEGAL))?.split('\0');
    let (Some(name), Some(mode)) = (words.next(), words.next()) else { return Err(Some(ILLEGAL)) };
    if !mode.eq_ignore_ascii_case("octet") {
        return Err(Some(OCTET_ONLY));
    }
    let mut options = Options::default();
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        options.set(name, value);
    }
    Ok(Request { name: name.to_owned(), options })
}

/// What a client sends during a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has everything up to this block.
    Acknowledged(u16),
    /// It gave up.
    Error,
    /// Nothing that belongs here.
    Other,
}

/// Reads what a client sends during a transfer.
pub fn answer(packet: &[u8]) -> Answer {
    match packet {
        [0, 4, high, low, ..] => Answer::Acknowledged(u16::from_be_bytes([*high, *low])),
        [0, 5, ..] => Answer::Error,
        _ => Answer::Other,
    }
}

/// The header of a block.
pub fn block_header(number: u16) -> [u8; 4] {
    let [high, low] = number.to_be_bytes();
    [0, 3, high, low]
}

/// An error packet.
pub fn error(Refusal(code, text): Refusal) -> Vec<u8> {
    [&[0, 5], &code.to_be_bytes()[..], text.as_bytes(), &[0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A read request with its words ended by a bar instead of a NUL.
    fn read(text: &str) -> Result<Request, Option<Refusal>> {
        request(&[&[0, 1], text.replace('|', "\0").as_bytes()].concat())
    }

    #[test]
    fn the_options_of_a_bootloader_are_acknowledged() {
        let request = read("1004/kernel/vmlinuz|octet|blksize|1024|tsize|0|").unwrap();
        assert_eq!(request.name, "1004/kernel/vmlinuz");
        assert_eq!(request.options.block_size(), 1024);
        assert_eq!(request.options.acknowledgement(77).unwrap(), b"\0\x06blksize\x001024\0tsize\x0077\0");
    }

    #[test]
    fn a_request_without_options_gets_no_acknowledgement() {
        let request = read("a|OCTET|").unwrap();
        assert_eq!(request.options.acknowledgement(1), None);
        assert_eq!(request.options.block_size(), 512);
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        let request = read("a|octet|blksize|4|utimeout|9|windowsize|9999|").unwrap();
        assert_eq!(request.options.acknowledgement(1).unwrap(), b"\0\x06windowsize\x0064\0");
    }

    #[test]
    fn only_reading_in_octet_is_served() {
        assert_eq!(request(b"\0\x02a\0octet\0"), Err(Some(READ_ONLY)));
        assert_eq!(read("a|netascii|"), Err(Some(OCTET_ONLY)));
        assert_eq!(request(b"\0\x05\0\0x\0"), Err(None));
        for broken in [&b""[..], b"\0", b"\0\x01", b"\0\x01a", b"\0\x01a\0", b"\0\x01a\0octet", b"\0\x01\xff\0octet\0"]
        {
            assert_eq!(request(broken), Err(Some(ILLEGAL)), "{broken:?}");
        }
    }
}
