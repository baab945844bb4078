use crate::screen::Screen;
use mn_cli::Result;
use std::time::Duration;

/// What the firmware can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    LocalErpGrub,
    PxeGrub,
    Shell,
}

impl Entry {
    /// In the order of the menu. The network boot is not the first: who wants it has to choose it.
    const MENU: [(Self, &str); 3] =
        [(Self::LocalErpGrub, "Local ERP Grub"), (Self::PxeGrub, "LAVA PXE Grub"), (Self::Shell, "EFI Internal Shell")];

    fn label(self) -> &'static str {
        Self::MENU.iter().find(|(entry, _)| *entry == self).map_or("", |(_, label)| label)
    }
}

/// The firmware's greeting.
pub fn say_hello(screen: &mut Screen) -> Result<()> {
    screen.say("\x1b[2J\x1b[1;1H")?;
    screen.say_lines("Board model UEFI firmware, 8 processors, 16384 MiB\n")
}

/// Counts down to the default and gives the entry to start: that default, or after a key what is chosen in the menu.
pub fn choose(screen: &mut Screen) -> Result<Entry> {
    for seconds in (1..=10).rev() {
        screen.say(&format!("\rThe default boot selection will start in {seconds:>3} seconds"))?;
        if screen.key_within(Duration::from_secs(1))?.is_some() {
            return choose_in_menu(screen);
        }
    }
    Ok(Entry::MENU[0].0)
}

/// What is said when an entry has nothing to start.
pub fn say_failed(screen: &mut Screen, entry: Entry) -> Result<()> {
    screen.say_lines(&format!("\nBoot Failed. {}\n", entry.label()))
}

fn choose_in_menu(screen: &mut Screen) -> Result<Entry> {
    screen.say_lines("\n")?;
    for (n, (_, label)) in Entry::MENU.iter().enumerate() {
        screen.say_lines(&format!("[{}] {label}\n", n + 1))?;
    }
    loop {
        screen.say("Start: ")?;
        let typed = read_number(screen)?;
        match pick(&typed) {
            Some(entry) => return Ok(entry),
            None => screen.say_lines(&format!("\nInvalid selection '{typed}'\n"))?,
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

fn pick(typed: &str) -> Option<Entry> {
    let n: usize = typed.parse().ok()?;
    Entry::MENU.get(n.checked_sub(1)?).map(|(entry, _)| *entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_menu_counts_from_one() {
        assert_eq!(pick("2"), Some(Entry::PxeGrub));
        assert_eq!(pick("0"), None);
        assert_eq!(pick("4"), None);
    }
}
