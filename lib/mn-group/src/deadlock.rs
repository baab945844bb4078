//! When a group in which everybody waits has waited long enough.

use std::time::Duration;

/// Remembers the last request, and whether every live member waits.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watchdog {
    last_request: Duration,
    all_wait: bool,
}

impl Watchdog {
    /// A request, or the end of a connection, came. A board's background process may send while its
    /// test waits, so every request counts anew.
    pub(crate) fn heard(&mut self, now: Duration) {
        self.last_request = now;
    }

    /// Takes in whether every live member waits; gives whether that has just become so.
    pub(crate) fn see(&mut self, all_wait: bool) -> bool {
        let news = all_wait && !self.all_wait;
        self.all_wait = all_wait;
        news
    }

    /// When the waits end if nothing comes.
    pub(crate) fn ends_at(&self, quiet: Duration) -> Option<Duration> {
        self.all_wait.then(|| self.last_request + quiet)
    }
}
