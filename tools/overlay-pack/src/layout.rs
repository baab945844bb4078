//! Where everything stands in an overlay, as LAVA's test definitions and scripts expect it.

use mn_msg::role::{Definition, Facts};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::definition::TestDefinition;
use crate::environment::environment;
use crate::helpers::helpers;
use crate::script::{Run, Signals, install_script, run_script};
use crate::tree::{Content, Member, Mode, Tree};

/// Where the overlay stands on the board and what interprets it there.
#[derive(Debug)]
pub struct Place {
    /// The overlay's directory, absolute.
    pub directory: String,
    /// The interpreter of the scripts, absolute, and its arguments.
    pub shell: String,
    /// Milliseconds to hold each signal back.
    pub character_delay: u64,
}

/// A definition that has been read.
pub struct Prepared<'a> {
    /// Its test block.
    pub stage: u32,
    /// How the job names it.
    pub order: &'a Definition,
    /// What it says.
    pub definition: TestDefinition,
    /// The commit that it is of, from git.
    pub commit_id: Option<String>,
}

impl Place {
    /// The place that the role's dictionary gives, or LAVA's defaults without one.
    ///
    /// # Errors
    /// A name that scripts cannot carry, in words.
    pub fn new(facts: &Facts) -> Result<Self, String> {
        let (directory, shell, delays) = match &facts.device {
            Some(device) => (device.results_dir.clone(), device.shell.clone(), &device.character_delays),
            None => (format!("/lava-{}", facts.job_id), "/bin/sh".to_owned(), &Default::default()),
        };
        // The runner splits its list at white space.
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        let inside = directory.strip_prefix('/').is_some_and(|rest| crate::tree::is_inside(rest.as_ref()));
        if !inside || !directory.chars().all(plain) || directory.ends_with('/') {
            return Err(format!("the device's 'results_dir' is '{directory}', which is no plain absolute path"));
        }
        if !shell.starts_with('/') || shell.contains(char::is_control) {
            return Err(format!("the device's 'shell' is '{shell}', which is no absolute path"));
        }
        Ok(Self { directory, shell, character_delay: delays.get("test").copied().unwrap_or(0) })
    }

    /// A name on the board as the archive has it.
    pub fn member(&self, below: &str) -> PathBuf {
        PathBuf::from(format!("{}/{below}", self.directory.trim_start_matches('/')))
    }

    /// The directory of a run on the board.
    fn run_directory(&self, stage: u32, run: &str) -> String {
        format!("{}/{stage}/tests/{run}", self.directory)
    }
}

/// Puts in what does not depend on the definitions.
///
/// # Errors
/// What the job or the dictionary has wrong, in words.
pub fn add_frame(tree: &mut Tree, place: &Place, facts: &Facts) -> Result<(), String> {
    for (name, text) in helpers(place, facts) {
        tree.insert(place.member(&format!("bin/{name}")), Member::File(Mode::Executable, Content::Text(text)))?;
    }
    for directory in ["tests", "results"] {
        tree.insert(place.member(directory), Member::Directory)?;
    }
    tree.text(place.member("environment"), environment(facts)?)
}

/// Puts in the list of each stage's definitions, which the runner reads.
///
/// # Errors
/// Never for a tree that holds the stages.
pub fn add_lists(tree: &mut Tree, place: &Place, prepared: &[Prepared]) -> Result<(), String> {
    for list in prepared.chunk_by(|a, b| a.stage == b.stage) {
        let stage = list[0].stage;
        let mut text = String::new();
        for Prepared { order, .. } in list {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{}", place.run_directory(stage, &order.run));
        }
        tree.text(place.member(&format!("{stage}/lava-test-runner.conf")), text)?;
    }
    Ok(())
}

/// The directory of a definition in the archive.
///
/// # Errors
/// A run's name that is no plain name of a directory, in words.
pub fn run_member(place: &Place, stage: u32, order: &Definition) -> Result<PathBuf, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if order.run.is_empty() || order.run.starts_with('.') || !order.run.chars().all(plain) {
        return Err(format!("the run's name '{}' is not letters, digits, '_', '-' and '.'", order.run));
    }
    Ok(place.member(&format!("{stage}/tests/{}", order.run)))
}

/// Puts in a definition's own files, over those of its repository.
///
/// # Errors
/// What the job has wrong, or a directory of the repository in the place of a file; in words.
pub fn add_definition(tree: &mut Tree, place: &Place, prepared: &Prepared) -> Result<(), String> {
    let Prepared { stage, order, definition, commit_id } = prepared;
    let directory = run_member(place, *stage, order)?;
    let on_board = place.run_directory(*stage, &order.run);
    let signals = Signals::named(order.signal.as_deref()).ok_or_else(|| {
        format!("its 'lava-signal' is '{}', not stdout or kmsg", order.signal.as_deref().unwrap_or(""))
    })?;
    let run = Run { directory: &on_board, name: &order.run, signals, character_delay: place.character_delay };
    let text = mn_yaml::document(&definition.document);
    if order.from == "inline" {
        tree.text(directory.join(&order.path), text.clone())?;
    }
    tree.text(directory.join("testdef.yaml"), text)?;
    tree.text(directory.join("testdef_metadata"), metadata(order, definition, commit_id.as_deref()))?;
    tree.text(directory.join("uuid"), order.uuid.clone())?;
    tree.text(directory.join("run.sh"), run_script(&run, definition))?;
    if let Some(script) = install_script(&run, definition) {
        tree.text(directory.join("install.sh"), script)?;
    }
    Ok(())
}

/// The file testdef_metadata.
fn metadata(order: &Definition, definition: &TestDefinition, commit_id: Option<&str>) -> String {
    let of = |key: &str| definition.metadata.get(key).cloned().unwrap_or_else(|| "".into());
    let mut facts = json!({
        "os": of("os"),
        "devices": of("devices"),
        "environment": of("environment"),
        "branch_vcs": order.from,
        "project_name": of("name"),
    });
    if let Some(commit_id) = commit_id {
        facts["commit_id"] = Value::from(commit_id);
    }
    mn_yaml::document(&facts)
}
