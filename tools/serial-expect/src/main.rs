//! serial-expect - hold the conversation with a role's console

fn main() {}
