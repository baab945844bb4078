//! tftp-stage - make a role's files reachable for its board

mod address;
mod archive;
mod background;
mod bootscript;
mod cli;
mod copy;
mod download;
mod fetch;
mod hold;
mod http;
mod keys;
mod nfs;
mod plan;
mod port;
mod ramdisk;
mod root;
mod stage;
mod stop;
mod tftp;
mod uimage;
mod unpack;
mod world;

use std::process::ExitCode;

/// The name in diagnostics, messages and the run directory.
const TOOL: &str = "tftp-stage";

fn main() -> ExitCode {
    mn_cli::run(TOOL, || {
        let options = cli::read()?;
        let run_dir = mn_msg::RunDir::open(&options.run_dir)?;
        let mut writer = mn_msg::Writer::stdout(TOOL, Some(run_dir.clone()));
        match mn_msg::read_one_role(&mut mn_msg::Reader::new(std::io::stdin())) {
            Ok(mn_msg::Input::Role(role, others)) => hold::run(&options, &run_dir, *role, &others, &mut writer),
            Ok(mn_msg::Input::Ended(status)) => writer.conclude(Ok(status)),
            Err(error) => writer.conclude(Err(error)),
        }
    })
}
