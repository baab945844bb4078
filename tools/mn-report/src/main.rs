//! mn-report - print the results of a run

fn main() {}
