//! tftp-stage - make a role's files reachable for its board

fn main() {}
