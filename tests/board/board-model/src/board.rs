use crate::fault::Fault;
use crate::screen::Screen;
use crate::session::{self, Outcome};
use crate::uefi::{self, Entry};
use crate::{kernel, leash};
use mn_cli::{Cannot, Result, Status};
use nix::sys::reboot::{RebootMode, reboot};
use nix::unistd::pause;

/// The life of a board that has just got power, as process 1 of its namespaces: firmware, boot loader, kernel, and
/// then /sbin/init of its root in this process's place.
pub fn run(faults: &[Fault]) -> Result<Status> {
    leash::tie_to_parent()?;
    let mut screen = Screen::open()?;
    if faults.contains(&Fault::Silent) {
        hang();
    }
    uefi::say_hello(&mut screen)?;
    loop {
        let entry = uefi::choose(&mut screen)?;
        if entry != Entry::PxeGrub || faults.contains(&Fault::NoGrub) {
            uefi::say_failed(&mut screen, entry)?;
            continue;
        }
        match session::run(&mut screen, faults)? {
            Outcome::Firmware => {}
            Outcome::Restart => restart(RebootMode::RB_AUTOBOOT)?,
            Outcome::Halt => restart(RebootMode::RB_POWER_OFF)?,
            Outcome::Linux(arguments) => return kernel::boot(screen, &arguments, faults),
        }
    }
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
