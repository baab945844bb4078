//! A test definition, taken apart.

use mn_msg::Object;
use mn_yaml::python_str;
use serde_json::Value;

use crate::shell::is_name;

/// What the overlay needs of a test definition, and what the reader of the results needs.
#[derive(Debug, PartialEq)]
pub struct TestDefinition {
    /// Everything, as it was read.
    pub document: Value,
    /// Its `metadata`.
    pub metadata: Object,
    /// Names and values, the job's over the definition's.
    pub parameters: Vec<(String, String)>,
    /// What to install, when it has `install`.
    pub install: Option<Install>,
    /// What to run.
    pub steps: Vec<String>,
    /// The cases that must be reported, as the definition has them.
    pub expected: Option<Vec<String>>,
    /// The pattern that finds results in plain output.
    pub pattern: Option<String>,
    /// What the pattern's results mean.
    pub fixupdict: Option<Object>,
}

/// The parts of `install` that the job does not skip.
#[derive(Debug, Default, PartialEq)]
pub struct Install {
    /// Keys of package archives.
    pub keys: Vec<String>,
    /// Package archives.
    pub sources: Vec<String>,
    /// Packages.
    pub deps: Vec<String>,
    /// Shell lines.
    pub steps: Vec<String>,
}

/// What the job says about a definition.
#[derive(Clone, Copy, Default)]
pub struct Terms<'a> {
    /// Its `parameters`.
    pub parameters: Option<&'a Object>,
    /// Its `skip_install`.
    pub skip_install: &'a [String],
}

impl TestDefinition {
    /// Takes a definition apart.
    ///
    /// # Errors
    /// What is wrong with it, in words: verb first, without the name of the definition.
    pub fn new(document: Value, terms: Terms) -> Result<Self, String> {
        let Value::Object(map) = &document else { return Err(format!("it is {}, not a map", kind(&document))) };
        let section = |name: &str| object(map, name);
        let metadata = section("metadata")?.ok_or("it has no 'metadata'")?.clone();
        let run = section("run")?.ok_or("it has no 'run'")?;
        let parse = section("parse")?;
        Ok(Self {
            parameters: parameters(&[section("params")?, section("parameters")?, terms.parameters])?,
            install: section("install")?.map(|install| Install::new(install, terms.skip_install)).transpose()?,
            steps: texts(run, "run", "steps")?.ok_or("its 'run' has no 'steps'")?,
            expected: texts(map, "", "expected")?,
            pattern: parse.and_then(|parse| parse.get("pattern")).map(python_str),
            fixupdict: parse.map(|parse| object(parse, "fixupdict")).transpose()?.flatten().cloned(),
            metadata,
            document,
        })
    }
}

impl Install {
    fn new(install: &Object, skip: &[String]) -> Result<Self, String> {
        const PARTS: [&str; 6] = ["keys", "sources", "deps", "steps", "git-repos", "all"];
        if let Some(unknown) = skip.iter().find(|part| !PARTS.contains(&part.as_str())) {
            return Err(format!("the job's 'skip_install' has '{unknown}', which is none of {}", PARTS.join(", ")));
        }
        let wanted = |part: &str| !skip.iter().any(|skipped| skipped == part || skipped == "all");
        let part = |name: &str| match wanted(name) {
            true => texts(install, "install", name).map(Option::unwrap_or_default),
            false => Ok(Vec::new()),
        };
        if wanted("git-repos") && install.get("git-repos").is_some_and(|value| !value.is_null()) {
            return Err("its 'install' has 'git-repos', which this version does not support".to_owned());
        }
        Ok(Self { keys: part("keys")?, sources: part("sources")?, deps: part("deps")?, steps: part("steps")? })
    }
}

/// A later map wins; the order is that of the first mention.
fn parameters(maps: &[Option<&Object>]) -> Result<Vec<(String, String)>, String> {
    let mut merged = Object::new();
    for (name, value) in maps.iter().copied().flatten().flatten() {
        if !is_name(name) {
            return Err(format!("parameter '{name}' is no name of a shell's variable"));
        }
        if python_str(value).contains('\0') {
            return Err(format!("parameter '{name}' has a NUL in its value"));
        }
        merged.insert(name.clone(), value.clone());
    }
    Ok(merged.into_iter().map(|(name, value)| (name, python_str(&value))).collect())
}

