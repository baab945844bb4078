use crate::boot_manager;
use crate::fault::Fault;
use crate::grub_session::{self, From};
use crate::kernel::Image;
use crate::loader::Outcome;
use crate::screen::Screen;
use crate::tftp::{self, NetFile};
use mn_cli::Result;
use std::time::Duration;

/// The firmware of a mustang: what it can start.
pub struct Uefi {
    pub entries: Vec<Entry>,
}

/// An entry of the boot menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub label: String,
    pub starts: Starts,
}

/// What an entry starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Starts {
    /// GRUB from the disk.
    LocalGrub,
    /// GRUB from the network.
    PxeGrub,
    Shell,
    Kernel(Kernel),
}

/// A kernel by TFTP, as it is described in the boot manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    pub file: NetFile,
    pub initrd: Option<NetFile>,
    pub fdt: Option<NetFile>,
    pub arguments: String,
}

/// The other lines of the boot menu.
const MORE: [&str; 3] = ["Boot Manager", "Reboot", "Shutdown"];

impl Default for Uefi {
    /// The network boot is not the first: who wants it has to choose it. The last is what an earlier job has left.
    fn default() -> Self {
        let entry = |label: &str, starts| Entry { label: label.to_owned(), starts };
        Self {
            entries: vec![
                entry("Local ERP Grub", Starts::LocalGrub),
                entry("LAVA PXE Grub", Starts::PxeGrub),
                entry("EFI Internal Shell", Starts::Shell),
                entry("LAVA nfs test image", Starts::Shell),
            ],
        }
    }
}

impl Uefi {
    /// The firmware's greeting.
    pub fn say_hello(&self, screen: &mut Screen) -> Result<()> {
        screen.say("\x1b[2J\x1b[1;1H")?;
        screen.say_lines("Board model UEFI firmware, 8 processors, 16384 MiB\n")
    }

    /// Counts down to the default entry and starts that, or after a key what is chosen in the menu.
    pub fn run(&mut self, screen: &mut Screen, faults: &[Fault]) -> Result<Outcome> {
        for seconds in (1..=10).rev() {
            screen.say(&format!("\rThe default boot selection will start in {seconds:>3} seconds"))?;
            if screen.key_within(Duration::from_secs(1))?.is_some() {
                return self.menu(screen, faults);
            }
        }
        self.start(0, screen, faults)
    }

    fn menu(&mut self, screen: &mut Screen, faults: &[Fault]) -> Result<Outcome> {
        loop {
            let labels = self.entries.iter().map(|entry| entry.label.as_str()).chain(MORE);
            let chosen = choose(screen, labels, "Start: ")?;
            match chosen.checked_sub(self.entries.len()) {
                None => return self.start(chosen, screen, faults),
                Some(0) => boot_manager::run(screen, &mut self.entries)?,
                Some(1) => return Ok(Outcome::Restart),
                Some(_) => return Ok(Outcome::Halt),
            }
        }
    }

    fn start(&self, at: usize, screen: &mut Screen, faults: &[Fault]) -> Result<Outcome> {
        let entry = &self.entries[at];
        match &entry.starts {
            Starts::LocalGrub => return grub_session::run(screen, From::Disk, faults),
            Starts::PxeGrub if !faults.contains(&Fault::NoGrub) => {
                return grub_session::run(screen, From::Network, faults);
            }
            Starts::Kernel(kernel) => match kernel.fetch(faults) {
                Ok(image) => {
                    screen.say_lines("\nLoaded: LinuxImage\n")?;
                    return Ok(Outcome::Linux(image));
                }
                Err(path) => screen.say_lines(&format!("\nTFTP Error: cannot load '{path}'\n"))?,
            },
            Starts::PxeGrub | Starts::Shell => {}
        }
        screen.say_lines(&format!("\nBoot Failed. {}\n", entry.label))?;
        Ok(Outcome::Firmware)
    }
}

impl Kernel {
    /// Fetches everything; the error is the path of what did not come.
    fn fetch(&self, faults: &[Fault]) -> std::result::Result<Image, String> {
        let fetch = |file: &NetFile| tftp::fetch(file, faults).map_err(|_| file.path.clone());
        fetch(&self.file)?;
        self.fdt.as_ref().map(fetch).transpose()?;
        let ramdisk = self.initrd.as_ref().map(fetch).transpose()?;
        Ok(Image { arguments: self.arguments.clone(), ramdisk })
    }
}

/// Draws a numbered menu and reads a choice; gives its place, counted from 0.
pub fn choose<'a>(screen: &mut Screen, labels: impl Iterator<Item = &'a str>, prompt: &str) -> Result<usize> {
    let mut count = 0;
    screen.say_lines("\n")?;
    for (n, label) in labels.enumerate() {
        // The colours of each line, as the firmware's terminal sets them.
        screen.say_lines(&format!("\x1b[1m\x1b[37m\x1b[40m[{}] {label}\x1b[0m\x1b[37m\x1b[40m\n", n + 1))?;
        count = n + 1;
    }
    loop {
        screen.say(prompt)?;
        let typed = read_number(screen)?;
        screen.say_lines("\n")?;
        match pick(&typed, count) {
            Some(at) => return Ok(at),
            None => screen.say_lines(&format!("Invalid selection '{typed}'\n"))?,
        }
    }
}

/// Reads the keys of a line with at least one digit, echoing them.
fn read_number(screen: &mut Screen) -> Result<String> {
    let mut typed = String::new();
    loop {
        match screen.key()? {
            b'\r' | b'\n' if !typed.is_empty() => return Ok(typed),
            key @ b'0'..=b'9' if typed.len() < 4 => {
                typed.push(char::from(key));
                screen.say(&char::from(key).to_string())?;
            }
            _ => {}
        }
    }
}

fn pick(typed: &str, count: usize) -> Option<usize> {
    let at = typed.parse::<usize>().ok()?.checked_sub(1)?;
    (at < count).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_menu_counts_from_one() {
        assert_eq!(pick("2", 3), Some(1));
        assert_eq!(pick("0", 3), None);
        assert_eq!(pick("4", 3), None);
    }
}
