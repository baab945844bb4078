//! A line of the journal: the time, the input, and a sum over it and all lines before it.

use crate::input::Input;
use serde_json::Value;
use std::time::Duration;

/// `,"sum":"01234567"}`
const TAIL: usize = 18;

/// The sum after a line; each goes on from the one before, so that no line can be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sum(u32);

impl Sum {
    /// Before the first line.
    pub const FIRST: Self = Self(0x811c_9dc5);

    /// FNV-1a, 32 bits.
    fn over(self, bytes: &[u8]) -> Self {
        Self(bytes.iter().fold(self.0, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)))
    }
}

/// The line of an input, and the sum after it.
pub fn write(sum: Sum, time: Duration, input: &Input) -> (Vec<u8>, Sum) {
    let mut line = format!("{{\"t\":{}", time.as_micros()).into_bytes();
    // An input is an object with one key, its name; an input is never beyond what JSON can say.
    let body = serde_json::to_vec(input).unwrap_or_default();
    line.push(b',');
    line.extend_from_slice(body.get(1..body.len().saturating_sub(1)).unwrap_or_default());
    let sum = sum.over(&line);
    line.extend_from_slice(format!(",\"sum\":\"{:08x}\"}}\n", sum.0).as_bytes());
    (line, sum)
}

/// Reads a line without its newline.
///
/// # Errors
/// What is wrong with it.
pub fn read(sum: Sum, line: &[u8]) -> Result<(Duration, Input, Sum), String> {
    let (body, tail) = line.split_at(line.len().saturating_sub(TAIL));
    let sum = sum.over(body);
    if tail != format!(",\"sum\":\"{:08x}\"}}", sum.0).as_bytes() {
        return Err("its sum is wrong".into());
    }
    let mut object: mn_ipc::Object = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let time = object.remove("t").and_then(|time| time.as_u64()).ok_or("it has no time")?;
    object.remove("sum");
    let input = serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())?;
    Ok((Duration::from_micros(time), input, sum))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_that_nobody_wrote_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            prop_assert!(read(Sum::FIRST, &bytes).is_err());
        }
    }

    #[test]
    fn a_line_reads_back_as_it_was_written_and_only_in_its_place() {
        let (time, input) = (Duration::from_micros(1_500_000), Input::Lost { c: 7 });
        let (line, after) = write(Sum::FIRST, time, &input);
        assert!(line.starts_with(br#"{"t":1500000,"lost":{"c":7},"sum":""#));
        let line = &line[..line.len() - 1];
        assert_eq!(read(Sum::FIRST, line), Ok((time, input, after)));
        assert!(read(after, line).is_err(), "a line that comes twice");
        for at in 0..line.len() {
            let mut wrong = line.to_vec();
            wrong[at] ^= 1;
            assert!(read(Sum::FIRST, &wrong).is_err(), "byte {at}");
        }
    }

    #[test]
    fn every_kind_of_request_can_be_kept() {
        for line in [
            r#"{"id":1,"call":"join","args":{"member":"7"}}"#,
            r#"{"id":-2,"call":"send","args":{"message":"m","data":{"k":"v"}}}"#,
            r#"{"id":3,"call":"wait-all","args":{"message":"m","role":"r","timeout":1.5}}"#,
            r#"{"id":4,"call":"leave"}"#,
            r#"{"id":5,"call":"drain"}"#,
        ] {
            let mn_ipc::Request { id, call } = mn_ipc::Request::parse(line.as_bytes()).expect("a request");
            let asked = crate::input::Asked { c: 9, id, call, token: None, group: None, grace: None };
            let input = Input::Request(Box::new(asked));
            let (line, _) = write(Sum::FIRST, Duration::ZERO, &input);
            let (_, back, _) = read(Sum::FIRST, &line[..line.len() - 1]).expect("reads back");
            assert_eq!(back, input);
        }
    }
}
