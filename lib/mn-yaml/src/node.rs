//! The tree: what stands in the file, and what it means.

use serde_json::{Map, Value};

use crate::resolve::Resolved;
use crate::{Error, Position};

/// One value of a document, with the place where it begins.
#[derive(Clone, Debug)]
pub struct Node {
    pub(crate) position: Position,
    pub(crate) kind: Kind,
}

/// The three shapes of a node.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A single value.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping.
    Mapping(Mapping),
}

/// A single value: its text, how it was written, what it means.
#[derive(Clone, Debug)]
pub struct Scalar {
    pub(crate) text: String,
    pub(crate) style: Style,
    pub(crate) resolved: Resolved,
}

/// How a scalar was written. Only plain scalars can be anything but text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Without quotes.
    Plain,
    /// In single or double quotes.
    Quoted,
    /// As a block after `|` or `>`.
    Block,
}

/// A mapping in the order of the file: merge keys resolved, each key once, the last value kept.
#[derive(Clone, Debug)]
pub struct Mapping {
    pub(crate) position: Position,
    pub(crate) entries: Vec<Entry>,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key as text; what is no text is written as Python prints it (`True`, `None`, `8`).
    pub key: String,
    /// Where the key stands.
    pub key_position: Position,
    /// The value.
    pub value: Node,
}

impl Node {
    /// Where the node begins: a block scalar with its first line of text, an alias with the node it
    /// stands for.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The node's shape.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether this is null (`~`, `null`, or nothing at all).
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if scalar.resolved == Resolved::Value(Value::Null))
    }

    /// The whole value as JSON, with the order of keys kept (see the crate's page for what JSON
    /// cannot hold).
    pub fn value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.value(),
            Kind::Sequence(items) => items.iter().map(Node::value).collect(),
            Kind::Mapping(mapping) => mapping.value(),
        }
    }

    /// The mapping.
    ///
    /// # Errors
    ///
    /// When this is something else.
    pub fn as_map(&self) -> Result<&Mapping, Error> {
        match &self.kind {
            Kind::Mapping(mapping) => Ok(mapping),
            _ => Err(self.expected("a mapping")),
        }
    }

    /// The items of a list.
    ///
    /// # Errors
    ///
    /// When this is something else.
    pub fn as_list(&self) -> Result<&[Node], Error> {
        match &self.kind {
            Kind::Sequence(items) => Ok(items),
            _ => Err(self.expected("a list")),
        }
    }

    /// The text of a string.
    ///
    /// # Errors
    ///
    /// When this is something else; a plain scalar that YAML 1.1 takes for a number or a boolean
    /// is told how to become text.
    pub fn as_str(&self) -> Result<&str, Error> {
        match &self.kind {
            Kind::Scalar(scalar) if scalar.is_text() => Ok(&scalar.text),
            _ => Err(self.expected("text")),
        }
    }

    /// The value of an integer.
    ///
    /// # Errors
    ///
    /// When this is something else, or above 2⁶³ − 1.
    pub fn as_int(&self) -> Result<i64, Error> {
        self.value().as_i64().ok_or_else(|| self.expected("an integer"))
    }

    /// The value of an integer or a float.
    ///
    /// # Errors
    ///
    /// When this is something else.
    pub fn as_float(&self) -> Result<f64, Error> {
        self.value().as_f64().ok_or_else(|| self.expected("a number"))
    }

    /// The value of a boolean.
    ///
    /// # Errors
    ///
    /// When this is something else.
    pub fn as_bool(&self) -> Result<bool, Error> {
        self.value().as_bool().ok_or_else(|| self.expected("a boolean"))
    }

    /// The error for a node of the wrong kind: `expected …, found …`.
    pub fn expected(&self, what: &str) -> Error {
        let mut message = format!("expected {what}, found {}", self.describe());
        if let Kind::Scalar(scalar) = &self.kind
            && what == "text"
            && !scalar.text.is_empty()
            && !self.is_null()
        {
            message.push_str(&format!(": quote it as '{}'", scalar.text));
        }
        Error::new(self.position, message)
    }

    /// What this is, in words: `the integer 750`, `a list`.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Sequence(_) => "a list".to_owned(),
            Kind::Mapping(_) => "a mapping".to_owned(),
            Kind::Scalar(scalar) => match scalar.value() {
                Value::Null => "nothing".to_owned(),
                Value::Bool(value) => format!("the boolean {value}"),
                Value::Number(value) if value.is_f64() => format!("the number {value}"),
                Value::Number(value) => format!("the integer {value}"),
                _ if scalar.is_text() => "text".to_owned(),
                value => format!("the date or number {value}"),
            },
        }
    }
}

impl Scalar {
    /// The text as written, quotes and escapes undone.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How it was written.
    pub fn style(&self) -> Style {
        self.style
    }

    /// Whether it means text, and not a number, a boolean, a date or null.
    pub fn is_text(&self) -> bool {
        self.resolved == Resolved::Text
    }

    pub(crate) fn value(&self) -> Value {
        match &self.resolved {
            Resolved::Value(value) => value.clone(),
            _ => Value::String(self.text.clone()),
        }
    }
}

impl Mapping {
    /// Where the mapping begins.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Keys and values, in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The value of a key, if the key is there (its value may still be null).
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// The key and its value, if it is there.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// The value of a key.
    ///
    /// # Errors
    ///
    /// When the key is missing, at the mapping's position.
    pub fn require(&self, key: &str) -> Result<&Node, Error> {
        self.get(key).ok_or_else(|| Error::new(self.position, format!("missing key '{key}'")))
    }

    /// The mapping as JSON, as [`Node::value`] gives it.
    pub fn value(&self) -> Value {
        let pairs = self.entries.iter().map(|entry| (entry.key.clone(), entry.value.value()));
        Value::Object(pairs.collect::<Map<_, _>>())
    }
}
