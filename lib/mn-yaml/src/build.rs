//! From events to nodes: anchors, merge keys, duplicate keys, and the limits.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput, Tag};

use crate::node::{Entry, Kind, Mapping, Node, Scalar, Style};
use crate::resolve::{Resolved, plain, tagged};
use crate::{Document, Error, Position, Warning, input, python_str};

/// The deepest nesting. A message on a pipe nests a few levels more, and JSON readers stop at 128.
pub const MAX_DEPTH: usize = 64;

/// The most nodes of a document, with every alias counted as what it stands for.
pub const MAX_NODES: usize = 100_000;

/// The most text of all scalars together, in bytes, aliases counted as above.
pub const MAX_TEXT: usize = 16 << 20;

/// Reads a file of one YAML document.
///
/// # Errors
///
/// The first reason why PyYAML would not read it, or the first limit it exceeds.
pub fn parse(bytes: &[u8]) -> Result<Document, Error> {
    let text = input::text(bytes)?;
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some((event, at)) = next_event(&mut parser, text)? {
        match event {
            Event::DocumentStart(_) if documents > 0 => {
                return Err(Error::new(at, "a second document starts here: a file holds one"));
            }
            Event::DocumentStart(_) => documents += 1,
            Event::StreamEnd => break,
            event => builder.event(event, at)?,
        }
    }
    builder.finish()
}

fn next_event<'t>(parser: &mut Parser<'t, StrInput<'t>>, text: &str) -> Result<Option<(Event<'t>, Position)>, Error> {
    match parser.next_event() {
        None => Ok(None),
        Some(Ok((event, span))) => Ok(Some((as_written(event, text, span.end), position(&span.start)))),
        Some(Err(error)) => Err(scan_error(&error, text)),
    }
}

/// The parser ends every block scalar with a newline; PyYAML does not where the file ends without one.
fn as_written<'t>(event: Event<'t>, text: &str, end: Marker) -> Event<'t> {
    match event {
        Event::Scalar(mut value, style @ (ScalarStyle::Literal | ScalarStyle::Folded), anchor, tag)
            if value.ends_with('\n') && !text.ends_with('\n') && end.index() >= text.chars().count() =>
        {
            value.to_mut().pop();
            Event::Scalar(value, style, anchor, tag)
        }
        event => event,
    }
}

fn position(marker: &Marker) -> Position {
    Position { line: marker.line(), column: marker.col() + 1 }
}

/// The parser speaks of tokens; the mistakes people make deserve plainer words.
fn scan_error(error: &ScanError, text: &str) -> Error {
    let at = position(error.marker());
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or("");
    let indent = &line[..line.len() - line.trim_start().len()];
    if let Some(tab) = indent.find('\t') {
        let at = Position { column: indent[..tab].chars().count() + 1, ..at };
        return Error::new(at, "tab in the indentation: use spaces");
    }
    let info = error.info();
    let message = if info.contains("unexpected character") {
        let c = line.chars().nth(at.column - 1).unwrap_or(' ');
        format!("a value cannot begin with '{c}': quote it")
    } else if info.contains("mapping values are not allowed") {
        "': ' inside a plain value: quote the value".to_owned()
    } else if info.contains("invalid indentation") {
        "every line of this value must be indented deeper than its key".to_owned()
    } else if info.contains("found a tab") {
        "tab in the lines of this value: use spaces".to_owned()
    } else if info.contains("recursion limit") {
        too_deep()
    } else {
        format!("not YAML: {info}")
    };
    Error::new(at, message)
}

fn too_deep() -> String {
    format!("nested too deep: more than {MAX_DEPTH} levels")
}

/// A collection whose end has not come yet.
enum Open {
    Sequence(Vec<Node>),
    Mapping { pairs: Vec<(Node, Node)>, key: Option<Node> },
}

struct Frame {
    position: Position,
    anchor: usize,
    open: Open,
}

