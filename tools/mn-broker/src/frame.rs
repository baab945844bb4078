//! The frames of LAVA's wire: eight hexadecimal digits, then as many bytes of JSON.

use serde_json::Value;

/// The longest JSON of a request, in bytes; LAVA's own client sends no longer one.
const MAX_BODY: usize = 0xFFFF;
const HEADER: usize = 8;

/// This is no request, and no more can be read.
#[derive(Debug, PartialEq, Eq)]
pub struct NoFrame;

/// Takes bytes as they come and gives the one request among them.
#[derive(Default)]
pub struct Frame {
    bytes: Vec<u8>,
}

impl Frame {
    /// Adds what was read; what goes beyond a frame is dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        let room = (HEADER + MAX_BODY).saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// The request, once it is whole.
    ///
    /// # Errors
    /// When the header is no length, the length too long, or the body no JSON.
    pub fn request(&mut self) -> Result<Option<Value>, NoFrame> {
        let header = &self.bytes[..self.bytes.len().min(HEADER)];
        if !header.iter().all(u8::is_ascii_hexdigit) {
            return Err(NoFrame);
        }
        if header.len() < HEADER {
            return Ok(None);
        }
        let length = std::str::from_utf8(header).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        let length = length.filter(|length| *length <= MAX_BODY).ok_or(NoFrame)?;
        let Some(body) = self.bytes.get(HEADER..HEADER + length) else { return Ok(None) };
        serde_json::from_slice(body).map(Some).map_err(|_| NoFrame)
    }
}

/// The frame of a reply.
pub fn write(reply: &Value) -> Vec<u8> {
    let body = reply.to_string();
    format!("{:08X}{body}", body.len()).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(pieces: &[&[u8]]) -> Result<Option<Value>, NoFrame> {
        let mut frame = Frame::default();
        let mut found = Ok(None);
        for piece in pieces {
            frame.push(piece);
            found = frame.request();
            if !matches!(found, Ok(None)) {
                break;
            }
        }
        found
    }

    #[test]
    fn a_frame_is_read_exactly_however_it_is_cut() {
        assert_eq!(read(&[b"00000007{\"a\":1}"]), Ok(Some(json!({ "a": 1 }))));
        assert_eq!(read(&[b"0000", b"0007{\"a\"", b":1}"]), Ok(Some(json!({ "a": 1 }))));
        assert_eq!(read(&[b"00000007{\"a\":1}more"]), Ok(Some(json!({ "a": 1 }))));
        assert_eq!(read(&[b"00000008{\"a\":1}"]), Ok(None));
        assert_eq!(write(&json!({ "response": "ack" })), b"00000012{\"response\":\"ack\"}");
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_what_they_are_in_one(
            begin in prop_oneof!["", "[0-9A-Fa-f]{0,8}", "0000000[2-9]\\{\\}", "0000000[1-9][0-9]{1,12}"],
            bytes in vec(any::<u8>(), 0..40),
            size in 1..20_usize,
        ) {
            let whole = [begin.as_bytes(), &bytes].concat();
            let pieces: Vec<&[u8]> = whole.chunks(size).collect();
            prop_assert_eq!(read(&pieces), read(&[&whole]));
        }
    }

    #[test]
    fn what_is_no_frame_is_known_at_once() {
        for wrong in [&b"GET "[..], b"-0000010{}", b"FFFFFFFF{}", b"00010000{}", b"\xff\xfe", b"00000003abc"] {
            assert_eq!(read(&[wrong]), Err(NoFrame), "{wrong:?}");
        }
        let mut frame = Frame::default();
        for _ in 0..1000 {
            frame.push(&[b'0'; 4096]);
        }
        assert!(frame.bytes.len() <= 8 + 0xFFFF);
    }
}
