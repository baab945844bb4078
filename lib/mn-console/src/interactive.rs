//! Interactive scripts, as LAVA has them: commands for a prompt that is no shell's, what they are to answer, and
//! multinode calls between them.

mod calls;
mod compiled;
mod events;
mod records;

use std::time::Duration;

use mn_msg::Object;
use mn_msg::role::Script as Message;
use mn_msg::template;

use crate::dialogue::whole_seconds;
use crate::expect::{Expect, Hit, Silence};
use crate::lines::Lines;
use crate::script::{Fault, Secret, Typed};
use crate::test::Act;
use compiled::{Echo, Meaning, Script, Step};

/// What is to be done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The action's number, for the records.
    pub level: String,
    /// The scripts, in order.
    pub scripts: Vec<Message>,
    /// The values of the placeholders in commands.
    pub staged: Object,
    /// The time after each typed character.
    pub delay: Duration,
    /// The time for one step, where it has a limit of its own.
    pub patience: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// The step's delay.
    Pausing {
        until: Duration,
    },
    /// The step's answer is awaited.
    Answer,
    /// It has come; now the prompt.
    Prompt,
    /// The broker is asked.
    Asking {
        number: u64,
    },
    Over,
}

/// Whether a step goes on by itself.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Next {
    Step,
    Wait,
}

/// A block of scripts.
#[derive(Debug)]
pub struct Interactive {
    scripts: Vec<Script>,
    /// The script and the step.
    at: (usize, usize),
    level: String,
    values: Object,
    delay: Duration,
    patience: Option<Duration>,
    phase: Phase,
    began: Duration,
    step_began: Duration,
    end: Duration,
    /// Where the console is, in bytes from its beginning, and where it was when the step began.
    offset: u64,
    step_offset: u64,
    expect: Expect,
    /// Whether the rest of this line is the echo of a command.
    in_echo: bool,
    lines: Lines,
    silence: Silence,
    calls: u64,
}

impl Interactive {
    /// Prepares the scripts. `offset` is the number of bytes that the console has printed so far.
    ///
    /// # Errors
    /// The first pattern that cannot be used, with its script.
    pub fn new(plan: Plan, offset: u64) -> Result<Interactive, String> {
        Ok(Interactive {
            scripts: plan.scripts.iter().map(Script::new).collect::<Result<_, _>>()?,
            at: (0, 0),
            level: plan.level,
            values: plan.staged,
            delay: plan.delay,
            patience: plan.patience,
            phase: Phase::Over,
            began: Duration::ZERO,
            step_began: Duration::ZERO,
            end: Duration::MAX,
            offset,
            step_offset: offset,
            expect: Expect::default(),
            in_echo: false,
            lines: Lines::new(8),
            silence: Silence::default(),
            calls: 0,
        })
    }

    fn script(&self) -> Option<&Script> {
        self.scripts.get(self.at.0)
    }

    fn step(&self) -> Option<&Step> {
        self.script()?.steps.get(self.at.1)
    }

    /// Goes on until something has to be waited for.
    fn run(&mut self, now: Duration, acts: &mut Vec<Act>) {
        while let Some(script) = self.script() {
            let Some(step) = script.steps.get(self.at.1) else {
                self.at = (self.at.0 + 1, 0);
                continue;
            };
            let delay = step.delay;
            acts.push(Act::Step("interactive", format!("{}: {}", script.name, step.title)));
            self.step_began = now;
            self.step_offset = self.place();
            if !delay.is_zero() {
                self.phase = Phase::Pausing { until: now.saturating_add(delay) };
                return;
            }
            if self.perform(now, acts) == Next::Wait {
                return;
            }
        }
        self.phase = Phase::Over;
        acts.push(Act::Record(self.block_record("pass", now)));
        acts.push(Act::Done);
    }

    /// Does what the step says, after its delay.
    fn perform(&mut self, now: Duration, acts: &mut Vec<Act>) -> Next {
        let Some(step) = self.step() else { return Next::Step };
        let (command, call, answers) = (step.command.clone(), step.call.clone(), step.answers.clone());
        if let Some(call) = call {
            return self.ask(&call, now, acts);
        }
        if let Some(command) = command {
            let Some(line) = template::fill(&command, &self.values) else {
                self.fail(Fault::Wrong, format!("'{command}' names what has no value"), now, acts);
                return Next::Wait;
            };
            // What the console printed before is no answer.
            self.expect.take_unread();
            self.in_echo = self.script().is_some_and(|script| script.echo == Echo::Discard);
            self.step_offset = self.offset;
            let text = format!("{line}\n").into_bytes();
            acts.push(Act::Type(Typed { text, delay: self.delay, secret: Secret::No }));
        }
        match answers {
            Some(patterns) => {
                self.phase = Phase::Answer;
                self.expect.wait(&patterns);
                self.look(now, acts)
            }
            None => self.pass(acts),
        }
    }

