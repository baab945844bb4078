//! The work on one role message: fetch, lay out, write.

use mn_cli::{Cannot, Deadline, Error, Result, Signals};
use mn_msg::role::{Definition, Deploy, Facts, Overlay, Run, Test};
use mn_msg::{Role, RunDir};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::archive::{self, Archive};
use crate::checkout::{self, History};
use crate::definition::{Terms, TestDefinition};
use crate::git::{Repositories, Source, shown};
use crate::layout::{self, Place, Prepared};
use crate::tree::Tree;

/// Packs overlays into a directory, one after the other.
pub struct Packer {
    output: Option<PathBuf>,
    run_dir: Option<RunDir>,
    signals: Signals,
    repositories: Repositories,
}

/// Where one overlay goes, and how long that may take.
struct Job {
    place: Place,
    /// Where the archive goes, absolute.
    into: PathBuf,
    deadline: Deadline,
}

impl Packer {
    /// Packs into `output`, else into the members' directories of the run directory, else into
    /// the working directory.
    pub fn new(output: Option<PathBuf>, run_dir: Option<RunDir>, signals: Signals) -> Self {
        Self { output, run_dir, signals, repositories: Repositories::default() }
    }

    /// Packs a role's overlay and adds `overlay` to its message. A role without tests needs none.
    ///
    /// # Errors
    /// Status 2 for a definition or message that is wrong, 3 for what cannot be reached, read or
    /// written, 124 when the deploy block's time is up, 128+N when a signal came. Then no archive
    /// is written.
    pub fn pack(&mut self, role: &mut Role) -> Result<()> {
        if role.tests().next().is_none() {
            return Ok(());
        }
        let facts = role.facts();
        let wrong = |error| in_role(facts, error);
        let deploy = role.deploy().ok_or_else(|| wrong("it has tests but no deploy action".to_owned()))?;
        let name = archive_name(&facts.job_id, deploy).map_err(wrong)?;
        let job = Job {
            place: Place::new(facts).map_err(wrong)?,
            into: self.directory(facts)?,
            deadline: Deadline::after(Duration::from_secs(deploy.timeout)),
        };
        let (tree, prepared) = self.lay_out(role, &job)?;
        let archive = archive::write(&tree, &job.into, &name, &mut self.signals)?;
        self.tell(facts, prepared.len(), &archive)?;
        let overlay = Overlay {
            file: utf8(&archive.file)?.to_owned(),
            sha256: archive.sha256,
            size: archive.size,
            directory: job.place.directory,
            runs: prepared.into_iter().map(run).collect(),
        };
        role.add("overlay", overlay)
    }

