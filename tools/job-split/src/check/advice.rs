//! What else is worth telling about calls: messages that do not fit together, limits that are too short, and
//! connections that LAVA would cut.

use super::program::{Doings, Maker, Step};
use super::run::{Kind, START};
use crate::deps;
use crate::findings::{Finding, Findings, Level};
use crate::job::Job;
use crate::roles::Kind as On;
use crate::suggest::suggest;
use mn_yaml::Position;
use std::collections::HashSet;

/// What advice is given about.
pub struct Advice<'a> {
    /// The job.
    pub job: &'a Job,
    /// What its roles do.
    pub doings: &'a [Doings<'a>],
    /// How what keeps the job from its end is told.
    pub level: Level,
    /// Where it is told.
    pub findings: &'a mut Findings,
}

impl<'a> Advice<'a> {
    /// Gives all of it; `moved` says that packages of guests are installed by their host.
    pub fn give(&mut self, moved: Packages) {
        self.unfollowed();
        self.recordings();
        self.roles();
        self.unheard();
        self.keys();
        self.starts();
        self.limits();
        for guest in self.doings {
            let On::Connection(host) = &guest.role.kind else { continue };
            let host = self.doings.iter().find(|other| other.role.name == *host);
            self.meetings(guest, host);
            self.authorized(guest, host);
            if moved == Packages::Stay {
                self.packages(guest);
            }
        }
    }

    /// Notes are for who asked to have the job checked, not for each run.
    fn tell(&mut self, level: Level, at: Position, text: String, also: Vec<(Position, String)>) {
        if level == Level::Note && self.level != Level::Stuck {
            return;
        }
        self.findings.add(Finding { at, level, text, also });
    }

