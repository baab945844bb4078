//! mn-broker - where the roles of a job meet

mod acts;
mod cli;
mod clock;
mod connect;
mod desk;
mod door;
mod dot;
mod engine;
mod frame;
mod halls;
mod input;
mod journal;
mod lava;
mod members;
mod peer;
mod pictures;
mod place;
mod ready;
mod record;
mod replay;
mod server;
mod sessions;
mod shares;
mod table;
mod turns;
mod waits;

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
        Command::Replay(journal) => replay::replay(&journal),
        Command::Connect(connect) => connect::connect(&connect),
    }
}
