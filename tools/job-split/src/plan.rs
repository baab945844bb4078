//! The blocks of one role, and what of them cannot be run.

use crate::blocks::{Block, Work};
use crate::boot::{Boot, Method, Until};
use crate::calls::Call;
use crate::definitions::Definition;
use crate::deploy::{CALLER, Deploy};
use crate::findings::Findings;
use crate::job::Job;
use crate::roles::{Kind, Role};
use crate::schema;
use crate::tests::Test;
use mn_yaml::Position;

/// The deploy methods that some role can run.
const RUN: [&str; 3] = ["tftp", "overlay", "ssh"];

/// What the members of one role do.
pub struct Plan<'a> {
    /// The blocks, in order.
    pub blocks: Vec<&'a Block>,
    /// What this version cannot run, each with its place.
    pub unsupported: Vec<String>,
}

/// The plan of a role; none when something is wrong, which is then among the findings.
pub fn plan<'a>(job: &'a Job, role: &Role, findings: &mut Findings) -> Option<Plan<'a>> {
    let blocks: Vec<&Block> = job.blocks.iter().filter(|block| block.roles.contains(&role.name)).collect();
    // A block whose roles or work are not known may be the one that is missed.
    if job.blocks.iter().any(|block| block.roles.is_empty()) {
        return None;
    }
    if let Kind::Console(_) = role.kind {
        return Some(recording(job, role, blocks, findings));
    }
    if blocks.is_empty() {
        findings.error(role.position, format!("no action names the role '{}'", role.name));
        return None;
    }
    if blocks.iter().any(|block| matches!(block.work, Work::Broken)) {
        return None;
    }
    let mut plan = Plan { blocks, unsupported: Vec::new() };
    findings.take_unsupported();
    plan.check_order(role, findings);
    plan.check_shells(findings);
    plan.check_methods(role, findings);
    plan.check_calls(findings);
    plan.check_address(role, findings);
    plan.check_names(findings);
    plan.unsupported = [&job.unsupported, &role.unsupported]
        .into_iter()
        .chain(plan.blocks.iter().map(|block| &block.unsupported))
        .flatten()
        .cloned()
        .chain(findings.take_unsupported())
        .collect();
    Some(plan)
}

/// The plan of a role that records a console: it has nothing to do besides.
fn recording<'a>(job: &Job, role: &Role, blocks: Vec<&'a Block>, findings: &mut Findings) -> Plan<'a> {
    findings.take_unsupported();
    for block in &blocks {
        findings.unsupported(block.position, format!("a {} of the recording role '{}'", block.kind, role.name));
    }
    let told = findings.take_unsupported();
    let unsupported = [&job.unsupported, &role.unsupported, &told].into_iter().flatten().cloned().collect();
    Plan { blocks: Vec::new(), unsupported }
}

impl<'a> Plan<'a> {
    /// The first deploy block.
    pub fn deploy(&self) -> Option<(&'a Block, &'a Deploy)> {
        self.blocks.iter().find_map(|block| match &block.work {
            Work::Deploy(deploy) => Some((*block, deploy)),
            _ => None,
        })
    }

    /// The first boot block.
    pub fn boot(&self) -> Option<(&'a Block, &'a Boot)> {
        self.blocks.iter().find_map(|block| match &block.work {
            Work::Boot(boot) => Some((*block, boot)),
            _ => None,
        })
    }

