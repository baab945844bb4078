//! The dictionary's power commands, run without a shell.

use mn_cli::{Cannot, Error, Result};
use mn_msg::{Held, MemberDir};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};

/// Where the commands' output is kept.
const LOG: &str = "power.log";

/// Command lines that are run one after the other.
pub struct Power {
    /// The name in the dictionary.
    name: String,
    rest: VecDeque<Vec<String>>,
    running: Option<(Child, String)>,
    dir: Option<MemberDir>,
    log_from: u64,
}

/// How far the commands are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// One of them runs.
    Running,
    /// All have ended well.
    Done,
}

/// Readable when a child has ended.
///
/// # Errors
/// When the system refuses it.
pub fn ended() -> Result<UnixStream> {
    let (end, handler) = UnixStream::pair().cannot("make a socket")?;
    for stream in [&end, &handler] {
        stream.set_nonblocking(true).cannot("set up a socket")?;
    }
    signal_hook::low_level::pipe::register(Signal::SIGCHLD as i32, handler).cannot("catch SIGCHLD")?;
    Ok(end)
}

/// Splits the dictionary's command lines into words.
///
/// # Errors
/// Status 2 when a line is empty or has an open quote.
pub fn words(name: &str, lines: &[String]) -> Result<Vec<Vec<String>>> {
    let split = |line: &String| {
        let words = shlex::split(line).filter(|words| !words.is_empty());
        words.ok_or_else(|| Error::wrong(format_args!("cannot run '{name}': '{line}' is empty or a quote is open")))
    };
    lines.iter().map(split).collect()
}

/// Writes down how the board is switched off, before it is switched on.
///
/// # Errors
/// Status 3 when it cannot be written.
pub fn hold(dir: &MemberDir, power_off: &[Vec<String>]) -> Result<Vec<Held>> {
    let undo = |words: &Vec<String>| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Held::write(dir, "serial-expect", &words)
    };
    power_off.iter().map(undo).collect()
}

impl Power {
    /// Begins to run the commands.
    ///
    /// # Errors
    /// Status 3 when the first cannot be run.
    pub fn start(name: &str, commands: Vec<Vec<String>>, dir: Option<&MemberDir>) -> Result<Power> {
        let rest = commands.into();
        let mut power = Power { name: name.to_owned(), rest, running: None, dir: dir.cloned(), log_from: 0 };
        power.next()?;
        Ok(power)
    }

    fn next(&mut self) -> Result<()> {
        let Some(words) = self.rest.pop_front() else { return Ok(()) };
        let line = words.join(" ");
        let output = self.output()?;
        let errors = output.try_clone().cannot("copy a descriptor")?;
        let child = Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .cannot(format_args!("run '{line}' for '{}'", self.name))?;
        self.running = Some((child, line));
        Ok(())
    }

    /// Where a command's output goes: never to standard output, which carries messages.
    fn output(&mut self) -> Result<File> {
        match &self.dir {
            Some(dir) => {
                let file = dir.append_to(LOG)?;
                self.log_from = file.metadata().cannot(format_args!("look at '{LOG}'"))?.len();
                Ok(file)
            }
            None => Ok(std::io::stderr().as_fd().try_clone_to_owned().cannot("copy a descriptor")?.into()),
        }
    }

    /// Looks whether the running command has ended, and runs the next.
    ///
    /// # Errors
    /// Status 3 when one has failed.
    pub fn check(&mut self) -> Result<Progress> {
        while let Some((child, line)) = &mut self.running {
            let Some(status) = child.try_wait().cannot(format_args!("wait for '{line}'"))? else {
                return Ok(Progress::Running);
            };
            let line = line.clone();
            self.running = None;
            if !status.success() {
                let (name, how, said) = (&self.name, how(status), self.last_line());
                return Err(Error::lab(format_args!("cannot run '{name}': '{line}' {how}{said}")));
            }
            self.next()?;
        }
        Ok(Progress::Done)
    }

    /// What the failed command said last.
    fn last_line(&self) -> String {
        let Some(dir) = &self.dir else { return String::new() };
        let mut text = Vec::new();
        let read = File::open(dir.path().join(LOG)).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.log_from))?;
            file.take(64 * 1024).read_to_end(&mut text)
        });
        let text = String::from_utf8_lossy(&text);
        match text.lines().rev().find(|line| !line.trim().is_empty()) {
            Some(line) if read.is_ok() => format!(": '{}'", line.trim()),
            _ => String::new(),
        }
    }
}

impl Drop for Power {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.running {
            let group = Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX));
            let _ = killpg(group, Signal::SIGKILL);
            let _ = child.wait();
        }
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_command_is_split_as_a_shell_does() {
        let lines = ["/lab/pdu off 13".to_owned(), "ssh pdu 'outlet 3 on'".to_owned()];
        let split = words("hard_reset", &lines).unwrap();
        assert_eq!(split, [vec!["/lab/pdu", "off", "13"], vec!["ssh", "pdu", "outlet 3 on"]]);
        let error = words("hard_reset", &["pdu 'on".to_owned()]).unwrap_err();
        assert_eq!(error.to_string(), "cannot run 'hard_reset': 'pdu 'on' is empty or a quote is open");
    }
}
