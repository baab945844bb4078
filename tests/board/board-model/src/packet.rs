/// The largest block that is asked for, as GRUB does.
pub const BLOCK: usize = 1024;

/// A packet from a TFTP server (RFC 1350, RFC 2347).
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    Data {
        block: u16,
        bytes: &'a [u8],
    },
    Error {
        code: u16,
        message: String,
    },
    /// The options that the server agreed to; of them only the size of a block matters.
    Options {
        block_size: Option<usize>,
    },
}

/// A request to read `path` in blocks of [`BLOCK`] bytes.
pub fn read_request(path: &str) -> Vec<u8> {
    let mut packet = vec![0, 1];
    for word in [path, "octet", "blksize", &BLOCK.to_string()] {
        packet.extend_from_slice(word.as_bytes());
        packet.push(0);
    }
    packet
}

/// Says that `block` has come.
pub fn acknowledge(block: u16) -> [u8; 4] {
    let [high, low] = block.to_be_bytes();
    [0, 4, high, low]
}

/// Reads a packet; None when it is none that a server sends.
pub fn parse(packet: &[u8]) -> Option<Packet<'_>> {
    let (head, rest) = packet.split_at_checked(2)?;
    let number = || rest.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
    match head {
        [0, 3] => Some(Packet::Data { block: number()?, bytes: &rest[2..] }),
        [0, 5] => Some(Packet::Error { code: number()?, message: text(rest[2..].split(|&b| b == 0).next()?) }),
        [0, 6] => Some(Packet::Options { block_size: block_size(rest) }),
        _ => None,
    }
}

fn block_size(options: &[u8]) -> Option<usize> {
    let words: Vec<String> = options.split(|&b| b == 0).map(text).collect();
    let pair = words.chunks_exact(2).find(|pair| pair[0].eq_ignore_ascii_case("blksize"))?;
    pair[1].parse().ok().filter(|size| (8..=BLOCK).contains(size))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_the_file_the_mode_and_the_block() {
        assert_eq!(read_request("/a/kernel"), b"\0\x01/a/kernel\0octet\0blksize\x001024\0");
    }

    #[test]
    fn packets_are_read_and_rubbish_is_not() {
        assert_eq!(parse(b"\0\x03\x01\x02ab"), Some(Packet::Data { block: 258, bytes: b"ab" }));
        assert_eq!(parse(b"\0\x05\0\x01gone\0"), Some(Packet::Error { code: 1, message: "gone".to_owned() }));
        assert_eq!(parse(b"\0\x06tsize\x005\0BLKSIZE\x00512\0"), Some(Packet::Options { block_size: Some(512) }));
        assert_eq!(parse(b"\0\x06blksize\x0099999\0"), Some(Packet::Options { block_size: None }));
        for rubbish in [&b""[..], b"\0", b"\0\x03\x01", b"\0\x09ab"] {
            assert_eq!(parse(rubbish), None);
        }
    }
}
