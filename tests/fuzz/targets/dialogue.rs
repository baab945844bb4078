//! Any boot block of a message is a dialogue or one error, and none stops at what a board prints.
//!
//! Input: the block as a line of JSON, then what the console prints.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mn_console::dialogue::{Act, Dialogue};
use mn_msg::role::Boot;
use std::time::Duration;

fuzz_target!(|input: &[u8]| {
    let line = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let Ok(boot) = serde_json::from_slice::<Boot>(&input[..line]) else { return };
    let staged = serde_json::json!({"KERNEL": "1/kernel", "SERVER_IP": "192.0.2.1"});
    let Some(staged) = staged.as_object() else { return };
    let Ok(mut dialogue) = Dialogue::new(&boot, staged, Duration::ZERO) else { return };
    let mut now = Duration::from_secs(1);
    let mut acts = dialogue.start(now, Duration::from_secs(3600));
    for read in input[line..].chunks(16) {
        while acts.iter().any(|act| matches!(act, Act::Power(..))) {
            acts = dialogue.powered(now);
        }
        acts = dialogue.push(read, now);
        let tick = dialogue.next_tick();
        assert!(tick.is_none_or(|tick| tick <= Duration::from_secs(3600)), "{tick:?}");
        now = tick.unwrap_or(now).max(now);
        acts.extend(dialogue.tick(now));
    }
});
