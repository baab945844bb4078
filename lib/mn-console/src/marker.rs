//! Commands typed to a shell whose answer an echo cannot fake.
//!
//! What is typed holds `mn''-`, which the shell joins to `mn-`; the terminal's echo shows it as it was typed. So
//! `<mn-end TOKEN STATUS>` on the console was printed by the shell, whatever its prompt looks like.

/// The kinds of marker.
pub mod kind {
    /// The shell is there and reads; the number is the exit status of what was looked at.
    pub const READY: &str = "ready";
    /// A command has ended; the number is its exit status.
    pub const END: &str = "end";
}

/// A line that runs `command`, one or more shell commands, and then makes the shell answer with a `ready` marker that
/// has its status.
pub fn probe_with(command: &str, token: &str) -> String {
    format!("{command}; {}", marker(kind::READY, token, "$?"))
}

/// A line that runs `command`, one or more shell commands, and then prints an `end` marker with its status, twice: one
/// may be damaged on the line.
pub fn framed(command: &str, token: &str) -> String {
    let end = kind::END;
    format!("{command}; {} {end} {token} $?", marker(end, token, "$?"))
}

fn marker(kind: &str, token: &str, status: &str) -> String {
    // printf is told the words apart, so that nothing of the answer stands in the typed line.
    format!("printf '\\n<mn''-%s %s %s>\\n' {kind} {token} {status}")
}

/// An answer as it was found on the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// One of [`kind`].
    pub kind: String,
    /// The token of the typed line.
    pub token: String,
    /// The exit status.
    pub status: i32,
}

impl Mark {
    /// Takes apart what stands between `<mn-` and `>`.
    pub(crate) fn parse(kind: &str, rest: &str) -> Option<Mark> {
        let (token, status) = rest.split_once(' ')?;
        let status = status.parse().ok()?;
        Some(Mark { kind: kind.to_owned(), token: token.to_owned(), status })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{Event, Scanner};
    use std::process::Command;

    fn answer(line: &str) -> Vec<u8> {
        Command::new("sh").args(["-c", line]).output().unwrap().stdout
    }

    fn only_event(bytes: &[u8]) -> Option<Event> {
        Scanner::new(0).next(bytes).1
    }

    #[test]
    fn a_shell_answers_with_the_status_of_the_command() {
        let end = Mark { kind: "end".into(), token: "74588.0".into(), status: 3 };
        let twice = answer(&framed("(exit 3)", "74588.0"));
        assert_eq!(twice, b"\n<mn-end 74588.0 3>\n\n<mn-end 74588.0 3>\n");
        assert_eq!(only_event(&twice), Some(Event::Mark(end)));
        let ready = Mark { kind: "ready".into(), token: "7.1".into(), status: 1 };
        assert_eq!(only_event(&answer(&probe_with("false", "7.1"))), Some(Event::Mark(ready)));
    }

    #[test]
    fn the_echo_of_the_typed_line_is_no_answer() {
        assert_eq!(only_event(framed("true", "1").as_bytes()), None);
        assert_eq!(only_event(probe_with("true", "1").as_bytes()), None);
    }
}
