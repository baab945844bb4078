//! What is done for each format, and what is told of it.

use crate::check::flow::Drawing;
use crate::cli::{Options, Warnings};
use crate::findings::Level;
use crate::input::{self, Input};
use crate::output::Members;
use crate::split::split;
use crate::{lava, output, report};
use mn_cli::{Error, Result, Status};
use mn_msg::role::{Facts, Member};

/// Hands the facts of each chosen member to `write`, with all members. What is wrong is found before the first: so
/// the job is split twice, as one message at a time is all that a group of any size may cost in memory.
///
/// # Errors
/// Status 2 when a file is wrong, and those of `write`.
pub fn messages(options: &Options, mut write: impl FnMut(Facts, &Members) -> Result<()>) -> Result<Status> {
    let mut input = looked_at(options)?;
    let members = Members::new(&split(&mut input, options, |_| false, |_| Ok(()))?)?;
    split(&mut input, options, |member| options.chosen(member), |facts| write(facts, &members))?;
    Ok(Status::Success)
}

/// The jobs of the chosen members as LAVA's own split has them, a YAML document each.
///
/// # Errors
/// Status 2 when a file is wrong.
pub fn lava(options: &Options) -> Result<String> {
    let mut input = looked_at(options)?;
    let members = split(&mut input, options, |_| false, |_| Ok(()))?;
    let Some(job) = &input.job else { return Ok(String::new()) };
    Ok(lava::documents(job, &members, &input.group, |member| options.chosen(member)))
}

/// What the roles do with each other, drawn.
///
/// # Errors
/// Status 2 when a file is wrong.
pub fn flow(options: &Options, drawing: Drawing) -> Result<String> {
    Ok(crate::check::flow(&looked_at(options)?, drawing, options))
}

/// Tells all that is found. The answer is whether the job can be run to its end.
///
/// # Errors
/// Status 2 when a file is wrong.
pub fn check(options: &Options) -> Result<bool> {
    let input = looked_at(options)?;
    let told = |level| input.findings().any(|file| !file.of(&[level]).is_empty());
    Ok(!told(Level::Stuck) && (options.warnings == Warnings::Tell || !told(Level::Warning)))
}

/// The files, and what is wrong with them told; without an error at least one chosen member.
fn looked_at(options: &Options) -> Result<Input> {
    let mut input = input::read(options)?;
    let members = split(&mut input, options, |_| true, |_| Ok(()))?;
    if !input.findings().any(|file| !file.of(&[Level::Error]).is_empty()) && options.only.is_none() {
        crate::check::check(&mut input, options);
    }
    tell(&input, options);
    let found = |level| input.findings().any(|file| !file.of(&[level]).is_empty());
    let refused = options.warnings == Warnings::Refuse && !options.is_check() && found(Level::Warning);
    if found(Level::Error) || refused {
        return Err(Error::silent(Status::Wrong));
    }
    if !members.iter().any(|member| options.chosen(member)) {
        return Err(Error::wrong(no_member(&members, options)));
    }
    Ok(input)
}

/// What concerns the whole job is not told again for each member.
fn tell(input: &Input, options: &Options) {
    let levels = match options.only {
        Some(_) => &[Level::Error][..],
        None => &[Level::Error, Level::Stuck, Level::Warning, Level::Note],
    };
    report::tell(input.findings(), levels, options.diagnostics);
}

fn no_member(members: &[Member], options: &Options) -> String {
    match (&options.role, options.only) {
        (Some(role), _) if !members.iter().any(|member| member.role == *role) => {
            let known = members.iter().map(|member| member.role.as_str());
            format!("no member of role '{role}'{}", crate::suggest::suggest(role, known))
        }
        (_, only) => output::no_member(members, only.map(|id| id.to_string()).as_deref()),
    }
}
