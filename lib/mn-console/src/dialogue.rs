//! The boot dialogue as a state machine: what the console prints and the time that passes in, what is to be done out.
//!
//! The caller runs the power command, types, keeps the records, and calls [`Dialogue::tick`] at
//! [`Dialogue::next_tick`]. Times are durations since any one moment.

mod ending;

use std::time::Duration;

use crate::expect::{self, Expect, Hit};
use crate::kernel::Watch;
use crate::lines::Lines;
use crate::results::Record;
use crate::script::{self, BadStep, Fault, Nudge, Op, Secret, Then, Typed, Wait, Watching};
use mn_msg::Object;
use mn_msg::role::Boot;

/// Silence after which a bootloader has said its prompt for good.
const SETTLED: Duration = Duration::from_millis(250);
/// How long that silence is awaited at most.
const SETTLING: Duration = Duration::from_secs(3);
/// Silence after which a shell or a getty is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// How long the rest of a fatal report is awaited.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// Attempts at most.
const ATTEMPTS: u32 = 100;
/// The time between two attempts, as LAVA has it.
const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);
/// How long the rest of a bootloader's error line is awaited.
const REST_OF_LINE: Duration = Duration::from_millis(300);

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Run the dictionary's command of this name, then call [`Dialogue::powered`].
    Power(String),
    /// Type this.
    Type(Typed),
    /// Say that a step has begun: its name, and what it does.
    Step(String, String),
    /// Keep this record.
    Record(Record),
    /// Warn of something odd.
    Warn(String),
    /// The shell is there; the dialogue is over.
    Ready,
    /// The dialogue is over.
    Fail(Fault, String),
}

/// A boot.
#[derive(Debug)]
pub struct Dialogue {
    ops: Vec<Op>,
    at: usize,
    level: String,
    expect: Expect,
    lines: Lines,
    step: Step,
    end: Duration,
    /// What is being waited for.
    wait: Option<Box<Wait>>,
    /// The text up to the last match.
    text: Vec<u8>,
    quiet: expect::Silence,
    asked: Duration,
    /// The silence that is waited for.
    silence: Option<Silence>,
    dying: Option<Dying>,
    retries: Retries,
    over: bool,
}

/// A silence that is waited for.
#[derive(Debug, Clone, Copy)]
struct Silence {
    length: Duration,
    /// When it begins at the earliest.
    from: Duration,
    /// When it is given up, and the boot goes on.
    latest: Duration,
}

/// What is left of the attempts.
#[derive(Debug)]
struct Retries {
    left: u32,
    /// Between two of them.
    interval: Duration,
    /// When the next begins, once one has failed.
    next: Option<Duration>,
}

/// The step that runs.
#[derive(Debug, Default)]
struct Step {
    name: String,
    /// When the first of the steps of this name began.
    began: Duration,
    end: Duration,
    watch: Option<Watch>,
    /// Whether the record lists what was reported.
    listed: bool,
}

/// Something fatal was seen; its last words are awaited.
#[derive(Debug)]
enum Dying {
    Kernel { until: Duration },
    Bootloader { text: &'static str, fault: Fault, until: Duration },
}

impl Dialogue {
    /// Takes the steps of `boot` apart. `staged` holds the placeholders of mn-message(5), `delay` is the time after each
    /// typed character where a step has none of its own.
    ///
    /// # Errors
    /// The first step with a pattern that cannot be used.
    pub fn new(boot: &Boot, staged: &Object, delay: Duration) -> Result<Dialogue, BadStep> {
        Ok(Dialogue {
            ops: script::compile(boot, staged, delay)?,
            at: 0,
            level: boot.level.clone(),
            expect: Expect::default(),
            lines: Lines::new(8),
            step: Step::default(),
            end: Duration::MAX,
            wait: None,
            text: Vec::new(),
            quiet: expect::Silence::default(),
            asked: Duration::ZERO,
            silence: None,
            dying: None,
            retries: Retries {
                left: boot.attempts.unwrap_or(1).clamp(1, ATTEMPTS) - 1,
                interval: boot.interval.map_or(BETWEEN_ATTEMPTS, Duration::from_secs),
                next: None,
            },
            over: false,
        })
    }

