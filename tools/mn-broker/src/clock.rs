//! The broker's time: microseconds since it first began, whatever restarts lie between.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A clock that goes on where the journal ends.
#[derive(Debug)]
pub struct Clock {
    began: Instant,
    base: Duration,
}

impl Clock {
    /// A clock that stands at `base` now.
    pub fn at(base: Duration) -> Self {
        Self { began: Instant::now(), base }
    }

    /// The time, in whole microseconds as the journal writes it.
    pub fn now(&self) -> Duration {
        whole(self.base + self.began.elapsed())
    }
}

/// Microseconds since 1970.
pub fn wall() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn whole(time: Duration) -> Duration {
    Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(u64::MAX))
}
