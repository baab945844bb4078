use mn_cli::{Cannot, Deadline, Error, Result};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::Duration;

/// The serial line as the board's firmware has it: raw bytes, both ways.
pub struct Screen {
    tty: File,
    cooked: Termios,
}

impl Screen {
    /// The line that is this process's standard output.
    pub fn open() -> Result<Self> {
        let tty = std::io::stdout().as_fd().try_clone_to_owned().map(File::from).cannot("copy a descriptor")?;
        let cooked = tcgetattr(&tty).cannot("read the terminal's settings")?;
        let mut raw = cooked.clone();
        cfmakeraw(&mut raw);
        tcsetattr(&tty, SetArg::TCSANOW, &raw).cannot("make the terminal raw")?;
        Ok(Self { tty, cooked })
    }

    /// Prints text as it is.
    pub fn say(&mut self, text: &str) -> Result<()> {
        self.tty.write_all(text.as_bytes()).cannot("write to the console")
    }

    /// Prints lines, each ended as a serial console ends them.
    pub fn say_lines(&mut self, text: &str) -> Result<()> {
        self.say(&text.replace('\n', "\r\n"))
    }

    /// Waits for a key.
    pub fn key(&mut self) -> Result<u8> {
        let mut key = [0];
        match self.tty.read(&mut key).cannot("read from the console")? {
            0 => Err(Error::lab("the console has gone")),
            _ => Ok(key[0]),
        }
    }

    /// Waits for a key for at most `wait`.
    pub fn key_within(&mut self, wait: Duration) -> Result<Option<u8>> {
        let deadline = Deadline::after(wait);
        while !deadline.passed() {
            let mut fds = [PollFd::new(self.tty.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, deadline.poll_timeout()).cannot("wait for a key")? > 0 {
                return self.key().map(Some);
            }
        }
        Ok(None)
    }

    /// Reads a line of at most `limit` characters; each is echoed as `echo` says for the number of those before it.
    pub fn line(&mut self, limit: usize, echo: impl Fn(usize, char) -> String) -> Result<String> {
        let mut line = String::new();
        loop {
            match self.key()? {
                b'\r' | b'\n' => return Ok(line),
                0x08 | 0x7f if line.pop().is_some() => self.say("\x08 \x08")?,
                key @ b' '..=b'~' if line.len() < limit => {
                    let key = char::from(key);
                    self.say(&echo(line.len(), key))?;
                    line.push(key);
                }
                _ => {}
            }
        }
    }

    /// A line of at most 1023 characters, echoed as it is typed, and the end of it.
    pub fn plain_line(&mut self) -> Result<String> {
        let line = self.line(1023, |_, key| key.to_string())?;
        self.say_lines("\n")?;
        Ok(line)
    }

    /// Gives the line over to Linux, with the settings of a fresh terminal.
    pub fn into_terminal(self) -> Result<File> {
        tcsetattr(&self.tty, SetArg::TCSADRAIN, &self.cooked).cannot("set the terminal up")?;
        Ok(self.tty)
    }
}
