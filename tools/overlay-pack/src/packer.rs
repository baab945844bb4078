//! The work on one role message: fetch, lay out, write.

use mn_cli::{Cannot, Deadline, Error, Result, Signals, Status};
use mn_msg::role::{Definition, Deploy, Facts, Overlay, Run, Test};
use mn_msg::{Role, RunDir};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::archive::{self, Archive};
use crate::checkout::{self, History};
use crate::cli::Options;
use crate::definition::{Terms, TestDefinition, skips};
use crate::git::{Repositories, Repository, Source, shown};
use crate::layout::{self, Lab, Place, Prepared};
use crate::listing;
use crate::mirror::{Mirrors, Refresh};
use crate::secrets;
use crate::tree::{Member, Tree};
use crate::url::Archives;

/// Packs overlays into a directory, one after the other.
pub struct Packer {
    options: Options,
    run_dir: Option<RunDir>,
    lab: Lab,
    signals: Signals,
    repositories: Repositories,
    archives: Archives,
    /// What has been written: one name must not hide another role's archive.
    written: BTreeSet<PathBuf>,
}

/// Where one overlay goes, and how long that may take.
struct Job {
    place: Place,
    /// Where the archive goes, absolute.
    into: PathBuf,
    deadline: Deadline,
}

impl Packer {
    /// Packs into the directory of the options, else into the members' directories of the run directory, else into
    /// the working directory.
    ///
    /// # Errors
    /// Status 2 for secrets that are none, 3 for a file or a cache that cannot be used.
    pub fn new(options: Options, run_dir: Option<RunDir>, signals: Signals) -> Result<Self> {
        let job = run_dir.as_ref().map(|run_dir| run_dir.path().join("job.yaml"));
        let secrets = match (&options.secrets, job) {
            (Some(file), _) => Some(secrets::from_file(file)?),
            (None, Some(job)) if job.exists() => secrets::from_job(&job)?,
            _ => None,
        };
        let mirrors = match (&options.cache, &run_dir) {
            (Some(cache), _) => Some(Mirrors::new(cache.clone(), Refresh::WhenOlder)?),
            (None, Some(run_dir)) => Some(Mirrors::new(run_dir.path().join("git"), Refresh::Never)?),
            (None, None) => None,
        };
        let lab = Lab { dispatcher_ip: options.dispatcher_ip, secrets };
        let (repositories, archives) = (Repositories::new(mirrors), Archives::default());
        Ok(Self { options, run_dir, lab, signals, repositories, archives, written: BTreeSet::new() })
    }

    /// Packs a role's overlay and adds `overlay` to its message. A role without definitions needs none.
    ///
    /// # Errors
    /// Status 2 for a definition or message that is wrong, 3 for what cannot be reached, read or
    /// written, 124 when the deploy block's time is up, 128+N when a signal came. Then no archive
    /// is written.
    pub fn pack(&mut self, role: &mut Role) -> Result<()> {
        if !role.needs_overlay() {
            return Ok(());
        }
        let (job, name) = self.begin(role)?;
        let (tree, prepared) = self.lay_out(role, &job)?;
        if !self.written.insert(job.into.join(&name)) {
            return Err(in_role(role.facts(), format!("'{name}' is the archive of another role already")));
        }
        let archive = archive::write(&tree, &job.into, &name, self.options.threads, &mut self.signals)?;
        self.tell(role.facts(), prepared.len(), &archive)?;
        let overlay = Overlay {
            file: utf8(&archive.file)?.to_owned(),
            sha256: archive.sha256,
            size: archive.size,
            directory: job.place.directory,
            runs: prepared.into_iter().map(run).collect(),
        };
        role.add("overlay", overlay)
    }

    /// Prints what a role's overlay would hold: its name, then a line for each member.
    ///
    /// # Errors
    /// As [`Packer::pack`].
    pub fn list(&mut self, role: &Role, out: &mut impl Write) -> Result<()> {
        if !role.needs_overlay() {
            return Ok(());
        }
        let (job, name) = self.begin(role)?;
        let (tree, _) = self.lay_out(role, &job)?;
        let text = format!("{name}:\n{}", listing::listing(&tree)?);
        out.write_all(text.as_bytes()).cannot("write standard output")
    }

