//! The split: from a job and its dictionaries to one role message per member.

use crate::blocks::{Block, Work};
use crate::boot::{Boot, By, Method, Until};
use crate::cli::Options;
use crate::deploy::Deploy;
use crate::deps::{self, Moves};
use crate::device::Dictionary;
use crate::dialogue::{self, Parts};
use crate::findings::Findings;
use crate::input::{Board, Input};
use crate::job::Job;
use crate::members::members;
use crate::plan::{Plan, plan};
use crate::roles::{Kind, Role};
use crate::suggest::suggest;
use crate::tests::{OnTimeout, Test};
use crate::timeouts::{self, BUILT_IN, Named, SCP, SSH, Scope, TFTP};
use crate::uboot;
use mn_cli::Result;
use mn_msg::role::{self, Action, BoundCall, Facts, Group, Member, Start, Step};
use mn_yaml::Position;
use std::collections::HashMap;

/// How long a member without a timeout of its own waits for its start, in seconds.
const START: u64 = 90;

/// Splits a job: hands one role message for each wanted member to `sink`, one after the other, and gives the
/// members, which the messages do not list: the list would be copied for each of them. What is wrong with the job
/// is added to the findings of `input`; the messages are worth something only when there is nothing.
///
/// # Errors
/// Status 2 when a message cannot be made, and those of `sink`.
pub fn split(
    input: &mut Input,
    options: &Options,
    wanted: impl Fn(&Member) -> bool,
    mut sink: impl FnMut(Facts) -> Result<()>,
) -> Result<Vec<Member>> {
    let Input { job: Some(job), findings, group, boards } = input else { return Ok(Vec::new()) };
    let plans = plans(job, findings);
    check_prompts(job, &plans, findings);
    let moves = if options.collate { deps::moves(job, &plans, findings) } else { Moves::default() };
    let members = members(&job.roles, options.job_id);
    let places = assign(job, &members, boards, findings);
    let all: Vec<Member> = members.iter().map(|(_, member)| member.clone()).collect();
    let size = u32::try_from(all.len()).unwrap_or(u32::MAX);
    let group = Group { name: group.clone(), size, members: Vec::new() };
    for (sub_id, (place, member)) in members.iter().enumerate() {
        let Some(plan) = plans[*place].as_ref().filter(|_| wanted(member)) else { continue };
        let role = &job.roles[*place];
        let mut work = Split { job, plan, place: *place, role, moves: &moves, sticky: BUILT_IN, findings };
        sink(work.facts(sub_id, member, &group, places[sub_id].map(|place| &mut boards[place])))?;
    }
    Ok(all)
}

/// What each role does; none for a role without members or with mistakes.
pub fn plans<'a>(job: &'a Job, findings: &mut Findings) -> Vec<Option<Plan<'a>>> {
    job.roles.iter().map(|role| (role.count > 0).then(|| plan(job, role, findings)).flatten()).collect()
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
    let ids: HashMap<&str, usize> =
        members.iter().enumerate().map(|(place, (_, member))| (&*member.job_id, place)).collect();
    let hosted = |member: &Member| member.host.as_deref().and_then(|host| ids.get(host).copied());
    members.iter().enumerate().map(|(place, (_, member))| own[hosted(member).unwrap_or(place)]).collect()
}

/// The split of one member.
struct Split<'a> {
    job: &'a Job,
    plan: &'a Plan<'a>,
    place: usize,
    role: &'a Role,
    moves: &'a Moves,
    /// The limit that the last call set for those after it, in seconds.
    sticky: u64,
    findings: &'a mut Findings,
}

