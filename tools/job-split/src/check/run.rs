//! Whether the programs of all roles come to their ends: the calls are made, one after the other, until nothing
//! moves any more.
//!
//! One run is enough. A call that can be answered stays so until it is: what was sent is never taken back, and
//! a sync needs everybody, so that nobody can be elsewhere when it is complete. Whatever the order, the group gets
//! as far as it gets; and members of one role, which do the same, get equally far.

use std::collections::{HashMap, HashSet};

/// The message that lets delayed roles start.
pub const START: &str = "lava_start";

/// What a role does, as far as others notice.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sends a message.
    Send,
    /// Waits for a message of anybody.
    Wait,
    /// Waits for a message of all members, or of those of one role.
    WaitAll(Option<String>),
    /// Meets all.
    Sync,
    /// Waits for the start message of a role.
    Start(String),
    /// Something that cannot be followed, and may be any calls.
    Anything,
}

/// One call of a program.
#[derive(Clone, Debug)]
pub struct Act {
    /// What.
    pub kind: Kind,
    /// The message or the meeting.
    pub id: String,
    /// Whether it is certainly made, and once.
    pub certain: bool,
}

/// What the members of a role do.
#[derive(Clone, Debug)]
pub struct Program {
    /// The role.
    pub role: String,
    /// Its calls, in order.
    pub acts: Vec<Act>,
}

/// How what cannot be followed is taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum View {
    /// It does what helps: who is stuck then is stuck for certain.
    Kind,
    /// Calls that are there are made, and others are not.
    Plain,
}

/// Where each program stops: the place of the call that is never answered, or the number of its calls.
pub fn run(programs: &[Program], view: View) -> Vec<usize> {
    trace(programs, view, &mut |_, _| {})
}

/// The same, and `seen` is told each call as it is answered: the role's place, and the call.
pub fn trace(programs: &[Program], view: View, seen: &mut dyn FnMut(usize, &Act)) -> Vec<usize> {
    let mut state = State {
        programs,
        view,
        at: vec![0; programs.len()],
        sent: HashMap::new(),
        anything: HashSet::new(),
        loose: loose(programs, view),
    };
    loop {
        let mut moved = false;
        for role in 0..programs.len() {
            while let Some(act) = state.step(role) {
                seen(role, act);
                moved = true;
            }
        }
        let met = state.meet();
        met.iter().for_each(|(role, act)| seen(*role, act));
        if met.is_empty() && !moved {
            return state.at;
        }
    }
}

/// Meetings that a role may or may not come to: nobody can be said to miss it there.
fn loose(programs: &[Program], view: View) -> HashSet<(usize, &str)> {
    let mut loose = HashSet::new();
    for (role, program) in programs.iter().enumerate().filter(|_| view == View::Kind) {
        let uncertain = program.acts.iter().filter(|act| act.kind == Kind::Sync && !act.certain);
        loose.extend(uncertain.map(|act| (role, act.id.as_str())));
    }
    loose
}

struct State<'a> {
    programs: &'a [Program],
    view: View,
    at: Vec<usize>,
    /// Who has sent what.
    sent: HashMap<&'a str, HashSet<usize>>,
    /// Roles that have come to what cannot be followed.
    anything: HashSet<usize>,
    loose: HashSet<(usize, &'a str)>,
}

