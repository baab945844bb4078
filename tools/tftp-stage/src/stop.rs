//! The wish to stop, passed to the thread that works.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mn_cli::{Error, Result, Status};

/// Shared by the thread that waits for signals and the one that works.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks the work to end.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Fails once the work is to end; asked between any two pieces of work that each take a moment.
    ///
    /// # Errors
    /// One that says nothing: why the work ends, the thread that asked for it knows.
    pub fn check(&self) -> Result<()> {
        if self.0.load(Ordering::Relaxed) { Err(Error::silent(Status::Lab)) } else { Ok(()) }
    }
}
