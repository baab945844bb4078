//! attach: a person at a shared console.

use crate::cli::{AttachOptions, Begin};
use crate::escape::{Escape, Typed};
use crate::share_client::Client;
use crate::share_words::{Answer, Request};
use crate::upstream::ended_by;
use mn_cli::{Cannot, Error, Result, Signals, Status};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::io::{ErrorKind, IsTerminal, Read, Stdin, Write, stdin, stdout};
use std::os::fd::AsFd;

/// What is shown of the past unless it is said: about a screen.
const SCREEN: i64 = 4096;
const HELP: &str = "~. leaves, ~t takes the keyboard from another, ~~ types a tilde";

/// Shows a shared console, and types on it where standard input is a terminal.
///
/// # Errors
/// Status 3 when there is none, or it ends without a word; 128+N after a signal.
pub fn run(options: &AttachOptions, mut signals: Signals) -> Result<Status> {
    let from = match options.from {
        Begin::Screen => Some(-SCREEN),
        Begin::Offset(offset) => Some(offset),
        Begin::Now => None,
    };
    let mut client = Client::attach(&options.socket, from)?;
    let input = stdin();
    let person = !options.read_only && input.is_terminal() && stdout().is_terminal();
    let terminal = person.then(|| Raw::enter(&input)).transpose()?;
    if terminal.is_some() {
        say(&format!("attached to '{}': {HELP}", options.socket.display()));
    }
    let mut seat = Seat { input, terminal, whole_lines: options.from == Begin::Screen, escape: Escape::default() };
    loop {
        if let Some(signal) = signals.take() {
            return Err(ended_by(signal));
        }
        let (heard, typed) = seat.wait(&client, &signals)?;
        if typed && seat.forward(&mut client)? == Next::Leave {
            return Ok(Status::Success);
        }
        if heard && seat.show(&mut client, options)? == Next::Leave {
            return Ok(Status::Success);
        }
    }
}

/// Whether it goes on.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    Stay,
    Leave,
}

/// A person's place.
struct Seat {
    input: Stdin,
    terminal: Option<Raw>,
    /// Whether what comes first may begin within a line.
    whole_lines: bool,
    escape: Escape,
}

impl Seat {
    /// Waits; gives whether the console has said something, and whether the person has typed.
    fn wait(&self, client: &Client, signals: &Signals) -> Result<(bool, bool)> {
        let flags = PollFlags::POLLIN;
        let console = client.as_fd();
        let mut fds = vec![PollFd::new(console, flags), PollFd::new(signals.as_fd(), flags)];
        if self.terminal.is_some() {
            fds.push(PollFd::new(self.input.as_fd(), flags));
        }
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => return Ok((false, false)),
            polled => polled.cannot("wait for the console")?,
        };
        let ready = |at: usize| fds.get(at).is_some_and(|fd| fd.any() == Some(true));
        Ok((ready(0), ready(2)))
    }

    fn forward(&mut self, client: &mut Client) -> Result<Next> {
        let mut bytes = [0; 4096];
        let count = self.input.read(&mut bytes).cannot("read the terminal")?;
        if count == 0 {
            return Ok(Next::Leave);
        }
        for typed in self.escape.push(&bytes[..count]) {
            let request = match typed {
                Typed::Keys(keys) => Request::Type(keys),
                Typed::Take => Request::Take,
                Typed::Leave => return Ok(Next::Leave),
                Typed::Help => {
                    say(HELP);
                    continue;
                }
            };
            client.ask(&request).cannot("type on the console")?;
        }
        Ok(Next::Stay)
    }

    fn show(&mut self, client: &mut Client, options: &AttachOptions) -> Result<Next> {
        let answers = client
            .hear()
            .map_err(|error| Error::lab(format_args!("lost the console '{}': {error}", options.socket.display())))?;
        for answer in answers {
            match answer {
                Answer::Bytes(offset, bytes) => {
                    let begun = std::mem::take(&mut self.whole_lines) && offset > 0;
                    let line = bytes.iter().position(|&byte| byte == b'\n').filter(|_| begun);
                    match print(&bytes[line.map_or(0, |at| at + 1)..]) {
                        // As with cat(1): whoever reads this has enough.
                        Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(Next::Leave),
                        printed => printed.cannot("write the console")?,
                    }
                }
                Answer::Keyboard(person) => say(&format!("{person}, has the keyboard: ~t takes it")),
                Answer::Warning(text) => say(&text),
                Answer::End => {
                    if self.terminal.is_some() {
                        say("the console has ended");
                    }
                    return Ok(Next::Leave);
                }
            }
        }
        Ok(Next::Stay)
    }
}

fn print(bytes: &[u8]) -> std::io::Result<()> {
    let mut out = stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
}

/// On a terminal in raw mode a line begins where the last one ended.
fn say(text: &str) {
    if std::io::stderr().is_terminal() {
        let _ = std::io::stderr().write_all(format!("\r\n[{text}]\r\n").as_bytes());
    } else {
        mn_cli::note(0, text);
    }
}

/// A terminal that passes every key on, until the value goes.
struct Raw {
    terminal: Stdin,
    before: Termios,
}

impl Raw {
    fn enter(input: &Stdin) -> Result<Raw> {
        let before = tcgetattr(input).cannot("set up the terminal")?;
        let mut mode = before.clone();
        cfmakeraw(&mut mode);
        tcsetattr(input, SetArg::TCSANOW, &mode).cannot("set up the terminal")?;
        Ok(Raw { terminal: stdin(), before })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, SetArg::TCSADRAIN, &self.before);
        // The shell's prompt is not to stand behind the board's.
        let _ = stdout().write_all(b"\r\n");
    }
}
