//! Bytes as text: RFC 4648, with padding.

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text of some bytes.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0u32, |bits, at| bits << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63]);
            text.push(if at <= three.len() { letter } else { '=' });
        }
    }
    text
}

/// The bytes of a text; nothing if it is none that [`encode`] makes.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let letters = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(letters.len());
    for four in letters.chunks(4) {
        let value = |letter: &u8| LETTERS.iter().position(|known| known == letter);
        let bits = four.iter().map(value).try_fold(0, |bits, value| Some(bits << 6 | value?))?;
        let bits = bits << (6 * (4 - four.len()));
        bytes.extend(
            [16, 8, 0]
                .iter()
                .take(four.len().checked_sub(1).filter(|&count| count > 0)?)
                .map(|shift| (bits >> shift & 255) as u8),
        );
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_written_as_in_the_rfc_and_read_again() {
        let vectors =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("foobar", "Zm9vYmFy")];
        for (bytes, text) in vectors {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(encode(b"\xff\xfe"), "//4=");
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
        for wrong in ["Z", "Zg", "Z===", "Zg!=", "Zm9vZ=ge"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
