//! From events to nodes: anchors, merge keys, duplicate keys, and the limits.

mod merge;
mod quoted;
mod scalar;

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError};

use self::merge::{key_text, merge_sources, refuse_marks, unite};
use self::quoted::Indented;
use self::scalar::{check_tag, scalar};
use crate::node::{Entry, Kind, Mapping, Node};
use crate::{Document, Error, Position, Warning, input};

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
    let mut text = Cow::Borrowed(input::text(bytes)?);
    let mut indented = Indented::default();
    loop {
        match read(&text, &indented) {
            Ok(document) => return Ok(document),
            Err(Failure::Text(error)) => return Err(error),
            Err(Failure::Scan(error)) => {
                let mended = Indented::mends(&error).then(|| indented.mend(&text, error.marker())).flatten();
                text = Cow::Owned(mended.ok_or_else(|| scan_error(&error, &text, &indented))?);
            }
        }
    }
}

/// Why a text is not read: by the parser, or by what is made of its events.
enum Failure {
    Scan(ScanError),
    Text(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Text(error)
    }
}

fn read(text: &str, indented: &Indented) -> Result<Document, Failure> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    let mut documents = 0;
    while let Some(next) = parser.next_event() {
        let (event, span) = next.map_err(Failure::Scan)?;
        let (event, at) = (as_written(event, text, span.end), position(&span.start, indented));
        match event {
            Event::DocumentStart(_) if documents > 0 => {
                return Err(Error::new(at, "a second document starts here: a file holds one").into());
            }
            Event::DocumentStart(_) => documents += 1,
            Event::StreamEnd => break,
            event => builder.event(event, at)?,
        }
    }
    Ok(builder.finish()?)
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

fn position(marker: &Marker, indented: &Indented) -> Position {
    Position { line: marker.line(), column: indented.column(marker.line(), marker.col() + 1) }
}

/// The parser speaks of tokens; the mistakes people make deserve plainer words.
fn scan_error(error: &ScanError, text: &str, indented: &Indented) -> Error {
    let at = position(error.marker(), indented);
    let line = text.lines().nth(at.line.saturating_sub(1)).unwrap_or("");
    let indent = &line[..line.len() - line.trim_start().len()];
    if let Some(tab) = indent.find('\t') {
        let at = Position { column: indent[..tab].chars().count() + 1, ..at };
        return Error::new(at, "tab in the indentation: use spaces");
    }
    let info = error.info();
    let message = if info.contains("unexpected character") {
        let c = line.chars().nth(error.marker().col()).unwrap_or(' ');
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
mod tests;
