//! ssh-connect - make a shell reachable on a role's host

fn main() {}
