//! ssh-connect as a pipeline uses it: a role message in, a role message out, a console on a Unix socket; with the real
//! mn-broker and OpenSSH's server.
//!
//! Each test runs in a lab of its own (tests/board/lab) with a board: an sshd in a root directory of its own, at
//! 127.0.0.2. sshd takes on other users, so an ordinary user needs subordinate ids; without them nothing is tested here.

#![allow(clippy::unwrap_used)]

mod peers;
mod refusals;
mod scene;
mod sessions;
