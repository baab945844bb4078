//! serial-expect - hold the conversation with a role's console

mod board;
mod broker;
mod cli;
mod console;
mod console_log;
mod power;
mod pty;
mod report;
mod role;
mod specification;
mod teardown;
mod tests;
mod typist;
mod upstream;
mod verdict;
mod wires;

use mn_cli::Signals;
use mn_msg::{RunDir, Writer};
use std::process::ExitCode;

fn main() -> ExitCode {
    mn_cli::run("serial-expect", || {
        let options = cli::options()?;
        mn_cli::set_verbosity(options.verbosity);
        let signals = Signals::new()?;
        let run_dir = options.run_dir.as_deref().map(RunDir::open).transpose()?;
        let mut writer = Writer::stdout("serial-expect", run_dir.clone());
        let outcome = role::run(&options, signals, run_dir, &mut writer);
        writer.conclude(outcome)
    })
}
