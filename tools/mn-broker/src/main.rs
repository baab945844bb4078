//! mn-broker - where the roles of a job meet

mod acts;
mod cli;
mod desk;
mod members;
mod peer;
mod pictures;
mod place;
mod ready;
mod server;
mod table;

use cli::{Command, Options};
use mn_cli::{Result, Status};
use std::process::ExitCode;

fn main() -> ExitCode {
    mn_cli::run("mn-broker", work)
}

fn work() -> Result<Status> {
    let options = Options::read()?;
    mn_cli::set_verbosity(options.verbosity);
    match options.command {
        Command::Serve(serve) => server::serve(&serve),
        Command::Act(act) => acts::perform(&act),
    }
}
