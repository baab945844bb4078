use crate::barebox::{self, Bootm, Command, Globals};
use crate::cable::{BOARD, LAB};
use crate::fault::Fault;
use crate::kernel::Image;
use crate::loader::{After, Outcome};
use crate::screen::Screen;
use crate::tftp::{self, Failure, NetFile};
use mn_cli::Result;
use std::time::Duration;

const PROMPT: &str = "barebox@Board model:/ ";

/// barebox on the console: its countdown, and after a key its prompt.
pub fn run(screen: &mut Screen, faults: &[Fault]) -> Result<Outcome> {
    screen.say_lines("\n\nbarebox 2022.12.0 (board model)\n\n\nBoard: Board model\nmalloc space: 0x8fe3b2a0\n")?;
    for seconds in (0..=3).rev() {
        screen.say(&format!("\rHit m for menu or any key to stop autoboot: {seconds:>4}"))?;
        if seconds > 0 && screen.key_within(Duration::from_secs(1))?.is_some() {
            screen.say_lines("\n\n")?;
            return Session { screen, faults, globals: Globals::new() }.run();
        }
    }
    screen.say_lines("\nBooting entry 'mmc0'\nERROR: booting mmc0 failed: No such device\nresetting ...\n")?;
    Ok(Outcome::Restart)
}

/// The prompt and the variables.
struct Session<'a> {
    screen: &'a mut Screen,
    faults: &'a [Fault],
    globals: Globals,
}

impl Session<'_> {
    fn run(mut self) -> Result<Outcome> {
        loop {
            self.screen.say(PROMPT)?;
            let line = self.screen.plain_line()?;
            match barebox::parse(&line) {
                Ok(command) => {
                    if let After::Leave(outcome) = self.execute(command)? {
                        return Ok(outcome);
                    }
                }
                Err(error) => self.screen.say_lines(&format!("{error}\n"))?,
            }
        }
    }

    fn execute(&mut self, command: Command) -> Result<After> {
        match command {
            Command::Nothing => {}
            Command::Global { name, value } => drop(self.globals.insert(name, value)),
            Command::Dhcp => self.screen.say_lines(&format!("eth0: DHCP client bound to address {BOARD}\n"))?,
            Command::Echo(text) => self.screen.say_lines(&format!("{text}\n"))?,
            Command::Bootm(bootm) => match self.load(&bootm)? {
                Ok(image) => {
                    self.screen
                        .say_lines(&format!("commandline: {}\nStarting kernel in secure mode\n", image.arguments))?;
                    return Ok(After::Leave(Outcome::Linux(image)));
                }
                Err(error) => self.screen.say_lines(&format!("ERROR: {error}\n"))?,
            },
            Command::Reset => return Ok(After::Leave(Outcome::Restart)),
        }
        Ok(After::Prompt)
    }

    /// Loads everything, saying so; the error is barebox's.
    fn load(&mut self, bootm: &Bootm) -> Result<std::result::Result<Image, String>> {
        let mut ramdisk = None;
        let files = [("ARM Linux zImage", Some(&bootm.kernel)), ("initrd", bootm.initrd.as_ref())];
        for (what, path) in files.into_iter().chain([("devicetree", bootm.oftree.as_ref())]) {
            let Some(path) = path else { continue };
            self.screen.say_lines(&format!("Loading {what} '{path}'\n"))?;
            match self.fetch(path) {
                Ok(bytes) if what == "initrd" => ramdisk = Some(bytes),
                Ok(_) => {}
                Err(why) => return Ok(Err(format!("bootm: could not open {path}: {why}"))),
            }
        }
        Ok(Ok(Image { arguments: barebox::arguments(&self.globals), ramdisk }))
    }

    /// From the server that DHCP has named.
    fn fetch(&self, path: &str) -> std::result::Result<Vec<u8>, String> {
        let missing = || "No such file or directory".to_owned();
        let server = LAB.parse().map_err(|_| missing())?;
        let file = NetFile { server, path: barebox::on_server(path).ok_or_else(missing)?.to_owned() };
        tftp::fetch(&file, self.faults).map_err(|failure| match failure {
            Failure::NotFound => missing(),
            Failure::Refused(reason) => reason,
            Failure::Timeout => "Connection timed out".to_owned(),
            Failure::Network => "Network is unreachable".to_owned(),
        })
    }
}
