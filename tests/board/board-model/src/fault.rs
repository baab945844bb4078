use clap::ValueEnum;

/// What goes wrong on a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// The console says nothing at all.
    Silent,
    /// The network boot of the firmware finds no GRUB.
    NoGrub,
    /// GRUB gets no answer from the TFTP server.
    TftpError,
    /// The kernel panics before it mounts its root.
    PanicAtBoot,
    /// The kernel says its first lines and then nothing more.
    HangAtBoot,
    /// The kernel starts its init, and no login prompt ever comes.
    NoLogin,
}

impl Fault {
    /// The word for it on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
