//! `definitions` of a test block, as the job names them.

use crate::deploy::{digest, one_of};
use crate::findings::Findings;
use crate::read::{Keys, boolean, list, mapping, object, place, require_text, text};
use crate::rewrite::{Rewrite, rewritten};
use crate::suggest::suggest;
use crate::tests::check_reserved;
use mn_msg::{Object, role};
use mn_yaml::{Mapping, Node, Position};
use serde_json::Value;

/// The mark of a definition's format.
const FORMAT: &str = "Lava-Test Test Definition 1.0";

/// The parts of `install` that can be left out.
const INSTALL: [&str; 6] = ["keys", "sources", "deps", "steps", "git-repos", "all"];

/// A definition of a test block.
#[derive(Clone, Debug)]
pub struct Definition {
    /// Its name, unique in its role.
    pub name: String,
    /// Where it stands.
    pub position: Position,
    /// Its file.
    pub path: String,
    /// Where it comes from.
    pub source: Source,
    /// The job's parameters.
    pub parameters: Option<Object>,
    /// The parts of `install` that are left out.
    skip_install: Option<Vec<String>>,
    expected: Option<Vec<String>>,
    signal: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Source {
    /// In the job itself: what it says, and where.
    Inline(Value, Box<Node>),
    /// In a repository.
    Git(Git),
    /// In an archive on a server.
    Url(Url),
}

/// An archive on a server.
#[derive(Clone, Debug)]
pub struct Url {
    address: String,
    compression: Option<String>,
    strip_components: Option<u32>,
    headers: Option<Object>,
    sha256sum: Option<String>,
    sha512sum: Option<String>,
    md5sum: Option<String>,
}

/// A definition's repository.
#[derive(Clone, Debug, PartialEq)]
pub struct Git {
    /// Its address.
    pub repository: String,
    /// The branch, where the job names one.
    pub branch: Option<String>,
    /// The commit or tag, where the job names one.
    pub revision: Option<String>,
    shallow: bool,
    history: bool,
    recursive: bool,
}

/// Reads the definitions of a test block.
pub fn read(body: &Mapping, rewrites: &[Rewrite], findings: &mut Findings) -> Option<Vec<Definition>> {
    let node = findings.ok(body.require("definitions"))?;
    let items = findings.ok(node.as_list())?;
    if items.is_empty() {
        findings.error(node.position(), "'definitions' is empty");
    }
    Some(items.iter().filter_map(|item| definition(item, rewrites, findings)).collect())
}

fn definition(item: &Node, rewrites: &[Rewrite], findings: &mut Findings) -> Option<Definition> {
    let map = findings.ok(item.as_map())?;
    let from = require_text(map, "from", findings)?;
    let at = |key: &str| place(map, key);
    let own: &[&str] = match from.as_str() {
        "git" => &["branch", "history", "recursive", "revision", "shallow"],
        "inline" => &[],
        "url" => &["compression", "headers", "md5sum", "sha256sum", "sha512sum", "strip-components"],
        other => {
            let hint = suggest(other, ["git", "inline", "url"]);
            let text = format!("a definition comes from 'git', 'inline' or 'url', not '{other}'{hint}");
            findings.error(at("from"), text);
            return None;
        }
    };
    let shared =
        ["expected", "from", "lava-signal", "name", "parameters", "params", "path", "repository", "skip_install"];
    Keys { of: "a definition", known: &[&shared, own].concat(), unsupported: &[] }.check(map, findings);
    let name = require_text(map, "name", findings).filter(|name| check_name(name, at("name"), findings));
    let path = require_text(map, "path", findings);
    let source = match from.as_str() {
        "git" => git(map, rewrites, findings).map(Source::Git),
        "url" => url(map, rewrites, findings).map(Source::Url),
        _ => inline(map, findings),
    };
    let definition = Definition {
        position: map.position(),
        parameters: parameters(map, findings),
        skip_install: skip_install(map, findings),
        expected: list(map, "expected", findings),
        signal: signal(map, findings),
        name: name?,
        path: path?,
        source: source?,
    };
    Some(definition)
}

/// A name is a directory on the board and part of a line that the runner prints.
fn check_name(name: &str, at: Position, findings: &mut Findings) -> bool {
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
        findings.error(at, format!("name '{name}' is not of letters, digits, underscores and hyphens"));
        return false;
    }
    check_reserved(name, at, findings);
    true
}

fn git(map: &Mapping, rewrites: &[Rewrite], findings: &mut Findings) -> Option<Git> {
    let revision = text(map, "revision", findings);
    Some(Git {
        branch: text(map, "branch", findings),
        // One commit is not enough to find another.
        shallow: boolean(map, "shallow", findings).unwrap_or(true) && revision.is_none(),
        revision,
        history: boolean(map, "history", findings).unwrap_or(true),
        recursive: boolean(map, "recursive", findings).unwrap_or(false),
        repository: rewritten(&require_text(map, "repository", findings)?, rewrites),
    })
}

