//! mn-broker - where the roles of a job meet

fn main() {}
