//! The commands of a boot as a script that iPXE fetches.

use mn_msg::role::{Step, Work};

/// What is typed instead, as in LAVA.
const CHAIN: [&str; 2] = ["dhcp net0", "chain tftp://{SERVER_IP}/{BOOTSCRIPT}"];

/// Puts the lines that fetch the script in the place of the bootloader's commands, and gives these.
pub fn of_commands(steps: &mut [Step]) -> Vec<String> {
    let lines = steps.iter_mut().find_map(|step| match &mut step.work {
        Work::Commands { lines, .. } => Some(lines),
        _ => None,
    });
    let chain = CHAIN.map(str::to_owned).to_vec();
    lines.map(|lines| std::mem::replace(lines, chain)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn commands_go_into_the_script_and_two_lines_fetch_it() {
        let power = json!({"step": "power", "command": "hard_reset", "name": "reset-device", "timeout": 1});
        let commands = json!({"step": "commands", "prompt": "iPXE>", "lines": ["a", "b"], "name": "x", "timeout": 1});
        let mut steps: Vec<Step> = serde_json::from_value(json!([power, commands])).unwrap();
        assert_eq!(of_commands(&mut steps), ["a", "b"]);
        assert!(matches!(&steps[1].work, Work::Commands { lines, .. } if *lines == CHAIN));
        assert_eq!(of_commands(&mut steps[..1]), [] as [&str; 0]);
    }
}