    /// Begins. All has to be done by `end`.
    pub fn start(&mut self, now: Duration, end: Duration) -> Vec<Act> {
        self.end = end;
        let mut acts = Vec::new();
        self.run(now, &mut acts);
        acts
    }

    /// The command of [`Act::Power`] has been run.
    pub fn powered(&mut self, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        self.at += 1;
        self.run(now, &mut acts);
        acts
    }

    /// Begins again where the command of [`Act::Power`] has failed and an attempt is left; none: it is the boot's end.
    pub fn unpowered(&mut self, reason: &str, now: Duration) -> Option<Vec<Act>> {
        let mut acts = Vec::new();
        self.tries_again(now).then(|| {
            self.fail(Fault::Lab, reason.to_owned(), now, &mut acts);
            acts
        })
    }

    /// Takes what the console printed.
    pub fn push(&mut self, bytes: &[u8], now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        self.quiet.broken(now);
        self.expect.push(bytes);
        self.look(now, &mut acts);
        acts.extend(self.expect.take_warning().map(Act::Warn));
        acts
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.over {
            return acts;
        }
        if let Some(next) = self.retries.next {
            if now >= next {
                self.begin_again(now, &mut acts);
            }
            return acts;
        }
        match &self.dying {
            Some(Dying::Kernel { until } | Dying::Bootloader { until, .. }) if now >= *until => {
                self.die(now, &mut acts)
            }
            Some(_) => {}
            None if now >= self.step.end.min(self.end) && !self.step.name.is_empty() => self.expire(now, &mut acts),
            None => self.tick_wait(now, &mut acts),
        }
        acts.extend(self.expect.take_warning().map(Act::Warn));
        acts
    }

    fn tick_wait(&mut self, now: Duration, acts: &mut Vec<Act>) {
        if let Some(end) = self.silent_at() {
            if now >= end {
                self.silence = None;
                self.wait = None;
                self.at += 1;
                self.run(now, acts);
            }
            return;
        }
        if self.quiet.lasts(now)
            && let Some(hit) = self.expect.quiet()
        {
            self.follow(hit, now, acts);
            return;
        }
        if self.asks_again() && now >= self.quiet.since.max(self.asked) + ASK_AGAIN {
            self.asked = now;
            acts.push(Act::Type(Typed { text: b"\n".to_vec(), delay: Duration::ZERO, secret: Secret::No }));
        }
    }

    /// When the silence that is waited for has lasted, if nothing more comes.
    fn silent_at(&self) -> Option<Duration> {
        let silence = self.silence?;
        Some(silence.latest.min(self.quiet.since.max(silence.from).saturating_add(silence.length)))
    }

    fn asks_again(&self) -> bool {
        self.wait.as_ref().is_some_and(|wait| wait.nudge == Nudge::EmptyLine)
    }

    /// When [`Dialogue::tick`] is to be called at the latest.
    pub fn next_tick(&self) -> Option<Duration> {
        if self.over {
            return None;
        }
        if self.retries.next.is_some() {
            return self.retries.next;
        }
        if let Some(Dying::Kernel { until } | Dying::Bootloader { until, .. }) = self.dying {
            return Some(until);
        }
        if let Some(end) = self.silent_at() {
            return Some(end.min(self.step.end).min(self.end));
        }
        let quiet = self.quiet.due();
        let again = self.asks_again().then(|| self.quiet.since.max(self.asked) + ASK_AGAIN);
        [Some(self.step.end.min(self.end)), quiet, again].into_iter().flatten().min()
    }

    /// The last line that was seen.
    pub fn last_seen(&self) -> Option<String> {
        self.lines.last()
    }

    /// Ends the dialogue; gives what came after the last match.
    pub fn into_unread(mut self) -> Vec<u8> {
        self.expect.take_unread()
    }

