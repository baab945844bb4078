//! board-model - a board without an emulator
//!
//! The dialogue of a mustang on a console socket: UEFI, its menus, GRUB with a real TFTP client, and then the staged
//! root directory or ramdisk as a container; or that of boards with U-Boot, GRUB, barebox, iPXE, or a system on their
//! disk. For tests of a whole job that take seconds where an emulator takes a minute.

mod barebox;
mod barebox_session;
mod board;
mod boot_manager;
mod buffer;
mod cable;
mod cli;
mod console;
mod control;
mod fault;
mod groups;
mod grub;
mod grub_session;
mod initramfs;
mod ipxe;
mod ipxe_session;
mod kernel;
mod leash;
mod line;
mod loader;
mod machine;
mod model;
mod packet;
mod port;
mod power;
mod root;
mod screen;
mod serve;
mod tftp;
mod uboot;
mod uboot_session;
mod uefi;
mod words;

use cli::Work;
use mn_cli::{Result, Status};
use std::process::ExitCode;

fn main() -> ExitCode {
    mn_cli::run("board-model", work)
}

fn work() -> Result<Status> {
    match cli::read()? {
        Work::Serve(options) => serve::run(&options),
        Work::Ask { directory, request } => control::ask(&directory, request),
        Work::Console { directory } => console::join(&directory),
        Work::Machine(model) => machine::run(&model),
        Work::Board(model) => board::run(&model),
    }
}
