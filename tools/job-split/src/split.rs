//! The split: from a job and its dictionaries to one role message per member.

use crate::blocks::Block;
use crate::boot::Method;
use crate::cli::Options;
use crate::deploy::Deploy;
use crate::device::Dictionary;
use crate::dialogue::{self, Parts};
use crate::findings::Findings;
use crate::input::{Board, Input};
use crate::job::Job;
use crate::members::members;
use crate::plan::{Plan, plan};
use crate::roles::{Kind, Role};
use crate::timeouts::{BUILT_IN, Named, Scope};
use mn_cli::Result;
use mn_msg::role::{self, Action, Facts, Group, Member, Start, Step};

/// How long a member without a timeout of its own waits for its start, in seconds.
const START: u64 = 90;

/// Splits a job: hands one role message per member to `sink`, one after the other, and gives the members.
/// What is wrong with the job is added to the findings of `input`; the messages are worth something
/// only when there is nothing.
///
/// # Errors
/// Status 2 when a message cannot be made, and those of `sink`.
pub fn split(
    input: &mut Input,
    options: &Options,
    mut sink: impl FnMut(mn_msg::Role) -> Result<()>,
) -> Result<Vec<Member>> {
    let Input { job: Some(job), findings, group, boards } = input else { return Ok(Vec::new()) };
    let plans: Vec<Option<Plan>> =
        job.roles.iter().map(|role| (role.count > 0).then(|| plan(job, role, findings)).flatten()).collect();
    check_prompts(job, &plans, findings);
    let members = members(&job.roles, options.job_id);
    let places = assign(job, &members, boards, findings);
    let all: Vec<Member> = members.iter().map(|(_, member)| member.clone()).collect();
    let group = Group { name: group.clone(), size: u32::try_from(all.len()).unwrap_or(u32::MAX), members: all };
    for (sub_id, (place, member)) in members.iter().enumerate() {
        let Some(plan) = &plans[*place] else { continue };
        let mut work = Split { job, plan, role: &job.roles[*place], findings };
        let facts = work.facts(sub_id, member, &group, places[sub_id].map(|place| &mut boards[place]));
        sink(mn_msg::Role::from_facts(facts)?)?;
    }
    Ok(group.members)
}

fn check_prompts(job: &Job, plans: &[Option<Plan>], findings: &mut Findings) {
    for (role, plan) in job.roles.iter().zip(plans) {
        let (Kind::Connection(host), Some(plan)) = (&role.kind, plan) else { continue };
        let place = job.roles.iter().position(|role| role.name == *host);
        if let Some(host_plan) = place.and_then(|place| plans[place].as_ref()) {
            plan.check_prompts(host_plan, host, findings);
        }
    }
}

/// The dictionary of each member, as a place in `boards`: those of a type in the order given, and
/// for a connection its host's.
fn assign(job: &Job, members: &[(usize, Member)], boards: &[Board], findings: &mut Findings) -> Vec<Option<usize>> {
    let mut taken = vec![false; boards.len()];
    let mut own = Vec::new();
    for (place, _) in members {
        let role = &job.roles[*place];
        let Kind::Device(device_type) = &role.kind else {
            own.push(None);
            continue;
        };
        let of_type = |board: usize| boards[board].device_type == *device_type;
        let free = (0..boards.len()).find(|board| of_type(*board) && !taken[*board]);
        match free {
            Some(board) => taken[board] = true,
            None if (0..boards.len()).any(of_type) => {
                let text = format!(
                    "more boards of type '{device_type}' than dictionaries: give --device {device_type}=FILE for each"
                );
                findings.error(role.position, text);
            }
            None => {
                let text =
                    format!("no dictionary for the device type '{device_type}': give --device {device_type}=FILE");
                findings.warn(role.position, text);
            }
        }
        own.push(free);
    }
    let hosted = |member: &Member| members.iter().position(|(_, other)| Some(&other.job_id) == member.host.as_ref());
    members.iter().enumerate().map(|(place, (_, member))| own[hosted(member).unwrap_or(place)]).collect()
}

