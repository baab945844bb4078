//! How the steps of a boot end, and their records.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Act, Dialogue, Dying, Step, whole_seconds};
use crate::kernel::{Report, Watch};
use crate::lines::readable;
use crate::results::{Record, duration, lava};
use crate::script::Fault;

impl Dialogue {
    /// Takes the rest of the line in which an error was found, or of the kernel's report.
    pub(super) fn hear_out(&mut self, now: Duration, acts: &mut Vec<Act>) {
        let rest = self.expect.take_unread();
        self.lines.push(&rest);
        match self.dying {
            Some(Dying::Kernel { .. }) => {
                if let Some(report) = self.step.watch.as_mut().and_then(|watch| watch.push(&rest)) {
                    self.killed(&report, now, acts);
                }
            }
            Some(Dying::Bootloader { .. }) => {
                let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                self.text.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
                if end.is_some() {
                    self.die(now, acts);
                }
            }
            None => {}
        }
    }

    pub(super) fn die(&mut self, now: Duration, acts: &mut Vec<Act>) {
        match self.dying.take() {
            Some(Dying::Kernel { .. }) => {
                if let Some(report) = self.step.watch.as_mut().and_then(Watch::flush) {
                    self.killed(&report, now, acts);
                }
            }
            Some(Dying::Bootloader { text, fault, .. }) => {
                let line = self
                    .text
                    .rsplit(|byte| matches!(byte, b'\r' | b'\n'))
                    .map(readable)
                    .find(|line| !line.trim().is_empty());
                let line = line.unwrap_or_default();
                self.fail(fault, format!("{text}: '{}'", line.trim()), now, acts);
            }
            None => {}
        }
    }

    pub(super) fn killed(&mut self, report: &Report, now: Duration, acts: &mut Vec<Act>) {
        let what = if report.kind == "panic" { "the kernel panicked" } else { "the board has reset itself" };
        let first = report.message.lines().next().unwrap_or_default();
        let text = format!("{what}: '{}'", first.trim());
        let fatal = json!({"kind": report.kind, "message": report.message});
        if !self.tries_again(now) {
            self.kernel_record("fail", Some(fatal), now, acts);
        }
        self.fail(Fault::Dead, text, now, acts);
    }

    pub(super) fn expire(&mut self, now: Duration, acts: &mut Vec<Act>) {
        let after = whole_seconds(now.saturating_sub(self.step.began));
        let whole = if self.end < self.step.end { ", and the boot's time is up" } else { "" };
        let seen = self.lines.seen();
        let text = match &self.wait {
            Some(wait) => format!("waited for {} in vain, {after} s{whole}; {seen}", wait.what),
            None => format!("timed out after {after} s{whole}; {seen}"),
        };
        self.fail(Fault::Timeout, text, now, acts);
    }

    pub(super) fn tries_again(&self, now: Duration) -> bool {
        self.retries.left > 0 && now.saturating_add(self.retries.interval) < self.end
    }

    /// From the first step; an attempt that was not the last leaves no records of what failed in it.
    pub(super) fn begin_again(&mut self, now: Duration, acts: &mut Vec<Act>) {
        self.retries.next = None;
        self.expect.take_unread();
        self.at = 0;
        self.run(now, acts);
    }

    pub(super) fn fail(&mut self, fault: Fault, text: String, now: Duration, acts: &mut Vec<Act>) {
        let name = self.step.name.clone();
        if self.tries_again(now) {
            self.retries.left -= 1;
            self.retries.next = Some(now + self.retries.interval);
            (self.wait, self.silence, self.dying, self.step) = (None, None, None, Step::default());
            self.expect.take_unread();
            acts.push(Act::Step(name.clone(), format!("trying again, as {name}: {text}")));
            return;
        }
        self.over = true;
        self.end_step(now, "fail", acts);
        acts.push(Act::Fail(fault, format!("{name}: {text}")));
    }

    /// Begins a step; steps of one name that follow each other are one in the records.
    pub(super) fn begin(&mut self, name: &str, timeout: Duration, now: Duration, acts: &mut Vec<Act>) {
        if self.step.name != name {
            self.end_step(now, "pass", acts);
            self.step = Step { name: name.to_owned(), began: now, ..Step::default() };
        }
        self.step.end = now.saturating_add(timeout);
    }

    pub(super) fn end_step(&mut self, now: Duration, result: &str, acts: &mut Vec<Act>) {
        self.kernel_record("pass", None, now, acts);
        if !self.step.name.is_empty() {
            let name = self.step.name.clone();
            let record = self.record(&name, result, now);
            acts.push(Act::Record(record));
        }
    }

    /// The record of what the kernel reported, once, at the end of the step that looked for all of it, or when it died.
    pub(super) fn kernel_record(&mut self, result: &str, fatal: Option<Value>, now: Duration, acts: &mut Vec<Act>) {
        let Some(mut watch) = self.step.watch.take() else { return };
        if fatal.is_none() && !self.step.listed {
            return;
        }
        watch.flush();
        let noted = watch.reports().iter().map(|report| json!({"kind": report.kind, "message": report.message}));
        let all: Vec<Value> = noted.chain(fatal).collect();
        let mut record = self.record("kernel-messages", result, now);
        record.insert("extra".into(), json!({ "extra": all }));
        acts.push(Act::Record(record));
    }

    pub(super) fn record(&self, case: &str, result: &str, now: Duration) -> Record {
        let mut record = lava(case, result);
        record.insert("level".into(), self.level.as_str().into());
        record.insert("duration".into(), duration(now.saturating_sub(self.step.began)));
        record
    }
}
