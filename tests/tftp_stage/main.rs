//! tftp-stage as its users see it.
//!
//! Every test that stages runs in a network namespace of its own, where all ports are free, and where an ordinary
//! user is root: the test starts itself again under unshare(1).

#![allow(clippy::unwrap_used)]

mod archives;
mod fetching;
mod http;
mod messages;
mod nfs;
mod nfs_client;
mod rpc;
mod served;
mod stage;
mod staging;
