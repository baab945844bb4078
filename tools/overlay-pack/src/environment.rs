//! The file `environment`, which the login shell sources before the tests.

use mn_msg::role::Facts;
use serde_json::Value;

use crate::shell::{is_name, quote};

/// The file's text: what the dictionary and the job say, then the facts of the job. LAVA's names,
/// a later line wins.
///
/// # Errors
/// What cannot be a variable of a shell, in words.
pub fn environment(facts: &Facts) -> Result<String, String> {
    let mut lines = Vec::new();
    let of_device = facts.device.as_ref().and_then(|device| device.environment.as_ref());
    for (name, value) in [of_device, facts.environment.as_ref()].into_iter().flatten().flatten() {
        export(name, value, &mut lines)?;
    }
    // Without a server no job has tags, and no worker a prefix.
    for (name, value) in [("LAVA_JOB_ID", facts.job_id.as_str()), ("LAVA_JOB_TAGS", ""), ("LAVA_DISPATCHER_PREFIX", "")]
    {
        lines.push(line(name, value));
    }
    if let Some(device) = &facts.device {
        lines.push(line("LAVA_DEVICE_HOSTNAME", &device.hostname));
        lines.push(line("LAVA_DEVICE_TYPE", &device.device_type));
    }
    Ok(lines.concat())
}

fn line(name: &str, value: &str) -> String {
    format!("export {name}={}\n", quote(value))
}

/// Maps and lists become a variable for each of their values, names and numbers joined by `_`.
fn export(name: &str, value: &Value, lines: &mut Vec<String>) -> Result<(), String> {
    match value {
        Value::Object(map) => map.iter().try_for_each(|(key, value)| export(&format!("{name}_{key}"), value, lines)),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, value)| export(&format!("{name}_{index}"), value, lines))
        }
        _ if !is_name(name) => Err(format!("cannot export '{name}': that is no name of a shell's variable")),
        Value::Bool(value) => {
            lines.push(format!("export {name}={}\n", u8::from(*value)));
            Ok(())
        }
        Value::Number(number) if !number.is_f64() => {
            lines.push(format!("export {name}={number}\n"));
            Ok(())
        }
        value => {
            let text = mn_yaml::python_str(value);
            if text.contains('\0') {
                return Err(format!("cannot export '{name}': its value has a NUL"));
            }
            lines.push(line(name, &text));
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::export;
    use serde_json::json;

    fn exported(name: &str, value: serde_json::Value) -> Result<String, String> {
        let mut lines = Vec::new();
        export(name, &value, &mut lines).map(|()| lines.concat())
    }

    #[test]
    fn nested_values_have_joined_names() {
        let text = exported("BOARD", json!([{"id": 7, "on": true}, "it's"])).unwrap();
        assert_eq!(text, "export BOARD_0_id=7\nexport BOARD_0_on=1\nexport BOARD_1='it'\\''s'\n");
    }

    #[test]
    fn a_name_that_no_shell_takes_is_an_error() {
        let error = exported("A", json!({"b-c": "x"})).unwrap_err();
        assert_eq!(error, "cannot export 'A_b-c': that is no name of a shell's variable");
    }
}
