//! The steps of a boot, as mn-message(5) has them under Dialogue.

use serde::{Deserialize, Serialize};

/// A step of a boot dialogue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// What to do.
    #[serde(flatten)]
    pub work: Work,
    /// LAVA's name of the action.
    pub name: String,
    /// The limit, in seconds, within the boot's.
    pub timeout: u64,
}

/// What a step does; mn-message(5), Dialogue.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "lowercase")]
pub enum Work {
    /// Run a command of the dictionary.
    Power {
        /// Its name, `hard_reset`.
        command: String,
    },
    /// Wait.
    Expect {
        /// For one of these,
        patterns: Vec<String>,
        /// or one of these, which end the boot.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        errors: Vec<String>,
    },
    /// Type.
    Send {
        /// The text,
        text: String,
        /// and a newline after it.
        newline: bool,
    },
    /// Wait for silence.
    Quiet {
        /// So many milliseconds of it,
        milliseconds: u64,
        /// or one of these, which end the boot.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        errors: Vec<String>,
    },
    /// Pick an entry of a numbered menu.
    Choose {
        /// What the menu ends with.
        prompt: String,
        /// The entry's label.
        item: String,
        /// What stands around the number.
        item_markup: [String; 2],
        /// The characters of the number.
        item_class: String,
        /// What stands between number and label.
        separator: String,
        /// The entry to pick where there is no such entry.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fallback: Option<String>,
        /// What the number ends with; a newline where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line_ending: Option<String>,
    },
    /// Type commands at a prompt.
    Commands {
        /// The bootloader's prompt.
        prompt: String,
        /// The commands, with placeholders.
        lines: Vec<String>,
        /// Milliseconds between characters.
        #[serde(default)]
        character_delay: u64,
        /// What each line ends with; a newline where there is none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line_ending: Option<String>,
        /// What the last command answers with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        final_message: Option<String>,
        /// What ends the boot.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        errors: Vec<String>,
    },
    /// Wait for the kernel.
    Kernel {
        /// Its first line.
        pattern: String,
        /// What ends the boot.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        errors: Vec<String>,
    },
    /// Log in.
    Login {
        /// The getty's prompt; without one only the shell's is waited for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login_prompt: Option<String>,
        /// The account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        /// What the password is asked with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password_prompt: Option<String>,
        /// The password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<String>,
        /// Lines to type once logged in.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        login_commands: Vec<String>,
        /// The shell's prompts.
        prompts: Vec<String>,
        /// What says that the boot has failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure_message: Option<String>,
        /// Whether the kernel's messages of trouble are looked for.
        kernel_messages: bool,
    },
    /// Ask the shell for its prompt.
    Shell {
        /// The shell's prompts.
        prompts: Vec<String>,
    },
}
