//! What people complain of in other tools' consoles, by its number in the project's list: each is done to serial-expect,
//! and what they would have wanted is asserted.
//!
//! Of the items that other tests show already:
//!
//! - 23, settle times and the race that is admitted elsewhere: also `dialogue::tests` of mn-console, in a time of their
//!   own (`a_bootloader_that_never_falls_silent_is_typed_to_all_the_same`);
//! - 24 to 26 and 29, with the helpers themselves on four shells and a line that loses, doubles and mixes bytes:
//!   `tests/serial_expect/lines.rs`;
//! - 28, the time that matching takes: `make bench`; memory in a test stage: `tests/serial_expect/shell.rs`;
//! - 30, a socket for scripts (tio, pull request 143), watchers and what they type: `shared.rs` of
//!   `tests/serial_expect_consoles`; a port that is unplugged: `ports.rs` there; what a server of RFC 2217 has kept is
//!   dropped: `rfc2217::tests` of mn-console.

mod desk;
mod prompts;
mod signals;
mod stream;
mod typing;