impl Split<'_> {
    fn facts(&mut self, sub_id: usize, member: &Member, group: &Group, mut board: Option<&mut Board>) -> Facts {
        let mut actions = Vec::new();
        let (mut stage, mut number) = (0, 0);
        for (nth, block) in self.plan.blocks.iter().enumerate() {
            let level = (nth + 1).to_string();
            let action = match &block.work {
                Work::Deploy(deploy) => self.deploy(level, block, deploy, board.as_deref_mut()),
                Work::Boot(boot) => self.boot(level, block, boot, board.as_deref_mut()),
                Work::Test(test) => {
                    let place = Stage { level, number: stage, first: number };
                    stage += usize::from(!test.definitions.is_empty());
                    number += test.definitions.len();
                    self.test(&place, block, test, &member.job_id, board.as_deref())
                }
                Work::Command(name, at) => self.command(level, block, (name, *at), board.as_deref()),
                Work::Broken => continue,
            };
            actions.push(action);
        }
        let mut unsupported = self.plan.unsupported.clone();
        unsupported.extend(board.as_deref_mut().map(|board| board.findings.take_unsupported()).unwrap_or_default());
        let dictionary = board.as_deref().and_then(|board| board.dictionary.as_ref());
        let context = self.role.context.as_ref();
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
            context: self.role.context.clone(),
            connection_timeouts: self.job.timeouts.connections.iter().cloned().collect(),
            guest_definitions: self.moves.guest_definitions(self.place),
            unsupported,
            device: dictionary.map(|dictionary| match member.host {
                Some(_) => dictionary.for_guest(&member.job_id, context),
                None => dictionary.for_host(&member.job_id, context),
            }),
            actions,
            overlay: None,
            started: None,
            staged: None,
            address: None,
            console: self.watched(),
        }
    }

    /// The console that the role records; other roles get theirs from a holder or a dictionary.
    fn watched(&self) -> Option<String> {
        match &self.role.kind {
            Kind::Console(of) => Some(format!("share:{of}")),
            Kind::Device(_) | Kind::Connection(_) => None,
        }
    }

    fn scope<'s>(&'s self, block: &'s Block, board: Option<&'s Board>) -> Scope<'s> {
        scope(self.job, board.and_then(|board| board.dictionary.as_ref()), block)
    }

    /// The block as it stands, for a role that cannot be run.
    fn kept(&self, block: &Block) -> Option<mn_msg::Object> {
        if block.unsupported.is_empty() {
            return None;
        }
        let entries = block.body.entries().iter().filter(|entry| entry.key != "role");
        Some(entries.map(|entry| (entry.key.clone(), entry.value.value())).collect())
    }

    /// A call's limit holds for all that come after it.
    fn calls(&mut self, block: &Block) -> Vec<BoundCall> {
        let mut calls = Vec::new();
        for call in &block.calls {
            self.sticky = call.timeout.unwrap_or(self.sticky);
            calls.push(call.message(self.sticky));
        }
        calls
    }

    fn deploy(&mut self, level: String, block: &Block, deploy: &Deploy, mut board: Option<&mut Board>) -> Action {
        let mut resources = deploy.resources.clone();
        if let Some(Board { dictionary: Some(dictionary), findings, .. }) = board.as_deref_mut() {
            uboot::add_headers(&mut resources, self.plan.system_boot(), dictionary, findings);
        }
        let board = board.as_deref();
        let actions = if deploy.to == "ssh" { SCP.as_slice() } else { &TFTP };
        let scope = self.scope(block, board);
        let (timeout, timeouts) = (scope.resolve(actions[0]), scope.limits(actions));
        let dictionary = board.and_then(|board| board.dictionary.as_ref());
        Action::Deploy(role::Deploy {
            overlay_level: format!("{level}.1.{}", test_definition_level(dictionary) + 1),
            level,
            timeout,
            to: deploy.to.clone(),
            resources,
            authorize: (deploy.authorize && deploy.to != "ssh").then(|| "ssh".to_owned()),
            os: deploy.os.clone(),
            calls: self.calls(block),
            block: self.kept(block),
            timeouts,
        })
    }

    fn boot(&mut self, level: String, block: &Block, boot: &Boot, board: Option<&mut Board>) -> Action {
        let actions = match &boot.method {
            Method::Console(console) if console.until == Until::Prompt => timeouts::boot(By::Ipxe),
            Method::Console(console) => timeouts::boot(console.by),
            Method::Ssh { .. } => &SSH,
            Method::Other(_) => timeouts::boot(By::GrubEfi),
        };
        let scope = self.scope(block, board.as_deref());
        let (timeout, timeouts) = (scope.resolve(actions[0]), scope.limits(actions));
        let attempts = self.attempts(block, boot, board.as_deref());
        let (host_id, host_key) = match &boot.method {
            Method::Ssh { host_id, host_key, .. } => (Some(host_id.clone()), Some(host_key.clone())),
            Method::Console(_) | Method::Other(_) => (None, None),
        };
        let mut dialogue = self.dialogue(timeout, block, boot, board);
        let (mut bootscript, mut transfer_overlay) = (Vec::new(), None);
        if let Method::Console(console) = &boot.method {
            if console.script {
                bootscript = dialogue::script(&mut dialogue);
            }
            let has_tests = self.plan.definitions().next().is_some();
            transfer_overlay = console.transfer.as_ref().filter(|_| has_tests).map(|_| "http".to_owned());
        }
        Action::Boot(role::Boot {
            level,
            timeout,
            method: boot.method_name().to_owned(),
            bootscript,
            transfer_overlay,
            attempts: several(attempts),
            interval: interval(block).filter(|_| attempts > 1),
            repeat: several(block.repeat),
            prompts: boot.prompts.clone(),
            dialogue,
            host_id,
            host_key,
            calls: self.calls(block),
            block: self.kept(block),
            timeouts,
        })
    }

    /// How often a boot by the console is tried in all; without a dictionary what the block says.
    fn attempts(&self, block: &Block, boot: &Boot, board: Option<&Board>) -> u64 {
        if !matches!(boot.method, Method::Console(_)) {
            return 1;
        }
        let own = block.body.get("failure_retry").map(|_| block.attempts);
        match board.and_then(|board| board.dictionary.as_ref()) {
            Some(dictionary) => dialogue::attempts(own, dictionary, self.role.context.as_ref()),
            None => block.attempts,
        }
    }

    /// Without a dictionary there is nothing to say to a board.
    fn dialogue(&mut self, limit: u64, block: &Block, boot: &Boot, board: Option<&mut Board>) -> Vec<Step> {
        let attempts = self.attempts(block, boot, board.as_deref());
        let (Method::Console(console), Some(Board { dictionary: Some(dictionary), findings, .. })) =
            (&boot.method, board)
        else {
            return Vec::new();
        };
        let parts = Parts {
            boot: console,
            resources: self.plan.deploy().map(|(_, deploy)| deploy.resources.as_slice()).unwrap_or_default(),
            prompts: &boot.prompts,
            tests_follow: self.plan.definitions().next().is_some(),
            board: dictionary,
            scope: Scope { attempts, ..scope(self.job, Some(dictionary), block) },
            limit,
            context: self.role.context.as_ref(),
        };
        dialogue::compile(&parts, self.findings, findings)
    }

    /// Runs are numbered over all blocks of the role; their identifiers carry the numbers of LAVA's actions.
    fn test(&mut self, stage: &Stage, block: &Block, test: &Test, job_id: &str, board: Option<&Board>) -> Action {
        let dictionary = board.and_then(|board| board.dictionary.as_ref());
        let level = test_definition_level(dictionary);
        let mut listed = Vec::new();
        for (number, definition) in (stage.first..).zip(&test.definitions) {
            let uuid = format!("{job_id}_1.1.{level}.{}", 4 * number + 1);
            let mut message = definition.message(format!("{number}_{}", definition.name), uuid);
            self.moves.apply(self.place, number, definition, &mut message);
            listed.push(message);
        }
        Action::Test(role::Test {
            level: stage.level.clone(),
            timeout: self.scope(block, board).resolve(test.action(self.job.is_multinode)),
            stage: u32::try_from(stage.number).unwrap_or(u32::MAX),
            definitions: listed,
            interactive: test.scripts.iter().map(|script| script.message.clone()).collect(),
            monitors: test.monitors.iter().map(|monitor| monitor.message.clone()).collect(),
            attempts: several(block.attempts),
            interval: interval(block).filter(|_| block.attempts > 1),
            repeat: several(block.repeat),
            on_timeout: (test.on_timeout == OnTimeout::Skip).then(|| "skip".to_owned()),
            calls: self.calls(block),
            block: self.kept(block),
            timeouts: role::Limits::new(),
        })
    }

    fn command(&mut self, level: String, block: &Block, (name, at): (&str, Position), board: Option<&Board>) -> Action {
        let dictionary = board.and_then(|board| board.dictionary.as_ref());
        if let (Some(dictionary), Kind::Device(_)) = (dictionary, &self.role.kind)
            && !dictionary.has_command(name)
        {
            let hint = suggest(name, dictionary.commands());
            let text = format!("the dictionary of '{}' has no command '{name}'{hint}", dictionary.hostname());
            self.findings.error(at, text);
        }
        let timeout = self.scope(block, board).resolve("user-command");
        Action::Command(role::Command { level, timeout, name: name.to_owned() })
    }
}

