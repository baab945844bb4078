use crate::fault::Fault;
use crate::grub_session::From;
use crate::kernel::Image;
use crate::loader::Outcome;
use crate::model::{Firmware, Model};
use crate::screen::Screen;
use crate::uefi::Uefi;
use crate::{barebox_session, grub_session, ipxe_session, kernel, leash, uboot_session};
use mn_cli::{Cannot, Result, Status};
use nix::sys::reboot::{RebootMode, reboot};
use nix::unistd::pause;

/// The life of a board that has just got power, as process 1 of its namespaces: firmware, boot loader, kernel, and
/// then /sbin/init of its root in this process's place.
pub fn run(model: &Model) -> Result<Status> {
    let faults = model.faults.as_slice();
    leash::tie_to_parent()?;
    let mut screen = Screen::open()?;
    if faults.contains(&Fault::Silent) {
        hang();
    }
    let mut uefi = Uefi::default();
    if model.firmware == Firmware::Uefi {
        uefi.say_hello(&mut screen)?;
    }
    loop {
        let outcome = match model.firmware {
            Firmware::Uefi => uefi.run(&mut screen, faults)?,
            Firmware::UBoot => uboot_session::run(&mut screen, faults)?,
            Firmware::Grub => grub_session::run(&mut screen, From::Disk, faults)?,
            Firmware::Barebox => barebox_session::run(&mut screen, faults)?,
            Firmware::Ipxe => ipxe_session::run(&mut screen, faults)?,
            Firmware::Disk => from_disk(&mut screen)?,
        };
        match outcome {
            Outcome::Firmware => {}
            Outcome::Restart => restart(RebootMode::RB_AUTOBOOT)?,
            Outcome::Halt => restart(RebootMode::RB_POWER_OFF)?,
            Outcome::Linux(image) => return kernel::boot(screen, &image, model),
        }
    }
}

fn from_disk(screen: &mut Screen) -> Result<Outcome> {
    screen.say_lines("Board model BIOS\nBooting from Hard Disk...\n")?;
    let arguments = "console=ttyS0,115200n8 root=/dev/sda1 rw".to_owned();
    Ok(Outcome::Linux(Image { arguments, ramdisk: None }))
}

/// Does nothing more until the power goes.
pub fn hang() -> ! {
    loop {
        pause();
    }
}

/// In a process namespace this ends process 1 by a signal, which tells the supervisor what was meant.
fn restart(how: RebootMode) -> Result<()> {
    reboot(how).map(drop).cannot("restart")
}
