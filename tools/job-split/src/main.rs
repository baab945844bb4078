//! job-split - split a LAVA job into one role message per member

fn main() {}
