//! serial-expect's consoles as their users see them: serial ports, terminal servers, and consoles that are shared.

mod busy;
mod links;
mod pacing;
mod ports;
mod reconnect;
mod recorded;
mod servers;
mod shared;
