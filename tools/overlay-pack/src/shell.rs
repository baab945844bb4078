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

/// Whether a piece of shell is sure to end with its last line. Not sure is whatever has a document in place, quotes in
/// comments or other rare things: then the answer is no.
pub fn is_whole(text: &str) -> bool {
    let Some(words) = words(text) else { return false };
    let count = |words_of: &[&str]| words.iter().filter(|word| words_of.contains(&word.as_str())).count();
    let pairs = [(&["if"][..], "fi"), (&["case"], "esac"), (&["do"], "done"), (&["{"], "}"), (&["("], ")")];
    let operators = ["&&", "||", "|"];
    pairs.iter().all(|(begin, end)| count(begin) == count(&[end]))
        && count(&["for", "while", "until"]) == count(&["do"])
        && !words.last().is_some_and(|word| operators.contains(&word.as_str()))
}

/// The words and operators of a piece of shell without its quoted parts; none when quotes stay open, the last line
/// goes on, or it has a document in place.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = vec![String::new()];
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => drop(rest.next()?),
            '\'' => drop(rest.find(|&c| c == '\'')?),
            '"' | '`' => loop {
                match rest.next()? {
                    '\\' => drop(rest.next()?),
                    end if end == c => break,
                    _ => {}
                }
            },
            '#' if words.last().is_some_and(String::is_empty) => drop(rest.find(|&c| c == '\n')),
            '<' if rest.peek() == Some(&'<') => return None,
            '(' | ')' => words.extend([c.to_string(), String::new()]),
            '|' | '&' if rest.peek() == Some(&c) => {
                rest.next();
                words.extend([format!("{c}{c}"), String::new()]);
            }
            '|' | '&' | ';' => words.extend([c.to_string(), String::new()]),
            c if c.is_whitespace() => words.push(String::new()),
            c => words.last_mut()?.push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    Some(words)
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

    #[test]
    fn what_goes_on_is_not_whole() {
        for whole in [
            "ls -l",
            "echo 'if' \"$(case x in y) ;; esac)\" \\\" `date`",
            "if true; then ls; fi",
            "for i in a b; do\n  echo $i\ndone",
            "while read -r x; do echo; done <file",
            "f() { ls; }",
            "(cd / && ls) || true",
            "ls # it's not a quote",
            "sleep 1 &",
            "",
        ] {
            assert!(is_whole(whole), "{whole}");
        }
        for part in [
            "if true; then",
            "fi",
            "for i in a b; do",
            "case $x in",
            "a) ls ;;",
            "echo 'open",
            "echo \"open",
            "echo \\",
            "cat <<END",
            "f() {",
            "ls |",
            "true &&",
            "for i in a b",
            "case x in y) ;; esac",
        ] {
            assert!(!is_whole(part), "{part}");
        }
    }
}
