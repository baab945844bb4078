//! The role message, with the names and units of mn-message(5).

use crate::{Kind, Message, Object, parse_moment};
use mn_cli::{Deadline, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// One member of the group: the message as it came, and what it says.
#[derive(Clone, Debug)]
pub struct Role {
    message: Message,
    facts: Facts,
}

/// The fields of a role message, all stages together.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Facts {
    /// The member's decimal id.
    pub job_id: String,
    /// The role's name.
    pub role: String,
    /// The member's number in the job, from 0.
    pub sub_id: u32,
    /// The job's label.
    #[serde(default)]
    pub job_name: String,
    /// Who else takes part.
    pub group: Group,
    /// Of a secondary connection: the member whose board it shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The limits that hold for the whole job, in seconds.
    pub timeouts: Timeouts,
    /// What has to be sent before this role begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Start>,
    /// The role's environment for the test shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Object>,
    /// The job's metadata.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Object>,
    /// The job's or the role's context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Object>,
    /// Whether the group ends when this member fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub essential: Option<bool>,
    /// Waits of named actions that have no other limit, in seconds, where the job names them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub connection_timeouts: BTreeMap<String, u64>,
    /// Definitions from git that secondary connections on this board run and this member does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guest_definitions: Vec<Definition>,
    /// What this version cannot do of the job, a line each, with its place in the job; such a role is not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unsupported: Vec<String>,
    /// The device dictionary, as far as it is needed; none was given when it is absent.
    #[serde(default)]
    pub device: Option<Device>,
    /// The job's blocks for this role, in order.
    pub actions: Vec<Action>,
    /// What overlay-pack packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlay: Option<Overlay>,
    /// When the job's own time began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// The values of the placeholders; null deletes the command that uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Object>,
    /// The board's address, of a secondary connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Where the console is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<String>,
}

/// The group of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Group {
    /// A UUID.
    pub name: String,
    /// How many members it has.
    pub size: u32,
    /// All of them, in order of their ids.
    pub members: Vec<Member>,
}

/// One member as the others know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its decimal id.
    pub job_id: String,
    /// Its role.
    pub role: String,
    /// Of a secondary connection: the member whose board it shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// Limits in seconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Timeouts {
    /// All actions together.
    pub job: u64,
    /// A wait that has no other limit.
    pub connection: u64,
    /// A multinode call made in a test shell.
    pub call: u64,
}

/// A delayed start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    /// Every member of this role must have sent `lava_start`.
    pub role: String,
    /// The limit, in seconds.
    pub timeout: u64,
}

/// What is known of the board.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Device {
    /// Its name.
    pub hostname: String,
    /// Its device type.
    #[serde(rename = "type")]
    pub device_type: String,
    /// The console; not of a secondary connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect: Option<String>,
    /// `hard_reset`, `power_off`: command lines; not of a secondary connection.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub commands: BTreeMap<String, Vec<String>>,
    /// `boot`, `test`: milliseconds between typed characters.
    #[serde(default)]
    pub character_delays: BTreeMap<String, u64>,
    /// The board's own address, where it is known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_ip: Option<String>,
    /// The board's hardware address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_mac: Option<String>,
    /// The test shell's interpreter.
    pub shell: String,
    /// The overlay's directory on the board.
    pub results_dir: String,
    /// How to log in.
    pub ssh: Login,
    /// The dictionary's environment for the test shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Object>,
    /// What the lab notes of the board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_info: Option<Value>,
    /// What is wired to the board, a probe for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub static_info: Option<Value>,
    /// The board's storage: a list of maps from a method to a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_info: Option<Value>,
}

/// How to log in to a board.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Login {
    /// The account.
    pub user: String,
    /// The TCP port.
    pub port: u16,
}

/// One block of the job.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum Action {
    /// Make files reachable.
    Deploy(Deploy),
    /// Reach a shell.
    Boot(Boot),
    /// Run tests in it.
    Test(Test),
    /// Run a command of the dictionary.
    Command(Command),
}

/// Timeouts in seconds of those actions of a block that do not have the block's.
pub type Limits = BTreeMap<String, u64>;

/// A command block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Command {
    /// The number of the block.
    pub level: String,
    /// The limit of the block, in seconds.
    pub timeout: u64,
    /// The command's name in the dictionary.
    pub name: String,
}

