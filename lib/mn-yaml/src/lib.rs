//! YAML as PyYAML's safe loader reads it, with the style and position of every node.
//!
//! LAVA's jobs and device dictionaries are read by PyYAML, that is as YAML 1.1: `yes` is true,
//! `012` is ten, `12:30` is 750, `1e3` is text, and of two equal keys the last one wins. The
//! events come from `saphyr-parser`; what scalars mean is decided here.
//!
//! ```
//! let document = mn_yaml::parse(b"name: smoke\nskip: no\nsteps: [ls, 0777]\n")?;
//! let root = document.root.as_map()?;
//! assert_eq!(root.require("name")?.as_str()?, "smoke");
//! assert_eq!(document.root.value(), serde_json::json!({"name": "smoke", "skip": false, "steps": ["ls", 511]}));
//! let skip = root.get("skip").expect("the key is there");
//! assert_eq!(skip.position().to_string(), "2:7");
//! assert_eq!(skip.as_str().unwrap_err().to_string(), "2:7: expected text, found the boolean false: quote it as 'no'");
//! # Ok::<(), mn_yaml::Error>(())
//! ```
//!
//! Nothing is printed: [`parse`] returns what deserves a warning in [`Document::warnings`], and
//! errors and warnings name a line and column; the caller puts the file's name in front.
//!
//! # Currency
//!
//! [`Node::value`] gives a [`serde_json::Value`] whose maps keep the order of the file. JSON is
//! narrower than PyYAML's types, so:
//!
//! * integers keep their 64 bits, signed or unsigned; larger ones are an error that asks for quotes;
//! * floats stay floats (`1.0` is not `1`); `.inf`, `-.inf` and `.nan` become the texts `inf`, `-inf` and `nan`;
//! * dates and times become the text Python prints for them (`2024-01-01 10:00:00`);
//! * keys become text the same way (`on: x` has the key `True`, as in a test's parameter lines).
//!
//! [`python_str`] renders such a value as Python's `str()` does, [`document`] writes it as YAML.
//!
//! # Limits
//!
//! A file of [`MAX_BYTES`], [`MAX_DEPTH`] levels, [`MAX_NODES`] nodes and [`MAX_TEXT`] bytes of
//! text, aliases counted as often as they are used. Reaching one is an error.

mod build;
mod error;
mod input;
mod node;
mod python;
mod resolve;
mod timestamp;
mod versions;
mod write;

pub use build::{MAX_DEPTH, MAX_NODES, MAX_TEXT, parse};
pub use error::{Error, Position, Warning};
pub use input::MAX_BYTES;
pub use node::{Entry, Kind, Mapping, Node, Scalar, Style};
pub use python::python_str;
pub use versions::{Weight, differences};
pub use write::document;

/// What a file held: its one document, and what its author should know about it.
#[derive(Clone, Debug)]
pub struct Document {
    /// The top node; null for an empty file.
    pub root: Node,
    /// Accepted, but likely a mistake (a key given twice); in the order of the file.
    pub warnings: Vec<Warning>,
}