/// A number of times that is more than once.
fn several(times: u64) -> Option<u32> {
    u32::try_from(times).ok().filter(|times| *times > 1)
}

/// Seconds between two attempts, where the block says so.
fn interval(block: &Block) -> Option<u64> {
    let interval = block.body.get("failure_retry_interval").and_then(|node| node.as_int().ok());
    interval.and_then(|seconds| u64::try_from(seconds).ok())
}

/// A test block among the test blocks of a role.
struct Stage {
    level: String,
    /// How many blocks with definitions come before it.
    number: usize,
    /// The number of its first definition.
    first: usize,
}

/// What decides about the timeouts of a block.
fn scope<'a>(job: &'a Job, dictionary: Option<&'a Dictionary>, block: &'a Block) -> Scope<'a> {
    static NONE: Named = Named::new();
    Scope {
        job: &job.timeouts,
        device: dictionary.map_or(&NONE, |dictionary| &dictionary.timeouts),
        block: block.timeout,
        named: &block.timeouts,
        attempts: block.attempts,
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

    fn assigned(roles: Vec<Role>, boards: &[Board]) -> (Vec<Option<usize>>, Findings) {
        let members = members(&roles, 1);
        let body = mn_yaml::parse(b"{}").unwrap().root.as_map().unwrap().clone();
        let job = Job {
            name: String::new(),
            timeouts: Default::default(),
            metadata: None,
            roles,
            blocks: Vec::new(),
            is_multinode: true,
            unsupported: Vec::new(),
            body,
        };
        let mut findings = Findings::new("job");
        (assign(&job, &members, boards, &mut findings), findings)
    }

    #[test]
    fn dictionaries_go_to_the_boards_of_their_type_and_to_the_guests_on_them() {
        let roles = vec![
            Role::bare("guest", 2, Kind::Connection("host".to_owned())),
            Role::bare("others", 2, Kind::Device("b".to_owned())),
            Role::bare("host", 1, Kind::Device("a".to_owned())),
        ];
        let boards = [board("b", "b1"), board("a", "a1"), board("b", "b2")];
        let (places, findings) = assigned(roles, &boards);
        assert_eq!(places, [Some(1), Some(1), Some(0), Some(2), Some(1)]);
        assert!(findings.error_lines().is_empty() && findings.warning_lines().is_empty());
    }

    #[test]
    fn too_few_dictionaries_are_an_error_and_none_a_warning() {
        let two = || vec![Role::bare("hosts", 2, Kind::Device("a".to_owned()))];
        let (places, findings) = assigned(two(), &[board("a", "a1")]);
        assert_eq!((places, findings.error_lines().len()), (vec![Some(0), None], 1));
        let (places, findings) = assigned(two(), &[]);
        assert_eq!((places, findings.error_lines().len()), (vec![None, None], 0));
        assert_eq!(findings.warning_lines().len(), 1);
    }
}