#[derive(Default)]
struct Builder {
    frames: Vec<Frame>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    warnings: Vec<Warning>,
    nodes: usize,
    text: usize,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, at: Position) -> Result<(), Error> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let node = scalar(&text, style, tag.as_deref(), at)?;
                self.charge(&node, at)?;
                self.add(node, anchor, at)
            }
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), "seq", at)?;
                self.open(Open::Sequence(Vec::new()), anchor, at)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), "map", at)?;
                self.open(Open::Mapping { pairs: Vec::new(), key: None }, anchor, at)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(id) => {
                let node = self.anchors.get(&id).cloned();
                let node = node.ok_or_else(|| Error::new(at, "alias inside the node it names"))?;
                self.charge(&node, at)?;
                self.check_depth(depth(&node), at)?;
                self.add(node, 0, at)
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, open: Open, anchor: usize, at: Position) -> Result<(), Error> {
        self.check_depth(1, at)?;
        self.nodes += 1;
        self.frames.push(Frame { position: at, anchor, open });
        self.check_budget(at)
    }

    fn close(&mut self) -> Result<(), Error> {
        let Some(Frame { position, anchor, open }) = self.frames.pop() else {
            return Ok(());
        };
        let kind = match open {
            Open::Sequence(items) => Kind::Sequence(items),
            Open::Mapping { pairs, .. } => Kind::Mapping(self.mapping(pairs, position)?),
        };
        self.add(Node { position, kind }, anchor, position)
    }

    /// Puts a finished node where it belongs; `at` is where it is used.
    fn add(&mut self, node: Node, anchor: usize, at: Position) -> Result<(), Error> {
        if anchor != 0 {
            self.charge(&node, at)?;
            self.anchors.insert(anchor, node.clone());
        }
        let is_value = match self.frames.last_mut().map(|frame| &mut frame.open) {
            None => {
                self.root = Some(node);
                return Ok(());
            }
            Some(Open::Sequence(items)) => {
                refuse_marks(&node)?;
                items.push(node);
                return Ok(());
            }
            Some(Open::Mapping { key, .. }) => key.is_some(),
        };
        if is_value {
            refuse_marks(&node)?;
        } else if !matches!(node.kind, Kind::Scalar(_)) {
            return Err(Error::new(at, "a key must be a single value: quote it if it is text"));
        }
        if let Some(Open::Mapping { pairs, key }) = self.frames.last_mut().map(|frame| &mut frame.open) {
            match key.take() {
                Some(taken) => pairs.push((taken, node)),
                None => *key = Some(node),
            }
        }
        Ok(())
    }

    /// Resolves merge keys and duplicates. As in PyYAML what is merged comes first, so that the
    /// mapping's own keys win, and a key keeps the place where it first stood.
    fn mapping(&mut self, pairs: Vec<(Node, Node)>, position: Position) -> Result<Mapping, Error> {
        let (mut merged, mut own) = (Vec::new(), Vec::new());
        for (key, value) in pairs {
            match key_text(&key) {
                None => merged.extend(merge_sources(value)?),
                Some(text) => own.push(Entry { key: text, key_position: key.position, value }),
            }
        }
        for entry in &merged {
            self.charge(&entry.value, position)?;
        }
        let (mut entries, mut places) = (Vec::new(), HashMap::new());
        unite(merged, &mut entries, &mut places);
        let mut seen = HashMap::new();
        for entry in &own {
            if let Some(first) = seen.insert(entry.key.clone(), entry.key_position) {
                let message = format!("duplicate key '{}': this one counts, the one at {first} does not", entry.key);
                self.warnings.push(Warning { position: entry.key_position, message });
            }
        }
        unite(own, &mut entries, &mut places);
        Ok(Mapping { position, entries })
    }

    /// Counts a node and all below it against the limits.
    fn charge(&mut self, node: &Node, at: Position) -> Result<(), Error> {
        let (nodes, text) = size(node);
        self.nodes += nodes;
        self.text += text;
        self.check_budget(at)
    }

    fn check_budget(&self, at: Position) -> Result<(), Error> {
        if self.nodes > MAX_NODES || self.text > MAX_TEXT {
            let message =
                format!("document too large: more than {MAX_NODES} values or {MAX_TEXT} bytes, aliases expanded");
            return Err(Error::new(at, message));
        }
        Ok(())
    }

    fn check_depth(&self, more: usize, at: Position) -> Result<(), Error> {
        if self.frames.len() + more > MAX_DEPTH {
            return Err(Error::new(at, too_deep()));
        }
        Ok(())
    }

    fn finish(self) -> Result<Document, Error> {
        let mut warnings = self.warnings;
        warnings.sort_by_key(|warning| warning.position);
        let root = match self.root {
            Some(root) => root,
            None => scalar("", ScalarStyle::Plain, None, Position::START)?,
        };
        refuse_marks(&root)?;
        Ok(Document { root, warnings })
    }
}

