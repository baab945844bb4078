//! Why a group does not come to its end: the calls at which its roles stop, and whom each waits for.

use super::program::Doings;
use super::run::{Kind, Program, START, View, run};
use crate::findings::{Finding, Findings, Level};
use crate::suggest::suggest;
use mn_yaml::Position;

/// Tells where the group stops for certain, with `level`; where it stops unless something helps that cannot be
/// followed, as a warning.
pub fn tell(doings: &[Doings], level: Level, findings: &mut Findings) {
    let programs: Vec<Program> = doings.iter().map(program).collect();
    for (view, level, hope) in
        [(View::Kind, level, ""), (View::Plain, Level::Warning, ", unless what cannot be followed helps")]
    {
        let at = run(&programs, view);
        let stop = Stop { doings, at };
        let found = stop.reasons();
        for (step, text, also) in found {
            findings.add(Finding { at: step, level, text: format!("{text}{hope}"), also });
        }
        if (0..doings.len()).any(|role| stop.is_stuck(role)) {
            return;
        }
    }
}

/// The calls of a role as they are followed.
pub fn program(doings: &Doings) -> Program {
    let acts = doings.steps.iter().map(|step| step.act.clone()).collect();
    Program { role: doings.role.name.clone(), acts }
}

type Reason = (Position, String, Vec<(Position, String)>);

/// Whom a stuck role needs.
enum Need {
    /// Nobody can help.
    Nobody(Reason),
    /// These must move first.
    Roles(Vec<usize>),
}

struct Stop<'a> {
    doings: &'a [Doings<'a>],
    at: Vec<usize>,
}

