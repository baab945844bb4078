//! Every ending of the main job on the board model: signals, killed stages, boards and labs that fail. TAP on standard
//! output.
//!
//! `pumice-endings [--full] [--only TEXT] [--seed N]`: a sample, or all; only the cases whose name has the text.

#![allow(clippy::print_stdout)]

mod case;
mod lab;
mod moment;
mod world;

use std::io::Result;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.split_first() {
        Some((first, rest)) if first == "--inside" => inside(rest),
        _ => outside(&arguments),
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

fn inside(arguments: &[String]) -> Result<()> {
    let value = |name: &str| arguments.iter().skip_while(|word| *word != name).nth(1);
    let seed = value("--seed").and_then(|text| text.parse().ok()).unwrap_or(3);
    let only = value("--only").map_or("", String::as_str);
    let full = arguments.iter().any(|word| word == "--full");
    // What others do in /tmp is none of the run's.
    Command::new("mount").args(["-t", "tmpfs", "tmpfs", "/tmp"]).status()?;
    let mut lab = lab::Lab::new()?;
    lab.usual_duration()?;
    let usual = lab.usual_duration()?.mul_f64(0.95);
    let cases = case::all(full, &mut moment::Random::new(seed), usual);
    let cases: Vec<_> = cases.into_iter().filter(|case| case.name.contains(only)).collect();
    println!("# seed {seed}; an undisturbed run takes {:.1} s", usual.as_secs_f64());
    println!("1..{}", cases.len());
    for (nth, case) in cases.iter().enumerate() {
        let verdict = lab.play(case)?;
        let (word, wrong) = if verdict.wrong.is_empty() { ("ok", String::new()) } else { ("not ok", verdict.wrong) };
        println!("{word} {} - {} ({})", nth + 1, case.name, verdict.summary);
        wrong.lines().for_each(|line| println!("# {line}"));
    }
    Ok(())
}
