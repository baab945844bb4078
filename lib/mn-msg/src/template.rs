//! The placeholders in commands, as mn-message(5) has them: what a later stage knows is filled in there.

use serde_json::{Map, Value};

/// Fills `{NAME}` in `line` from `staged`. None when a name in it has no value: the line is to be left out. A name that
/// is not in `staged` stays as it stands, as do the braces of the bootloader's own language.
pub fn fill(line: &str, staged: &Map<String, Value>) -> Option<String> {
    let mut out = String::new();
    let mut rest = line;
    while let Some(at) = rest.find('{') {
        let (before, brace) = rest.split_at(at);
        out.push_str(before);
        let value = brace.find('}').and_then(|end| Some((staged.get(&brace[1..end])?, end)));
        match value {
            Some((Value::Null, _)) => return None,
            Some((Value::String(text), _)) if text.is_empty() => return None,
            Some((value, end)) => {
                out.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                rest = &brace[end + 1..];
            }
            None => {
                out.push('{');
                rest = &brace[1..];
            }
        }
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn filled(line: &str) -> Option<String> {
        let staged =
            json!({"SERVER_IP": "10.0.0.1", "KERNEL": "7/vmlinuz", "DTB": null, "PRESEED": "", "LAVA_JOB_ID": 7});
        fill(line, staged.as_object().unwrap())
    }

    #[test]
    fn names_are_replaced_by_their_values_once() {
        assert_eq!(
            filled("linux (tftp,{SERVER_IP})/{KERNEL} id={LAVA_JOB_ID}").as_deref(),
            Some("linux (tftp,10.0.0.1)/7/vmlinuz id=7")
        );
    }

    #[test]
    fn a_line_with_a_name_without_value_is_left_out() {
        assert_eq!(filled("devicetree (tftp,{SERVER_IP})/{DTB}"), None);
        assert_eq!(filled("{PRESEED}"), None);
    }

    #[test]
    fn what_is_not_known_stays_as_it_stands() {
        assert_eq!(
            filled("setenv initrd_size ${filesize} {NEW} {{KERNEL} {").as_deref(),
            Some("setenv initrd_size ${filesize} {NEW} {7/vmlinuz {")
        );
    }
}
