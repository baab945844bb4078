use mn_cli::{Cannot, Error, Result};
use nix::libc;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fs;

/// Lets setgroups(2) do nothing, and say that it was done, where the user namespace denies it: that of an ordinary
/// user does, and login(1) and ssh servers give up without it. What runs in the root is all user 0 and loses nothing.
pub fn tolerate() -> Result<()> {
    let path = "/proc/self/setgroups";
    let rule = fs::read_to_string(path).cannot(format_args!("read '{path}'"))?;
    if rule.trim_end() != "deny" {
        return Ok(());
    }
    let failed = |error: &dyn std::fmt::Display| Error::lab(format_args!("cannot filter setgroups: {error}"));
    let filter = do_nothing_at(libc::SYS_setgroups).map_err(|error| failed(&error))?;
    seccompiler::apply_filter(&filter).map_err(|error| failed(&error))
}

fn do_nothing_at(call: libc::c_long) -> std::result::Result<BpfProgram, seccompiler::BackendError> {
    let always = (call, Vec::new());
    SeccompFilter::new(BTreeMap::from([always]), SeccompAction::Allow, SeccompAction::Errno(0), ARCH.try_into()?)?
        .try_into()
}
