use crate::diagnostic::escape;
use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

/// A line on a terminal for work that takes more than a second; nothing anywhere else.
pub struct Progress {
    what: String,
    began: Instant,
    printed: Option<Instant>,
    terminal: bool,
}

impl Progress {
    /// Begins to watch the work called `what`.
    pub fn new(what: impl Into<String>) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { what: what.into(), began: Instant::now(), printed: None, terminal }
    }

    /// Says how far the work is: `done` of `total` bytes, where the total is known.
    pub fn update(&mut self, done: u64, total: Option<u64>) {
        const QUIET: Duration = Duration::from_secs(1);
        const STEP: Duration = Duration::from_millis(200);
        let soon = self.printed.is_some_and(|at| at.elapsed() < STEP);
        if !self.terminal || soon || self.began.elapsed() < QUIET {
            return;
        }
        self.printed = Some(Instant::now());
        let line = format!("\r{}: {}\x1b[K", escape(&self.what), amount(done, total));
        let _ = std::io::stderr().write_all(line.as_bytes());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.printed.is_some() {
            let _ = std::io::stderr().write_all(b"\r\x1b[K");
        }
    }
}

fn amount(done: u64, total: Option<u64>) -> String {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    match total.filter(|&total| total > 0) {
        Some(total) => format!("{:.1} of {:.1} MiB, {} %", mib(done), mib(total), done.saturating_mul(100) / total),
        None => format!("{:.1} MiB", mib(done)),
    }
}

#[cfg(test)]
mod tests {
    use super::amount;

    #[test]
    fn an_unknown_total_gives_no_percentage() {
        assert_eq!(amount(3 << 20, None), "3.0 MiB");
        assert_eq!(amount(1 << 20, Some(4 << 20)), "1.0 of 4.0 MiB, 25 %");
    }
}
