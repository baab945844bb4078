//! The JSON messages on pipes: envelope, role message, results, holders and the run directory, as mn-message(5) has them.

mod decoder;
mod held;
mod holder;
mod message;
mod reader;
pub mod role;
mod rundir;
mod stamp;
pub mod template;
mod writer;

pub use decoder::{Decoder, MAX_LINE};
pub use held::Held;
pub use holder::{Holder, Wake};
pub use message::{Kind, Message, put_line};
pub use reader::{Input, Reader, read_one_role};
pub use role::Role;
pub use rundir::{MemberDir, RunDir};
pub use stamp::{now, parse_moment, stamp};
pub use writer::Writer;

/// A JSON object whose keys keep their order.
pub type Object = serde_json::Map<String, serde_json::Value>;
