use crate::fault::Fault;
use crate::grub::{self, Command, NetFile};
use crate::screen::Screen;
use crate::tftp::{self, Failure};
use mn_cli::Result;
use std::time::Duration;

/// How GRUB ended.
pub enum Outcome {
    /// Back to the firmware.
    Firmware,
    Restart,
    Halt,
    /// A kernel with these arguments.
    Linux(String),
}

const MENU: &str = "\x1b[2J\x1b[1;1H                    GNU GRUB  version 2.06

 +----------------------------------------------------------------------+
 |*Local disk                                                           |
 |                                                                      |
 +----------------------------------------------------------------------+

      Use the ^ and v keys to select which entry is highlighted.
      Press enter to boot the selected OS, `e' to edit the commands
      before booting or `c' for a command-line.
";

/// GRUB on the console: its menu, and at the key `c` its command line.
pub fn run(screen: &mut Screen, faults: &[Fault]) -> Result<Outcome> {
    screen.say_lines(MENU)?;
    for seconds in (1..=5).rev() {
        screen.say(&format!("\r   The highlighted entry will be executed automatically in {seconds}s.   "))?;
        match screen.key_within(Duration::from_secs(1))? {
            Some(b'c') => return Session::new(screen, faults).run(),
            Some(b'\r' | b'\n') => break,
            _ => {}
        }
    }
    screen.say_lines("\n  Booting 'Local disk'\n\nerror: disk 'hd0,gpt1' not found.\n")?;
    Ok(Outcome::Firmware)
}

/// The command line.
struct Session<'a> {
    screen: &'a mut Screen,
    faults: &'a [Fault],
    kernel: Option<String>,
}

impl<'a> Session<'a> {
    fn new(screen: &'a mut Screen, faults: &'a [Fault]) -> Self {
        Self { screen, faults, kernel: None }
    }

    fn run(mut self) -> Result<Outcome> {
        self.screen.say("\x1b[2J\x1b[1;1H   Minimal BASH-like line editing is supported.\n\r")?;
        loop {
            // GRUB's own order of the two.
            self.screen.say("\n\rgrub> ")?;
            let line = self.read_line()?;
            self.screen.say("\n\r")?;
            let printed = match grub::parse(&line).and_then(|command| self.execute(command)) {
                Ok(After::Prompt(text)) => text,
                Ok(After::Leave(outcome)) => return Ok(outcome),
                Err(error) => error,
            };
            if !printed.is_empty() {
                self.screen.say(&format!("{printed}\n\r"))?;
            }
        }
    }

    /// Reads a line of at most 4096 characters. Each is echoed as the firmware's terminal does it, with the cursor's
    /// position before it: no program can find what it typed in the echo.
    fn read_line(&mut self) -> Result<String> {
        const LIMIT: usize = 4096;
        let mut line = String::new();
        loop {
            match self.screen.key()? {
                b'\r' | b'\n' => return Ok(line),
                0x08 | 0x7f if line.pop().is_some() => self.screen.say("\x08 \x08")?,
                key @ b' '..=b'~' if line.len() < LIMIT => {
                    let column = (line.len() + "grub> ".len()) % 80 + 1;
                    line.push(char::from(key));
                    self.screen.say(&format!("\x1b[24;{column:02}H{}", char::from(key)))?;
                }
                _ => {}
            }
        }
    }

    fn execute(&mut self, command: Command) -> std::result::Result<After, String> {
        Ok(match command {
            Command::Nothing | Command::Insmod | Command::NetBootp => After::Prompt(String::new()),
            Command::Echo(text) => After::Prompt(text),
            Command::Linux { kernel, arguments } => {
                self.fetch(&kernel)?;
                self.kernel = Some(arguments);
                After::Prompt(String::new())
            }
            Command::Initrd(_) if self.kernel.is_none() => return Err(NO_KERNEL.to_owned()),
            Command::Initrd(files) => {
                files.iter().try_for_each(|file| self.fetch(file))?;
                After::Prompt(String::new())
            }
            Command::Boot => After::Leave(Outcome::Linux(self.kernel.take().ok_or(NO_KERNEL)?)),
            Command::Exit => After::Leave(Outcome::Firmware),
            Command::Reboot => After::Leave(Outcome::Restart),
            Command::Halt => After::Leave(Outcome::Halt),
        })
    }

    fn fetch(&self, file: &NetFile) -> std::result::Result<(), String> {
        let result = match self.faults.contains(&Fault::TftpError) {
            true => Err(Failure::Timeout),
            false => tftp::fetch(file),
        };
        let path = &file.path;
        match result {
            Ok(_) => Ok(()),
            Err(Failure::NotFound) => Err(format!("error: file '{path}' not found.")),
            Err(Failure::Timeout) => Err(format!("error: timeout reading '{path}'.")),
            Err(Failure::Refused(reason)) => Err(format!("error: {reason}.")),
            Err(Failure::Network) => Err("error: couldn't send network packet.".to_owned()),
        }
    }
}

const NO_KERNEL: &str = "error: you need to load the kernel first.";

/// What follows a command: another prompt, after this text, or GRUB's end.
enum After {
    Prompt(String),
    Leave(Outcome),
}
