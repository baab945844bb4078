//! How the board begins anew: by its power, or by words on its console.

use super::{Method, Parts, menu, step};
use crate::boot::By;
use crate::device::at;
use crate::findings::Findings;
use crate::read::{boolean, pattern, texts};
use mn_msg::role::{Step, Work};
use mn_yaml::Mapping;

/// LAVA's lines for a board that neither the job nor the dictionary says how to restart.
const REBOOTS: [&str; 3] = ["reboot", "reboot -n", "reboot -nf"];

/// The commands that come before, and the reset; the job or the method may do without one.
pub fn steps(parts: &Parts, method: &Method, board: &mut Findings) -> Vec<Step> {
    let menu = match parts.boot.by {
        By::GrubEfi => menu::naming(parts, method).is_some(),
        by => by == By::UefiMenu,
    };
    let wanted = [
        ("pre_power_command", parts.boot.pre_power, parts.boot.pre_power),
        ("pre_os_command", parts.boot.pre_os, parts.boot.pre_os || menu),
    ];
    let mut steps = Vec::new();
    for (name, must, may) in wanted {
        if may && parts.board.has_command(name) {
            steps.push(power(parts, &name.replace('_', "-"), name));
        } else if must {
            board.error(commands_position(parts), format!("the dictionary has no command '{name}'"));
        }
    }
    let unless = method.map.and_then(|map| boolean(map, "reset_device", board));
    if parts.boot.reset && unless != Some(false) {
        steps.extend(reset(parts, board));
    }
    steps
}

fn power(parts: &Parts, action: &str, command: &str) -> Step {
    step(parts, action, Work::Power { command: command.to_owned() })
}

/// By the power if the dictionary can switch it, else by what is typed at the running system.
fn reset(parts: &Parts, board: &mut Findings) -> Vec<Step> {
    let has = |name: &str| parts.board.has_command(name);
    if has("hard_reset") {
        vec![power(parts, "reset-device", "hard_reset")]
    } else if !parts.boot.soft_reboot.is_empty() || !has("power_on") {
        soft_reset(parts, board)
    } else {
        let commands = ["power_off", "power_on"].into_iter().filter(|name| has(name));
        commands.map(|name| power(parts, "reset-device", name)).collect()
    }
}

fn soft_reset(parts: &Parts, board: &mut Findings) -> Vec<Step> {
    const NAME: &str = "send-reboot-commands";
    let root = &parts.board.root;
    let own = at(root, &["commands"]).and_then(|map| map.get("soft_reboot")).filter(|node| !node.is_null());
    let mut lines = parts.boot.soft_reboot.clone();
    if lines.is_empty() {
        lines = own.map(|node| texts(node, board)).unwrap_or_default();
    }
    if lines.is_empty() {
        lines = REBOOTS.map(str::to_owned).to_vec();
    }
    let constant = at(root, &["constants"]).and_then(|map| pattern(map, "shutdown-message", board));
    let Some(message) = parts.boot.shutdown_message.clone().or(constant).filter(|text| !text.is_empty()) else {
        let text =
            "missing key 'shutdown-message' in constants: a board without 'hard_reset' is restarted by its shell";
        board.error(root.position(), text);
        return Vec::new();
    };
    // All at once, as in LAVA: the first that the system knows works, and nobody reads the others.
    let mut steps: Vec<Step> =
        lines.into_iter().map(|text| step(parts, NAME, Work::Send { text, newline: true })).collect();
    steps.push(step(parts, NAME, Work::Expect { patterns: vec![message], errors: Vec::new() }));
    steps
}

fn commands_position(parts: &Parts) -> mn_yaml::Position {
    let root = &parts.board.root;
    at(root, &["commands"]).map_or(root.position(), Mapping::position)
}