/// A deploy block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deploy {
    /// The number of the block.
    pub level: String,
    /// The limit of the block, in seconds.
    pub timeout: u64,
    /// `tftp` or `ssh`, or another that cannot be run.
    pub to: String,
    /// The level in the overlay's name.
    pub overlay_level: String,
    /// What is fetched, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// `ssh` when the group's key is let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorize: Option<String>,
    /// The operating system on the board, as LAVA knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Multinode calls bound to a step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<BoundCall>,
    /// The block as the job has it, where this version cannot run all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Object>,
    /// Actions of the block that have another limit than the block.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timeouts: Limits,
}

/// A file to fetch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resource {
    /// `ramdisk`, `kernel`, `dtb`, `nfsrootfs` or `modules`.
    pub name: String,
    /// Its address.
    pub url: String,
    /// How it is compressed: `gz`, `bz2`, `xz`, `zstd`, `zip`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// Of a kernel: `image`, `uimage`, `zimage`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kernel_type: Option<String>,
    /// Digest of the bytes as transferred, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256sum: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha512sum: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5sum: Option<String>,
    /// Whether the modules are laid into it; they are unless this says false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_modules: Option<bool>,
    /// Whether the overlay may be laid into it; it may unless this says false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install_overlay: Option<bool>,
    /// Of a root: the directory in it that counts, relative, with a slash at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Of a kernel or a ramdisk that U-Boot takes with a header: that header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uimage: Option<UImage>,
}

/// The header that U-Boot's bootm wants before a file; mkimage(1) writes the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UImage {
    /// The board's architecture, by mkimage's name for it.
    pub arch: String,
    /// Of a kernel: the address it is moved to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<u32>,
    /// Of a kernel: the address it is entered at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u32>,
}

/// A multinode call that a step of an action makes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BoundCall {
    /// The step, `prepare-scp-overlay`.
    pub action: String,
    /// `wait`; of a role that cannot be run also `send`, `wait-all`, `sync`.
    pub request: String,
    /// The message's id.
    pub message_id: String,
    /// Of `wait-all`: the one role whose members must have sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Names to pick up, each with its mark.
    #[serde(default)]
    pub data: Object,
    /// The limit, in seconds.
    pub timeout: u64,
}

/// A boot block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Boot {
    /// The number of the block.
    pub level: String,
    /// The limit of the block, in seconds.
    pub timeout: u64,
    /// LAVA's name of the boot method.
    pub method: String,
    /// How often the boot is tried, in all; none is once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Seconds between two attempts; none is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<u64>,
    /// What a shell's prompt matches.
    #[serde(default)]
    pub prompts: Vec<String>,
    /// The steps; none for the method `ssh`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dialogue: Vec<Step>,
    /// Of the method `ssh`: the message that holds the address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<String>,
    /// Of the method `ssh`: its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_key: Option<String>,
    /// Multinode calls bound to a step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<BoundCall>,
    /// The block as the job has it, where this version cannot run all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Object>,
    /// Actions of the block that have another limit than the block.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timeouts: Limits,
}

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

/// A test block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Test {
    /// The number of the block.
    pub level: String,
    /// The limit of the block, in seconds.
    pub timeout: u64,
    /// The number of the block among the test blocks, from 0.
    pub stage: u32,
    /// In the order in which they run.
    pub definitions: Vec<Definition>,
    /// Multinode calls bound to a step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<BoundCall>,
    /// The block as the job has it, where this version cannot run all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Object>,
    /// Actions of the block that have another limit than the block.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub timeouts: Limits,
}

/// A test definition as the job names it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Definition {
    /// `inline`, `git` or `url`.
    pub from: String,
    /// Its name.
    pub name: String,
    /// The run's name, `0_smoke`.
    pub run: String,
    /// The run's identifier.
    pub uuid: String,
    /// The file of the definition.
    pub path: String,
    /// The definition itself, when it is inline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Value>,
    /// The repository, of git; the archive's address, of url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The branch, of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// The revision, of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether one commit is enough, of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shallow: Option<bool>,
    /// Whether the history comes along, of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<bool>,
    /// Whether submodules come along, of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recursive: Option<bool>,
    /// How the archive is compressed, of url: `gz`, `bz2`, `xz`, `zstd`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// How many directories are taken off the archive's names, of url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strip_components: Option<u32>,
    /// Headers of the request, of url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Object>,
    /// Digest of the archive as transferred, hexadecimal, of url.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256sum: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha512sum: Option<String>,
    /// Likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub md5sum: Option<String>,
    /// The job's parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Object>,
    /// Which parts of `install` are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_install: Option<Vec<String>>,
    /// The cases that must be reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Vec<String>>,
    /// `stdout` or `kmsg`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// Packages to install besides its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deps: Vec<String>,
}

