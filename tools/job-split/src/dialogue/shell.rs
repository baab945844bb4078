//! From the kernel's first line to a shell, or to the words that say it is done.

use super::{Method, Parts, step};
use crate::boot::By;
use crate::context;
use crate::device::at;
use crate::findings::Findings;
use crate::read::pattern;
use mn_msg::role::{Step, Work};

const LOGIN: &str = "login-action";

/// The steps after the bootloader.
pub fn steps(parts: &Parts, method: &Method, board: &mut Findings) -> Vec<Step> {
    let boot = parts.boot;
    if parts.prompts.is_empty() {
        if boot.finished.is_empty() {
            return Vec::new();
        }
        let (patterns, errors) = (boot.finished.clone(), boot.failure_message.iter().cloned().collect());
        return vec![step(parts, "installer-wait", Work::Expect { patterns, errors })];
    }
    let mut steps = Vec::new();
    let constants = at(&parts.board.root, &["constants"]);
    let constant = constants.and_then(|map| pattern(map, "kernel-start-message", board));
    let own = boot.kernel_start.clone().or_else(|| context::text(parts.context, "kernel_start_message"));
    let kernel = own.or(constant).filter(|pattern| !pattern.is_empty());
    // Nobody has restarted such a board: it says nothing until it is asked.
    if kernel.is_none() && boot.by == By::Minimal && !boot.reset {
        steps.push(step(parts, LOGIN, Work::Send { text: String::new(), newline: true }));
    }
    if let Some(pattern) = kernel {
        steps.push(step(parts, "auto-login-action", Work::Kernel { pattern, errors: method.errors.clone() }));
    }
    let login = boot.login.as_ref();
    let password = login.and_then(|login| login.password.clone());
    let (password_prompt, password) = password.unzip();
    let work = Work::Login {
        login_prompt: login.map(|login| login.prompt.clone()),
        username: login.map(|login| login.username.clone()),
        password_prompt,
        password,
        login_commands: login.map(|login| login.commands.clone()).unwrap_or_default(),
        prompts: parts.prompts.to_vec(),
        failure_message: boot.failure_message.clone(),
        kernel_messages: boot.kernel_messages,
    };
    steps.push(step(parts, LOGIN, work));
    if parts.tests_follow {
        steps.push(step(parts, "expect-shell-connection", Work::Shell { prompts: parts.prompts.to_vec() }));
    }
    steps
}
