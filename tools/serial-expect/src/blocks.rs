//! The blocks of a role as state machines, ready to run: what is wrong with one is found before anything is touched.

use mn_cli::{Error, Result};
use mn_console::dialogue::Dialogue;
use mn_console::interactive::{self, Interactive};
use mn_console::matcher::Patterns;
use mn_console::monitor::Monitors;
use mn_console::stage::{self, Stage};
use mn_console::test;
use mn_msg::role::{Boot, Device, Facts, Overlay, Test, Work};
use mn_msg::{Object, Role};
use std::time::Duration;

/// The dialogue of a boot; none of a boot without one.
///
/// # Errors
/// Status 2 when a pattern in it cannot be used.
pub fn boot(role: &Role, boot: &Boot) -> Result<Option<Dialogue>> {
    if boot.dialogue.is_empty() {
        return Ok(None);
    }
    let none = Object::new();
    let staged = role.facts().staged.as_ref().unwrap_or(&none);
    let dialogue = Dialogue::new(boot, staged, delay(role.facts().device.as_ref(), "boot"));
    dialogue.map(Some).map_err(Error::wrong)
}

/// A test block that was begun `earlier` times before, on a console that has printed `offset` bytes.
///
/// # Errors
/// Status 2 when it needs an overlay and there is none, or a pattern in it cannot be used.
pub fn test(role: &Role, test: &Test, earlier: u32, offset: u64) -> Result<Box<dyn test::Test>> {
    if !test.interactive.is_empty() {
        return Ok(Box::new(Interactive::new(scripts(role, test), offset).map_err(Error::wrong)?));
    }
    if !test.monitors.is_empty() {
        return Ok(Box::new(Monitors::new(&test.level, &test.monitors).map_err(Error::wrong)?));
    }
    Ok(Box::new(Stage::new(stage(role, test, earlier)?, offset)))
}

/// LAVA's name of the action that a test block is.
pub fn action(facts: &Facts, test: &Test) -> &'static str {
    match (test.interactive.is_empty(), test.monitors.is_empty()) {
        (false, _) => "lava-test-interactive",
        (_, false) => "lava-test-monitor",
        _ if facts.group.size > 1 => "multinode-test",
        _ => "lava-test-shell",
    }
}

fn scripts(role: &Role, test: &Test) -> interactive::Plan {
    let facts = role.facts();
    interactive::Plan {
        level: test.level.clone(),
        scripts: test.interactive.clone(),
        staged: facts.staged.clone().unwrap_or_default(),
        delay: delay(facts.device.as_ref(), "test"),
        patience: facts.connection_timeouts.get(action(facts, test)).map(|seconds| Duration::from_secs(*seconds)),
    }
}

fn stage(role: &Role, test: &Test, earlier: u32) -> Result<stage::Plan> {
    let facts = role.facts();
    let overlay = overlay(facts)?;
    let patience = facts.connection_timeouts.get(action(facts, test)).unwrap_or(&facts.timeouts.connection);
    Ok(stage::Plan {
        job_id: facts.job_id.clone(),
        stage: test.stage,
        level: test.level.clone(),
        directory: overlay.directory.clone(),
        shell: facts.device.as_ref().map_or_else(|| "/bin/sh".to_owned(), |device| device.shell.clone()),
        runs: overlay.runs.iter().filter(|run| run.stage == test.stage).cloned().collect(),
        delay: delay(facts.device.as_ref(), "test"),
        patience: Duration::from_secs(*patience),
        board: firmware(role)?,
        earlier,
    })
}

fn overlay(facts: &Facts) -> Result<&Overlay> {
    let missing = || Error::wrong("cannot run the tests: the message has no overlay; put 'overlay-pack' before");
    facts.overlay.as_ref().ok_or_else(missing)
}

fn delay(device: Option<&Device>, section: &str) -> Duration {
    let delay = device.and_then(|device| device.character_delays.get(section));
    Duration::from_millis(delay.copied().unwrap_or(0))
}

/// What the board's firmware says first after its power has come; none for a role without a board of its own.
fn firmware(role: &Role) -> Result<Option<Patterns>> {
    let mut steps = role.boot().map(|boot| boot.dialogue.iter()).into_iter().flatten();
    let first = steps.find_map(|step| match &step.work {
        Work::Expect { patterns, .. } => Some(patterns),
        _ => None,
    });
    let patterns = first.map(|patterns| Patterns::new(patterns)).transpose();
    patterns.map_err(|bad| Error::wrong(format_args!("cannot watch the board: {bad}")))
}
