//! Text that a POSIX shell reads.

/// The text as one word of a shell, whatever it contains.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Whether this can be the name of a variable.
pub fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_ends_stands_escaped_and_begins_again() {
        assert_eq!(quote("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quote(""), "''");
    }

    #[test]
    fn a_variable_begins_with_a_letter() {
        for name in ["A", "_", "a1_B"] {
            assert!(is_name(name), "{name}");
        }
        for text in ["", "1a", "a-b", "a=b", "é", "a\n"] {
            assert!(!is_name(text), "{text:?}");
        }
    }
}
