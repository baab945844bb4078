//! overlay-pack as its users see it.

#![allow(clippy::unwrap_used)]

mod archive;
mod fetching;
mod installing;
mod messages;
mod packing;
mod repositories;
