//! How a line is typed on that loses what comes too fast, as `quiet:100,chunk:16:20,echo` says it: mn-message(5), Pacing.

use std::str::FromStr;
use std::time::Duration;

/// Milliseconds of silence that may be asked for.
const QUIET: std::ops::RangeInclusive<u64> = 1..=2000;
/// Bytes of a chunk.
const CHUNK: std::ops::RangeInclusive<u64> = 1..=4096;
/// Milliseconds after a chunk.
const PAUSE: std::ops::RangeInclusive<u64> = 0..=60_000;

/// How a line is typed on; by default as fast as it takes it, or with the pause that a text has after each character.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pacing {
    /// The silence that is awaited before a text.
    pub quiet: Option<Duration>,
    /// So many bytes are typed together, and so long is the pause after them.
    pub chunk: Option<(usize, Duration)>,
    /// What goes on when the last has come back.
    pub echo: Echo,
}

/// Whether the echo is awaited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Echo {
    /// Of each character or chunk.
    Awaited,
    /// Of none.
    #[default]
    Ignored,
}

impl FromStr for Pacing {
    type Err = String;

    /// Reads words between commas: `quiet:MS`, `chunk:BYTES:MS`, `echo`.
    fn from_str(text: &str) -> Result<Pacing, String> {
        let mut pacing = Pacing::default();
        for word in text.split(',') {
            let mut parts = word.split(':');
            match (parts.next(), parts.next(), parts.next(), parts.next()) {
                (Some("echo"), None, ..) => pacing.echo = Echo::Awaited,
                (Some("quiet"), Some(time), None, _) => {
                    pacing.quiet = Some(Duration::from_millis(number(time, QUIET, word)?));
                }
                (Some("chunk"), Some(bytes), Some(time), None) => {
                    let pause = Duration::from_millis(number(time, PAUSE, word)?);
                    pacing.chunk = usize::try_from(number(bytes, CHUNK, word)?).ok().map(|bytes| (bytes, pause));
                }
                _ => return Err(format!("'{word}' is none of 'echo', 'chunk:BYTES:MS' and 'quiet:MS'")),
            }
        }
        Ok(pacing)
    }
}

fn number(text: &str, range: std::ops::RangeInclusive<u64>, word: &str) -> Result<u64, String> {
    let wrong = || format!("in '{word}', '{text}' is not {} to {}", range.start(), range.end());
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pacing_is_words_in_any_order() {
        let pacing = |text: &str| text.parse::<Pacing>().unwrap();
        let (quiet, chunk) = (Some(Duration::from_millis(100)), Some((16, Duration::from_millis(20))));
        assert_eq!(pacing("echo"), Pacing { echo: Echo::Awaited, ..Pacing::default() });
        assert_eq!(pacing("chunk:16:20,quiet:100"), Pacing { quiet, chunk, echo: Echo::Ignored });
        assert_eq!(pacing("quiet:100,echo,chunk:16:20"), Pacing { quiet, chunk, echo: Echo::Awaited });
    }

    #[test]
    fn what_is_none_is_told() {
        for (text, why) in [
            ("", "'' is none of 'echo', 'chunk:BYTES:MS' and 'quiet:MS'"),
            ("echo,fast", "'fast' is none of 'echo', 'chunk:BYTES:MS' and 'quiet:MS'"),
            ("echo:1", "'echo:1' is none of 'echo', 'chunk:BYTES:MS' and 'quiet:MS'"),
            ("chunk:16", "'chunk:16' is none of 'echo', 'chunk:BYTES:MS' and 'quiet:MS'"),
            ("chunk:0:5", "in 'chunk:0:5', '0' is not 1 to 4096"),
            ("chunk:1:x", "in 'chunk:1:x', 'x' is not 0 to 60000"),
            ("quiet:2001", "in 'quiet:2001', '2001' is not 1 to 2000"),
        ] {
            assert_eq!(text.parse::<Pacing>(), Err(why.to_owned()));
        }
    }
}
