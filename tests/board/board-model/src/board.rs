use crate::fault::Fault;
use crate::model::{Firmware, Model};
use crate::screen::Screen;
use crate::session::{self, Outcome};
use crate::uefi::{self, Entry};
use crate::{kernel, leash, uboot_session};
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
    if model.firmware == Firmware::Uefi {
        uefi::say_hello(&mut screen)?;
    }
    loop {
        let outcome = match model.firmware {
            Firmware::Uefi => from_menu(&mut screen, faults)?,
            Firmware::UBoot => uboot_session::run(&mut screen, faults)?,
        };
        match outcome {
            Outcome::Firmware => {}
            Outcome::Restart => restart(RebootMode::RB_AUTOBOOT)?,
            Outcome::Halt => restart(RebootMode::RB_POWER_OFF)?,
            Outcome::Linux(arguments) => return kernel::boot(screen, &arguments, faults),
        }
    }
}

/// What is chosen in the firmware's menu, and how it ended.
fn from_menu(screen: &mut Screen, faults: &[Fault]) -> Result<Outcome> {
    let entry = uefi::choose(screen)?;
    if entry != Entry::PxeGrub || faults.contains(&Fault::NoGrub) {
        uefi::say_failed(screen, entry)?;
        return Ok(Outcome::Firmware);
    }
    session::run(screen, faults)
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