    /// All definitions, in the order in which they run.
    pub fn definitions(&self) -> impl Iterator<Item = &'a Definition> {
        self.blocks.iter().flat_map(|block| match &block.work {
            Work::Test(test) => test.definitions.as_slice(),
            _ => &[],
        })
    }

    /// The boot that leads to a system, for what is made for its bootloader.
    pub fn system_boot(&self) -> Option<&'a Boot> {
        let boots = self.blocks.iter().filter_map(|block| match &block.work {
            Work::Boot(boot) => Some(boot),
            _ => None,
        });
        let to_system =
            |boot: &&Boot| !matches!(&boot.method, Method::Console(console) if console.until == Until::Prompt);
        boots.clone().find(to_system).or(self.boot().map(|(_, boot)| boot))
    }

    fn check_order(&self, role: &Role, findings: &mut Findings) {
        let order = match role.kind {
            Kind::Device(_) => "one deploy, then boots, tests and commands",
            Kind::Connection(_) | Kind::Console(_) => "one deploy, one boot, then tests",
        };
        let needs_deploy = matches!(role.kind, Kind::Connection(_)) || self.definitions().next().is_some();
        let at = match self.misplaced(role) {
            Some(block) => block.position,
            None if (self.deploy().is_none() && needs_deploy) || self.boot().is_none() => self.blocks[0].position,
            None => return,
        };
        findings.unsupported(at, format!("role '{}': an order of actions other than {order}", role.name));
    }

    /// The first block that stands where it cannot be run.
    fn misplaced(&self, role: &Role) -> Option<&'a Block> {
        let on_device = matches!(role.kind, Kind::Device(_));
        let (mut deployed, mut booted) = (false, false);
        self.blocks.iter().copied().find(|block| match &block.work {
            Work::Deploy(_) => std::mem::replace(&mut deployed, true) || booted,
            Work::Boot(_) => std::mem::replace(&mut booted, true) && !on_device,
            Work::Test(_) => !booted,
            Work::Command(..) | Work::Broken => false,
        })
    }

    /// A shell is known by its prompt.
    fn check_shells(&self, findings: &mut Findings) {
        let mut shell = None;
        for block in &self.blocks {
            match &block.work {
                Work::Boot(boot) => shell = Some((block, boot)),
                Work::Test(test) if !test.definitions.is_empty() => {}
                _ => continue,
            }
            let (Some((boot_block, boot)), Work::Test(_)) = (shell, &block.work) else { continue };
            let Method::Console(console) = &boot.method else { continue };
            if console.until == Until::Prompt {
                let text = "definitions run in a system's shell, and this boot ends at the bootloader's prompt";
                findings.error(boot_block.position, text);
            } else if boot.prompts.is_empty() && console.finished.is_empty() {
                findings.error(boot_block.body.position(), "missing key 'prompts'");
            }
        }
    }

    /// A board is deployed to and booted, a connection is opened.
    fn check_methods(&self, role: &Role, findings: &mut Findings) {
        let (fitting, on) = match role.kind {
            Kind::Device(_) => (["tftp", "overlay"].as_slice(), "on a device"),
            Kind::Connection(_) | Kind::Console(_) => (["ssh"].as_slice(), "on a connection"),
        };
        let by_qemu = self.boot().is_some_and(|(_, boot)| boot.method_name().starts_with("qemu"));
        let is_told = |to: &str| if schema::is_for_qemu(to) { by_qemu } else { !RUN.contains(&to) };
        let fits = |method: &Method| match method {
            Method::Console(_) => matches!(role.kind, Kind::Device(_)),
            Method::Ssh { .. } => matches!(role.kind, Kind::Connection(_)),
            Method::Other(_) => true,
        };
        for block in &self.blocks {
            let what = match &block.work {
                Work::Command(..) if !matches!(role.kind, Kind::Device(_)) => "a command".to_owned(),
                // What no role can run is told already.
                Work::Deploy(deploy) if !fitting.contains(&&*deploy.to) && !is_told(&deploy.to) => {
                    format!("deploy method '{}'", deploy.to)
                }
                Work::Boot(boot) if !fits(&boot.method) => format!("boot method '{}'", boot.method_name()),
                _ => continue,
            };
            findings.unsupported(block.position, format!("{what} for the role '{}' {on}", role.name));
        }
    }

    /// The one call that is made is the one that brings a connection its address.
    fn check_calls(&self, findings: &mut Findings) {
        for block in &self.blocks {
            let to_ssh = matches!(&block.work, Work::Deploy(deploy) if deploy.to == "ssh");
            for call in block.calls.iter().filter(|call| !(to_ssh && call.action == CALLER)) {
                let hint = if to_ssh { crate::suggest::aside(&call.action, [CALLER]) } else { String::new() };
                findings.unsupported(call.action_position, format!("a call of action '{}'{hint}", call.action));
            }
            if to_ssh {
                check_caller(block, findings);
            }
        }
    }

    /// The message that is awaited is the one the address is taken from.
    fn check_address(&self, role: &Role, findings: &mut Findings) {
        let (Some((deploy, _)), Some((_, boot))) = (self.deploy(), self.boot()) else { return };
        let Method::Ssh { host_id, host_key, position } = &boot.method else { return };
        if matches!(role.kind, Kind::Device(_)) {
            return;
        }
        let Some(call) = deploy.calls.iter().find(|call| call.action == CALLER) else { return };
        let called = call.position;
        if *host_id != call.message_id {
            let text = format!("hostID '{host_id}' is not the messageID '{}' of the call at {called}", call.message_id);
            findings.error(*position, text);
        } else if !call.data.contains_key(host_key) {
            findings
                .error(*position, format!("host_key '{host_key}' is no key of the message of the call at {called}"));
        }
    }

    /// Names of tests are suites, and those of definitions directories: unique in a role.
    fn check_names(&self, findings: &mut Findings) {
        let mut seen: Vec<(&str, Position)> = Vec::new();
        let tests = self.blocks.iter().filter_map(|block| match &block.work {
            Work::Test(test) => Some(test),
            _ => None,
        });
        for (name, at) in tests.flat_map(Test::suites) {
            if let Some((_, first)) = seen.iter().find(|(known, _)| *known == name) {
                findings.error(at, format!("name '{name}' is taken by the test at {first}"));
            }
            seen.push((name, at));
        }
    }

    /// A guest logs in to the system its host booted: another prompt will not come.
    pub fn check_prompts(&self, host: &Plan, host_name: &str, findings: &mut Findings) {
        let (Some((_, own)), Some((_, hosts))) = (self.boot(), host.boot()) else { return };
        if !own.prompts.is_empty() && !hosts.prompts.is_empty() && own.prompts != hosts.prompts {
            let text = format!(
                "prompts differ from those of '{host_name}', whose system this is, at {}",
                hosts.prompts_position
            );
            findings.warn(own.prompts_position, text);
        }
    }
}

/// A connection waits once, for the message with the address.
fn check_caller(block: &Block, findings: &mut Findings) {
    let calls: Vec<&Call> = block.calls.iter().filter(|call| call.action == CALLER).collect();
    match calls.as_slice() {
        [] if block.calls.is_empty() => {
            let what = "a deploy to ssh without a 'lava-multinode' call that brings the address";
            findings.unsupported(block.body.position(), what);
        }
        [] => {}
        [call] if call.request != "wait" => {
            let text = format!("a call of '{CALLER}' is a 'lava-wait', not a 'lava-{}'", call.request);
            findings.error(call.request_position, text);
        }
        [call] if call.wanted().next().is_none() => {
            let text = "nothing is picked up: give the key of the address a value that begins with '$'";
            findings.error(call.data_position, text);
        }
        [_] => {}
        [_, second, ..] => {
            let text = format!("a deploy to ssh has one call of action '{CALLER}', here are {}", calls.len());
            findings.error(second.position, text);
        }
    }
}