    /// Goes on until something has to be waited for.
    fn run(&mut self, now: Duration, acts: &mut Vec<Act>) {
        while let Some(op) = self.ops.get(self.at).cloned() {
            match op {
                Op::Begin { name, timeout, watch } => {
                    self.begin(&name, timeout, now, acts);
                    self.step.watch = match watch {
                        Watching::No => None,
                        Watching::Fatal(beginning) | Watching::All(beginning) => Some(Watch::new(beginning)),
                    };
                    self.step.listed = matches!(watch, Watching::All(_));
                }
                Op::Power(command) => {
                    acts.push(Act::Step(self.step.name.clone(), format!("running '{command}'")));
                    acts.push(Act::Power(command));
                    // What the board printed before its reset is no answer to what comes.
                    self.expect.take_unread();
                    return;
                }
                Op::Settle(wait) => {
                    self.silence = Some(Silence { length: SETTLED, from: Duration::ZERO, latest: now + SETTLING });
                    return self.enter(wait, now, acts);
                }
                Op::Quiet(wait, length) => {
                    self.silence = Some(Silence { length, from: now, latest: Duration::MAX });
                    acts.push(Act::Step(self.step.name.clone(), format!("waiting for {}", wait.what)));
                    return self.enter(wait, now, acts);
                }
                Op::Type(typed) => {
                    self.asked = now;
                    acts.push(Act::Type(typed));
                }
                Op::Choose(menu, end) => match menu.number_in(&self.text) {
                    Some(number) => {
                        acts.push(Act::Type(Typed { text: [number.as_bytes(), &end.text].concat(), ..end }));
                    }
                    None => {
                        return self.fail(Fault::Wrong, format!("there is no menu entry '{}'", menu.item), now, acts);
                    }
                },
                Op::Wait(wait) => {
                    acts.push(Act::Step(self.step.name.clone(), format!("waiting for {}", wait.what)));
                    return self.enter(wait, now, acts);
                }
            }
            self.at += 1;
        }
        self.end_step(now, "pass", acts);
        self.over = true;
        acts.push(Act::Ready);
    }

    fn enter(&mut self, wait: Box<Wait>, now: Duration, acts: &mut Vec<Act>) {
        self.expect.wait(&wait.patterns);
        self.wait = Some(wait);
        self.asked = now;
        self.look(now, acts);
    }

    /// Looks at what has come, for the pattern and for the kernel's trouble.
    fn look(&mut self, now: Duration, acts: &mut Vec<Act>) {
        if self.over {
            return;
        }
        if self.dying.is_some() {
            return self.hear_out(now, acts);
        }
        while let Some(hit) = self.find(now, acts) {
            match &self.wait {
                Some(wait) if self.silence.is_some() && wait.then[hit.pattern] == Then::Next => {
                    self.expect.wait(&wait.patterns);
                }
                _ => return self.follow(hit, now, acts),
            }
        }
    }

    /// The next match, unless the kernel has died before it.
    fn find(&mut self, now: Duration, acts: &mut Vec<Act>) -> Option<Hit> {
        let (lines, watch) = (&mut self.lines, &mut self.step.watch);
        let mut fatal = None;
        let hit = self.expect.find(|bytes| {
            lines.push(bytes);
            fatal = watch.as_mut().and_then(|watch| watch.push(bytes));
        });
        if let Some(report) = fatal {
            self.killed(&report, now, acts);
            return None;
        }
        if self.step.watch.as_ref().is_some_and(Watch::is_dying) {
            // A prompt after a panic does not come from a board that lives.
            self.dying = Some(Dying::Kernel { until: now + LAST_WORDS });
            self.hear_out(now, acts);
            return None;
        }
        hit
    }

    fn follow(&mut self, hit: Hit, now: Duration, acts: &mut Vec<Act>) {
        let Some(wait) = self.wait.take() else { return };
        self.text = hit.text;
        match wait.then[hit.pattern] {
            Then::Next => self.at += 1,
            Then::Skip(more) => self.at += 1 + more,
            Then::Fail(fault, text) => {
                self.dying = Some(Dying::Bootloader { text, fault, until: now + REST_OF_LINE });
                return self.hear_out(now, acts);
            }
        }
        self.run(now, acts);
    }
}

/// A time for people.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    (time + Duration::from_millis(500)).as_secs()
}

#[cfg(test)]
mod tests;
