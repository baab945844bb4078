//! Every ending of the main job on the board model: signals, killed stages, boards and labs that fail; and guests that
//! are slow. TAP on standard output.
//!
//! `pumice-endings [--full] [--only TEXT] [--seed N]`: a sample of the endings, or all; only those whose name has the
//! text. `--delays N`: so many runs with random delays. `--table`: one ending of each kind, from which the table in
//! mn-exit(7) is made.

#![allow(clippy::print_stdout)]

mod account;
mod board;
mod case;
mod faults;
mod guests;
mod judge;
mod lab;
mod plan;
mod process;
mod shim;
mod strikes;
mod table;
mod tap;
mod world;

use std::ffi::OsString;
use std::io::Result;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    let name = Path::new(&name).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arguments: Vec<OsString> = arguments.collect();
    let done = if shim::TOOLS.contains(&name.as_str()) {
        shim::stand_in(&name, arguments)
    } else {
        let words: Vec<String> = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        match words.split_first() {
            Some((first, rest)) if first == "--beside" => shim::beside(rest),
            Some((first, rest)) if first == "--inside" => plan::Plan::of(rest).play(),
            _ => outside(&words),
        }
    };
    done.map_or_else(
        |error| {
            println!("Bail out! {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Runs this program again where it disturbs nobody.
fn outside(arguments: &[String]) -> Result<()> {
    let board = Path::new(env!("CARGO_MANIFEST_DIR")).join("board");
    let built = Command::new(board.join("build")).output()?;
    let artefacts = String::from_utf8_lossy(&built.stdout).trim().to_owned();
    if !built.status.success() {
        println!("1..0 # SKIP {}", String::from_utf8_lossy(&built.stderr).lines().next().unwrap_or_default());
        return Ok(());
    }
    let mut lab = Command::new(board.join("lab"));
    lab.args(["--artefacts", &artefacts]).arg(std::env::current_exe()?).arg("--inside").args(arguments);
    Err(lab.exec())
}
