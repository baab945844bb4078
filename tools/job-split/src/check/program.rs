//! The program of each role: its calls in the order in which its members make them, with their places.

use super::fetched;
use super::run::{Act, Kind, START};
use super::shell::{self, Reason, ShellCall, Sure};
use crate::blocks::{Block, Work};
use crate::boot::Method;
use crate::calls::Call;
use crate::definitions::{Definition, Source};
use crate::job::Job;
use crate::plan::Plan;
use crate::roles::Role;
use crate::timeouts::BUILT_IN;
use mn_msg::role::ScriptCall;
use mn_yaml::{Kind as Shape, Node, Position, Style};
use std::collections::HashMap;
use std::path::Path;

/// One call of a role, as the checker needs it.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it is to the others.
    pub act: Act,
    /// Where it stands in the job.
    pub at: Position,
    /// How long it waits, in seconds.
    pub timeout: u64,
    /// Of a send: the keys of its message, when all are known.
    pub keys: Option<Vec<String>>,
    /// Of a wait: the keys that are picked up.
    pub wanted: Vec<String>,
    /// Who makes it.
    pub maker: Maker,
    /// Why it is not certain.
    pub doubt: Option<String>,
}

/// What makes a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Maker {
    /// The role's delayed start.
    Start,
    /// A step of a deploy or a boot.
    Action,
    /// A test definition, by its number in the role.
    Test(usize),
    /// An interactive script.
    Script,
}

/// What the members of a role do, and what the checker knows of them.
pub struct Doings<'a> {
    /// The role.
    pub role: &'a Role,
    /// Its blocks.
    pub plan: &'a Plan<'a>,
    /// Its calls, in order.
    pub steps: Vec<Step>,
}

/// The doings of every role that has members; `mirrors` is overlay-pack's cache.
pub fn doings<'a>(job: &'a Job, plans: &'a [Option<Plan<'a>>], mirrors: Option<&Path>) -> Vec<Doings<'a>> {
    // A role that records a console makes no calls, and nobody waits for it.
    let speaking = job.roles.iter().zip(plans).filter(|(role, _)| role.kind.is_counted());
    let with_plan = speaking.filter_map(|(role, plan)| Some((role, plan.as_ref()?)));
    with_plan.map(|(role, plan)| Doings { role, plan, steps: steps(role, plan, mirrors) }).collect()
}

fn steps(role: &Role, plan: &Plan, mirrors: Option<&Path>) -> Vec<Step> {
    let mut builder = Builder { mirrors, sticky: BUILT_IN, call: role.timeout, steps: Vec::new(), definitions: 0 };
    if let Some(awaited) = &role.start {
        let at = role.body.as_ref().map_or(role.position, |body| crate::read::place(body, "request"));
        let mut step = step(Kind::Start(awaited.clone()), START, at, Maker::Start);
        step.timeout = role.timeout.unwrap_or(90);
        builder.steps.push(step);
    }
    for block in &plan.blocks {
        builder.block(block);
    }
    builder.steps
}

/// The kind of a request; `role` is that of a wait-all.
fn kind(request: &str, role: Option<String>) -> Kind {
    match request {
        "send" => Kind::Send,
        "wait" => Kind::Wait,
        "wait-all" => Kind::WaitAll(role),
        _ => Kind::Sync,
    }
}

fn step(kind: Kind, id: &str, at: Position, maker: Maker) -> Step {
    let act = Act { kind, id: id.to_owned(), certain: true };
    Step { act, at, timeout: 0, keys: None, wanted: Vec::new(), maker, doubt: None }
}

struct Builder<'a> {
    mirrors: Option<&'a Path>,
    /// The limit that the last call of an action set for those after it, in seconds.
    sticky: u64,
    /// The role's, for calls of its tests.
    call: Option<u64>,
    steps: Vec<Step>,
    definitions: usize,
}

