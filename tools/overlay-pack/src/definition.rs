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
    /// Repositories that are cloned into the definition's directory.
    pub repositories: Vec<Repository>,
}

/// A repository of `install: git-repos`.
#[derive(Debug, PartialEq)]
pub struct Repository {
    /// Its address.
    pub url: String,
    /// The branch, where it is not the default one.
    pub branch: Option<String>,
    /// The directory below the definition's.
    pub destination: String,
}

/// What the job says about a definition.
#[derive(Clone, Copy, Default)]
pub struct Terms<'a> {
    /// Its `parameters`.
    pub parameters: Option<&'a Object>,
    /// Its `skip_install`.
    pub skip_install: &'a [String],
    /// The distribution that it says is on the board.
    pub os: Option<&'a str>,
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
        let parameters = parameters(&[section("params")?, section("parameters")?, terms.parameters])?;
        Ok(Self {
            install: section("install")?.map(|install| Install::new(install, terms, &parameters)).transpose()?,
            parameters,
            steps: texts(run, "run", "steps")?.ok_or("its 'run' has no 'steps'")?,
            expected: texts(map, "", "expected")?,
            pattern: parse.and_then(|parse| parse.get("pattern")).map(python_str),
            fixupdict: parse.map(|parse| object(parse, "fixupdict")).transpose()?.flatten().cloned(),
            metadata,
            document,
        })
    }

    /// Adds packages to those that it installs, each once.
    pub fn install_also(&mut self, packages: impl IntoIterator<Item = String>) {
        for package in packages {
            let deps = &mut self.install.get_or_insert_default().deps;
            if !deps.contains(&package) {
                deps.push(package);
            }
        }
    }
}

/// Whether `skip_install` leaves a part of `install` out.
pub fn skips(skip_install: &[String], part: &str) -> bool {
    skip_install.iter().any(|skipped| skipped == part || skipped == "all")
}

impl Install {
    fn new(install: &Object, terms: Terms, parameters: &[(String, String)]) -> Result<Self, String> {
        const PARTS: [&str; 6] = ["keys", "sources", "deps", "steps", "git-repos", "all"];
        let skip = terms.skip_install;
        if let Some(unknown) = skip.iter().find(|part| !PARTS.contains(&part.as_str())) {
            return Err(format!("the job's 'skip_install' has '{unknown}', which is none of {}", PARTS.join(", ")));
        }
        let wanted = |part: &str| !skips(skip, part);
        let part = |name: &str| match wanted(name) {
            true => texts(install, "install", name).map(Option::unwrap_or_default),
            false => Ok(Vec::new()),
        };
        let mut deps = part("deps")?;
        if let Some(os) = terms.os.filter(|_| wanted("deps")) {
            deps.extend(texts(install, "install", &format!("deps-{os}"))?.unwrap_or_default());
        }
        let repositories = if wanted("git-repos") { repositories(install, parameters)? } else { Vec::new() };
        Ok(Self { keys: part("keys")?, sources: part("sources")?, deps, steps: part("steps")?, repositories })
    }
}

