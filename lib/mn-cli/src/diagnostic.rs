use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

static TOOL: OnceLock<&'static str> = OnceLock::new();
static VERBOSITY: AtomicU8 = AtomicU8::new(0);

/// Sets the name that stands before each diagnostic; the first call holds.
pub(crate) fn name(tool: &'static str) {
    let _ = TOOL.set(tool);
}

/// Says how much [`note`] prints: 0 nothing, 1 what is done (`-v`), 2 what is seen (`-vv`).
pub fn set_verbosity(level: u8) {
    VERBOSITY.store(level, Ordering::Relaxed);
}

/// Prints a warning: `tool: warning: text`.
pub fn warn(text: impl Display) {
    print(format_args!("warning: {text}"));
}

/// Prints `tool: text` when the verbosity is at least `level`.
pub fn note(level: u8, text: impl Display) {
    if VERBOSITY.load(Ordering::Relaxed) >= level {
        print(text);
    }
}

/// One diagnostic, one line, one write(2): the stages of a pipe share a standard error.
pub(crate) fn print(text: impl Display) {
    let line = format!("{}: {}\n", TOOL.get().unwrap_or(&"pumice"), escape(&text.to_string()));
    // Nothing can be said about a standard error that is gone.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Prints `tool: headline` and below it the lines of `block` as they are, in one write(2); an empty block is none.
pub fn print_with_block(headline: &str, block: &str) {
    let mut text = format!("{}: {}\n", TOOL.get().unwrap_or(&"pumice"), escape(headline));
    text.extend(block.lines().map(|line| escape(line) + "\n"));
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Prints the lines of `block` alone, for diagnostics that a program reads.
pub fn print_block(block: &str) {
    let text: String = block.lines().map(|line| escape(line) + "\n").collect();
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// The last line of a usage error.
pub(crate) fn print_help_hint() {
    let line = format!("Try '{} --help' for more information.\n", TOOL.get().unwrap_or(&"pumice"));
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// The text with its control characters escaped, so that a board's output cannot drive a terminal.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push(' '),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn control_characters_cannot_reach_a_terminal() {
        assert_eq!(escape("a\x1b[2Jb\r\nc\u{9b}d\te"), "a\\x1b[2Jb\\r\\nc\\x9bd e");
    }
}