impl Builder<'_> {
    fn block(&mut self, block: &Block) {
        for call in &block.calls {
            self.bound(call);
        }
        let Work::Test(test) = &block.work else { return };
        for definition in &test.definitions {
            self.definition(definition);
            self.definitions += 1;
        }
        for script in &test.scripts {
            let calls = script.message.steps.iter().filter_map(|step| step.call.as_ref());
            calls.zip(&script.calls).for_each(|(call, at)| self.scripted(call, *at));
        }
    }

    /// A call of an interactive script is made where it stands, once.
    fn scripted(&mut self, call: &ScriptCall, at: Position) {
        let id = &call.message_id;
        let kind = if id.contains('{') { Kind::Anything } else { kind(&call.request, call.role.clone()) };
        let doubt = (kind == Kind::Anything).then(|| "what this call names is known when the script runs".to_owned());
        let keys = (kind == Kind::Send).then(|| call.data.keys().cloned().collect());
        let mut step = step(kind, id, at, Maker::Script);
        step.act.certain = doubt.is_none();
        self.steps.push(Step { timeout: self.call.unwrap_or(self.sticky), keys, doubt, ..step });
    }

    fn bound(&mut self, call: &Call) {
        self.sticky = call.timeout.unwrap_or(self.sticky);
        let kind = kind(&call.request, call.role.as_ref().map(|(name, _)| name.clone()));
        let keys = (kind == Kind::Send).then(|| call.data.keys().cloned().collect());
        let wanted = if kind == Kind::Send { Vec::new() } else { call.wanted().cloned().collect() };
        let step = step(kind, &call.message_id, call.id_position, Maker::Action);
        self.steps.push(Step { timeout: self.sticky, keys, wanted, ..step });
    }

    fn definition(&mut self, definition: &Definition) {
        let inline;
        let node = match &definition.source {
            Source::Inline(_, node) => Some((&**node, None)),
            Source::Git(git) => {
                inline = fetched::definition(git, &definition.path, self.mirrors);
                inline.as_ref().map(|node| (node, Some(definition.position)))
            }
            Source::Url(_) => None,
        };
        let Some((node, place)) = node else {
            let mut step = step(Kind::Anything, &definition.name, definition.position, self.maker());
            step.act.certain = false;
            step.doubt = Some(format!("'{}' is fetched later, and its calls are not known", definition.name));
            self.steps.push(step);
            return;
        };
        let script = Script::new(node);
        for call in shell::calls(&script.text, &variables(definition, node)) {
            let at = place.unwrap_or_else(|| script.position(call.at));
            self.made(&call, at);
        }
    }

    fn maker(&self) -> Maker {
        Maker::Test(self.definitions)
    }

    fn made(&mut self, call: &ShellCall, at: Position) {
        let id = call.words.first().cloned().flatten();
        let role = call.words.get(1).cloned();
        let kind = match (call.name, &id, role) {
            (_, None, _) if !call.words.is_empty() => Kind::Anything,
            ("lava-send", ..) => Kind::Send,
            ("lava-wait", ..) => Kind::Wait,
            ("lava-wait-all", _, Some(None)) => Kind::Anything,
            ("lava-wait-all", _, role) => Kind::WaitAll(role.flatten()),
            _ => Kind::Sync,
        };
        let mut step = step(kind, id.as_deref().unwrap_or_default(), at, self.maker());
        step.timeout = self.call.unwrap_or(self.sticky);
        step.keys = keys(call);
        step.doubt = match (&step.act.kind, call.sure) {
            (Kind::Anything, _) => Some(format!("what this {} names is known to the shell alone", call.name)),
            (_, Sure::No(reason)) => Some(doubt(call.name, reason)),
            _ => None,
        };
        step.act.certain = step.doubt.is_none();
        self.steps.push(step);
    }
}

fn doubt(name: &str, reason: Reason) -> String {
    format!("this {name} {}: whether and how often it is made is not known", reason.text())
}

/// The keys of what is sent; none when an argument is known to the shell alone.
fn keys(call: &ShellCall) -> Option<Vec<String>> {
    let pairs = call.words.iter().zip(&call.keys).skip(1);
    let known = pairs.clone().all(|(word, key)| word.is_some() || key.is_some());
    known.then(|| pairs.filter_map(|(_, key)| key.clone()).collect())
}

/// The parameters, which stand before the steps as assignments; the job's hold.
fn variables(definition: &Definition, node: &Node) -> HashMap<String, String> {
    let mut variables = HashMap::new();
    for key in ["params", "parameters"] {
        let Some(map) = node.as_map().ok().and_then(|map| map.get(key)?.as_map().ok()) else { continue };
        for entry in map.entries() {
            variables.insert(entry.key.clone(), mn_yaml::python_str(&entry.value.value()));
        }
    }
    for (key, value) in definition.parameters.iter().flatten() {
        variables.insert(key.clone(), mn_yaml::python_str(value));
    }
    variables
}

/// The steps of a definition as one script.
struct Script<'a> {
    text: String,
    /// Where each step begins in it, in characters.
    starts: Vec<(usize, &'a Node)>,
}

impl<'a> Script<'a> {
    fn new(node: &'a Node) -> Self {
        let mut script = Script { text: String::new(), starts: Vec::new() };
        let steps = node.as_map().ok().and_then(|map| map.get("run")?.as_map().ok()?.get("steps")?.as_list().ok());
        let mut length = 0;
        for step in steps.into_iter().flatten() {
            let Ok(text) = step.as_str() else { continue };
            script.starts.push((length, step));
            script.text.push_str(text);
            script.text.push('\n');
            length += text.chars().count() + 1;
        }
        script
    }

    /// Where a character of the script stands in the file; of a folded or escaped text, nearly.
    fn position(&self, at: usize) -> Position {
        let Some((start, node)) = self.starts.iter().rev().find(|(start, _)| *start <= at) else {
            return Position::START;
        };
        let begin = node.position();
        let Shape::Scalar(scalar) = node.kind() else { return begin };
        let before: Vec<char> = scalar.text().chars().take(at - start).collect();
        let lines = before.iter().filter(|c| **c == '\n').count();
        let column = before.iter().rev().take_while(|c| **c != '\n').count();
        match scalar.style() {
            Style::Plain => Position { line: begin.line, column: begin.column + before.len() },
            Style::Quoted => Position { line: begin.line, column: begin.column + before.len() + 1 },
            Style::Block => Position { line: begin.line + lines, column: begin.column + column },
        }
    }
}

impl Doings<'_> {
    /// The longest that its deploy and its boot may take, in seconds: nothing of its tests comes earlier for sure.
    pub fn way(&self, job: &Job) -> u64 {
        let limit = |block: &Block, name: &str| {
            let none = Vec::new();
            crate::timeouts::Scope {
                job: &job.timeouts,
                device: &none,
                block: block.timeout,
                named: &block.timeouts,
                attempts: block.attempts,
            }
            .resolve(name)
        };
        let before_tests = self.plan.blocks.iter().take_while(|block| !matches!(block.work, Work::Test(_)));
        let blocks = before_tests.map(|block| match &block.work {
            Work::Deploy(deploy) => limit(block, if deploy.to == "ssh" { "scp-overlay" } else { "tftp-deploy" }),
            Work::Boot(boot) if matches!(boot.method, Method::Ssh { .. }) => limit(block, "login-ssh"),
            Work::Boot(_) => limit(block, "grub-main-action"),
            _ => 0,
        });
        blocks.sum()
    }
}
