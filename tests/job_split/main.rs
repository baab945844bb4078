//! job-split as its users see it.

#![allow(clippy::unwrap_used)]

mod actions;
mod devices;
mod menus;
mod messages;
mod methods;
mod refusals;
mod splitting;
mod uboot;
mod watching;