impl Stop<'_> {
    fn is_stuck(&self, role: usize) -> bool {
        self.at[role] < self.doings[role].steps.len()
    }

    fn name(&self, role: usize) -> &str {
        &self.doings[role].role.name
    }

    /// What is wrong at the root: calls that nobody can answer, and circles. Who waits for those that stop there is
    /// not told.
    fn reasons(&self) -> Vec<Reason> {
        let stuck: Vec<usize> = (0..self.doings.len()).filter(|role| self.is_stuck(*role)).collect();
        let mut reasons: Vec<Reason> = Vec::new();
        for role in &stuck {
            if let Need::Nobody(reason) = self.need(*role) {
                reasons.push(reason);
            }
        }
        let mut told: Vec<usize> = Vec::new();
        for role in &stuck {
            let circle = self.circle(*role);
            if circle.first().is_some_and(|first| !told.contains(first)) {
                reasons.push(self.deadlock(&circle));
                told.extend(circle);
            }
        }
        reasons
    }

    fn need(&self, role: usize) -> Need {
        let step = &self.doings[role].steps[self.at[role]];
        let id = &step.act.id;
        let name = self.name(role);
        let nobody = |text: String, also| Need::Nobody((step.at, text, also));
        match &step.act.kind {
            Kind::Wait => {
                let senders = self.later(|kind, other| *kind == Kind::Send && other == id);
                if senders.is_empty() {
                    let hint = suggest(id, self.ids(|kind| *kind == Kind::Send));
                    return nobody(format!("'{name}' waits for message '{id}', which nobody sends{hint}"), Vec::new());
                }
                Need::Roles(senders)
            }
            Kind::Sync => self.need_all(role, id, &|_| true),
            Kind::WaitAll(of) => self.need_all(role, id, &|other| of.as_ref().is_none_or(|of| self.name(other) == of)),
            Kind::Start(of) => self.need_all(role, START, &|other| self.name(other) == of),
            Kind::Send | Kind::Anything => Need::Roles(Vec::new()),
        }
    }

    /// All members asked have to come to a sync, or to send.
    fn need_all(&self, role: usize, id: &str, asked: &dyn Fn(usize) -> bool) -> Need {
        let step = &self.doings[role].steps[self.at[role]];
        let wanted = if step.act.kind == Kind::Sync { Kind::Sync } else { Kind::Send };
        let asked: Vec<usize> = (0..self.doings.len()).filter(|other| asked(*other)).collect();
        if asked.is_empty() {
            // That the role does not exist is told where it is named.
            return Need::Roles(Vec::new());
        }
        let done = |other: usize| {
            if wanted == Kind::Sync {
                return self.now(other).is_some_and(|now| now.0 == &Kind::Sync && now.1 == id);
            }
            let made = &self.doings[other].steps[..self.at[other]];
            made.iter().any(|step| step.act.kind == Kind::Send && step.act.id == id)
        };
        let missing: Vec<usize> = asked.into_iter().filter(|other| !done(*other)).collect();
        let able = self.later(|kind, other| *kind == wanted && other == id);
        match missing.iter().find(|other| !able.contains(other)) {
            Some(other) => Need::Nobody(self.never(role, *other, id, &wanted)),
            None => Need::Roles(missing),
        }
    }

    fn never(&self, role: usize, other: usize, id: &str, wanted: &Kind) -> Reason {
        let step = &self.doings[role].steps[self.at[role]];
        let (name, absent) = (self.name(role), self.name(other));
        let others = self.doings[other].steps.iter().filter(|step| step.act.kind == *wanted && step.act.id != id);
        let hint = suggest(id, others.map(|step| &*step.act.id));
        let text = match (&step.act.kind, role == other) {
            (Kind::Sync, _) => format!("'{name}' waits in sync '{id}', which '{absent}' does not reach{hint}"),
            (Kind::Start(_), _) => {
                format!("'{name}' waits for the start that '{absent}' never sends: lava-send {START}{hint}")
            }
            (_, true) => {
                format!("'{name}' waits for message '{id}' of all, its own included, and never sends it{hint}")
            }
            (_, false) => format!("'{name}' waits for message '{id}' of '{absent}', which never sends it{hint}"),
        };
        let stops = self.doings[other].steps.get(self.at[other]).or(self.doings[other].steps.last());
        let place = match stops {
            Some(last) if self.is_stuck(other) => (last.at, format!("'{absent}' stops here")),
            Some(last) => (last.at, format!("the last call of '{absent}'")),
            None => (self.doings[other].role.position, format!("'{absent}' makes no calls")),
        };
        let also = if role == other { Vec::new() } else { vec![place] };
        (step.at, text, also)
    }

    fn now(&self, role: usize) -> Option<(&Kind, &str)> {
        self.doings[role].steps.get(self.at[role]).map(|step| (&step.act.kind, &*step.act.id))
    }

    /// Stuck roles that would make such a call if they moved on.
    fn later(&self, fits: impl Fn(&Kind, &String) -> bool) -> Vec<usize> {
        let makes = |role: &usize| {
            let rest = &self.doings[*role].steps[self.at[*role]..];
            rest.iter().any(|step| fits(&step.act.kind, &step.act.id))
        };
        (0..self.doings.len()).filter(makes).collect()
    }

    fn ids(&self, fits: impl Fn(&Kind) -> bool) -> impl Iterator<Item = &str> {
        let steps = self.doings.iter().flat_map(|doings| &doings.steps);
        steps.filter(move |step| fits(&step.act.kind)).map(|step| &*step.act.id)
    }

    /// The roles that wait for each other in a circle to which `role` leads; none when it leads elsewhere.
    fn circle(&self, role: usize) -> Vec<usize> {
        let mut path = vec![role];
        loop {
            let last = path[path.len() - 1];
            if !self.is_stuck(last) {
                return Vec::new();
            }
            let Need::Roles(needed) = self.need(last) else { return Vec::new() };
            let Some(next) = needed.first() else { return Vec::new() };
            if let Some(start) = path.iter().position(|known| known == next) {
                let mut circle = path.split_off(start);
                // The same circle, wherever it was entered.
                let least = (0..circle.len()).min_by_key(|place| circle[*place]).unwrap_or(0);
                circle.rotate_left(least);
                return circle;
            }
            path.push(*next);
        }
    }

    fn deadlock(&self, circle: &[usize]) -> Reason {
        let mut parts = Vec::new();
        let mut places = Vec::new();
        for (nth, role) in circle.iter().enumerate() {
            let step = &self.doings[*role].steps[self.at[*role]];
            let next = self.name(circle[(nth + 1) % circle.len()]);
            let what = match &step.act.kind {
                Kind::Sync => format!("in sync '{}'", step.act.id),
                Kind::Start(_) => "for the start".to_owned(),
                _ => format!("for message '{}'", step.act.id),
            };
            let whom = if circle.len() == 1 { "itself".to_owned() } else { format!("'{next}'") };
            parts.push(format!("'{}' waits {what} at {} for {whom}", self.name(*role), step.at));
            places.push((step.at, format!("'{}' stops here", self.name(*role))));
        }
        let (first, _) = places.remove(0);
        (first, format!("deadlock: {}", parts.join(", ")), places)
    }
}
