//! What the roles of a job do with each other, and where they cannot come to an end.

mod advice;
mod fetched;
pub mod flow;
mod program;
mod run;
mod shell;
mod stuck;

use crate::cli::Options;
use crate::findings::Level;
use crate::input::Input;
use crate::plan::Plan;
use crate::split::plans;
use advice::Advice;
pub use advice::Packages;
use program::doings;

/// Follows the calls of all roles and adds what is found to the findings of the job. That the job cannot come to
/// its end is an answer where that was asked, and a warning where it is to be run.
pub fn check(input: &mut Input, options: &Options) {
    let Input { job: Some(job), findings, .. } = input else { return };
    let mut seen = crate::findings::Findings::new("");
    let plans: Vec<Option<Plan>> = plans(job, &mut seen);
    let doings = doings(job, &plans, options.cache.as_deref());
    if !job.is_multinode || doings.is_empty() {
        return;
    }
    let level = if options.is_check() { Level::Stuck } else { Level::Warning };
    stuck::tell(&doings, level, findings);
    let packages = if options.collate { Packages::Move } else { Packages::Stay };
    Advice { job, doings: &doings, level, findings }.give(packages);
}

/// Draws what the roles do with each other.
pub fn flow(input: &Input, drawing: flow::Drawing, options: &Options) -> String {
    let Some(job) = &input.job else { return String::new() };
    let mut seen = crate::findings::Findings::new("");
    let plans: Vec<Option<Plan>> = plans(job, &mut seen);
    flow::draw(&doings(job, &plans, options.cache.as_deref()), drawing)
}
