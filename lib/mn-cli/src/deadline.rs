use std::time::{Duration, Instant};

/// The moment at which a wait ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline after `time` from now; more than ten years are ten years.
    pub fn after(time: Duration) -> Self {
        const TEN_YEARS: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
        Self(Instant::now() + time.min(TEN_YEARS))
    }

    /// A deadline after `seconds` from now; a number that is no time counts as 0.
    pub fn after_seconds(seconds: f64) -> Self {
        Self::after(Duration::try_from_secs_f64(seconds).unwrap_or(if seconds > 0.0 {
            Duration::MAX
        } else {
            Duration::ZERO
        }))
    }

    /// The time that is left; 0 once it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The time that is left as poll(2) takes it: rounded up to milliseconds, so that a poll does not end early.
    pub fn poll_timeout(self) -> u16 {
        let left = self.remaining();
        u16::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(u16::MAX)
    }

    /// Whether it has passed.
    pub fn passed(self) -> bool {
        self.remaining().is_zero()
    }

    /// The moment itself.
    pub fn instant(self) -> Instant {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_numbers_of_seconds_are_no_panic() {
        assert!(Deadline::after_seconds(-1.0).passed());
        assert!(Deadline::after_seconds(f64::NAN).passed());
        assert!(!Deadline::after_seconds(f64::INFINITY).passed());
        assert_eq!(Deadline::after_seconds(1e9).poll_timeout(), u16::MAX);
    }
}
