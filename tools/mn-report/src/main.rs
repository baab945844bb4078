//! mn-report - print the results of a run

mod cli;
mod follow;
mod lines;
mod progress;
mod results;
mod status;
mod table;
mod why;

use mn_cli::{Cannot, Result, Status};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    mn_cli::run("mn-report", || match cli::Options::from_args()? {
        cli::Options { follow: Some(what), path, .. } => follow::until_told(&path, what),
        cli::Options { why: true, path, .. } => {
            print(&why::render(&path)?)?;
            status::of_run(&path)
        }
        cli::Options { path, .. } => {
            let (results, status) = results::read(&path)?;
            print(&table::render(&results))?;
            Ok(if status == Status::Success && results.any_failed() { Status::No } else { status })
        }
    })
}

/// The page's text on standard output.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).cannot("write the output")
}
