//! What a signal means for the records and for those who watch.

use std::time::Duration;

use super::Stage;
use crate::journal::When;
use crate::parse::Parser;
use crate::results::Turn;
use crate::script::Fault;
use crate::signal::Event;
use crate::test::Act;

impl Stage {
    /// Takes the next signal in order.
    pub(super) fn event(&mut self, number: u64, event: Event, when: When, now: Duration, acts: &mut Vec<Act>) {
        let heard = match when {
            When::AtOnce => now,
            When::Late(heard) => heard,
            When::Again => self.last_signal,
        };
        self.last_signal = heard;
        match event {
            Event::Signal { name, body, at } => {
                self.ran |= name == "STARTRUN";
                let ended = self.recorder.running().map(str::to_owned);
                let place = (when != When::Again).then_some(at);
                let turn = self.recorder.signal(&name, &body, place, heard);
                self.follow_run(&name, ended, when, acts);
                self.keep(turn, now, acts);
            }
            Event::InstallFail => {
                self.ran = true;
                acts.push(Act::Warn("the runner could not install a definition, which is left out".into()));
                let turn = self.recorder.install_failed(heard);
                self.keep(turn, now, acts);
            }
            Event::Request(request) => self.bind(number, &request, acts),
            Event::BadRequest { reason, .. } => acts.push(Act::Warn(reason)),
            Event::Torn(start) => acts.push(Act::Warn(format!("a signal was cut off and is left out: '{start}…'"))),
            Event::TooLong(start) => acts.push(Act::Warn(format!("a signal is too long and left out: '{start}…'"))),
            Event::RunnerExit | Event::Mark(_) => {}
        }
    }

    /// What a signal means beside its record: which run's pattern is looked for, and progress. `ended` is the run that
    /// went on before it.
    fn follow_run(&mut self, name: &str, ended: Option<String>, when: When, acts: &mut Vec<Act>) {
        if matches!(name, "ENDRUN" | "FAILRUN") {
            self.parser = None;
            self.doubt_pattern(ended.as_deref(), when);
        }
        let Some(running) = self.recorder.running().filter(|_| name == "STARTRUN").map(str::to_owned) else { return };
        if when == When::AtOnce {
            acts.push(Act::Step("run", running.clone()));
        }
        let known = self.plan.runs.iter().find(|run| run.run == running);
        self.parser = known.and_then(|run| match Parser::new(run) {
            Ok(parser) => parser,
            Err(reason) => {
                acts.push(Act::Warn(reason));
                None
            }
        });
        self.doubt_pattern(Some(&running), when);
    }

    /// A pattern is looked for from the beginning of a run to its end: where those were lost nobody knows what it
    /// would have found.
    fn doubt_pattern(&mut self, run: Option<&str>, when: When) {
        let Some(run) = self.plan.runs.iter().find(|known| Some(known.run.as_str()) == run) else { return };
        if run.pattern.is_some() && when != When::AtOnce {
            let why = format!(
                "a signal was lost at the beginning or the end of '{}', whose results a pattern finds",
                run.run
            );
            self.doubt.get_or_insert(why);
        }
    }

    /// A signal that has to wait for others is shown to those who watch.
    pub(super) fn ahead(&mut self, event: &Event, acts: &mut Vec<Act>) {
        if !std::mem::replace(&mut self.told_of_gap, true) {
            let text = "a signal was lost on the line: what follows is recorded at the end of the stage";
            acts.push(Act::Step("wait", text.into()));
        }
        let Event::Signal { name, body, .. } = event else { return };
        let words: Vec<&str> = body.split_whitespace().collect();
        match (name.as_str(), words.as_slice()) {
            ("STARTRUN", [run, ..]) => acts.push(Act::Step("run", (*run).to_owned())),
            ("TESTCASE", words) => {
                let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key)).unwrap_or_default();
                acts.push(Act::Step("case", format!("{} {}", value("TEST_CASE_ID="), value("RESULT="))));
            }
            _ => {}
        }
    }

    pub(super) fn keep(&mut self, mut turn: Turn, now: Duration, acts: &mut Vec<Act>) {
        let broken = turn.broken.take();
        keep(turn, acts);
        if let Some(reason) = broken {
            self.fail(Fault::No, reason, now, acts);
        }
    }
}

/// What a signal led to.
pub(super) fn keep(turn: Turn, acts: &mut Vec<Act>) {
    acts.extend(turn.warnings.into_iter().map(Act::Warn));
    acts.extend(turn.event.map(|text| Act::Step("event", text)));
    acts.extend(turn.records.into_iter().map(Act::Record));
}
