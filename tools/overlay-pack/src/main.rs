//! overlay-pack: packs the test definitions and helpers of each role into an archive for its board.

mod archive;
mod attend;
mod checkout;
mod cli;
mod definition;
mod environment;
mod git;
mod gzip;
mod helpers;
mod layout;
mod listing;
mod mirror;
mod packer;
mod process;
mod script;
mod secrets;
mod shell;
mod stream;
mod tree;
mod unpack;
mod url;

use mn_cli::Signals;
use mn_msg::{Reader, RunDir, Writer};
use std::process::ExitCode;

use cli::Purpose;
use packer::Packer;

fn main() -> ExitCode {
    mn_cli::run("overlay-pack", || {
        let options = cli::options()?;
        let run_dir = options.run_dir.as_deref().map(RunDir::open).transpose();
        if options.purpose == Purpose::List {
            let input = stream::read(&mut Reader::new(std::io::stdin()))?;
            return stream::list(input, Packer::new(options, run_dir?, Signals::new()?)?);
        }
        let mut writer = Writer::stdout("overlay-pack", run_dir.as_ref().cloned().ok().flatten());
        let outcome = run_dir.and_then(|run_dir| {
            let input = stream::read(&mut Reader::new(std::io::stdin()))?;
            // From here on a signal ends the work, and what is half done is removed.
            let packer = Packer::new(options, run_dir, Signals::new()?)?;
            stream::work(input, packer, &mut writer)
        });
        writer.conclude(outcome)
    })
}
