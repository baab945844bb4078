//! job-split - split a LAVA job into one role message per member

mod blocks;
mod boot;
mod calls;
mod check;
mod cli;
mod context;
mod definitions;
mod deploy;
mod deps;
mod device;
mod dialogue;
mod findings;
mod group;
mod input;
mod interactive;
mod job;
mod lava;
mod members;
mod monitors;
mod output;
mod plan;
#[cfg(test)]
mod properties;
mod read;
mod report;
mod rewrite;
mod roles;
mod schema;
mod split;
mod suggest;
mod tests;
mod timeouts;
mod uboot;
mod work;

use cli::Format;
use mn_cli::Status;
use mn_msg::{Role, Writer};
use std::process::ExitCode;

fn main() -> ExitCode {
    mn_cli::run("job-split", || {
        let options = cli::options()?;
        match options.format {
            Format::Message => {
                let mut out = Writer::stdout("job-split", options.run_dir.clone());
                let outcome = work::messages(&options, |facts, members| {
                    let role = Role::from_facts(facts)?;
                    out.write_line(role.message(), &members.listed_in(role.message())?)
                });
                out.conclude(outcome)
            }
            Format::List => {
                let mut list = output::List::default();
                work::messages(&options, |facts, _| {
                    list.add(&facts);
                    Ok(())
                })?;
                output::write(list.lines())
            }
            Format::Lava => output::write(&work::lava(&options)?),
            Format::Flow(drawing) => output::write(&work::flow(&options, drawing)?),
            Format::Check => work::check(&options).map(|answer| if answer { Status::Success } else { Status::No }),
        }
    })
}
