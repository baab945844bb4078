//! The numbers of the project: a table on standard output, and one JSON object a line in target/bench.json.

#![allow(clippy::print_stdout)]

mod figure;
mod group;
mod memory;
mod split;

use figure::Figure;
use std::fs::File;
use std::io::Write;
use std::path::Path;

fn main() -> std::io::Result<()> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut json = File::create(top.join("target/bench.json"))?;
    println!("{}", Figure::heading());
    for measure in [split::split, group::on_model, group::on_qemu] {
        for figure in measure(&top)? {
            println!("{}", figure.row());
            writeln!(json, "{}", figure.json())?;
        }
    }
    Ok(())
}