/// Adds entries to a mapping; a later one replaces an earlier one in its place.
fn unite(new: Vec<Entry>, entries: &mut Vec<Entry>, places: &mut HashMap<String, usize>) {
    for entry in new {
        match places.get(&entry.key) {
            Some(&place) => entries[place] = entry,
            None => {
                places.insert(entry.key.clone(), entries.len());
                entries.push(entry);
            }
        }
    }
}

/// The text of a key; none for the merge key.
fn key_text(key: &Node) -> Option<String> {
    match &key.kind {
        Kind::Scalar(scalar) if scalar.resolved == Resolved::Merge => None,
        _ if key.is_null() => Some("None".to_owned()),
        _ => Some(python_str(&key.value())),
    }
}

/// The entries a merge key brings in. Of a list the first mapping wins, so it comes last.
fn merge_sources(value: Node) -> Result<Vec<Entry>, Error> {
    match value.kind {
        Kind::Mapping(mapping) => Ok(mapping.entries),
        Kind::Sequence(items) => {
            let mut entries = Vec::new();
            for item in items.into_iter().rev() {
                match item.kind {
                    Kind::Mapping(mapping) => entries.extend(mapping.entries),
                    _ => return Err(item.expected("a mapping to merge")),
                }
            }
            Ok(entries)
        }
        _ => Err(value.expected("a mapping, or a list of mappings, to merge")),
    }
}

/// `<<` and `=` mean nothing as a value, and PyYAML refuses them.
fn refuse_marks(node: &Node) -> Result<(), Error> {
    match &node.kind {
        Kind::Scalar(scalar) if matches!(scalar.resolved, Resolved::Merge | Resolved::Equals) => {
            let message = format!("plain '{}' is no value in YAML 1.1: quote it", scalar.text);
            Err(Error::new(node.position, message))
        }
        _ => Ok(()),
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Position) -> Result<Node, Error> {
    let style = match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
    };
    let resolved = match tag {
        None if style == Style::Plain => plain(text),
        None => Ok(Resolved::Text),
        // As in PyYAML, even in quotes.
        Some(tag) if is_non_specific(tag) => plain(text),
        Some(tag) if tag.is_yaml_core_schema() => tagged(&tag.suffix, text),
        Some(tag) => Err(unsupported(tag)),
    };
    let resolved = resolved.map_err(|message| Error::new(at, message))?;
    let kind = Kind::Scalar(Scalar { text: text.to_owned(), style, resolved });
    Ok(Node { position: at, kind })
}

fn check_tag(tag: Option<&Tag>, own: &str, at: Position) -> Result<(), Error> {
    match tag {
        None => Ok(()),
        Some(tag) if is_non_specific(tag) || (tag.is_yaml_core_schema() && tag.suffix == own) => Ok(()),
        Some(tag) => Err(Error::new(at, unsupported(tag))),
    }
}

fn unsupported(tag: &Tag) -> String {
    if tag.is_yaml_core_schema() {
        format!("tag '!!{}' is not supported", tag.suffix)
    } else {
        format!("tag '{tag}' is not supported")
    }
}

