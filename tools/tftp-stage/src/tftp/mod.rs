//! A TFTP server that only reads (RFC 1350), with the options of RFC 2347 to 2349 and RFC 7440.
//!
//! Bootloaders ask for `blksize`, `tsize` and sometimes `windowsize`; all of them read in mode `octet`.

mod packet;
mod server;
mod transfer;

pub use server::Server;
