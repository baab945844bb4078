use crate::fault::Fault;
use crate::grub::{self, Command};
use crate::kernel::Image;
use crate::loader::Outcome;
use crate::screen::Screen;
use crate::tftp::{self, Failure, NetFile};
use mn_cli::Result;
use std::time::Duration;

/// Where GRUB came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The disk: it knows nothing of the network yet.
    Disk,
    /// The network, which it goes on using.
    Network,
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
pub fn run(screen: &mut Screen, from: From, faults: &[Fault]) -> Result<Outcome> {
    screen.say_lines(MENU)?;
    for seconds in (1..=5).rev() {
        screen.say(&format!("\r   The highlighted entry will be executed automatically in {seconds}s.   "))?;
        match screen.key_within(Duration::from_secs(1))? {
            Some(b'c') => return Session { screen, faults, network: from, kernel: None }.run(),
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
    network: From,
    kernel: Option<Image>,
}

impl Session<'_> {
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
        self.screen.line(4096, |before, key| {
            let column = (before + "grub> ".len()) % 80 + 1;
            format!("\x1b[24;{column:02}H{key}")
        })
    }

    fn execute(&mut self, command: Command) -> std::result::Result<After, String> {
        Ok(match command {
            Command::Nothing | Command::Insmod => After::Prompt(String::new()),
            Command::NetBootp => {
                self.network = From::Network;
                After::Prompt(String::new())
            }
            Command::Echo(text) => After::Prompt(text),
            Command::Linux { kernel, arguments } => {
                self.fetch(&kernel)?;
                self.kernel = Some(Image { arguments, ramdisk: None });
                After::Prompt(String::new())
            }
            Command::Initrd(_) if self.kernel.is_none() => return Err(NO_KERNEL.to_owned()),
            Command::Initrd(files) => {
                let parts: Vec<_> = files.iter().map(|file| self.fetch(file)).collect::<std::result::Result<_, _>>()?;
                self.kernel = self.kernel.take().map(|kernel| Image { ramdisk: Some(parts.concat()), ..kernel });
                After::Prompt(String::new())
            }
            Command::Boot => After::Leave(Outcome::Linux(self.kernel.take().ok_or(NO_KERNEL)?)),
            Command::Exit => After::Leave(Outcome::Firmware),
            Command::Reboot => After::Leave(Outcome::Restart),
            Command::Halt => After::Leave(Outcome::Halt),
        })
    }

    fn fetch(&self, file: &NetFile) -> std::result::Result<Vec<u8>, String> {
        if self.network == From::Disk {
            return Err(NO_NETWORK.to_owned());
        }
        let path = &file.path;
        tftp::fetch(file, self.faults).map_err(|failure| match failure {
            Failure::NotFound => format!("error: file '{path}' not found."),
            Failure::Timeout => format!("error: timeout reading '{path}'."),
            Failure::Refused(reason) => format!("error: {reason}."),
            Failure::Network => NO_NETWORK.to_owned(),
        })
    }
}

const NO_KERNEL: &str = "error: you need to load the kernel first.";
const NO_NETWORK: &str = "error: couldn't send network packet.";

/// What follows a command: another prompt, after this text, or GRUB's end.
enum After {
    Prompt(String),
    Leave(Outcome),
}
