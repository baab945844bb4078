use crate::fault::Fault;
use clap::{Args, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Which board this is.
#[derive(Clone, Debug, Args)]
pub struct Model {
    /// What runs before Linux
    #[arg(long, value_name = "NAME", default_value = "uefi")]
    pub firmware: Firmware,
    /// The root directory of the system on the board's disk
    #[arg(long, value_name = "DIR")]
    pub disk: Option<PathBuf>,
    /// Let something go wrong; may be given more than once
    #[arg(long = "fault", value_name = "NAME")]
    pub faults: Vec<Fault>,
}

/// What runs before Linux.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Firmware {
    /// A mustang: UEFI with a menu, and GRUB.
    Uefi,
    /// A BeagleBone Black: U-Boot.
    UBoot,
    /// A machine whose disk has GRUB.
    Grub,
    /// A board with barebox.
    Barebox,
    /// A machine that boots from the network by iPXE.
    Ipxe,
    /// A board that boots from its disk and asks nobody.
    Disk,
}

impl Model {
    /// The same board on the command line of a process of its own.
    pub fn arguments(&self) -> Vec<OsString> {
        let firmware = self.firmware.to_possible_value().map(|value| value.get_name().into());
        let mut arguments = vec!["--firmware".into(), firmware.unwrap_or_default()];
        arguments.extend(self.faults.iter().flat_map(|fault| ["--fault".into(), fault.name().into()]));
        arguments.extend(self.disk.iter().flat_map(|disk| ["--disk".into(), disk.into()]));
        arguments
    }
}