    /// Everything that the archive is to hold, and the definitions in the order in which they run.
    fn lay_out<'a>(&mut self, role: &'a Role, job: &Job) -> Result<(Tree, Vec<Prepared<'a>>)> {
        let wrong = |error| in_role(role.facts(), error);
        let mut tree = Tree::default();
        layout::add_frame(&mut tree, &job.place, role.facts()).map_err(wrong)?;
        let mut prepared = Vec::new();
        for test in role.tests() {
            for order in &test.definitions {
                prepared.push(self.add_definition(job, test, order, &mut tree)?);
            }
        }
        layout::add_lists(&mut tree, &job.place, &prepared).map_err(wrong)?;
        Ok((tree, prepared))
    }

    /// Fetches one definition and lays it out.
    fn add_definition<'a>(
        &mut self,
        job: &Job,
        test: &Test,
        order: &'a Definition,
        tree: &mut Tree,
    ) -> Result<Prepared<'a>> {
        let wrong = |error: String| Error::wrong(format_args!("cannot use {}: {error}", named(order)));
        let member = layout::run_member(&job.place, test.stage, order).map_err(wrong)?;
        let (document, commit_id) = match order.from.as_str() {
            "inline" => (order.definition.clone().unwrap_or_default(), None),
            "git" => {
                let source = Source::new(order).map_err(wrong)?;
                let clone = self.repositories.get(&source, &job.into, job.deadline, &mut self.signals);
                let clone = clone.map_err(|error| cannot_fetch(order, &error))?;
                checkout::add(tree, clone.path(), &member, history(order))?;
                let bytes = checkout::read(clone.path(), &order.path).map_err(wrong)?;
                (read_yaml(order, &bytes).map_err(wrong)?, Some(clone.commit_id.clone()))
            }
            other => return Err(wrong(format!("'from: {other}' is not supported by this version"))),
        };
        let terms = Terms {
            parameters: order.parameters.as_ref(),
            skip_install: order.skip_install.as_deref().unwrap_or_default(),
        };
        let definition = TestDefinition::new(document, terms).map_err(wrong)?;
        let prepared = Prepared { stage: test.stage, order, definition, commit_id };
        layout::add_definition(tree, &job.place, &prepared).map_err(wrong)?;
        Ok(prepared)
    }

    fn directory(&self, facts: &Facts) -> Result<PathBuf> {
        let directory = match (&self.output, &self.run_dir) {
            (Some(output), _) => output.clone(),
            (None, Some(run_dir)) => run_dir.member(&facts.job_id, &facts.role)?.path().to_owned(),
            (None, None) => PathBuf::from("."),
        };
        directory.canonicalize().cannot(format_args!("open the directory '{}'", directory.display()))
    }

    fn tell(&self, facts: &Facts, definitions: usize, archive: &Archive) -> Result<()> {
        let plural = if definitions == 1 { "" } else { "s" };
        let (file, size) = (archive.file.display(), archive.size);
        let text = format!("{definitions} definition{plural} in '{file}', {size} bytes");
        mn_cli::note(1, format_args!("{}: {text}", facts.job_id));
        match &self.run_dir {
            Some(run_dir) => run_dir.member(&facts.job_id, &facts.role)?.progress("overlay-pack", "packed", &text),
            None => Ok(()),
        }
    }
}

fn in_role(facts: &Facts, error: String) -> Error {
    Error::wrong(format_args!("cannot pack the role '{}': {error}", facts.role))
}

/// `<job_id>-overlay-<level>.tar.gz`, the name that definitions look for.
fn archive_name(job_id: &str, deploy: &Deploy) -> std::result::Result<String, String> {
    let level = &deploy.overlay_level;
    if level.is_empty() || !level.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(format!("its 'overlay_level' is '{level}', not numbers with dots"));
    }
    Ok(format!("{job_id}-overlay-{level}.tar.gz"))
}

/// A definition as diagnostics name it.
fn named(order: &Definition) -> String {
    match &order.repository {
        Some(repository) => format!("the definition '{}' ('{}' of '{}')", order.name, order.path, shown(repository)),
        None => format!("the definition '{}'", order.name),
    }
}

/// A clone of one commit has no history to speak of, and its `.git` is never the same twice: it
/// comes along when the job wants all commits and does not refuse it.
fn history(order: &Definition) -> History {
    match (order.shallow, order.history) {
        (Some(false), None | Some(true)) => History::Keep,
        _ => History::Drop,
    }
}

fn cannot_fetch(order: &Definition, error: &Error) -> Error {
    let reason = error.to_string();
    if reason.is_empty() {
        return Error::silent(error.status());
    }
    Error::new(error.status(), format_args!("cannot fetch {}: {reason}", named(order)))
}

fn read_yaml(order: &Definition, bytes: &[u8]) -> std::result::Result<serde_json::Value, String> {
    let document = mn_yaml::parse(bytes).map_err(|error| error.to_string())?;
    for warning in &document.warnings {
        mn_cli::warn(format_args!("{}:{warning}", order.path));
    }
    Ok(document.root.value())
}

/// What the message says of a run; the job's list of expected cases goes before the definition's.
fn run(prepared: Prepared) -> Run {
    let Prepared { stage, order, definition, commit_id } = prepared;
    Run {
        run: order.run.clone(),
        uuid: order.uuid.clone(),
        stage,
        from: order.from.clone(),
        name: order.name.clone(),
        path: order.path.clone(),
        repository: order.repository.clone(),
        revision: order.revision.clone(),
        commit_id,
        expected: order.expected.clone().or(definition.expected),
        pattern: definition.pattern,
        fixupdict: definition.fixupdict,
    }
}

fn utf8(path: &Path) -> Result<&str> {
    path.to_str()
        .ok_or_else(|| Error::wrong(format_args!("'{}' is not UTF-8: a message cannot name it", path.display())))
}