    /// Where a role's overlay goes, and under which name.
    fn begin(&self, role: &Role) -> Result<(Job, String)> {
        let facts = role.facts();
        let wrong = |error| in_role(facts, error);
        let deploy = role.deploy().ok_or_else(|| wrong("it has tests but no deploy action".to_owned()))?;
        let name = archive_name(&self.options.name, facts, deploy).map_err(wrong)?;
        let job = Job {
            place: Place::new(facts).map_err(wrong)?,
            into: self.directory(facts)?,
            deadline: Deadline::after(Duration::from_secs(deploy.timeout)),
        };
        Ok((job, name))
    }

    /// Everything that the archive is to hold, and the definitions in the order in which they run.
    fn lay_out<'a>(&mut self, role: &'a Role, job: &Job) -> Result<(Tree, Vec<Prepared<'a>>)> {
        let wrong = |error| in_role(role.facts(), error);
        let mut tree = Tree::default();
        layout::add_frame(&mut tree, &job.place, role, &self.lab).map_err(wrong)?;
        let mut prepared = Vec::new();
        let os = role.deploy().and_then(|deploy| deploy.os.as_deref());
        for test in role.tests() {
            for order in &test.definitions {
                prepared.push(self.prepare(job, test, order, os, &mut tree)?);
            }
        }
        self.install_for_guests(role.facts(), job, os, &mut prepared)?;
        for prepared in &prepared {
            let added = layout::add_definition(&mut tree, &job.place, prepared);
            added.map_err(|error| cannot_use(prepared.order, &error))?;
        }
        layout::add_lists(&mut tree, &job.place, &prepared).map_err(wrong)?;
        Ok((tree, prepared))
    }

    /// Fetches one definition, lays out what it comes with and takes it apart.
    fn prepare<'a>(
        &mut self,
        job: &Job,
        test: &Test,
        order: &'a Definition,
        os: Option<&str>,
        tree: &mut Tree,
    ) -> Result<Prepared<'a>> {
        let wrong = |error: String| cannot_use(order, &error);
        let member = layout::run_member(&job.place, test.stage, order).map_err(wrong)?;
        let (document, commit_id) = match order.from.as_str() {
            "inline" => (order.definition.clone().unwrap_or_default(), None),
            "git" => {
                let (clone, document) = self.read_clone(job, order)?;
                checkout::add(tree, clone.path(), &member, history(order))?;
                (document, Some(clone.commit_id.clone()))
            }
            "url" => {
                let unpacked = self.archives.get(order, &job.into, job.deadline, &mut self.signals);
                let unpacked = unpacked.cannot(format_args!("fetch {}", named(order)))?;
                unpacked.add(tree, &member).map_err(wrong)?;
                (read_yaml(order, &unpacked.read(&order.path).map_err(wrong)?).map_err(wrong)?, None)
            }
            other => return Err(wrong(format!("'from: {other}' is not supported by this version"))),
        };
        let mut definition = TestDefinition::new(document, terms(order, os)).map_err(wrong)?;
        if !skips_packages(order) {
            definition.install_also(order.deps.iter().cloned());
        }
        self.add_repositories(job, order, &definition, &member, tree)?;
        Ok(Prepared { stage: test.stage, order, definition, commit_id })
    }

    /// The clone that a definition from git is in, and what its file says.
    fn read_clone(&mut self, job: &Job, order: &Definition) -> Result<(&Repository, Value)> {
        let wrong = |error: String| cannot_use(order, &error);
        let source = Source::new(order).map_err(wrong)?;
        let clone = self.repositories.get(&source, &job.into, job.deadline, &mut self.signals);
        let clone = clone.cannot(format_args!("fetch {}", named(order)))?;
        let bytes = checkout::read(clone.path(), &order.path).map_err(wrong)?;
        Ok((clone, read_yaml(order, &bytes).map_err(wrong)?))
    }

    /// Lets the host's first definition install what its guests' definitions from git need. It comes last: a guest's
    /// repository that does not answer takes no time from the host's own.
    fn install_for_guests(
        &mut self,
        facts: &Facts,
        job: &Job,
        os: Option<&str>,
        prepared: &mut [Prepared],
    ) -> Result<()> {
        let Some(first) = prepared.first_mut().filter(|first| !skips_packages(first.order)) else { return Ok(()) };
        for order in &facts.guest_definitions {
            match self.packages_of_guest(job, order, os) {
                Ok(packages) => first.definition.install_also(packages),
                Err(error) if matches!(error.status(), Status::Signal(_)) => return Err(error),
                // The guest that runs it fails for it.
                Err(error) => {
                    let role = &facts.role;
                    mn_cli::warn(format_args!("packages of a guest are not installed by the role '{role}': {error}"));
                }
            }
        }
        Ok(())
    }

    /// The packages of a guest's definition, but for those that need the guest's own variables to be named.
    fn packages_of_guest(&mut self, job: &Job, order: &Definition, os: Option<&str>) -> Result<Vec<String>> {
        let (_, document) = self.read_clone(job, order)?;
        let definition = TestDefinition::new(document, terms(order, os)).map_err(|error| cannot_use(order, &error))?;
        let mut packages = definition.install.map(|install| install.deps).unwrap_or_default();
        packages.retain(|package| !package.contains('$'));
        Ok(packages)
    }

    /// Clones what the definition's `install: git-repos` lists into its directory, without the histories.
    fn add_repositories(
        &mut self,
        job: &Job,
        order: &Definition,
        definition: &TestDefinition,
        member: &Path,
        tree: &mut Tree,
    ) -> Result<()> {
        for repository in definition.install.iter().flat_map(|install| &install.repositories) {
            let source = Source::whole(&repository.url, repository.branch.as_deref());
            let source = source.map_err(|error| cannot_use(order, &error))?;
            let clone = self.repositories.get(&source, &job.into, job.deadline, &mut self.signals);
            let clone = clone.cannot(format_args!("fetch '{}' for {}", shown(&repository.url), named(order)))?;
            let to = member.join(&repository.destination);
            tree.insert(&to, Member::Directory).map_err(|error| cannot_use(order, &error))?;
            checkout::add(tree, clone.path(), &to, History::Drop)?;
        }
        Ok(())
    }

    fn directory(&self, facts: &Facts) -> Result<PathBuf> {
        let directory = match (&self.options.output, &self.run_dir) {
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

/// The archive's name with its placeholders filled in; `<job_id>-overlay-<level>.tar.gz` is what definitions look for.
fn archive_name(template: &str, facts: &Facts, deploy: &Deploy) -> std::result::Result<String, String> {
    let level = &deploy.overlay_level;
    if level.is_empty() || !level.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(format!("its 'overlay_level' is '{level}', not numbers with dots"));
    }
    let name = template.replace("{job_id}", &facts.job_id).replace("{role}", &facts.role).replace("{level}", level);
    if name.contains('/') || name.contains('\0') || matches!(name.as_str(), "" | "." | "..") {
        return Err(format!("its archive cannot have the name '{name}'"));
    }
    Ok(name)
}

fn terms<'a>(order: &'a Definition, os: Option<&'a str>) -> Terms<'a> {
    let skip_install = order.skip_install.as_deref().unwrap_or_default();
    Terms { parameters: order.parameters.as_ref(), skip_install, os }
}

fn skips_packages(order: &Definition) -> bool {
    skips(order.skip_install.as_deref().unwrap_or_default(), "deps")
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

fn cannot_use(order: &Definition, error: &str) -> Error {
    Error::wrong(format_args!("cannot use {}: {error}", named(order)))
}

fn read_yaml(order: &Definition, bytes: &[u8]) -> std::result::Result<Value, String> {
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
