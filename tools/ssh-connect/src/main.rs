//! ssh-connect - make a shell reachable on a role's host
//!
//! Reads one role message of a secondary connection, waits for the host's start and address, copies the overlay to the
//! board, opens a login shell there and serves it on a Unix socket, for as long as the reader of its output is there.

mod address;
mod broker;
mod cli;
mod command;
mod connect;
mod console;
mod fault;
mod hold;
mod known_hosts;
mod lookout;
mod overlay;
mod plan;
mod relay;
mod ssh;
mod stage;
mod watch;

use mn_cli::{Error, Result, Status};
use mn_msg::{Input, Reader, RunDir, Writer, read_one_role};
use std::process::ExitCode;

fn main() -> ExitCode {
    mn_cli::run(cli::TOOL, work)
}

fn work() -> Result<Status> {
    let options = cli::read()?;
    mn_cli::set_verbosity(options.verbosity);
    let run_dir = RunDir::open(&options.run_dir)?;
    let mut writer = Writer::stdout(cli::TOOL, Some(run_dir.clone()));
    // Signals keep their default effect while nothing is held but the wait for an earlier stage.
    match read_one_role(&mut Reader::new(std::io::stdin().lock())) {
        Ok(Input::Role(role, others)) => stage::run(&options, &run_dir, *role, &others, &mut writer),
        Ok(Input::Ended(status)) => writer.conclude(Err(Error::silent(status))),
        Err(error) => writer.conclude(Err(error)),
    }
}