    /// The step has done what it should.
    fn pass(&mut self, acts: &mut Vec<Act>) -> Next {
        let named = self.step().and_then(|step| step.name.clone());
        if let Some(name) = named {
            acts.push(Act::Record(self.case_record(&name, "pass", "")));
        }
        self.at.1 += 1;
        Next::Step
    }

    /// Looks at what has come, until something more has to come.
    fn look(&mut self, now: Duration, acts: &mut Vec<Act>) -> Next {
        while matches!(self.phase, Phase::Answer | Phase::Prompt) {
            let lines = &mut self.lines;
            let Some(hit) = self.expect.find(|bytes| lines.push(bytes)) else { return Next::Wait };
            if self.follow(&hit, now, acts) == Next::Step {
                return Next::Step;
            }
        }
        Next::Wait
    }

    fn follow(&mut self, hit: &Hit, now: Duration, acts: &mut Vec<Act>) -> Next {
        if self.phase == Phase::Prompt {
            self.at.1 += 1;
            return Next::Step;
        }
        let Some(step) = self.step() else { return Next::Step };
        let (meaning, awaits_prompt, name) =
            (step.meanings[hit.pattern].clone(), step.awaits_prompt, step.name.clone());
        match &meaning {
            Meaning::Prompt => {}
            Meaning::Failure { fault: Some(fault), error, message } => {
                let said = format!("'{message}' was seen: '{}'", compiled::last_line(&hit.text));
                let text = error.as_ref().map_or_else(|| said.clone(), |error| format!("{error}: {said}"));
                self.fail(*fault, text, now, acts);
                return Next::Wait;
            }
            Meaning::Success | Meaning::Failure { .. } => {}
        }
        let failed = match &meaning {
            Meaning::Success => None,
            Meaning::Prompt => step.missed.clone(),
            Meaning::Failure { message, .. } => Some(format!("'{message}' was seen")),
        };
        match (&name, failed) {
            // Nobody would hear of it.
            (None, Some(reason)) => {
                self.fail(Fault::No, reason, now, acts);
                return Next::Wait;
            }
            (Some(name), Some(reason)) => acts.push(Act::Record(self.case_record(name, "fail", &reason))),
            (Some(name), None) => acts.push(Act::Record(self.case_record(name, "pass", ""))),
            (None, None) => {}
        }
        let prompts = self.script().and_then(|script| script.prompts.clone());
        match (meaning, prompts) {
            (Meaning::Success | Meaning::Failure { .. }, Some(prompts)) if awaits_prompt => {
                self.phase = Phase::Prompt;
                self.expect.wait(&prompts);
                Next::Wait
            }
            _ => {
                self.at.1 += 1;
                Next::Step
            }
        }
    }

    fn go_on(&mut self, next: Next, now: Duration, acts: &mut Vec<Act>) {
        if next == Next::Step {
            self.run(now, acts);
        }
    }

    /// How far the console has been looked at.
    fn place(&self) -> u64 {
        self.offset.saturating_sub(self.expect.unread_len() as u64)
    }

    fn step_end(&self) -> Duration {
        let own = self.patience.map_or(Duration::MAX, |patience| self.step_began.saturating_add(patience));
        match self.phase {
            Phase::Pausing { .. } => self.end,
            _ => self.end.min(own),
        }
    }

    fn expire(&mut self, now: Duration, acts: &mut Vec<Act>) {
        let after = whole_seconds(now.saturating_sub(self.step_began));
        let seen = self.lines.seen();
        let whole = if now >= self.end { ", and the test's time is up" } else { "" };
        let what = match (self.phase, self.step(), self.script()) {
            (Phase::Asking { .. }, ..) => "the other members".to_owned(),
            (Phase::Prompt, _, Some(script)) => script.what.clone(),
            (Phase::Answer, Some(step), _) => step.what.clone(),
            _ => "its delay".to_owned(),
        };
        self.fail(Fault::Timeout, format!("waited for {what} in vain, {after} s{whole}; {seen}"), now, acts);
    }
}

#[cfg(test)]
mod tests;
