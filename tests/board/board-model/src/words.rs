//! A bootloader's command line.

/// The words of a line as the shells of U-Boot and barebox take them: quotes, and outside single ones `${NAME}` with the
/// value that `value` gives.
pub fn words<'a>(line: &str, value: impl Fn(&str) -> &'a str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), None::<String>);
    let (mut quote, mut rest) = (None, line);
    while let Some(char) = rest.chars().next() {
        let name = rest.strip_prefix("${").and_then(|rest| rest.split_once('}')).filter(|_| quote != Some('\''));
        if let Some((name, after)) = name {
            word.get_or_insert_default().push_str(value(name));
            rest = after;
            continue;
        }
        rest = &rest[char.len_utf8()..];
        match (quote, char) {
            (Some(open), _) if open == char => quote = None,
            (None, '\'' | '"') => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    words
}
