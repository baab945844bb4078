//! job-split as its users see it.

#![allow(clippy::unwrap_used)]

mod actions;
mod devices;
mod messages;
mod methods;
mod refusals;
mod splitting;
mod watching;
