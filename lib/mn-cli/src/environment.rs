//! The paths that a run gives its tools in the environment.

use std::path::PathBuf;

/// The path in the variable `name`, `MN_RUNDIR` or `MN_SOCKET`; one that is empty names nothing.
pub fn path_variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
