use crate::cable::LAB;
use crate::fault::Fault;
use crate::ipxe::{self, Command, Settings};
use crate::kernel::Image;
use crate::loader::{After, Outcome};
use crate::screen::Screen;
use crate::tftp::{self, Failure};
use mn_cli::Result;
use std::collections::VecDeque;
use std::time::Duration;

const BANNER: &str = "iPXE initialising devices...ok\n\n\n\
    iPXE 1.21.1 -- Open Source Network Boot Firmware -- https://ipxe.org\n\
    Features: DNS TFTP HTTP PXE Menu\n\n";
const CTRL_B: u8 = 2;

/// iPXE on the console: its greeting, and after Ctrl-B its prompt.
pub fn run(screen: &mut Screen, faults: &[Fault]) -> Result<Outcome> {
    screen.say_lines(BANNER)?;
    screen.say("Press Ctrl-B for the iPXE command line...")?;
    let until = mn_cli::Deadline::after(Duration::from_secs(3));
    while let Some(key) = screen.key_within(until.remaining())? {
        if key == CTRL_B {
            screen.say_lines("\n")?;
            return Session { screen, faults, settings: Settings::new(), kernel: None, script: VecDeque::new() }.run();
        }
    }
    screen.say_lines("\nnet0: 52:54:00:77:00:02 using board model\nNothing to boot: No such file or directory\n")?;
    Ok(Outcome::Restart)
}

/// The command line.
struct Session<'a> {
    screen: &'a mut Screen,
    faults: &'a [Fault],
    settings: Settings,
    kernel: Option<Image>,
    /// What is left of a script.
    script: VecDeque<String>,
}

impl Session<'_> {
    fn run(mut self) -> Result<Outcome> {
        loop {
            let line = match self.script.pop_front() {
                Some(line) => line,
                None => {
                    self.screen.say("iPXE> ")?;
                    self.screen.plain_line()?
                }
            };
            match ipxe::parse(&line, &self.settings) {
                Ok(command) => {
                    if let After::Leave(outcome) = self.execute(command)? {
                        return Ok(outcome);
                    }
                }
                Err(error) => self.fail(&error)?,
            }
        }
    }

    /// An error ends a script.
    fn fail(&mut self, error: &str) -> Result<()> {
        self.script.clear();
        self.screen.say_lines(&format!("{error}\n"))
    }

    fn execute(&mut self, command: Command) -> Result<After> {
        match command {
            Command::Nothing => {}
            Command::Dhcp => {
                self.settings.insert("next-server".to_owned(), LAB.to_owned());
                self.screen.say_lines("Configuring (net0 52:54:00:77:00:02)...... ok\n")?;
            }
            Command::Set { name, value } => drop(self.settings.insert(name, value)),
            Command::Echo(text) => self.screen.say_lines(&format!("{text}\n"))?,
            Command::Kernel { uri, arguments } => {
                if self.fetch(&uri)?.is_some() {
                    self.kernel = Some(Image { arguments, ramdisk: None });
                }
            }
            Command::Initrd { uri } => {
                let ramdisk = self.fetch(&uri)?;
                if let Some(kernel) = &mut self.kernel {
                    kernel.ramdisk = ramdisk;
                }
            }
            Command::Chain { uri } => {
                if let Some(bytes) = self.fetch(&uri)? {
                    match ipxe::script(&bytes) {
                        Some(lines) => self.script = lines.into(),
                        None => self.fail("Could not boot: Exec format error")?,
                    }
                }
            }
            Command::Boot => match self.kernel.take() {
                Some(image) => return Ok(After::Leave(Outcome::Linux(image))),
                None => self.fail("Could not boot: No such file or directory")?,
            },
            Command::Reboot => return Ok(After::Leave(Outcome::Restart)),
        }
        Ok(After::Prompt)
    }

    /// Fetches a file, saying so; none when it did not come.
    fn fetch(&mut self, uri: &str) -> Result<Option<Vec<u8>>> {
        self.screen.say(&format!("{uri}..."))?;
        let fetched = match ipxe::net_file(uri) {
            Some(file) => tftp::fetch(&file, self.faults),
            None => Err(Failure::Refused("Operation not supported".to_owned())),
        };
        let why = match fetched {
            Ok(bytes) => {
                self.screen.say_lines(" ok\n")?;
                return Ok(Some(bytes));
            }
            Err(Failure::NotFound) => "No such file or directory".to_owned(),
            Err(Failure::Timeout) => "Connection timed out".to_owned(),
            Err(Failure::Network) => "Network unreachable".to_owned(),
            Err(Failure::Refused(reason)) => reason,
        };
        self.fail(&format!(" {why}"))?;
        Ok(None)
    }
}