/// A lone `!`.
fn is_non_specific(tag: &Tag) -> bool {
    tag.suffix == "!" && tag.handle.is_empty() || tag.handle == "!" && tag.suffix.is_empty()
}

/// Nodes and bytes of text, of a node and all below it.
fn size(node: &Node) -> (usize, usize) {
    let sum = |a: (usize, usize), b: (usize, usize)| (a.0 + b.0, a.1 + b.1);
    match &node.kind {
        Kind::Scalar(scalar) => (1, scalar.text.len()),
        Kind::Sequence(items) => items.iter().map(size).fold((1, 0), sum),
        Kind::Mapping(mapping) => {
            let entries = mapping.entries.iter();
            entries.map(|entry| sum((1, entry.key.len()), size(&entry.value))).fold((1, 0), sum)
        }
    }
}

/// Levels of collections from here down.
fn depth(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(_) => 0,
        Kind::Sequence(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Kind::Mapping(mapping) => 1 + mapping.entries.iter().map(|entry| depth(&entry.value)).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn value(text: &str) -> Value {
        parse(text.as_bytes()).unwrap().root.value()
    }

    fn error(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn only_plain_scalars_are_resolved() {
        assert_eq!(value("[yes, 'yes', \"yes\", ! yes, !!str yes]"), json!([true, "yes", "yes", true, "yes"]));
        assert_eq!(value("- |\n  yes\n- >-\n  yes\n"), json!(["yes\n", "yes"]));
    }

    #[test]
    fn style_and_position_are_kept() {
        let root = parse(b"a: 'x'\nb:\n  - |\n    y\n  - z\n").unwrap().root;
        let map = root.as_map().unwrap();
        let style = |node: &Node| match node.kind() {
            Kind::Scalar(scalar) => scalar.style(),
            other => panic!("{other:?}"),
        };
        assert_eq!(style(map.get("a").unwrap()), Style::Quoted);
        let items = map.get("b").unwrap().as_list().unwrap();
        assert_eq!((style(&items[0]), items[0].position().to_string()), (Style::Block, "4:5".to_owned()));
        assert_eq!((style(&items[1]), items[1].position().to_string()), (Style::Plain, "5:5".to_owned()));
        assert_eq!(map.entry("b").unwrap().key_position.to_string(), "2:1");
    }

    #[test]
    fn keys_that_are_no_text_print_as_python_prints_them() {
        assert_eq!(
            value("on: 1\n~: 2\n010: 3\n1.50: 4\n'on': 5\n"),
            json!({"True": 1, "None": 2, "8": 3, "1.5": 4, "on": 5})
        );
    }

    #[test]
    fn of_equal_keys_the_last_one_counts_in_the_place_of_the_first() {
        let document = parse(b"a: 1\nb: 2\na: 3\n").unwrap();
        assert_eq!(document.root.value().to_string(), r#"{"a":3,"b":2}"#);
        let warnings: Vec<String> = document.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings, ["3:1: duplicate key 'a': this one counts, the one at 1:1 does not"]);
    }

    #[test]
    fn merged_keys_come_first_and_yield_to_the_mappings_own() {
        let text = "base: &b {x: 1, y: 2}\nc:\n  z: 4\n  <<: *b\n  y: 3\n";
        assert_eq!(value(text)["c"].to_string(), r#"{"x":1,"y":3,"z":4}"#);
        assert!(parse(text.as_bytes()).unwrap().warnings.is_empty());
        assert_eq!(value("<<: [{a: 1}, {a: 2, b: 3}]\n"), json!({"a": 1, "b": 3}));
        assert_eq!(value("'<<': 1\n"), json!({"<<": 1}));
        assert_eq!(error("<<: 5\n"), "1:5: expected a mapping, or a list of mappings, to merge, found the integer 5");
    }

    #[test]
    fn an_alias_stands_for_its_anchor() {
        assert_eq!(value("a: &x [1]\nb: *x\n"), json!({"a": [1], "b": [1]}));
        assert!(error("b: *x\n").starts_with("1:4: not YAML: "));
        assert_eq!(error("a: &x [*x]\n"), "1:8: alias inside the node it names");
    }

    #[test]
    fn a_file_holds_one_document() {
        assert_eq!(value(""), Value::Null);
        assert_eq!(value("--- \na: 1\n...\n"), json!({"a": 1}));
        assert_eq!(error("a: 1\n---\nb: 2\n"), "2:1: a second document starts here: a file holds one");
    }

    #[test]
    fn common_mistakes_are_told_in_plain_words() {
        assert_eq!(error("a:\n\t- b\n"), "2:1: tab in the indentation: use spaces");
        assert_eq!(error("a: @b\n"), "1:4: a value cannot begin with '@': quote it");
        assert_eq!(error("a: b: c\n"), "1:5: ': ' inside a plain value: quote the value");
        assert_eq!(error("a: {{ b }}\n"), "1:5: a key must be a single value: quote it if it is text");
        assert_eq!(error("a: <<\n"), "1:4: plain '<<' is no value in YAML 1.1: quote it");
        assert_eq!(error("- =\n"), "1:3: plain '=' is no value in YAML 1.1: quote it");
        assert_eq!(error("- !!set {a}\n"), "1:3: tag '!!set' is not supported");
        assert_eq!(error("- !vault x\n"), "1:3: tag '!vault' is not supported");
    }

    #[test]
    fn a_block_at_the_end_of_a_file_without_a_newline_has_none_either() {
        assert_eq!(value("- |\n  x\n  y"), json!(["x\ny"]));
        assert_eq!(value("- |\n  x\n  y\n"), json!(["x\ny\n"]));
        assert_eq!(value("- |-\n  x"), json!(["x"]));
    }

    #[test]
    fn depth_has_a_limit_however_it_is_reached() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert!(error(&nested(MAX_DEPTH + 1)).contains("nested too deep"));
        assert!(error(&nested(20_000)).contains("nested too deep"));
        assert!(error(&"- ".repeat(20_000)).contains("nested too deep"));
        assert!(error(&"{a: ".repeat(20_000)).contains("nested too deep"));
        let half = nested(40);
        assert!(error(&format!("- &a {half}\n- {}*a{}\n", "[".repeat(30), "]".repeat(30))).contains("nested too deep"));
    }

    #[test]
    fn aliases_cannot_make_a_small_file_large() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let uses = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
        }
        assert!(error(&bomb).contains("document too large"));
        let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(1000));
        assert!(error(&text).contains("document too large"));
        assert!(error(&format!("[{}]", "a, ".repeat(MAX_NODES))).contains("document too large"));
    }

    #[test]
    fn accessors_name_the_place_and_the_mend() {
        let root = parse(b"prompt: 12:30\nlist: {}\nempty:\n").unwrap().root;
        let map = root.as_map().unwrap();
        let prompt = map.get("prompt").unwrap();
        assert_eq!(
            prompt.as_str().unwrap_err().to_string(),
            "1:9: expected text, found the integer 750: quote it as '12:30'"
        );
        assert_eq!(prompt.as_int(), Ok(750));
        assert_eq!(
            map.get("list").unwrap().as_list().unwrap_err().to_string(),
            "2:7: expected a list, found a mapping"
        );
        assert!(map.get("empty").unwrap().as_str().unwrap_err().message.ends_with("found nothing"));
        assert_eq!(map.require("name").unwrap_err().to_string(), "1:1: missing key 'name'");
    }

    #[test]
    fn a_jobs_duplicate_install_is_read_as_lava_reads_it() {
        let text = "repository:\n  install:\n    deps: [a]\n  run: {}\n  install:\n    deps: [b]\n";
        let document = parse(text.as_bytes()).unwrap();
        assert_eq!(document.root.value(), json!({"repository": {"install": {"deps": ["b"]}, "run": {}}}));
        assert_eq!(document.warnings[0].position.to_string(), "5:3");
    }
}
