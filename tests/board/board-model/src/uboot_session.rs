use crate::cable::BOARD;
use crate::fault::Fault;
use crate::kernel::Image;
use crate::loader::{After, Outcome};
use crate::screen::Screen;
use crate::tftp::{self, Failure, NetFile};
use crate::uboot::{Booting, Command, Environment, HEADER, How, KERNEL, RAMDISK, Ramdisk, is_uimage};
use mn_cli::Result;
use std::collections::BTreeMap;
use std::time::Duration;

const PROMPT: &str = "U-Boot# ";

/// U-Boot on the console: its countdown, and after a key its prompt.
pub fn run(screen: &mut Screen, faults: &[Fault]) -> Result<Outcome> {
    screen.say_lines(
        "\nU-Boot SPL 2022.04 (board model)\nTrying to boot from MMC1\n\n\nU-Boot 2022.04 (board model)\n\n",
    )?;
    screen.say_lines("CPU  : AM335X-GP rev 2.1\nModel: TI AM335x BeagleBone Black\nDRAM:  512 MiB\n")?;
    for seconds in (0..=3).rev() {
        screen.say(&format!("\rHit any key to stop autoboot: {seconds:>2} "))?;
        if seconds > 0 && screen.key_within(Duration::from_secs(1))?.is_some() {
            screen.say_lines("\n")?;
            return Session { screen, faults, environment: Environment::default(), memory: BTreeMap::new() }.run();
        }
    }
    screen.say_lines("\nCard did not respond to voltage select! : -110\nresetting ...\n")?;
    Ok(Outcome::Restart)
}

/// The prompt, the variables, and what was loaded at which address.
struct Session<'a> {
    screen: &'a mut Screen,
    faults: &'a [Fault],
    environment: Environment,
    memory: BTreeMap<u64, Vec<u8>>,
}

impl Session<'_> {
    fn run(mut self) -> Result<Outcome> {
        loop {
            self.screen.say(PROMPT)?;
            let line = self.screen.plain_line()?;
            match self.environment.parse(&line) {
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
            Command::Setenv { name, value } => self.environment.set(&name, value),
            Command::Echo(text) => self.screen.say_lines(&format!("{text}\n"))?,
            Command::Dhcp => {
                self.environment.set("ipaddr", Some(BOARD.to_owned()));
                self.screen.say_lines(&format!(
                    "link up on port 0, speed 100, full duplex\nBOOTP broadcast 1\n\
                     DHCP client bound to address {BOARD} (4 ms)\n"
                ))?;
            }
            Command::Tftp { address, path } => self.load(address, &path)?,
            Command::Boot(booting) => return self.boot(&booting),
            Command::Reset => {
                self.screen.say_lines("resetting ...\n")?;
                return Ok(After::Leave(Outcome::Restart));
            }
        }
        Ok(After::Prompt)
    }

    fn load(&mut self, address: u64, path: &str) -> Result<()> {
        let Some(server) = self.environment.get("serverip").and_then(|server| server.parse().ok()) else {
            return self.screen.say_lines("*** ERROR: `serverip' not set\n");
        };
        self.screen.say_lines(&format!(
            "Using ethernet@4a100000 device\nTFTP from server {server}; our IP address is {BOARD}\n\
             Filename '{path}'.\nLoad address: {address:#x}\nLoading: "
        ))?;
        match tftp::fetch(&NetFile { server, path: path.to_owned() }, self.faults) {
            Ok(bytes) => {
                let size = bytes.len();
                self.environment.set("filesize", Some(format!("{size:x}")));
                self.memory.insert(address, bytes);
                self.screen.say_lines(&format!("####\n\t 2.4 MiB/s\ndone\nBytes transferred = {size} ({size:x} hex)\n"))
            }
            Err(Failure::NotFound) => self.screen.say_lines("\nTFTP error: 'File not found' (1)\nNot retrying...\n"),
            Err(Failure::Refused(reason)) => self.screen.say_lines(&format!("\nTFTP error: '{reason}' (0)\n")),
            Err(Failure::Timeout | Failure::Network) => {
                self.screen.say_lines("T T T T T T T T T T \nRetry count exceeded; starting again\n")
            }
        }
    }

    fn boot(&mut self, booting: &Booting) -> Result<After> {
        let ramdisk = match self.check(booting) {
            Ok(ramdisk) => ramdisk.map(<[u8]>::to_vec),
            Err(error) => {
                self.screen.say_lines(&format!("{error}\n"))?;
                return Ok(After::Prompt);
            }
        };
        self.screen.say_lines("\nStarting kernel ...\n\n")?;
        let arguments = self.environment.get("bootargs").unwrap_or_default().to_owned();
        Ok(After::Leave(Outcome::Linux(Image { arguments, ramdisk })))
    }

    fn at(&self, address: u64) -> &[u8] {
        self.memory.get(&address).map(Vec::as_slice).unwrap_or_default()
    }

    /// What was loaded is what the command needs: gives the ramdisk, without its header. The error is U-Boot's.
    fn check(&self, booting: &Booting) -> std::result::Result<Option<&[u8]>, String> {
        let kernel = self.at(booting.kernel);
        match booting.how {
            How::Bootm if !is_uimage(kernel, KERNEL) => {
                return Err("Wrong Image Format for bootm command\nERROR: can't get kernel image!".to_owned());
            }
            How::Bootz if kernel.is_empty() => return Err("zimage: Bad magic!".to_owned()),
            How::Booti if kernel.is_empty() => return Err("Bad Linux ARM64 Image magic!".to_owned()),
            _ => {}
        }
        if let Some(dtb) = booting.dtb
            && !self.at(dtb).starts_with(&[0xd0, 0x0d, 0xfe, 0xed])
        {
            let error = "ERROR: Did not find a cmdline Flattened Device Tree\nCould not find a valid device tree";
            return Err(error.to_owned());
        }
        booting.ramdisk.map(|place| self.ramdisk(place)).transpose()
    }

    fn ramdisk(&self, place: Ramdisk) -> std::result::Result<&[u8], String> {
        let bytes = self.at(place.address);
        let size = place.size.and_then(|size| usize::try_from(size).ok());
        match size {
            None if is_uimage(bytes, RAMDISK) => Ok(&bytes[HEADER..]),
            Some(size) if size > 0 && size <= bytes.len() => Ok(&bytes[..size]),
            _ => Err("Wrong Ramdisk Image Format\nRamdisk image is corrupt or invalid".to_owned()),
        }
    }
}
