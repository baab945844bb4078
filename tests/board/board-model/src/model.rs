use crate::fault::Fault;
use clap::{Args, ValueEnum};

/// Which board this is.
#[derive(Clone, Debug, Args)]
pub struct Model {
    /// What runs before Linux
    #[arg(long, value_name = "NAME", default_value = "uefi")]
    pub firmware: Firmware,
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
}

impl Model {
    /// The same board on the command line of a process of its own.
    pub fn arguments(&self) -> Vec<String> {
        let firmware = self.firmware.to_possible_value().map(|value| value.get_name().to_owned());
        let faults = self.faults.iter().flat_map(|fault| ["--fault".to_owned(), fault.name()]);
        ["--firmware".to_owned(), firmware.unwrap_or_default()].into_iter().chain(faults).collect()
    }
}
