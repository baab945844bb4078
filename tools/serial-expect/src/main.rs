//! serial-expect - hold the conversation with a role's console

mod actions;
mod attach;
mod away;
mod blocks;
mod board;
mod broker;
mod busy;
mod cast;
mod check;
mod cli;
mod console;
mod console_log;
mod echo;
mod escape;
mod leftovers;
mod line;
mod listener;
mod live;
mod mark;
mod owner;
mod playback;
mod power;
mod pty;
mod recorder;
mod recording;
mod report;
mod role;
mod serial_port;
mod share;
mod share_client;
mod share_server;
mod share_words;
mod specification;
mod tape;
mod tcp;
mod teardown;
mod telnet_line;
mod tests;
mod typist;
mod upstream;
mod verdict;
mod watcher;
mod wires;

use cli::Work;
use mn_cli::Signals;
use mn_msg::{RunDir, Writer};
use std::process::ExitCode;

fn main() -> ExitCode {
    mn_cli::run("serial-expect", || {
        let options = match cli::work()? {
            Work::Role(options) => options,
            Work::Attach(options) => return attach::run(&options, Signals::new()?),
            Work::Check(options) => return check::run(&options),
        };
        mn_cli::set_verbosity(options.verbosity);
        let signals = Signals::new()?;
        let run_dir = options.run_dir.as_deref().map(RunDir::open).transpose()?;
        let mut writer = Writer::stdout("serial-expect", run_dir.clone());
        let outcome = role::run(&options, signals, run_dir, &mut writer);
        writer.conclude(outcome)
    })
}