fn object<'a>(map: &'a Object, name: &str) -> Result<Option<&'a Object>, String> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(object)) => Ok(Some(object)),
        Some(other) => Err(format!("its '{name}' is {}, not a map", kind(other))),
    }
}

/// The texts of a list, numbers and booleans as Python prints them; null items are dropped.
fn texts(map: &Object, section: &str, name: &str) -> Result<Option<Vec<String>>, String> {
    let path = if section.is_empty() { name.to_owned() } else { format!("{section}: {name}") };
    let items = match map.get(name) {
        None => return Ok(None),
        Some(Value::Null) => return Ok(Some(Vec::new())),
        Some(Value::Array(items)) => items,
        Some(other) => return Err(format!("its '{path}' is {}, not a list", kind(other))),
    };
    let mut texts = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match item {
            Value::Null => {}
            Value::Array(_) | Value::Object(_) => {
                let number = index + 1;
                return Err(format!("item {number} of its '{path}' is {}, not text: put it in quotes", kind(item)));
            }
            item => texts.push(python_str(item)),
        }
    }
    Ok(Some(texts))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition(extra: Value) -> Value {
        let mut document = json!({"metadata": {"name": "x"}, "run": {"steps": ["ls"]}});
        for (key, value) in extra.as_object().unwrap() {
            document[key] = value.clone();
        }
        document
    }

    fn error(document: Value) -> String {
        TestDefinition::new(document, Terms::default()).unwrap_err()
    }

    #[test]
    fn the_jobs_parameters_win_and_keep_their_place() {
        let job = json!({"B": "job", "D": "new"});
        let document = definition(json!({"params": {"A": true, "B": 1}, "parameters": {"B": 2, "C": null}}));
        let terms = Terms { parameters: job.as_object(), skip_install: &[] };
        let parameters = TestDefinition::new(document, terms).unwrap().parameters;
        let expected = [("A", "True"), ("B", "job"), ("C", ""), ("D", "new")];
        assert_eq!(parameters, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_the_job_skips_is_not_installed() {
        let install =
            json!({"install": {"deps": ["curl", null, 7], "steps": ["make"], "git-repos": ["u"], "keys": null}});
        let skipping = |skip: &[&str]| {
            let skip: Vec<String> = skip.iter().map(|&part| part.to_owned()).collect();
            let terms = Terms { parameters: None, skip_install: &skip };
            TestDefinition::new(definition(install.clone()), terms).map(|definition| definition.install.unwrap())
        };
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let some = skipping(&["git-repos", "steps"]).unwrap();
        assert_eq!(some, Install { deps: texts(&["curl", "7"]), ..Install::default() });
        assert_eq!(skipping(&["all"]).unwrap(), Install::default());
        assert_eq!(skipping(&[]).unwrap_err(), "its 'install' has 'git-repos', which this version does not support");
        assert_eq!(
            skipping(&["dep"]).unwrap_err(),
            "the job's 'skip_install' has 'dep', which is none of keys, sources, deps, steps, git-repos, all"
        );
    }

    #[test]
    fn each_mistake_is_named() {
        assert_eq!(error(json!([])), "it is a list, not a map");
        assert_eq!(error(json!({"run": {"steps": []}})), "it has no 'metadata'");
        assert_eq!(error(json!({"metadata": {}})), "it has no 'run'");
        assert_eq!(error(definition(json!({"run": {}}))), "its 'run' has no 'steps'");
        assert_eq!(error(definition(json!({"run": {"steps": "ls"}}))), "its 'run: steps' is text, not a list");
        assert_eq!(
            error(definition(json!({"run": {"steps": ["ls", {"echo a": "b"}]}}))),
            "item 2 of its 'run: steps' is a map, not text: put it in quotes"
        );
        assert_eq!(error(definition(json!({"params": []}))), "its 'params' is a list, not a map");
        assert_eq!(
            error(definition(json!({"params": {"A-B": 1}}))),
            "parameter 'A-B' is no name of a shell's variable"
        );
    }
}