/// What `git-repos` lists: an address, or a map in which a parameter's name stands for its value.
fn repositories(install: &Object, parameters: &[(String, String)]) -> Result<Vec<Repository>, String> {
    let items = match install.get("git-repos") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(items)) => items,
        Some(other) => return Err(format!("its 'install: git-repos' is {}, not a list", kind(other))),
    };
    let resolved = |value: &Value| {
        let text = python_str(value);
        let parameter = parameters.iter().find(|(name, _)| *name == text);
        parameter.map_or(text.clone(), |(_, value)| value.clone())
    };
    let mut repositories = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let of = |name: &str| item.get(name).filter(|value| !value.is_null()).map(resolved);
        let (url, branch, destination) = match item {
            Value::Null => continue,
            Value::Object(_) => (of("url"), of("branch"), of("destination")),
            item => (Some(python_str(item)), None, None),
        };
        let url = url.ok_or_else(|| format!("item {} of its 'install: git-repos' has no 'url'", index + 1))?;
        let named = url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
        let destination = destination.unwrap_or_else(|| named.strip_suffix(".git").unwrap_or(named).to_owned());
        if destination.contains('/') || !crate::tree::is_inside(destination.as_ref()) {
            return Err(format!("the destination '{destination}' of its 'install: git-repos' is no single name"));
        }
        repositories.push(Repository { url, branch, destination });
    }
    Ok(repositories)
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
        let terms = Terms { parameters: job.as_object(), skip_install: &[], os: None };
        let parameters = TestDefinition::new(document, terms).unwrap().parameters;
        let expected = [("A", "True"), ("B", "job"), ("C", ""), ("D", "new")];
        assert_eq!(parameters, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn what_the_job_skips_is_not_installed() {
        let install =
            json!({"install": {"deps": ["curl", null, 7], "steps": ["make"], "git-repos": ["/"], "keys": null}});
        let skipping = |skip: &[&str]| {
            let skip: Vec<String> = skip.iter().map(|&part| part.to_owned()).collect();
            let terms = Terms { skip_install: &skip, ..Terms::default() };
            TestDefinition::new(definition(install.clone()), terms).map(|definition| definition.install.unwrap())
        };
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let some = skipping(&["git-repos", "steps"]).unwrap();
        assert_eq!(some, Install { deps: texts(&["curl", "7"]), ..Install::default() });
        assert_eq!(skipping(&["all"]).unwrap(), Install::default());
        assert_eq!(skipping(&[]).unwrap_err(), "the destination '' of its 'install: git-repos' is no single name");
        assert_eq!(
            skipping(&["dep"]).unwrap_err(),
            "the job's 'skip_install' has 'dep', which is none of keys, sources, deps, steps, git-repos, all"
        );
    }

    #[test]
    fn repositories_have_names_and_parameters_stand_for_values() {
        let install = json!({"install": {"git-repos": [
            "https://h/a/tools.git", "git@h:one/", {"url": "URL", "branch": "BRANCH", "destination": "here"}, null]}});
        let job = json!({"URL": "https://h/b", "BRANCH": "next"});
        let terms = Terms { parameters: job.as_object(), ..Terms::default() };
        let of = |install: &Value| {
            TestDefinition::new(definition(install.clone()), terms).map(|definition| definition.install.unwrap())
        };
        let repository = |url: &str, branch: Option<&str>, destination: &str| Repository {
            url: url.to_owned(),
            branch: branch.map(str::to_owned),
            destination: destination.to_owned(),
        };
        let expected = [
            repository("https://h/a/tools.git", None, "tools"),
            repository("git@h:one/", None, "one"),
            repository("https://h/b", Some("next"), "here"),
        ];
        assert_eq!(of(&install).unwrap().repositories, expected);
        for (item, reason) in [
            (json!({"branch": "x"}), "item 1 of its 'install: git-repos' has no 'url'"),
            (
                json!({"url": "https://h/a", "destination": "../b"}),
                "the destination '../b' of its 'install: git-repos' is no single name",
            ),
        ] {
            assert_eq!(of(&json!({"install": {"git-repos": [item]}})).unwrap_err(), reason);
        }
    }

    #[test]
    fn a_job_that_names_its_os_gets_the_packages_of_that_too() {
        let install = json!({"install": {"deps": ["a"], "deps-debian": ["b"], "deps-fedora": ["c"]}});
        let of = |os| {
            let terms = Terms { os, ..Terms::default() };
            TestDefinition::new(definition(install.clone()), terms).unwrap().install.unwrap().deps
        };
        assert_eq!((of(None), of(Some("debian"))), (vec!["a".to_owned()], vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn packages_of_others_come_after_its_own_and_each_once() {
        let with = |packages: &[&str], extra: Value| {
            let mut definition = TestDefinition::new(definition(extra), Terms::default()).unwrap();
            definition.install_also(packages.iter().map(|&package| package.to_owned()));
            definition.install.map(|install| install.deps.join(" "))
        };
        let own = json!({"install": {"deps": ["b", "a"]}});
        assert_eq!(with(&["c", "a", "c"], own.clone()).as_deref(), Some("b a c"));
        assert_eq!(with(&["c"], json!({})).as_deref(), Some("c"));
        assert_eq!(with(&[], json!({})), None);
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
