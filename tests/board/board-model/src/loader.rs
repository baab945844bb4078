use crate::kernel::Image;

/// How a boot loader ended.
pub enum Outcome {
    /// Back to the firmware.
    Firmware,
    Restart,
    Halt,
    Linux(Image),
}

/// What follows a command at a boot loader's prompt.
pub enum After {
    Prompt,
    Leave(Outcome),
}
