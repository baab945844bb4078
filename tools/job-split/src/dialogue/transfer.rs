//! The overlay, fetched and unpacked by the system that has booted.

use super::{Parts, character_delay, step};
use mn_msg::role::{Step, Work};

const NAME: &str = "overlay-unpack";

/// The steps after the shell's: an empty line for a prompt, and the job's commands with the address and the name that
/// tftp-stage gives. What a job of the same id has left on the disk goes before. The shell says how they ended in words that are not those which were typed.
pub fn steps(parts: &Parts) -> Vec<Step> {
    let Some(transfer) = parts.boot.transfer.as_ref().filter(|_| parts.tests_follow) else { return Vec::new() };
    let (download, unpack) = (&transfer.download, &transfer.unpack);
    let prompts: Vec<String> = parts.prompts.iter().map(|prompt| format!("(?:{prompt})")).collect();
    let fetch = format!("{download} {{OVERLAY_URL}} && {unpack} {{OVERLAY}}; echo \"{NAME}: $?\"");
    let work = Work::Commands {
        prompt: prompts.join("|"),
        lines: vec!["rm -rf {OVERLAY} {OVERLAY_DIRECTORY}".to_owned(), fetch],
        character_delay: character_delay(parts),
        line_ending: None,
        final_message: Some(format!("{NAME}: 0")),
        errors: vec![format!("{NAME}: [1-9]")],
    };
    vec![step(parts, NAME, Work::Send { text: String::new(), newline: true }), step(parts, NAME, work)]
}
