use std::time::SystemTime;

/// The present moment as messages have it: UTC, RFC 3339, microseconds.
pub fn now() -> String {
    stamp(SystemTime::now())
}

/// A moment as messages have it.
pub fn stamp(moment: SystemTime) -> String {
    humantime::format_rfc3339_micros(moment).to_string()
}

/// Reads a moment of a message.
pub fn parse_moment(text: &str) -> Option<SystemTime> {
    humantime::parse_rfc3339(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, UNIX_EPOCH};

    #[test]
    fn a_moment_has_microseconds_and_a_z() {
        let moment = UNIX_EPOCH + Duration::from_micros(1_700_000_000_000_001);
        assert_eq!(stamp(moment), "2023-11-14T22:13:20.000001Z");
        assert_eq!(parse_moment("2023-11-14T22:13:20.000001Z"), Some(moment));
    }
}