/// A packed overlay.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Overlay {
    /// The archive, absolute.
    pub file: String,
    /// Its digest, hexadecimal.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its directory on the board.
    pub directory: String,
    /// What it runs, in order.
    pub runs: Vec<Run>,
}

/// A run of one definition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Its name, `0_smoke`.
    pub run: String,
    /// Its identifier.
    pub uuid: String,
    /// Its test block.
    pub stage: u32,
    /// `inline`, `git` or `url`.
    pub from: String,
    /// The definition's name.
    pub name: String,
    /// The definition's file.
    pub path: String,
    /// The repository, of git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The revision that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The commit that was packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit_id: Option<String>,
    /// The cases that must be reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Vec<String>>,
    /// A pattern that finds results in plain output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// What the pattern's results mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixupdict: Option<Object>,
}

impl Role {
    /// Understands a role message.
    ///
    /// # Errors
    /// Status 2 when it is none, a field is missing or of the wrong kind, or it needs what this version cannot do.
    pub fn from_message(message: Message) -> Result<Self> {
        if message.kind() != Kind::Role {
            return Err(Error::wrong(format_args!("cannot work on a message of type '{}'", message.kind_text())));
        }
        let facts: Facts = serde_json::from_value(Value::Object(message.data().clone()))
            .map_err(|error| Error::wrong(format_args!("cannot understand the role message: {error}")))?;
        if facts.job_id.is_empty() || facts.job_id.len() > 18 || !facts.job_id.bytes().all(|byte| byte.is_ascii_digit())
        {
            return Err(Error::wrong(format_args!("job id '{}' is not a decimal number", facts.job_id)));
        }
        if let Some(first) = facts.unsupported.first() {
            return Err(Error::wrong(format_args!("cannot run role '{}': {first}", facts.role)));
        }
        Ok(Self { message, facts })
    }

    /// A role message that says `facts`.
    ///
    /// # Errors
    /// Status 2 when a value cannot be written as JSON.
    pub fn from_facts(facts: Facts) -> Result<Self> {
        let value = serde_json::to_value(&facts)
            .map_err(|error| Error::wrong(format_args!("cannot write a role message: {error}")))?;
        let Value::Object(data) = value else {
            return Err(Error::wrong("cannot write a role message: it is no object"));
        };
        Ok(Self { message: Message::new("role", data), facts })
    }

    /// What the message says.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The message, with what is not understood.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Adds to the message what a stage learnt.
    ///
    /// # Errors
    /// Status 2 when the value cannot be written as JSON or is not what the field holds.
    pub fn add(&mut self, field: &str, value: impl Serialize) -> Result<()> {
        let value = serde_json::to_value(value)
            .map_err(|error| Error::wrong(format_args!("cannot write '{field}': {error}")))?;
        self.message.set(field, value);
        *self = Self::from_message(self.message.clone())?;
        Ok(())
    }

    /// The first deploy block.
    pub fn deploy(&self) -> Option<&Deploy> {
        self.facts.actions.iter().find_map(|action| match action {
            Action::Deploy(deploy) => Some(deploy),
            _ => None,
        })
    }

    /// The first boot block.
    pub fn boot(&self) -> Option<&Boot> {
        self.facts.actions.iter().find_map(|action| match action {
            Action::Boot(boot) => Some(boot),
            _ => None,
        })
    }

    /// The test blocks, in order.
    pub fn tests(&self) -> impl Iterator<Item = &Test> {
        self.facts.actions.iter().filter_map(|action| match action {
            Action::Test(test) => Some(test),
            _ => None,
        })
    }

    /// When the job's time is up: `started`, or now, and the job's timeout.
    pub fn job_deadline(&self) -> Deadline {
        let limit = Duration::from_secs(self.facts.timeouts.job);
        let started = self.facts.started.as_deref().and_then(parse_moment);
        let gone = started.and_then(|moment| SystemTime::now().duration_since(moment).ok()).unwrap_or_default();
        Deadline::after(limit.saturating_sub(gone))
    }
}
