//! The blocks of one role, in the one order that this version runs: deploy, boot, tests.

use crate::blocks::{Block, Work};
use crate::boot::{Boot, Method};
use crate::definitions::Definition;
use crate::deploy::Deploy;
use crate::findings::Findings;
use crate::job::Job;
use crate::roles::{Kind, Role};

/// What the members of one role do.
pub struct Plan<'a> {
    /// The deploy block.
    pub deploy: (&'a Block, &'a Deploy),
    /// The boot block.
    pub boot: (&'a Block, &'a Boot),
    /// The test blocks.
    pub tests: Vec<(&'a Block, &'a [Definition])>,
}

/// The plan of a role; none when something is wrong, which is then among the findings.
pub fn plan<'a>(job: &'a Job, role: &Role, findings: &mut Findings) -> Option<Plan<'a>> {
    let blocks: Vec<&Block> = job.blocks.iter().filter(|block| block.roles.contains(&role.name)).collect();
    // A block whose roles or work are not known may be the one that is missed.
    if job.blocks.iter().any(|block| block.roles.is_empty()) {
        return None;
    }
    if blocks.is_empty() {
        findings.error(role.position, format!("no action names the role '{}'", role.name));
        return None;
    }
    if blocks.iter().any(|block| matches!(block.work, Work::Broken)) {
        return None;
    }
    let [first, second, rest @ ..] = blocks.as_slice() else { return out_of_order(blocks[0], role, findings) };
    let Work::Deploy(deploy) = &first.work else { return out_of_order(first, role, findings) };
    let Work::Boot(boot) = &second.work else { return out_of_order(second, role, findings) };
    let mut tests = Vec::new();
    for block in rest {
        match &block.work {
            Work::Test(definitions) => tests.push((*block, definitions.as_slice())),
            _ => return out_of_order(block, role, findings),
        }
    }
    let plan = Plan { deploy: (first, deploy), boot: (second, boot), tests };
    plan.check_methods(role, findings);
    plan.check_address(findings);
    plan.check_names(findings);
    Some(plan)
}

fn out_of_order<T>(block: &Block, role: &Role, findings: &mut Findings) -> Option<T> {
    let text = format!("role '{}': an order of actions other than one deploy, one boot, then tests", role.name);
    findings.unsupported(block.position, text);
    None
}

impl Plan<'_> {
    /// A board is deployed to and booted, a connection is opened.
    fn check_methods(&self, role: &Role, findings: &mut Findings) {
        let (to, method) = (self.deploy.1.method(), self.boot.1.method_name());
        let (to_fits, method_fits) = match role.kind {
            Kind::Device(_) => (to == "tftp", method == "grub-efi"),
            Kind::Connection(_) => (to == "ssh", method == "ssh"),
        };
        let on = match role.kind {
            Kind::Device(_) => "on a device",
            Kind::Connection(_) => "on a connection",
        };
        if !to_fits {
            let what = format!("deploy method '{to}' for the role '{}' {on}", role.name);
            findings.unsupported(self.deploy.0.position, what);
        }
        if !method_fits {
            let what = format!("boot method '{method}' for the role '{}' {on}", role.name);
            findings.unsupported(self.boot.0.position, what);
        }
    }

    /// The message that is awaited is the one the address is taken from.
    fn check_address(&self, findings: &mut Findings) {
        let Deploy::Ssh { call, position: called } = self.deploy.1 else { return };
        let Method::Ssh { host_id, host_key, position } = &self.boot.1.method else { return };
        if *host_id != call.message_id {
            let text = format!("hostID '{host_id}' is not the messageID '{}' of the call at {called}", call.message_id);
            findings.error(*position, text);
        } else if !call.data.contains_key(host_key) {
            findings
                .error(*position, format!("host_key '{host_key}' is no key of the message of the call at {called}"));
        }
    }

    /// Names of definitions are directories and suites: unique in a role.
    fn check_names(&self, findings: &mut Findings) {
        let mut seen: Vec<&Definition> = Vec::new();
        for definition in self.tests.iter().flat_map(|(_, definitions)| *definitions) {
            if let Some(first) = seen.iter().find(|first| first.name == definition.name) {
                let text = format!("name '{}' is taken by the definition at {}", definition.name, first.position);
                findings.error(definition.position, text);
            }
            seen.push(definition);
        }
    }

    /// A guest logs in to the system its host booted: another prompt will not come.
    pub fn check_prompts(&self, host: &Plan, host_name: &str, findings: &mut Findings) {
        let (own, hosts) = (self.boot.1, host.boot.1);
        if !own.prompts.is_empty() && !hosts.prompts.is_empty() && own.prompts != hosts.prompts {
            let text = format!(
                "prompts differ from those of '{host_name}', whose system this is, at {}",
                hosts.prompts_position
            );
            findings.warn(own.prompts_position, text);
        }
    }
}