/// The split of one member.
struct Split<'a> {
    job: &'a Job,
    plan: &'a Plan<'a>,
    role: &'a Role,
    findings: &'a mut Findings,
}

impl Split<'_> {
    fn facts(&mut self, sub_id: usize, member: &Member, group: &Group, board: Option<&mut Board>) -> Facts {
        let (dictionary, board_findings) = match board {
            Some(Board { dictionary, findings, .. }) => (dictionary.as_ref(), Some(findings)),
            None => (None, None),
        };
        let mut actions = vec![self.deploy(dictionary), self.boot(dictionary, board_findings)];
        actions.extend(self.tests(&member.job_id, dictionary));
        Facts {
            job_id: member.job_id.clone(),
            role: member.role.clone(),
            sub_id: u32::try_from(sub_id).unwrap_or(u32::MAX),
            job_name: self.job.name.clone(),
            group: group.clone(),
            host: member.host.clone(),
            timeouts: role::Timeouts {
                job: self.job.timeouts.job,
                connection: self.job.timeouts.connection.unwrap_or(BUILT_IN),
                call: self.role.timeout.unwrap_or(BUILT_IN),
            },
            start: self
                .role
                .start
                .as_ref()
                .map(|awaited| Start { role: awaited.clone(), timeout: self.role.timeout.unwrap_or(START) }),
            environment: self.role.environment.clone(),
            metadata: self.job.metadata.clone(),
            device: dictionary.map(|dictionary| match member.host {
                Some(_) => dictionary.for_guest(&member.job_id),
                None => dictionary.for_host(&member.job_id),
            }),
            actions,
            overlay: None,
            started: None,
            staged: None,
            address: None,
            console: None,
        }
    }

    fn deploy(&self, dictionary: Option<&Dictionary>) -> Action {
        let (block, deploy) = self.plan.deploy;
        let name = if matches!(deploy, Deploy::Ssh { .. }) { "scp-overlay" } else { "tftp-deploy" };
        let mut action = role::Deploy {
            level: "1".to_owned(),
            timeout: scope(self.job, dictionary, block).resolve(name),
            to: deploy.method().to_owned(),
            overlay_level: format!("1.1.{}", test_definition_level(dictionary) + 1),
            resources: Vec::new(),
            authorize: None,
            calls: Vec::new(),
            os: block.os.clone(),
        };
        match deploy {
            Deploy::Tftp { resources, authorize } => {
                action.resources = resources.clone();
                action.authorize = authorize.then(|| "ssh".to_owned());
            }
            Deploy::Ssh { call, .. } => action.calls = vec![call.clone()],
        }
        Action::Deploy(action)
    }

    fn boot(&mut self, dictionary: Option<&Dictionary>, board: Option<&mut Findings>) -> Action {
        let (block, boot) = self.plan.boot;
        let name = if matches!(boot.method, Method::Ssh { .. }) { "login-ssh" } else { "grub-main-action" };
        let timeout = scope(self.job, dictionary, block).resolve(name);
        let (host_id, host_key) = match &boot.method {
            Method::Ssh { host_id, host_key, .. } => (Some(host_id.clone()), Some(host_key.clone())),
            Method::GrubEfi(_) => (None, None),
        };
        Action::Boot(role::Boot {
            level: "2".to_owned(),
            timeout,
            method: boot.method_name().to_owned(),
            prompts: boot.prompts.clone(),
            dialogue: self.dialogue(timeout, dictionary, board),
            host_id,
            host_key,
        })
    }

    /// Without a dictionary there is nothing to say to a board.
    fn dialogue(&mut self, limit: u64, dictionary: Option<&Dictionary>, board: Option<&mut Findings>) -> Vec<Step> {
        let (block, boot) = self.plan.boot;
        let (Method::GrubEfi(grub), Some(dictionary), Some(board)) = (&boot.method, dictionary, board) else {
            return Vec::new();
        };
        let parts = Parts {
            grub,
            prompts: &boot.prompts,
            tests_follow: !self.plan.tests.is_empty(),
            board: dictionary,
            scope: scope(self.job, Some(dictionary), block),
            limit,
        };
        dialogue::compile(&parts, self.findings, board)
    }

    /// Runs are numbered over all blocks of the role; their identifiers carry the numbers of LAVA's actions.
    fn tests(&self, job_id: &str, dictionary: Option<&Dictionary>) -> Vec<Action> {
        let level = test_definition_level(dictionary);
        let mut number = 0;
        let mut actions = Vec::new();
        for (stage, (block, definitions)) in self.plan.tests.iter().enumerate() {
            let mut listed = Vec::new();
            for definition in *definitions {
                let run = format!("{number}_{}", definition.name);
                let uuid = format!("{job_id}_1.1.{level}.{}", 4 * number + 1);
                listed.push(definition.message(run, uuid));
                number += 1;
            }
            actions.push(Action::Test(role::Test {
                level: (stage + 3).to_string(),
                timeout: scope(self.job, dictionary, block).resolve("multinode-test"),
                stage: u32::try_from(stage).unwrap_or(u32::MAX),
                definitions: listed,
            }));
        }
        actions
    }
}

