use crate::{Decoder, Kind, Message, Role};
use mn_cli::{Cannot, Error, Result, Status};
use std::io::Read;

/// Reads the messages of a stream, up to and including its `end`.
pub struct Reader<R> {
    input: R,
    decoder: Decoder,
}

impl<R: Read> Reader<R> {
    /// Reads from `input`, usually standard input.
    pub fn new(input: R) -> Self {
        Self { input, decoder: Decoder::default() }
    }

    /// The next message; the last one is the `end`.
    ///
    /// # Errors
    /// Status 3 when the stream ends before its `end`, 2 for a line that is no message.
    pub fn next_message(&mut self) -> Result<Message> {
        let mut bytes = [0; 64 * 1024];
        loop {
            if let Some(message) = self.decoder.next_message()? {
                return Ok(message);
            }
            let n = match self.input.read(&mut bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                read => read.cannot("read the input")?,
            };
            if n == 0 {
                return Err(Error::lab("input ended early"));
            }
            self.decoder.push(&bytes[..n]);
        }
    }

    /// What has been read beyond the last message, and the rest of the input.
    pub fn into_parts(self) -> (R, Decoder) {
        (self.input, self.decoder)
    }
}

/// What a stage of one role was given.
#[derive(Debug)]
pub enum Input {
    /// A role to work on, and messages of other types to pass on before it.
    Role(Box<Role>, Vec<Message>),
    /// Nothing to work on: an earlier stage ended with this status.
    Ended(Status),
}

/// Reads up to the `end` and gives the one role message.
///
/// # Errors
/// Status 2 when there is no role message or more than one, 3 when the input ends early.
pub fn read_one_role<R: Read>(reader: &mut Reader<R>) -> Result<Input> {
    let mut role: Option<Role> = None;
    let mut others = Vec::new();
    loop {
        let message = reader.next_message()?;
        match message.kind() {
            Kind::End if message.status() != Status::Success => return Ok(Input::Ended(message.status())),
            Kind::End => break,
            Kind::Role if role.is_some() => {
                return Err(Error::wrong(
                    "cannot work on a second role message: split the job with 'job-split --only ID'",
                ));
            }
            Kind::Role => role = Some(Role::from_message(message)?),
            Kind::Gone => {
                return Err(Error::lab(format_args!("what the role uses is gone: {}", message.text("reason"))));
            }
            _ if others.len() < 1024 => others.push(message),
            _ => return Err(Error::wrong("cannot pass on more than 1024 messages of other types")),
        }
    }
    let role = role.ok_or_else(|| Error::wrong("cannot work without a role message: the input holds none"))?;
    Ok(Input::Role(Box::new(role), others))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Input> {
        read_one_role(&mut Reader::new(text.as_bytes()))
    }

    #[test]
    fn a_stream_without_end_ended_early() {
        let error = read("").unwrap_err();
        assert_eq!((error.status(), error.to_string().as_str()), (Status::Lab, "input ended early"));
    }

    #[test]
    fn a_status_travels_through() {
        let input = read("{\"v\":1,\"type\":\"end\",\"data\":{\"status\":143}}\n").unwrap();
        assert!(matches!(input, Input::Ended(Status::Signal(15))));
    }

    #[test]
    fn an_end_without_a_role_is_a_wrong_message() {
        let error = read("{\"v\":1,\"type\":\"end\",\"data\":{\"status\":0}}\n").unwrap_err();
        assert_eq!(error.status(), Status::Wrong);
    }
}
