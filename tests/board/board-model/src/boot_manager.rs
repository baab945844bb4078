use crate::screen::Screen;
use crate::tftp::NetFile;
use crate::uefi::{Entry, Kernel, Starts, choose};
use mn_cli::Result;

const MENU: [&str; 7] = [
    "Add Boot Device Entry",
    "Update Boot Device Entry",
    "Remove Boot Device Entry",
    "Reorder Boot Device Entries",
    "Update FDT path",
    "Set Boot Timeout",
    "Return to main menu",
];

const DEVICES: [&str; 3] =
    ["VenHw(Board model SATA)", "PXE on MAC Address: 52:54:00:77:00:02", "TFTP on MAC Address: 52:54:00:77:00:02"];

/// The boot manager: entries are added and removed until somebody returns from it.
pub fn run(screen: &mut Screen, entries: &mut Vec<Entry>) -> Result<()> {
    loop {
        match choose(screen, MENU.into_iter(), "Choice: ")? {
            0 => add(screen, entries)?,
            // The last one stays: there is always something to start.
            2 if entries.len() > 1 => {
                let labels = entries.iter().map(|entry| entry.label.as_str());
                let at = choose(screen, labels, "Delete entry: ")?;
                entries.remove(at);
            }
            6 => return Ok(()),
            _ => screen.say_lines("Not supported by this board\n")?,
        }
    }
}

fn add(screen: &mut Screen, entries: &mut Vec<Entry>) -> Result<()> {
    if choose(screen, DEVICES.into_iter(), "Select the Boot Device: ")? != DEVICES.len() - 1 {
        return screen.say_lines("Not supported by this board\n");
    }
    let file = net_file(screen, "EFI Application or the kernel")?;
    if yes(screen, "Is an EFI Application?")? {
        return screen.say_lines("Not supported by this board\n");
    }
    let with_fdt = ask(screen, "Boot Type: [a/f] ")? == "f";
    let initrd = yes(screen, "Add an initrd:")?.then(|| net_file(screen, "initrd")).transpose()?;
    let fdt = with_fdt.then(|| net_file(screen, "FDT")).transpose()?;
    let arguments = ask(screen, "Arguments to pass to the binary: ")?;
    let label = ask(screen, "Description for this new Entry: ")?;
    let starts = match file {
        Some(file) => Starts::Kernel(Kernel { file, initrd: initrd.flatten(), fdt: fdt.flatten(), arguments }),
        None => Starts::Shell,
    };
    entries.push(Entry { label, starts });
    Ok(())
}

/// A file on the network; none when there is no such server.
fn net_file(screen: &mut Screen, what: &str) -> Result<Option<NetFile>> {
    yes(screen, "Get the IP address from DHCP:")?;
    let server = ask(screen, "Get the TFTP server IP address: ")?;
    let path = ask(screen, &format!("File path of the {what} : "))?;
    Ok(server.parse().ok().map(|server| NetFile { server, path }))
}

fn yes(screen: &mut Screen, question: &str) -> Result<bool> {
    Ok(ask(screen, &format!("{question} [y/n] "))? == "y")
}

fn ask(screen: &mut Screen, question: &str) -> Result<String> {
    screen.say(question)?;
    screen.plain_line()
}
