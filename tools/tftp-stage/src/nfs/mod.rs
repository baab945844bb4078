//! An NFSv3 server for one directory, over TCP: NFS and MOUNT on port 2049, the portmapper on 111 (also UDP).
//!
//! The protocol layer is the crate nfs-mamont; what it serves is [`directory::Directory`], which knows nothing
//! of it, so that either can be exchanged.

mod adapter;
mod attributes;
mod directory;
mod entry;
mod listing;
mod mount;
mod names;
mod permission;
mod portmap;
mod server;

pub use server::Server;
