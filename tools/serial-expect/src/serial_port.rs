//! A serial port, for this process alone.

use crate::owner;
use mio_serial::{DataBits, FlowControl, SerialPortBuilderExt, SerialStream, StopBits};
use mn_cli::{Error, Result};
use mn_console::serial_mode::{Flow, Parity, SerialMode};
use std::path::Path;

/// Opens a port: locked by TIOCEXCL and flock(2), raw, driven as `mode` says.
///
/// # Errors
/// Status 3 when it cannot be opened; one that is in use is told with its user, where that can be found out.
pub fn open(path: &Path, mode: SerialMode) -> Result<SerialStream> {
    let cannot = |why: &str| Error::lab(format_args!("cannot open '{}': {why}", path.display()));
    let busy = |owner: &str| cannot(&format!("{owner} has it open"));
    // Not every program that leaves a lock file looks at the kernel's locks.
    if let Some(owner) = owner::by_lock_file(path) {
        return Err(busy(&owner));
    }
    let port = builder(path, mode).open_native_async().map_err(|error| match error.kind() {
        // Also what a port says that is in use.
        mio_serial::ErrorKind::NoDevice => match owner::by_open_file(path) {
            Some(owner) => busy(&owner),
            None if path.exists() => cannot("another user's process has it open; as root, fuser(1) names it"),
            None => cannot(&error.description),
        },
        _ => cannot(&error.description),
    })?;
    // Some lock nothing at all.
    if let Some(owner) = owner::by_open_file(path) {
        let what = format_args!("{owner} has '{}' open too: what that reads is missing here", path.display());
        mn_cli::warn(what);
    }
    Ok(port)
}

fn builder(path: &Path, mode: SerialMode) -> mio_serial::SerialPortBuilder {
    let bits = match mode.bits {
        5 => DataBits::Five,
        6 => DataBits::Six,
        7 => DataBits::Seven,
        _ => DataBits::Eight,
    };
    let parity = match mode.parity {
        Parity::None => mio_serial::Parity::None,
        Parity::Even => mio_serial::Parity::Even,
        Parity::Odd => mio_serial::Parity::Odd,
    };
    let flow = match mode.flow {
        Flow::None => FlowControl::None,
        Flow::RtsCts => FlowControl::Hardware,
        Flow::XonXoff => FlowControl::Software,
    };
    let stop = if mode.stop == 2 { StopBits::Two } else { StopBits::One };
    mio_serial::new(path.to_string_lossy(), mode.rate).data_bits(bits).parity(parity).stop_bits(stop).flow_control(flow)
}
