//! serial-expect as its users see it: a role message in, a scripted board on the console, results out.

mod actions;
mod board;
mod calls;
mod consoles;
#[path = "../device/board.rs"]
mod device;
mod ending;
mod lab;
mod lines;
mod messages;
mod replay;
mod running;
mod shell;
