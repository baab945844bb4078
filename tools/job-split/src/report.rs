//! Findings as people and programs read them.

use crate::findings::{Finding, Findings, Level};
use annotate_snippets::{AnnotationKind, Group, Level as Tone, Renderer, Snippet};
use mn_yaml::Position;
use serde_json::json;
use std::collections::HashSet;
use std::ops::Range;

/// The form of the diagnostics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Form {
    /// A line, and the source below it.
    Text,
    /// A JSON object a line.
    Json,
}

/// More than this of a source line is not shown, in characters.
const WIDTH: usize = 120;

/// Keys whose values are nobody's business, on a terminal or in the log of a CI.
const SECRET: [&str; 4] = ["secrets", "password", "environment", "token"];

/// Prints all findings of the files of these levels, file by file.
pub fn tell<'a>(files: impl IntoIterator<Item = &'a Findings>, levels: &[Level], form: Form) {
    for file in files {
        let found = file.of(levels);
        if found.is_empty() {
            continue;
        }
        let hidden = hidden(file.source());
        for mut finding in found {
            if hidden.contains(&finding.at.line) {
                finding.text = discreet(&finding.text);
            }
            match form {
                Form::Text => text(file, &finding, &hidden),
                Form::Json => mn_cli::print_block(&json_line(file.file(), &finding)),
            }
        }
    }
}

/// All pictures of a file's findings, for tests that only want them drawn.
#[cfg(test)]
pub fn draw(file: &Findings) -> Vec<String> {
    let hidden = hidden(file.source());
    let found = file.of(&[Level::Error, Level::Stuck, Level::Warning, Level::Note]);
    found.iter().map(|finding| snippet(file.source(), finding, &hidden) + &json_line(file.file(), finding)).collect()
}

fn text(file: &Findings, finding: &Finding, hidden: &HashSet<usize>) {
    let level = match finding.level {
        Level::Error | Level::Stuck => String::new(),
        level => format!("{}: ", level.name()),
    };
    let headline = format!("{level}{}:{}: {}", file.file(), finding.at, finding.text);
    mn_cli::print_with_block(&headline, &snippet(file.source(), finding, hidden));
}

/// The source lines of a finding with carets below; empty when there is nothing to show.
fn snippet(source: &str, finding: &Finding, hidden: &HashSet<usize>) -> String {
    let tone = match finding.level {
        Level::Error | Level::Stuck => Tone::ERROR,
        Level::Warning => Tone::WARNING,
        Level::Note => Tone::NOTE,
    };
    let mut places = vec![(finding.at, "")];
    places.extend(finding.also.iter().map(|(at, text)| (*at, text.as_str())));
    let mut group = Group::with_level(tone);
    let mut shown = 0;
    for (nth, (at, label)) in places.iter().enumerate() {
        let line = source.lines().nth(at.line.saturating_sub(1));
        let Some(line) = line.filter(|line| !hidden.contains(&at.line) && !line.trim().is_empty()) else { continue };
        let (line, span) = window(line, at.column);
        let kind = if nth == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(span);
        let annotation = if label.is_empty() { annotation } else { annotation.label(label.to_string()) };
        group = group.element(Snippet::source(line).line_start(at.line).annotation(annotation));
        shown += 1;
    }
    if shown == 0 {
        return String::new();
    }
    let drawn = Renderer::plain().render(&[group]);
    // Between places that are apart the renderer leaves room for the name of a file.
    drawn.lines().map(|line| line.replace("::: ", "...").trim_end().to_owned() + "\n").collect()
}

/// A line and the bytes of the word at a column, cut where the line is long.
fn window(line: &str, column: usize) -> (String, Range<usize>) {
    let from = column.saturating_sub(1).saturating_sub(WIDTH / 2);
    let kept: String = line.chars().skip(from).take(WIDTH).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let start = kept.char_indices().nth(column - 1 - from).map_or(kept.len(), |(at, _)| at);
    let length = word(&kept[start..]);
    let range = start..start + length;
    (kept, range)
}

/// How many bytes the value or key at the start of `rest` takes.
fn word(rest: &str) -> usize {
    let quote = rest.chars().next().filter(|c| "'\"".contains(*c));
    if let Some(quote) = quote {
        return rest[1..].find(quote).map_or(rest.len(), |end| end + 2);
    }
    let end = |(at, c): (usize, char)| {
        let after = rest[at + c.len_utf8()..].chars().next();
        (c == ':' && after.is_none_or(char::is_whitespace) || ",]}".contains(c) || c == '#').then_some(at)
    };
    let length = rest.char_indices().skip(1).find_map(end).unwrap_or(rest.len());
    rest[..length].trim_end().len().max(rest.chars().next().map_or(0, char::len_utf8))
}

/// What is said about a value, without the value.
fn discreet(text: &str) -> String {
    if text.contains(" in YAML 1.1") || text.contains(" in YAML 1.2") {
        return "this value is not text in every version of YAML: quote it if it is text".to_owned();
    }
    match text.split_once(", found ") {
        Some((expected, _)) => format!("{expected}: quote it if it is text"),
        None => text.to_owned(),
    }
}

/// The lines that name a secret, and what is indented below them. By the text: a file that is no YAML has
/// secrets too, and so has a value that a second one of its key replaced.
fn hidden(source: &str) -> HashSet<usize> {
    let mut hidden = HashSet::new();
    let mut below: Option<usize> = None;
    for (number, line) in source.lines().enumerate() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        if below.is_some_and(|outer| text.is_empty() || indent > outer) {
            hidden.insert(number + 1);
            continue;
        }
        below = None;
        if SECRET.iter().any(|key| text.contains(key)) {
            hidden.insert(number + 1);
            // The key after a dash stands deeper than the dash.
            below = Some(indent + (text.len() - text.trim_start_matches(['-', ' ']).len()));
        }
    }
    hidden
}

fn json_line(file: &str, finding: &Finding) -> String {
    let place = |at: Position, text: &str| json!({"line": at.line, "column": at.column, "message": text});
    let mut object = json!({
        "file": file, "line": finding.at.line, "column": finding.at.column,
        "severity": finding.level.name(), "message": finding.text,
    });
    if !finding.also.is_empty() {
        object["related"] = finding.also.iter().map(|(at, text)| place(*at, text)).collect();
    }
    object.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown_whatever_the_shape() {
        let source = "a: 1\nsecrets:\n  key: x\n\n  other: y\nb: {password: z}\nc: 2\n- secrets:\n    k: v\n- d\n";
        let mut lines: Vec<_> = hidden(source).into_iter().collect();
        lines.sort_unstable();
        assert_eq!(lines, [2, 3, 4, 5, 6, 8, 9]);
    }

    #[test]
    fn the_caret_covers_a_word_and_long_lines_are_cut() {
        for (line, column, expected) in [
            ("  host_role: hots # x", 14, "hots"),
            ("  host_role: hots", 3, "host_role"),
            ("a: ['b c', d]", 5, "'b c'"),
            ("a: [b c, d]", 5, "b c"),
            ("a: é", 4, "é"),
        ] {
            let (line, span) = window(line, column);
            assert_eq!(&line[span], expected);
        }
        let long = format!("{}here{}", "x ".repeat(500), " y".repeat(500));
        let (line, span) = window(&long, 1001);
        assert_eq!((line.chars().count(), line[span].starts_with("here")), (WIDTH, true));
        assert_eq!(window("ab", 4).1, 2..2);
    }
}
