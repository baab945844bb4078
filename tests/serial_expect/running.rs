//! What came of a role.

pub use pumice_tests::running::{END, PATIENCE, Running, read_all, results};
use std::path::Path;

/// Those of the tests, without the suite `lava`.
pub fn test_results(stdout: &str) -> Vec<String> {
    results(stdout).into_iter().filter(|result| !result.starts_with("lava/")).collect()
}

/// Waits for a file that another process writes.
pub fn await_text(path: &Path, text: &str) {
    let deadline = std::time::Instant::now() + PATIENCE;
    while !std::fs::read_to_string(path).unwrap_or_default().contains(text) {
        assert!(std::time::Instant::now() < deadline, "'{text}' never came in '{}'", path.display());
        std::thread::yield_now();
    }
}
