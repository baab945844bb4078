//! What a job names by an address: HTTP downloads, and the digests that the job gives for them.
//!
//! Errors are reasons without a subject, for [`mn_cli::Cannot`]: the caller knows what was to be fetched, and for whom.

mod digest;
mod http;

pub use digest::{Digests, Given};
pub use http::{Response, get, is_timeout};
