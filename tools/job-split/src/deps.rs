//! Packages of members that share a board: installed once, by the host's first definition, before a guest
//! comes. Two package managers at work in one system would wait for each other's lock, or fail.

use crate::definitions::{Definition, Git, Source};
use crate::findings::Findings;
use crate::job::Job;
use crate::plan::Plan;
use crate::roles::Kind;
use mn_msg::role;
use mn_yaml::{Node, Position};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// What is moved where.
#[derive(Default)]
pub struct Moves {
    /// For the place of a host's role: the packages its first definition installs besides its own.
    added: HashMap<usize, Vec<String>>,
    /// Definitions that no longer install their own, by role and place in the job.
    emptied: HashSet<(usize, Position)>,
    /// For the place of a host's role: definitions from git that its guests run, other than its own first.
    git: HashMap<usize, Vec<role::Definition>>,
}

/// Finds what is to be moved, and tells it.
pub fn moves(job: &Job, plans: &[Option<Plan>], findings: &mut Findings) -> Moves {
    let mut moves = Moves::default();
    for (host, role) in job.roles.iter().enumerate() {
        let guests: Vec<usize> = (0..job.roles.len())
            .filter(|guest| matches!(&job.roles[*guest].kind, Kind::Connection(on) if *on == role.name))
            .collect();
        let Some(first) = plans[host].as_ref().and_then(|plan| plan.definitions().next()) else { continue };
        if guests.is_empty() || first.skips("deps") {
            continue;
        }
        for place in std::iter::once(host).chain(guests.iter().copied()) {
            let Some(plan) = &plans[place] else { continue };
            for definition in
                plan.definitions().filter(|definition| place != host || definition.position != first.position)
            {
                moves.take(host, &role.name, first, place, definition, findings);
            }
        }
        moves.name_git(host, first, plans, &guests);
    }
    moves
}

impl Moves {
    fn take(
        &mut self,
        host: usize,
        name: &str,
        first: &Definition,
        place: usize,
        definition: &Definition,
        findings: &mut Findings,
    ) {
        let Some((deps, at)) = deps(definition).filter(|_| !definition.skips("deps")) else { return };
        let text = format!("these packages are installed by the first definition of '{name}', at {}", first.position);
        findings.note(at, text);
        let added = self.added.entry(host).or_default();
        for package in deps {
            if !added.contains(&package) {
                added.push(package);
            }
        }
        self.emptied.insert((place, definition.position));
    }

    /// What is in a repository is known only when it has been fetched: then the first definition installs it.
    fn name_git(&mut self, host: usize, first: &Definition, plans: &[Option<Plan>], guests: &[usize]) {
        let mut known: Vec<(&Git, &str)> = from_git(first).into_iter().collect();
        let mut named: Vec<role::Definition> = Vec::new();
        for definition in guests.iter().filter_map(|guest| plans[*guest].as_ref()).flat_map(Plan::definitions) {
            let Some(git) = from_git(definition).filter(|git| !definition.skips("deps") && !known.contains(git)) else {
                continue;
            };
            known.push(git);
            named.push(definition.message(String::new(), String::new()));
        }
        self.git.insert(host, named);
    }

    /// The definitions that the message of a host names.
    pub fn guest_definitions(&self, place: usize) -> Vec<role::Definition> {
        self.git.get(&place).cloned().unwrap_or_default()
    }

    /// Changes a definition of a message accordingly; `number` counts the definitions of the role from 0.
    pub fn apply(&self, place: usize, number: usize, source: &Definition, message: &mut role::Definition) {
        if self.emptied.contains(&(place, source.position)) {
            remove(message.definition.as_mut());
        }
        let Some(added) = self.added.get(&place).filter(|_| number == 0) else { return };
        match message.definition.as_mut().and_then(Value::as_object_mut) {
            None => message.deps = added.clone(),
            Some(definition) => {
                let install = definition.entry("install").or_insert_with(|| json!({}));
                let Some(install) = install.as_object_mut() else { return };
                let deps = install.entry("deps").or_insert_with(|| json!([]));
                let Some(deps) = deps.as_array_mut() else { return };
                for package in added {
                    if !deps.iter().any(|known| known == package) {
                        deps.push(json!(package));
                    }
                }
            }
        }
    }
}

/// The repository and the file of a definition from git.
fn from_git(definition: &Definition) -> Option<(&Git, &str)> {
    match &definition.source {
        Source::Git(git) => Some((git, &definition.path)),
        _ => None,
    }
}

fn remove(definition: Option<&mut Value>) {
    let Some(definition) = definition.and_then(Value::as_object_mut) else { return };
    let Some(install) = definition.get_mut("install").and_then(Value::as_object_mut) else { return };
    install.shift_remove("deps");
    if install.is_empty() {
        definition.shift_remove("install");
    }
}

/// The packages of an inline definition, and where they stand.
pub fn deps(definition: &Definition) -> Option<(Vec<String>, Position)> {
    let Source::Inline(_, node) = &definition.source else { return None };
    let deps = node.as_map().ok()?.get("install")?.as_map().ok()?.get("deps")?;
    let packages: Vec<String> = deps.as_list().ok()?.iter().filter_map(text).collect();
    (!packages.is_empty()).then_some((packages, deps.position()))
}

fn text(node: &Node) -> Option<String> {
    Some(node.as_str().ok()?.to_owned())
}
