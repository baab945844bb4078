//! The dialogue of a boot: what the job and the dictionary say about a method, as a list of steps.

mod loader;
mod menu;
mod power;
mod script;
mod shell;
mod transfer;

pub use script::of_commands as script;

use crate::boot::{By, Console, Until};
use crate::context;
use crate::device::{Dictionary, at};
use crate::findings::Findings;
use crate::read::{mapping, pattern, patterns};
use crate::timeouts::Scope;
use mn_msg::Object;
use mn_msg::role::{Resource, Step, Work};
use mn_yaml::{Mapping, Node, Position};

/// What a dialogue is made of.
pub struct Parts<'a> {
    /// What the job says.
    pub boot: &'a Console,
    /// What a shell's prompt matches.
    pub prompts: &'a [String],
    /// Whether tests follow in the shell.
    pub tests_follow: bool,
    /// What was deployed.
    pub resources: &'a [Resource],
    /// What the dictionary says.
    pub board: &'a Dictionary,
    /// The timeouts of the boot's actions.
    pub scope: Scope<'a>,
    /// The whole boot's timeout in seconds.
    pub limit: u64,
    /// The role's own constants.
    pub context: Option<&'a Object>,
}

/// The dictionary's part of the dialogue.
struct Method<'a> {
    /// Its part of `actions: boot: methods`; none where a method has nothing to say.
    map: Option<&'a Mapping>,
    /// Where that stands.
    position: Position,
    parameters: Option<&'a Mapping>,
    constants: Option<&'a Mapping>,
    errors: Vec<String>,
}

/// Compiles the steps; what is missing in the dictionary is told in `board`, what the job asks in
/// vain in `job`.
pub fn compile(parts: &Parts, job: &mut Findings, board: &mut Findings) -> Vec<Step> {
    let Some(method) = method(parts, board) else { return Vec::new() };
    let mut steps = power::steps(parts, &method, board);
    match parts.boot.by {
        By::GrubEfi => steps.extend(menu::before_grub(parts, &method, board)),
        By::UefiMenu => steps.extend(menu::steps(parts, &method, job, board)),
        _ => {}
    }
    if parts.boot.by.has_prompt() {
        steps.extend(loader::interrupt(parts, &method, board));
        steps.extend(loader::commands(parts, &method, job, board));
    }
    if parts.boot.until == Until::Shell {
        steps.extend(shell::steps(parts, &method, board));
        steps.extend(transfer::steps(parts));
    }
    steps
}

/// How often a boot is tried in all, at least once: what its block says in `failure_retry`, or the dictionary.
pub fn attempts(own: Option<u64>, board: &Dictionary, context: Option<&Object>) -> u64 {
    const MOST: u64 = 100;
    let constants = at(&board.root, &["constants"]);
    let number = |key: &str| {
        let value = constants.and_then(|map| map.get(key)).and_then(|node| node.as_int().ok());
        context::number(context, key).or(value.and_then(|number| u64::try_from(number).ok()))
    };
    own.or_else(|| number("boot_retry")).or_else(|| number("failure_retry")).unwrap_or(1).clamp(1, MOST)
}

fn method<'a>(parts: &Parts<'a>, board: &mut Findings) -> Option<Method<'a>> {
    let (root, name) = (&parts.board.root, parts.boot.by.name());
    let methods = at(root, &["actions", "boot", "methods"]);
    let Some(node) = methods.and_then(|methods| methods.get(name)) else {
        let position = methods.map_or(root.position(), Mapping::position);
        board.error(position, format!("the dictionary has no boot method '{name}'"));
        return None;
    };
    let map = methods.and_then(|methods| mapping(methods, name, board));
    let constants = at(root, &["constants", name]);
    let errors = constants.and_then(|map| map.get("error-messages")).filter(|node| !node.is_null());
    Some(Method {
        map,
        position: map.map_or(node.position(), Mapping::position),
        parameters: map.and_then(|map| mapping(map, "parameters", board)),
        constants,
        errors: errors.map(|node| patterns(node, board)).unwrap_or_default(),
    })
}

impl Method<'_> {
    /// A pattern among the constants.
    fn constant(&self, key: &str, board: &mut Findings) -> Option<String> {
        self.constants.and_then(|map| pattern(map, key, board))
    }

    /// A value of the method that comes before the constant of the same meaning.
    fn own_or_constant(&self, own: &str, constant: &str) -> Option<&Node> {
        let given =
            |map: Option<&'_ Mapping>, key: &str| map.and_then(|map| map.get(key)).is_some_and(|node| !node.is_null());
        let (map, key) = if given(self.parameters, own) { (self.parameters, own) } else { (self.constants, constant) };
        map.and_then(|map| map.get(key)).filter(|node| !node.is_null())
    }
}

fn step(parts: &Parts, name: &str, work: Work) -> Step {
    Step { work, name: name.to_owned(), timeout: parts.scope.step(name, parts.limit) }
}

/// Milliseconds between the characters of what is typed.
fn character_delay(parts: &Parts) -> u64 {
    context::number(parts.context, "boot_character_delay").unwrap_or_else(|| parts.board.character_delay("boot"))
}

/// What a line ends with where it is not a newline: by the job's word for it, or the method's.
fn line_ending(parts: &Parts, method: &Method, board: &mut Findings) -> Option<String> {
    let places = [method.parameters, method.map];
    let words = ["dos", "unix"];
    let own = places.into_iter().flatten().find_map(|map| crate::deploy::one_of(map, "line_separator", &words, board));
    let word = parts.boot.line_separator.clone().or(own)?;
    (word == "dos").then(|| "\r\n".to_owned())
}
