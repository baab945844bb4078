//! The messages: all are read, then each role is worked on and passed on.

use mn_cli::{Error, Result, Status};
use mn_msg::{Kind, Message, Reader, Role, Writer};
use std::io::Read;

use crate::packer::Packer;

/// The most messages of a stream; a group has at most 1024 members.
const MAX_MESSAGES: usize = 2048;

/// The most bytes of all messages together.
const MAX_BYTES: usize = 64 << 20;

/// A whole stream.
#[derive(Debug)]
pub struct Input {
    messages: Vec<Message>,
    status: Status,
}

/// Reads a stream up to its end, because its end says whether there is work to do.
///
/// # Errors
/// Status 2 for a line that is no message and for a stream that is too large, 3 when the stream
/// ends early.
pub fn read(reader: &mut Reader<impl Read>) -> Result<Input> {
    let mut messages = Vec::new();
    let mut bytes = 0;
    loop {
        let message = reader.next_message()?;
        if message.kind() == Kind::End {
            return Ok(Input { status: message.status(), messages });
        }
        bytes += message.to_line()?.len();
        if messages.len() == MAX_MESSAGES || bytes > MAX_BYTES {
            return Err(Error::wrong(format_args!(
                "cannot work on a stream of more than {MAX_MESSAGES} messages or {} MiB",
                MAX_BYTES >> 20
            )));
        }
        messages.push(message);
    }
}

/// Passes the messages on, the roles with their overlays, and gives the status of the end.
///
/// # Errors
/// What keeps an overlay from being packed, or a message from being written.
pub fn work(input: Input, mut packer: Packer, writer: &mut Writer) -> Result<Status> {
    for message in input.messages {
        if message.kind() == Kind::Role && input.status == Status::Success {
            let mut role = Role::from_message(message)?;
            packer.pack(&mut role)?;
            writer.write(role.message())?;
        } else {
            writer.write(&message)?;
        }
    }
    Ok(input.status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_a_limit() {
        let line = "{\"v\":1,\"type\":\"later\",\"data\":{}}\n";
        let enough = format!("{}{{\"v\":1,\"type\":\"end\",\"data\":{{\"status\":3}}}}\n", line.repeat(MAX_MESSAGES));
        let input = read(&mut Reader::new(enough.as_bytes())).unwrap();
        assert_eq!((input.messages.len(), input.status), (MAX_MESSAGES, Status::Lab));
        let error = read(&mut Reader::new(line.repeat(MAX_MESSAGES + 1).as_bytes())).unwrap_err();
        assert_eq!(error.to_string(), "cannot work on a stream of more than 2048 messages or 64 MiB");
    }
}