    fn steps(&self) -> impl Iterator<Item = (&'a Doings<'a>, &'a Step)> + use<'a> {
        self.doings.iter().flat_map(|doings| doings.steps.iter().map(move |step| (doings, step)))
    }

    /// What is not known is said once.
    fn unfollowed(&mut self) {
        let mut later = Vec::new();
        let mut told = HashSet::new();
        for (_, step) in self.steps() {
            let Some(doubt) = &step.doubt else { continue };
            if !told.insert(step.at) {
                continue;
            }
            if step.act.kind == Kind::Anything && doubt.contains("fetched later") {
                later.push((step.at, doubt.clone()));
            } else {
                self.tell(Level::Note, step.at, doubt.clone(), Vec::new());
            }
        }
        if let Some((at, first)) = later.first() {
            let text = match later.len() {
                1 => first.clone(),
                more => format!("{first}, nor those of {} more", more - 1),
            };
            self.tell(Level::Note, *at, text, Vec::new());
        }
    }

    /// What a LAVA server does not know.
    fn recordings(&mut self) {
        for role in self.job.roles.iter().filter(|role| !role.kind.is_counted()) {
            let text = format!("'{}' records a console: a LAVA server refuses such a role", role.name);
            self.tell(Level::Note, role.position, text, Vec::new());
        }
    }

    /// Names of roles in calls.
    fn roles(&mut self) {
        for (_, step) in self.steps() {
            let Kind::WaitAll(Some(name)) = &step.act.kind else { continue };
            let text = match self.job.roles.iter().find(|role| role.name == *name) {
                Some(role) if role.kind.is_counted() => continue,
                Some(_) => format!("role '{name}' records a console and sends nothing"),
                None => {
                    let hint = suggest(name, self.job.roles.iter().map(|role| role.name.as_str()));
                    format!("role '{name}' does not exist{hint}")
                }
            };
            let level = if step.act.certain { self.level } else { Level::Warning };
            self.tell(level, step.at, text, Vec::new());
        }
    }

    /// Messages that nobody waits for.
    fn unheard(&mut self) {
        let mut heard: HashSet<&str> = HashSet::new();
        let mut open = false;
        for (_, step) in self.steps() {
            match &step.act.kind {
                Kind::Wait | Kind::WaitAll(_) => drop(heard.insert(&step.act.id)),
                Kind::Start(_) => drop(heard.insert(START)),
                Kind::Anything => open = true,
                _ => {}
            }
        }
        let far = if open { ", as far as can be followed" } else { "" };
        let mut told = HashSet::new();
        for (_, step) in self.steps().filter(|(_, step)| step.act.kind == Kind::Send) {
            if !heard.contains(&*step.act.id) && told.insert(&step.act.id) {
                let hint = suggest(&step.act.id, heard.iter().copied());
                let text = format!("nobody waits for message '{}'{far}{hint}", step.act.id);
                self.tell(Level::Note, step.at, text, Vec::new());
            }
        }
    }

    fn keys(&mut self) {
        for (_, step) in self.steps() {
            let bad = |key: &&String| key.is_empty() || !key.chars().all(|c| c.is_alphanumeric() || c == '_');
            for key in step.keys.iter().flatten().filter(bad) {
                let text = format!("'{key}' is no key for LAVA: letters, digits and underscores are");
                self.tell(Level::Warning, step.at, text, Vec::new());
            }
            for key in &step.wanted {
                self.wanted(step, key);
            }
        }
    }

    /// A key that is picked up must be in the message.
    fn wanted(&mut self, step: &Step, key: &str) {
        let sends: Vec<&Step> = self
            .steps()
            .map(|(_, other)| other)
            .filter(|other| other.act.kind == Kind::Send && other.act.id == step.act.id)
            .collect();
        let all_known = !sends.is_empty() && sends.iter().all(|send| send.keys.is_some() && send.act.certain);
        if !all_known || sends.iter().any(|send| send.keys.iter().flatten().any(|known| known == key)) {
            return;
        }
        let known = sends.iter().flat_map(|send| send.keys.iter().flatten()).map(String::as_str);
        let hint = suggest(key, known);
        let text = format!("message '{}' has no key '{key}'{hint}", step.act.id);
        let level =
            if self.steps().any(|(_, other)| other.act.kind == Kind::Anything) { Level::Warning } else { self.level };
        self.tell(level, step.at, text, vec![(sends[0].at, "it is sent here".to_owned())]);
    }

    /// `lava_start` is sent once, and after what the started need.
    fn starts(&mut self) {
        for host in self.doings {
            let sends = |id: &str| {
                let sent = host.steps.iter().enumerate();
                sent.filter(|(_, step)| step.act.kind == Kind::Send && step.act.id == id).collect::<Vec<_>>()
            };
            let starts = sends(START);
            let Some((first, start)) = starts.first() else { continue };
            if let Some((_, again)) = starts.get(1) {
                let text = format!("'{}' sends {START} again: the first has started everybody", host.role.name);
                self.tell(Level::Warning, again.at, text, vec![(start.at, "the first is here".to_owned())]);
            }
            for guest in self.doings {
                let waits = guest.role.start.as_ref() == Some(&host.role.name);
                for wait in guest.steps.iter().filter(|step| waits && step.maker == Maker::Action) {
                    let late = sends(&wait.act.id).first().filter(|(nth, _)| nth > first).map(|(_, send)| send.at);
                    if let (Kind::Wait, Some(late)) = (&wait.act.kind, late) {
                        let text = format!(
                            "{START} is sent before message '{}', which '{}' needs first",
                            wait.act.id, guest.role.name
                        );
                        self.tell(Level::Warning, start.at, text, vec![(late, "the message is sent here".to_owned())]);
                    }
                }
            }
        }
    }

    /// A wait should last as long as it may take the others to come.
    fn limits(&mut self) {
        for (doings, step) in self.steps() {
            let started = |other: &Doings| doings.role.start.as_ref() == Some(&other.role.name);
            let sends =
                |other: &Doings| other.steps.iter().any(|act| act.act.kind == Kind::Send && act.act.id == step.act.id);
            let needs = |other: &&Doings| match &step.act.kind {
                Kind::Start(of) => other.role.name == *of,
                Kind::Sync => !started(other),
                Kind::Wait => !started(other) && sends(other),
                Kind::WaitAll(of) => !started(other) && of.as_ref().is_none_or(|of| *of == other.role.name),
                Kind::Send | Kind::Anything => false,
            };
            let others = self.doings.iter().filter(|other| other.role.name != doings.role.name).filter(needs);
            let longest = others.map(|other| (other.way(self.job), other)).max_by_key(|(way, _)| *way);
            let Some((way, other)) = longest.filter(|(way, _)| *way > step.timeout) else { continue };
            let text = format!(
                "'{}' waits {} s here, and '{}' may need {way} s to deploy and boot",
                doings.role.name, step.timeout, other.role.name
            );
            let block = other.plan.boot().map(|(block, _)| block.position);
            let also = block.map(|at| (at, format!("'{}' boots here", other.role.name)));
            self.tell(Level::Warning, step.at, text, also.into_iter().collect());
        }
    }

    /// A host that has met its guests for the last time may end, in LAVA, under them.
    fn meetings(&mut self, guest: &Doings<'a>, host: Option<&Doings<'a>>) {
        let Some(host) = host else { return };
        let hears = |id: &str| {
            let waits = |step: &Step| matches!(step.act.kind, Kind::Wait | Kind::WaitAll(_)) && step.act.id == id;
            host.steps.iter().any(waits)
        };
        let meets = |step: &&Step| match step.act.kind {
            Kind::Sync => true,
            Kind::Send => hears(&step.act.id),
            _ => false,
        };
        let count = guest.plan.definitions().count();
        let last = guest.steps.iter().rev().find(meets);
        let (name, other) = (&guest.role.name, &host.role.name);
        match last.map(|step| (step.at, &step.maker)) {
            Some((at, Maker::Test(nth))) if nth + 1 < count => {
                let text = format!(
                    "'{name}' has work after its last meeting with '{other}': here '{other}' waits for its end, in LAVA \
                     it may power the board off"
                );
                self.tell(Level::Note, at, text, Vec::new());
            }
            None if count > 0 && guest.steps.iter().all(|step| step.act.certain) => {
                let text = format!(
                    "'{name}' never meets '{other}': here '{other}' waits for its end, in LAVA it may power the board off"
                );
                self.tell(Level::Note, guest.role.position, text, Vec::new());
            }
            _ => {}
        }
    }

    fn authorized(&mut self, guest: &Doings<'a>, host: Option<&Doings<'a>>) {
        let Some((block, deploy)) = host.and_then(|host| host.plan.deploy()) else { return };
        if !deploy.authorize {
            let text = format!("'{}' logs in by ssh, and this deploy has no 'authorize: ssh'", guest.role.name);
            let also = vec![(guest.role.position, "the connection".to_owned())];
            self.tell(Level::Warning, block.position, text, also);
        }
    }

    fn packages(&mut self, guest: &Doings<'a>) {
        for definition in guest.plan.definitions().filter(|definition| !definition.skips("deps")) {
            let Some((_, at)) = deps::deps(definition) else { continue };
            let text =
                format!("'{}' installs packages into a system that others use: let its host do it", guest.role.name);
            self.tell(Level::Warning, at, text, Vec::new());
        }
    }
}

/// Where packages of guests are installed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Packages {
    /// By their host.
    Move,
    /// By themselves.
    Stay,
}
