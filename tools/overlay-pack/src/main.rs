//! overlay-pack - pack the test overlay of a role

fn main() {}
