use mn_cli::{Cannot, Error, Result, Status};
use mn_ipc::socket;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// What the power switch understands: a word and a newline on the socket `control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    On,
    Off,
    Reset,
    Status,
}

impl Request {
    const ALL: [(Self, &str); 4] =
        [(Self::On, "on"), (Self::Off, "off"), (Self::Reset, "reset"), (Self::Status, "status")];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(request, _)| *request == self).map_or("", |(_, word)| word)
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(request, _)| *request)
    }
}

/// Asks the board of `directory`; returns when it is done. A status is printed.
pub fn ask(directory: &Path, request: Request) -> Result<Status> {
    let path = directory.join("control");
    let mut stream = socket::connect(&path).cannot(format_args!("reach the board at '{}'", path.display()))?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).cannot("set a deadline")?;
    writeln!(stream, "{}", request.word()).cannot("ask the board")?;
    let answer = read_line(&stream).cannot("read the board's answer")?;
    match answer.as_str() {
        "ok" => Ok(Status::Success),
        "on" | "off" => {
            writeln!(std::io::stdout(), "{answer}").cannot("write to standard output")?;
            Ok(Status::Success)
        }
        "" => Err(Error::lab("the board has gone")),
        reason => Err(Error::lab(reason)),
    }
}

/// The board's side: reads a request, has it done by `act`, which gives the answer, and writes that.
/// A client that says nothing for a second or does not listen is its own fault.
pub fn answer(stream: UnixStream, act: impl FnOnce(Request) -> Result<&'static str>) {
    let limit = Some(Duration::from_secs(1));
    if stream.set_nonblocking(false).is_err() || stream.set_read_timeout(limit).is_err() {
        return;
    }
    let answer = match read_line(&stream).map(|word| Request::parse(&word)) {
        Ok(Some(request)) => act(request).map_or_else(|error| error.to_string(), str::to_owned),
        Ok(None) => "no such request".to_owned(),
        Err(_) => return,
    };
    let _ = writeln!(&stream, "{answer}");
}

/// A line of at most 1 KiB, without its newline.
fn read_line(stream: &UnixStream) -> std::io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(1024)).read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_has_a_word() {
        for (request, word) in Request::ALL {
            assert_eq!(request.word(), word);
            assert_eq!(Request::parse(word), Some(request));
        }
        assert_eq!(Request::parse("explode"), None);
    }
}
