//! What a job names by an address: HTTP downloads, the digests that the job gives for them, and how caches name it.
//!
//! Errors are reasons without a subject, for [`mn_cli::Cannot`]: the caller knows what was to be fetched, and for whom.

mod digest;
mod http;
mod mirror;

pub use digest::{Digests, Given, name_of};
pub use http::{Response, get, is_timeout};
pub use mirror::mirror;
