//! The file `secrets`, which tests source when they want it. Its values are in no message and no log.

use mn_cli::{Cannot, Error, Result};
use mn_yaml::python_str;
use serde_json::Value;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::shell::{is_name, quote};

/// The text of the file, from a map of names to values in YAML.
///
/// # Errors
/// Status 2 for what is no such map, 3 for what cannot be read; without a word of the values.
pub fn from_file(file: &Path) -> Result<String> {
    match read(file)? {
        Value::Object(map) => text(&map).map_err(|error| in_file(file, &error)),
        _ => Err(in_file(file, "it is no map of names to values")),
    }
}

/// The text for the `secrets` of a job; none when it has none.
///
/// # Errors
/// As [`from_file`].
pub fn from_job(job: &Path) -> Result<Option<String>> {
    match read(job)?.get("secrets") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(map)) => text(map).map(Some).map_err(|error| in_file(job, &error)),
        Some(_) => Err(in_file(job, "its 'secrets' are no map of names to values")),
    }
}

fn read(file: &Path) -> Result<Value> {
    let mut bytes = Vec::new();
    let opened = File::open(file).cannot(format_args!("open '{}'", file.display()))?;
    let limit = mn_yaml::MAX_BYTES as u64 + 1;
    opened.take(limit).read_to_end(&mut bytes).cannot(format_args!("read '{}'", file.display()))?;
    // The parser's own reason may quote what it read.
    let document = mn_yaml::parse(&bytes).map_err(|_| in_file(file, "it is not YAML"))?;
    Ok(document.root.value())
}

fn in_file(file: &Path, error: &str) -> Error {
    Error::wrong(format_args!("cannot use the secrets of '{}': {error}", file.display()))
}

/// As LAVA writes it, `KEY=value` without `export`; a value that a shell would not take as it stands is quoted.
fn text(map: &mn_msg::Object) -> std::result::Result<String, String> {
    let mut text = String::new();
    for (name, value) in map {
        if !is_name(name) {
            return Err(format!("'{name}' is no name of a shell's variable"));
        }
        let value = match value {
            Value::Array(_) | Value::Object(_) => return Err(format!("'{name}' is no single value")),
            value => python_str(value),
        };
        if value.contains('\0') {
            return Err(format!("'{name}' has a NUL"));
        }
        let plain = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%+,-./:=@_".contains(&byte));
        text += &format!("{name}={}\n", if plain { value } else { quote(&value) });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(value: Value) -> std::result::Result<String, String> {
        text(value.as_object().unwrap())
    }

    #[test]
    fn a_plain_value_is_as_in_lava_and_another_is_quoted() {
        let secrets = json!({"TOKEN": "a-b_c", "PHRASE": "it's $HOME", "N": 7, "NONE": null});
        assert_eq!(of(secrets).unwrap(), "TOKEN=a-b_c\nPHRASE='it'\\''s $HOME'\nN=7\nNONE=\n");
    }

    #[test]
    fn a_mistake_is_named_without_the_value() {
        assert_eq!(of(json!({"A-B": "hidden"})).unwrap_err(), "'A-B' is no name of a shell's variable");
        assert_eq!(of(json!({"A": ["hidden"]})).unwrap_err(), "'A' is no single value");
    }

    #[test]
    fn a_job_without_secrets_has_none() {
        let directory = tempfile::tempdir().unwrap();
        let job = directory.path().join("job.yaml");
        std::fs::write(&job, "job_name: x\n").unwrap();
        assert_eq!(from_job(&job).unwrap(), None);
        std::fs::write(&job, "secrets: {A: hidden\n").unwrap();
        let reason = format!("cannot use the secrets of '{}': it is not YAML", job.display());
        assert_eq!(from_job(&job).unwrap_err().to_string(), reason);
    }
}