fn url(map: &Mapping, rewrites: &[Rewrite], findings: &mut Findings) -> Option<Url> {
    let strip = map.get("strip-components").and_then(|node| {
        let number = node.value().as_u64().and_then(|number| u32::try_from(number).ok());
        if number.is_none() {
            findings.error(node.position(), "'strip-components' is not a number of directories");
        }
        number
    });
    Some(Url {
        address: rewritten(&require_text(map, "repository", findings)?, rewrites),
        compression: one_of(map, "compression", &["gz", "bz2", "xz", "zstd"], findings),
        strip_components: strip,
        headers: object(map, "headers", findings),
        sha256sum: digest(map, "sha256sum", 64, findings),
        sha512sum: digest(map, "sha512sum", 128, findings),
        md5sum: digest(map, "md5sum", 32, findings),
    })
}

/// The definition verbatim; what LAVA requires of it is looked at.
fn inline(map: &Mapping, findings: &mut Findings) -> Option<Source> {
    let node = findings.ok(map.require("repository"))?;
    let definition = findings.ok(node.as_map())?;
    let known = ["expected", "install", "metadata", "parameters", "params", "parse", "run"];
    Keys { of: "an inline definition", known: &known, unsupported: &[] }.check(definition, findings);
    if let Some(metadata) = findings.ok(definition.require("metadata")).and_then(|node| findings.ok(node.as_map())) {
        require_text(metadata, "name", findings);
        if let Some(format) = require_text(metadata, "format", findings).filter(|format| format != FORMAT) {
            let at = place(metadata, "format");
            findings.error(at, format!("format '{format}' is not '{FORMAT}'"));
        }
    }
    if let Some(run) = mapping(definition, "run", findings) {
        check_steps(run, findings);
    }
    for key in ["parameters", "params", "install"] {
        mapping(definition, key, findings);
    }
    Some(Source::Inline(node.value(), Box::new(node.clone())))
}

fn check_steps(run: &Mapping, findings: &mut Findings) {
    let Some(steps) = findings.ok(run.require("steps")).and_then(|node| findings.ok(node.as_list())) else { return };
    for step in steps.iter().filter(|step| !step.is_null()) {
        findings.ok(step.as_str());
    }
}

/// `params` over `parameters`, as LAVA has it.
fn parameters(map: &Mapping, findings: &mut Findings) -> Option<Object> {
    let (parameters, params) = (object(map, "parameters", findings), object(map, "params", findings));
    match (parameters, params) {
        (Some(mut parameters), Some(params)) => {
            parameters.extend(params);
            Some(parameters)
        }
        (parameters, params) => parameters.or(params),
    }
}

fn skip_install(map: &Mapping, findings: &mut Findings) -> Option<Vec<String>> {
    let skipped = list(map, "skip_install", findings)?;
    let at = place(map, "skip_install");
    for part in skipped.iter().filter(|part| !INSTALL.contains(&part.as_str())) {
        let text = format!("'{part}' is no part of an install: {}{}", INSTALL.join(", "), suggest(part, INSTALL));
        findings.error(at, text);
    }
    Some(skipped)
}

fn signal(map: &Mapping, findings: &mut Findings) -> Option<String> {
    let signal = text(map, "lava-signal", findings)?;
    if !["stdout", "kmsg"].contains(&signal.as_str()) {
        let at = place(map, "lava-signal");
        findings.error(at, format!("'lava-signal' is '{signal}': it is 'stdout' or 'kmsg'"));
    }
    Some(signal)
}

impl Definition {
    /// The definition as one member's message has it; `run` and `uuid` are the run's name and identifier.
    pub fn message(&self, run: String, uuid: String) -> role::Definition {
        let (from, inline, git, url) = match &self.source {
            Source::Inline(definition, _) => ("inline", Some(definition.clone()), None, None),
            Source::Git(git) => ("git", None, Some(git), None),
            Source::Url(url) => ("url", None, None, Some(url)),
        };
        let address = git.map(|git| &git.repository).or(url.map(|url| &url.address));
        role::Definition {
            from: from.to_owned(),
            name: self.name.clone(),
            run,
            uuid,
            path: self.path.clone(),
            definition: inline,
            repository: address.cloned(),
            branch: git.and_then(|git| git.branch.clone()),
            revision: git.and_then(|git| git.revision.clone()),
            shallow: git.map(|git| git.shallow),
            history: git.map(|git| git.history),
            recursive: git.map(|git| git.recursive),
            compression: url.and_then(|url| url.compression.clone()),
            strip_components: url.and_then(|url| url.strip_components),
            headers: url.and_then(|url| url.headers.clone()),
            sha256sum: url.and_then(|url| url.sha256sum.clone()),
            sha512sum: url.and_then(|url| url.sha512sum.clone()),
            md5sum: url.and_then(|url| url.md5sum.clone()),
            parameters: self.parameters.clone(),
            skip_install: self.skip_install.clone(),
            expected: self.expected.clone(),
            signal: self.signal.clone(),
            deps: Vec::new(),
        }
    }

    /// Whether a part of its `install` is left out.
    pub fn skips(&self, part: &str) -> bool {
        self.skip_install.iter().flatten().any(|skipped| skipped == part || skipped == "all")
    }
}
