//! job-split - split a LAVA job into one role message per member

mod blocks;
mod boot;
mod cli;
mod definitions;
mod deploy;
mod device;
mod dialogue;
mod findings;
mod group;
mod input;
mod job;
mod members;
mod output;
mod plan;
mod read;
mod rewrite;
mod roles;
mod split;
mod suggest;
mod timeouts;

use cli::{Format, Options};
use findings::Findings;
use mn_cli::{Error, Result, Status};
use mn_msg::{Role, Writer};
use std::process::ExitCode;

fn main() -> ExitCode {
    mn_cli::run("job-split", || {
        let options = cli::options()?;
        match options.format {
            Format::Message => {
                let mut out = Writer::stdout("job-split", options.run_dir.clone());
                let outcome = work(&options, |role| out.write(role.message()));
                out.conclude(outcome)
            }
            Format::List => {
                let mut list = output::List::default();
                work(&options, |role| {
                    list.add(&role);
                    Ok(())
                })?;
                list.write()
            }
            Format::Nothing => work(&options, |_| Ok(())),
        }
    })
}

/// Everything but the output. What is wrong is found before the first message is written, and is one
/// error with a line for each finding; so the job is split twice, as one message at a time is all
/// that a group of any size may cost in memory.
fn work(options: &Options, mut write: impl FnMut(Role) -> Result<()>) -> Result<Status> {
    let mut input = input::read(options)?;
    let members = split::split(&mut input, options, |_| Ok(()))?;
    let files: Vec<&Findings> = input.findings().collect();
    // What concerns the whole job is not told again for each member.
    if options.only.is_none() {
        files.iter().flat_map(|file| file.warning_lines()).for_each(mn_cli::warn);
    }
    findings::conclude(files)?;
    let only = options.only.map(|id| id.to_string());
    let chosen = |id: &str| only.as_deref().is_none_or(|only| only == id);
    if !members.iter().any(|member| chosen(&member.job_id)) {
        return Err(Error::wrong(output::no_member(&members, only.as_deref())));
    }
    split::split(&mut input, options, |role| if chosen(&role.facts().job_id) { write(role) } else { Ok(()) })?;
    Ok(Status::Success)
}