impl<'a> State<'a> {
    fn now(&self, role: usize) -> Option<&'a Act> {
        self.programs[role].acts.get(self.at[role])
    }

    /// Makes the next call of a role, unless it must wait.
    fn step(&mut self, role: usize) -> Option<&'a Act> {
        let act = self.now(role)?;
        let done = match &act.kind {
            Kind::Send => {
                self.sent.entry(&act.id).or_default().insert(role);
                true
            }
            Kind::Anything => {
                if self.view == View::Kind {
                    self.anything.insert(role);
                }
                true
            }
            _ if self.view == View::Kind && !act.certain => true,
            Kind::Wait => !self.anything.is_empty() || self.sent.contains_key(&*act.id),
            Kind::WaitAll(of) => self.have_sent(&act.id, of.as_deref()),
            Kind::Start(of) => self.have_sent(START, Some(of)),
            Kind::Sync => self.is_loose(role, &act.id),
        };
        self.at[role] += usize::from(done);
        done.then_some(act)
    }

    /// Whether all members, or all of a role that there is, have sent a message.
    fn have_sent(&self, id: &str, of: Option<&str>) -> bool {
        let has = |role: usize| {
            self.anything.contains(&role) || self.sent.get(id).is_some_and(|senders| senders.contains(&role))
        };
        let mut asked =
            (0..self.programs.len()).filter(|role| of.is_none_or(|of| self.programs[*role].role == of)).peekable();
        asked.peek().is_some() && asked.all(has)
    }

    fn is_loose(&self, role: usize, id: &str) -> bool {
        self.anything.contains(&role) || self.loose.contains(&(role, id))
    }

    /// Completes the one sync that everybody is in; gives who met there.
    fn meet(&mut self) -> Vec<(usize, &'a Act)> {
        let in_sync: Vec<(usize, &'a Act)> = (0..self.programs.len())
            .filter_map(|role| Some((role, self.now(role).filter(|act| act.kind == Kind::Sync)?)))
            .collect();
        for (_, first) in &in_sync {
            let here: Vec<(usize, &'a Act)> = in_sync.iter().filter(|(_, act)| act.id == first.id).copied().collect();
            let is_here = |role: usize| here.iter().any(|(other, _)| *other == role);
            if (0..self.programs.len()).all(|role| is_here(role) || self.is_loose(role, &first.id)) {
                here.iter().for_each(|(role, _)| self.at[*role] += 1);
                return here;
            }
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mn_group::{Call, Caller, Event, Group, Member, Output, Settings, Stay};
    use std::time::Duration;

    /// A program in the letters of its calls: `s`end, `w`ait, wait-`a`ll, `m`eet, `u`nknown; a digit is the id.
    fn program(role: &str, text: &str) -> Program {
        let act = |word: &str| {
            let kind = match &word[..1] {
                "s" => Kind::Send,
                "w" => Kind::Wait,
                "a" => Kind::WaitAll(word.split_once('@').map(|(_, role)| role.to_owned())),
                "m" => Kind::Sync,
                _ => Kind::Anything,
            };
            let id = word[1..].split('@').next().unwrap_or_default().replace('?', "");
            Act { kind, id, certain: !word.ends_with('?') }
        };
        Program { role: role.to_owned(), acts: text.split_whitespace().map(act).collect() }
    }

    fn stops(programs: &[(&str, &str)], view: View) -> Vec<usize> {
        run(&programs.iter().map(|(role, text)| program(role, text)).collect::<Vec<_>>(), view)
    }

    #[test]
    fn a_group_gets_as_far_as_it_gets() {
        assert_eq!(stops(&[("a", "s1 m2"), ("b", "w1 m2 w3"), ("c", "m2")], View::Plain), [2, 2, 1]);
        assert_eq!(stops(&[("a", "m1 m2"), ("b", "m2 m1")], View::Plain), [0, 0]);
        assert_eq!(stops(&[("a", "a1@b"), ("b", "s1")], View::Plain), [1, 1]);
        assert_eq!(stops(&[("a", "a1@x"), ("b", "s1")], View::Plain), [0, 1]);
    }

    #[test]
    fn what_cannot_be_followed_is_given_the_benefit_of_the_doubt() {
        for programs in [[("a", "w1"), ("b", "u")], [("a", "m1"), ("b", "u")], [("a", "m1"), ("b", "m1? m1")]] {
            let whole = [1, programs[1].1.split_whitespace().count()];
            assert_eq!(stops(&programs, View::Kind), whole, "{programs:?}");
        }
        assert_eq!(stops(&[("a", "w1"), ("b", "u")], View::Plain), [0, 1]);
        assert_eq!(stops(&[("a", "w1"), ("b", "w2 u")], View::Kind), [0, 0], "it is never come to");
    }

    /// Whether in some order of events a member's call is not answered; by the broker's own state machine.
    struct Explorer {
        programs: Vec<Program>,
        seen: HashSet<(Vec<usize>, Vec<bool>)>,
        ends: HashSet<bool>,
    }

    #[derive(Clone)]
    struct Place {
        group: Group,
        at: Vec<usize>,
        waits: Vec<bool>,
        failed: bool,
    }

    const LATER: Duration = Duration::from_secs(1 << 30);

    impl Explorer {
        fn ends(programs: &[Program]) -> HashSet<bool> {
            let members =
                programs.iter().enumerate().map(|(nth, program)| Member::new((nth + 1).to_string(), &*program.role));
            let mut group = Group::new(members.collect(), Settings::default()).unwrap();
            for nth in 0..programs.len() {
                let caller = Caller { connection: nth as u64, request: 0 };
                let member = (nth + 1).to_string();
                group.apply(Duration::ZERO, Event::Join { caller, member, stay: Stay::Lasting, grace: None });
            }
            let (count, programs) = (programs.len(), programs.to_vec());
            let mut explorer = Explorer { programs, seen: HashSet::new(), ends: HashSet::new() };
            explorer.visit(Place { group, at: vec![0; count], waits: vec![false; count], failed: false });
            explorer.ends
        }

        fn visit(&mut self, place: Place) {
            if !self.seen.insert((place.at.clone(), place.waits.clone())) {
                return;
            }
            let free = |role: &usize| !place.waits[*role] && place.at[*role] <= self.programs[*role].acts.len();
            let movers: Vec<usize> = (0..self.programs.len()).filter(free).collect();
            if place.failed || movers.is_empty() {
                let whole = |role: usize| place.at[role] > self.programs[role].acts.len();
                self.ends.insert(!place.failed && (0..self.programs.len()).all(whole));
                return;
            }
            for role in movers {
                self.visit(self.moved(place.clone(), role));
            }
        }

        /// A member makes its next call, or leaves after the last.
        fn moved(&self, mut place: Place, role: usize) -> Place {
            let at = place.at[role];
            let caller = Caller { connection: role as u64, request: at as i64 + 1 };
            let event = match self.programs[role].acts.get(at) {
                None => Event::Leave { caller },
                Some(act) => Event::Call { caller, call: call(act), deadline: LATER },
            };
            place.waits[role] = true;
            for output in place.group.apply(Duration::ZERO, event) {
                if let Output::Answer { caller, result } = output {
                    let role = caller.connection as usize;
                    place.waits[role] = false;
                    place.at[role] += 1;
                    place.failed |= result.is_err();
                }
            }
            place
        }
    }

    fn call(act: &Act) -> Call {
        let id = act.id.clone();
        match &act.kind {
            Kind::Send => Call::Send { id, data: Vec::new() },
            Kind::Wait => Call::Wait { id },
            Kind::WaitAll(role) => Call::WaitAll { id, role: role.clone() },
            Kind::Sync => Call::Sync { id },
            Kind::Start(role) => Call::Start { role: role.clone() },
            Kind::Anything => panic!("no call"),
        }
    }

    fn assert_agrees(programs: &[Program]) {
        let whole = run(programs, View::Plain).iter().zip(programs).all(|(at, program)| *at == program.acts.len());
        assert_eq!(run(programs, View::Kind), run(programs, View::Plain), "{programs:?}");
        assert_eq!(Explorer::ends(programs), HashSet::from([whole]), "{programs:?}");
    }

    const ROLES: [&str; 3] = ["a", "b", "c"];

    fn kinds(roles: usize) -> Vec<Kind> {
        let mut kinds = vec![Kind::Send, Kind::Wait, Kind::WaitAll(None), Kind::Sync];
        kinds.extend(ROLES[..roles].iter().map(|role| Kind::WaitAll(Some((*role).to_owned()))));
        kinds
    }

    /// All programs with these calls yet to be given, up to the names of their ids.
    fn every(programs: &mut Vec<Program>, role: usize, left: usize, ids: usize, kinds: &[Kind], tested: &mut usize) {
        if role == programs.len() {
            if left == 0 {
                assert_agrees(programs);
                *tested += 1;
            }
            return;
        }
        every(programs, role + 1, left, ids, kinds, tested);
        if left == 0 {
            return;
        }
        for kind in kinds {
            for id in 0..=ids {
                programs[role].acts.push(Act { kind: kind.clone(), id: format!("id{id}"), certain: true });
                every(programs, role, left - 1, ids.max(id + 1), kinds, tested);
                programs[role].acts.pop();
            }
        }
    }

    // Unoptimised, the last call would take minutes.
    const CALLS: usize = if cfg!(debug_assertions) { 3 } else { 4 };
    const RANDOM: u64 = if cfg!(debug_assertions) { 3_000 } else { 100_000 };

    #[test]
    fn the_verdict_is_that_of_the_broker_for_all_small_programs() {
        let mut tested = 0;
        for roles in 1..=3 {
            for calls in 0..=CALLS {
                let mut programs: Vec<Program> = ROLES[..roles].iter().map(|role| program(role, "")).collect();
                every(&mut programs, 0, calls, 0, &kinds(roles), &mut tested);
            }
        }
        assert!(tested > 10_000, "{tested}");
    }

    #[test]
    fn the_verdict_is_that_of_the_broker_for_random_programs() {
        let mut seed = 0x2545_f491_4f6c_dd1d_u64;
        let mut random = |below: usize| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 33) as usize % below
        };
        let mut stuck = 0;
        for _ in 0..RANDOM {
            let roles = 1 + random(3);
            let kinds = kinds(roles);
            let mut programs: Vec<Program> = ROLES[..roles].iter().map(|role| program(role, "")).collect();
            for program in &mut programs {
                for _ in 0..random(5) {
                    let (kind, id) = (kinds[random(kinds.len())].clone(), format!("id{}", random(2)));
                    program.acts.push(Act { kind, id, certain: true });
                }
            }
            assert_agrees(&programs);
            let whole = |(at, program): (usize, &Program)| at == program.acts.len();
            stuck += u64::from(!run(&programs, View::Plain).into_iter().zip(&programs).all(whole));
        }
        assert!(stuck > RANDOM / 20 && stuck < RANDOM, "both verdicts are met: {stuck}");
    }
}
