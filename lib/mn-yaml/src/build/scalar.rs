//! Scalars and tags.

use saphyr_parser::{ScalarStyle, Tag};

use crate::node::{Kind, Node, Scalar, Style};
use crate::resolve::{Resolved, plain, tagged};
use crate::{Error, Position};

pub fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Position) -> Result<Node, Error> {
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

pub fn check_tag(tag: Option<&Tag>, own: &str, at: Position) -> Result<(), Error> {
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
