//! asciicast v2, the format of recordings: a header, then one event a line. serial-expect(1), Recording.

use mn_cli::{Error, Result};
use mn_msg::Object;
use serde_json::{Number, Value, json};
use std::time::Duration;

/// What happened at a console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The board printed this.
    Output(Vec<u8>),
    /// This was typed.
    Input(Vec<u8>),
    /// Something else, in words.
    Mark(String),
}

/// The first line of a recording that began at `moment`, in seconds since 1970.
pub fn header(title: &str, moment: u64) -> String {
    let mut header = Object::new();
    for (key, value) in [("version", json!(2)), ("width", json!(80)), ("height", json!(24))] {
        header.insert(key.into(), value);
    }
    header.insert("timestamp".into(), moment.into());
    header.insert("title".into(), title.into());
    header.insert("env".into(), json!({"TERM": "vt102"}));
    format!("{}\n", Value::Object(header))
}

/// Looks whether a line is the header of a recording.
///
/// # Errors
/// What is wrong with it.
pub fn check_header(line: &str) -> std::result::Result<(), String> {
    let header: Value = serde_json::from_str(line).map_err(|_| "it has no header".to_owned())?;
    match header.get("version").and_then(Value::as_u64) {
        Some(2) => Ok(()),
        Some(other) => Err(format!("its version is {other}, not 2")),
        None => Err("it has no header".to_owned()),
    }
}

/// An event as a line.
pub fn line(at: Duration, what: &What) -> String {
    let (code, text) = match what {
        What::Output(bytes) => ("o", to_text(bytes)),
        What::Input(bytes) => ("i", to_text(bytes)),
        What::Mark(text) => ("m", text.clone()),
    };
    format!("[{}.{:06}, \"{code}\", {}]\n", at.as_secs(), at.subsec_micros(), Value::String(text))
}

/// Reads a line; nothing of a kind that is not known.
///
/// # Errors
/// When it is no event.
pub fn event(line: &str) -> Result<Option<(Duration, What)>> {
    let wrong = || Error::wrong("it is no event: [SECONDS, \"CODE\", \"TEXT\"]");
    let (seconds, code, text): (Number, String, String) = serde_json::from_str(line).map_err(|_| wrong())?;
    let at = seconds.as_f64().and_then(time).ok_or_else(wrong)?;
    let what = match code.as_str() {
        "o" => What::Output(to_bytes(&text)),
        "i" => What::Input(to_bytes(&text)),
        "m" => What::Mark(text),
        _ => return Ok(None),
    };
    Ok(Some((at, what)))
}

/// Seconds as a time, to the microsecond.
pub fn time(seconds: f64) -> Option<Duration> {
    let whole = Duration::try_from_secs_f64(seconds).ok()?;
    Some(Duration::from_secs(whole.as_secs()) + Duration::from_micros((seconds.fract() * 1e6).round() as u64))
}

/// The first of the 128 characters of the private use area that stand for bytes that are no UTF-8, from 0x80 on.
const ESCAPE: u32 = 0xef80;

fn is_escape(letter: char) -> bool {
    (ESCAPE..ESCAPE + 0x80).contains(&u32::from(letter))
}

fn escape(byte: u8) -> char {
    char::from_u32(ESCAPE - 0x80 + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Any bytes as text that [`to_bytes`] turns back. A character that would read as an escape is escaped itself.
fn to_text(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            match is_escape(letter) {
                true => text.extend(letter.encode_utf8(&mut [0; 4]).bytes().map(escape)),
                false => text.push(letter),
            }
        }
        text.extend(chunk.invalid().iter().copied().map(escape));
    }
    text
}

fn to_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match is_escape(letter) {
            true => bytes.push((u32::from(letter) - ESCAPE + 0x80) as u8),
            false => bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

/// Where the character begins that the end of `bytes` cuts off; their length if it cuts off none.
pub fn whole(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(3);
    let is_open = |&at: &usize| {
        std::str::from_utf8(&bytes[at..]).is_err_and(|bad| bad.valid_up_to() == 0 && bad.error_len().is_none())
    };
    (from..bytes.len()).find(is_open).unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn milliseconds(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    #[test]
    fn an_event_is_a_line_as_asciinema_has_it() {
        let text = line(milliseconds(248), &What::Output(b"\x1b[1mHi\r\n".to_vec()));
        assert_eq!(text, "[0.248000, \"o\", \"\\u001b[1mHi\\r\\n\"]\n");
        assert_eq!(event("[1, \"x\", \"0\"]").unwrap(), None);
        assert_eq!(event("[1.5, \"m\", \"\"]").unwrap(), Some((milliseconds(1500), What::Mark(String::new()))));
    }

    #[test]
    fn any_bytes_come_back_as_they_were() {
        let mut odd: Vec<u8> = (0..=255).collect();
        odd.extend("é\u{ef80}\u{efff}\u{fffd}".bytes());
        odd.extend(b"\xe2\x82 \xf0\x9f\x98");
        for what in [What::Output(odd.clone()), What::Input(odd)] {
            let at = Duration::from_micros(8_640_000_123_457);
            assert_eq!(event(line(at, &what).trim_end()).unwrap(), Some((at, what)));
        }
    }

    #[test]
    fn what_is_no_event_is_an_error() {
        for wrong in ["", "[]", "{}", "[-1, \"o\", \"\"]", "[1e300, \"o\", \"\"]", "[1, \"o\"]", "[1, \"o\", 2]"] {
            assert!(event(wrong).is_err(), "{wrong}");
        }
        assert!(check_header(&header("host 4", 7)).is_ok());
        assert!(check_header("{\"version\":3}").is_err_and(|why| why.contains("version is 3")));
    }

    #[test]
    fn only_a_character_that_may_still_be_finished_is_cut_off() {
        for (bytes, length) in [
            (b"ab".as_slice(), 2),
            (b"a\xe2\x82", 1),
            (b"\xe2\x82\xac", 3),
            (b"\xf0\x9f\x98", 0),
            (b"\xff", 1),
            (b"a\x82", 2),
            (b"", 0),
        ] {
            assert_eq!(whole(bytes), length, "{bytes:?}");
        }
    }
}
