//! Bytes from a console in, what was found in them out: expect, dialogue, LAVA's markers, kernel trouble,
//! split markers and the status of typed commands.
//!
//! Nothing here reads, writes or looks at a clock: the caller pushes what it read and says when the line has gone
//! quiet or a deadline has passed. Only what searches with odd patterns compute is counted. Every buffer has a limit,
//! named where it is kept, because a board may print anything for ever.

mod backtrack;
pub mod dialogue;
pub mod expect;
mod hearing;
pub mod interactive;
pub mod journal;
pub mod kernel;
mod life;
pub mod lines;
pub mod marker;
pub mod matcher;
pub mod menu;
pub mod monitor;
pub mod pacing;
pub mod parse;
pub mod reply;
pub mod results;
pub mod rfc2217;
pub mod script;
pub mod serial_mode;
pub mod signal;
pub mod stage;
pub mod telnet;
pub mod test;
mod window;
