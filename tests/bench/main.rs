//! The numbers of the project: a table on standard output, and one JSON object a line in target/bench.json.
//!
//! A measure is a function that takes the top of the sources and gives figures; it joins by its name in `MEASURES`.

#![allow(clippy::print_stdout)]

mod breakdown;
mod broker;
mod console;
mod coordinator;
mod figure;
mod group;
mod memory;
mod overlay;
mod run;
mod split;
mod stages;
mod usage;

use figure::Figure;
use std::fs::File;
use std::io::{Error, Result, Write};
use std::path::{Path, PathBuf};
use usage::Watch;

type Measure = fn(&Path) -> Result<Vec<Figure>>;

/// What is measured, after the group that is compared stage by stage, each with the tool that it is about.
const MEASURES: &[(&str, Measure)] = &[
    ("job-split", split::split),
    ("overlay-pack", overlay::small),
    ("overlay-pack", overlay::clones),
    ("mn-broker", broker::all),
    ("serial-expect", console::all),
    ("mn-run", group::on_qemu),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["under", file, "--watch", ..] => under(file, Watch::Yes, &arguments[3..]),
        ["under", file, ..] => under(file, Watch::No, &arguments[2..]),
        [] => all(),
        [tool] => MEASURES.iter().filter(|(about, _)| *about == tool).try_for_each(|(_, measure)| {
            measure(&top())?.iter().for_each(|figure| println!("{}", figure.row()));
            Ok(())
        }),
        _ => Err(Error::other("usage: pumice-bench [TOOL | under FILE [--watch] COMMAND [ARGUMENT...]]")),
    }
}

fn all() -> Result<()> {
    let top = top();
    let mut json = File::create(top.join("target/bench.json"))?;
    println!("{}", Figure::heading());
    let (figures, lines) = group::on_model(&top)?;
    show(&figures, &mut json)?;
    for line in lines {
        println!("{line}");
    }
    for (_, measure) in MEASURES {
        show(&measure(&top)?, &mut json)?;
    }
    Ok(())
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn show(figures: &[Figure], json: &mut File) -> Result<()> {
    for figure in figures {
        println!("{}", figure.row());
        writeln!(json, "{}", figure.json())?;
    }
    Ok(())
}

/// This program beside a command that is measured.
fn under(file: &str, watch: Watch, command: &[String]) -> Result<()> {
    std::process::exit(usage::measure(Path::new(file), watch, command)?)
}