/// What decides about the timeouts of a block.
fn scope<'a>(job: &'a Job, dictionary: Option<&'a Dictionary>, block: &'a Block) -> Scope<'a> {
    static NONE: Named = Named::new();
    Scope {
        job: &job.timeouts,
        device: dictionary.map_or(&NONE, |dictionary| &dictionary.timeouts),
        block: block.timeout,
        named: &block.timeouts,
    }
}

/// The number of LAVA's action test-definition below the overlay's: a device that knows ssh has one
/// action more before it. A board without a dictionary is taken for one that does.
fn test_definition_level(dictionary: Option<&Dictionary>) -> u32 {
    if dictionary.is_none_or(|dictionary| dictionary.has_ssh) { 3 } else { 2 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    fn board(device_type: &str, hostname: &str) -> Board {
        let mut findings = Findings::new(hostname);
        let document = mn_yaml::parse(format!("hostname: {hostname}\n").as_bytes()).unwrap();
        let dictionary = device::read(&document, device_type, &mut findings);
        Board { device_type: device_type.to_owned(), dictionary, findings }
    }

    fn role(name: &str, count: u32, kind: Kind) -> Role {
        let position = mn_yaml::Position::START;
        Role { name: name.to_owned(), position, count, kind, start: None, timeout: None, environment: None }
    }

    fn assigned(roles: Vec<Role>, boards: &[Board]) -> (Vec<Option<usize>>, Findings) {
        let members = members(&roles, 1);
        let job = Job { name: String::new(), timeouts: Default::default(), metadata: None, roles, blocks: Vec::new() };
        let mut findings = Findings::new("job");
        (assign(&job, &members, boards, &mut findings), findings)
    }

    #[test]
    fn dictionaries_go_to_the_boards_of_their_type_and_to_the_guests_on_them() {
        let roles = vec![
            role("guest", 2, Kind::Connection("host".to_owned())),
            role("others", 2, Kind::Device("b".to_owned())),
            role("host", 1, Kind::Device("a".to_owned())),
        ];
        let boards = [board("b", "b1"), board("a", "a1"), board("b", "b2")];
        let (places, findings) = assigned(roles, &boards);
        assert_eq!(places, [Some(1), Some(1), Some(0), Some(2), Some(1)]);
        assert!(findings.error_lines().is_empty() && findings.warning_lines().is_empty());
    }

    #[test]
    fn too_few_dictionaries_are_an_error_and_none_a_warning() {
        let two = || vec![role("hosts", 2, Kind::Device("a".to_owned()))];
        let (places, findings) = assigned(two(), &[board("a", "a1")]);
        assert_eq!((places, findings.error_lines().len()), (vec![Some(0), None], 1));
        let (places, findings) = assigned(two(), &[]);
        assert_eq!((places, findings.error_lines().len()), (vec![None, None], 0));
        assert_eq!(findings.warning_lines().len(), 1);
    }
}
