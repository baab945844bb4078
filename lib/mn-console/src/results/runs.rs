//! The beginning and the end of a run, and their records.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Open, Record, Recorder, Turn, duration, lava};
use crate::lines::readable;

impl Recorder {
    pub(super) fn start_run(&mut self, run: &str, uuid: &str, now: Duration) -> Turn {
        let turn = self.abandon(now, "");
        self.suite = Some(run.to_owned());
        let (run, uuid) = (run.to_owned(), uuid.to_owned());
        self.open = Some(Open { run, uuid, began: now, seen: BTreeSet::new() });
        turn
    }

    pub(super) fn end_run(&mut self, run: &str, now: Duration) -> Turn {
        let Some(open) = self.open.take() else {
            return Turn::warn(format!("the run '{run}' ended without having begun"));
        };
        let mut turn = Turn { records: self.missing(&open.run, &open.seen), ..Turn::default() };
        turn.records.push(self.completed_record(&open, now));
        turn.warnings.extend(self.close_set(&open.run));
        self.completed.insert(open.run);
        turn
    }

    /// Ends a run of which the runner says that it did not come to its end.
    pub(super) fn fail_run(&mut self, run: &str, status: &str, step: Option<&str>, now: Duration) -> Turn {
        let how = match status {
            "interrupted" => "was interrupted".to_owned(),
            status => format!("ended with status {}", readable(status.as_bytes())),
        };
        let reason = match step {
            Some(steps) if steps.contains('-') => format!("one of steps {} {how}", readable(steps.as_bytes())),
            Some(step) => format!("step {} {how}", readable(step.as_bytes())),
            None => format!("it {how}"),
        };
        if self.running() != Some(run) {
            // Its end, or its beginning, was another's; it has its record already, or never began.
            return Turn::default();
        }
        self.abandon(now, &reason)
    }

    /// Ends what was open without its end signal, for this reason, if one is known.
    pub(super) fn abandon(&mut self, now: Duration, reason: &str) -> Turn {
        let mut turn = Turn::default();
        if std::mem::take(&mut self.install_failed) {
            turn.records.push(lava(&format!("stage_{}", self.stage), "fail"));
        }
        if let Some(open) = self.open.take() {
            turn.records.push(self.broken_record(&open, now, reason));
            turn.records.extend(self.missing(&open.run, &open.seen));
            turn.warnings.extend(self.close_set(&open.run));
            self.completed.insert(open.run);
        }
        turn
    }

    pub(super) fn missing(&self, run: &str, seen: &BTreeSet<String>) -> Vec<Record> {
        let missing: BTreeSet<&str> =
            self.expected(run).iter().map(String::as_str).filter(|name| !seen.contains(*name)).collect();
        let record = |name: &str| {
            let mut record = Record::new();
            record.insert("definition".into(), run.into());
            record.insert("case".into(), name.into());
            record.insert("result".into(), "fail".into());
            record.insert("level".into(), self.level.as_str().into());
            record.insert("extra".into(), json!({"reason": "expected, and not reported"}));
            self.insert_set(&mut record);
            record
        };
        missing.into_iter().map(record).collect()
    }

    pub(super) fn completed_record(&self, open: &Open, now: Duration) -> Record {
        let about = self.about(&open.run);
        let mut record = lava(&open.run, "pass");
        let result = record.shift_remove("result");
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                record.insert(key.into(), value);
            }
        };
        put("uuid", Some(open.uuid.as_str().into()));
        put("repository", about.and_then(|run| run.repository.as_deref()).map(Value::from));
        put("path", about.map(|run| run.path.as_str().into()));
        put("duration", Some(duration(now.saturating_sub(open.began))));
        put("result", result);
        put("revision", Some(about.and_then(|run| run.revision.as_deref()).unwrap_or("unspecified").into()));
        put("namespace", Some("common".into()));
        put("commit_id", about.and_then(|run| run.commit_id.as_deref()).map(Value::from));
        record
    }

    pub(super) fn broken_record(&self, open: &Open, now: Duration, reason: &str) -> Record {
        let mut record = lava(&open.run, "fail");
        record.shift_remove("result");
        record.insert("uuid".into(), open.uuid.as_str().into());
        record.insert("result".into(), "fail".into());
        if let Some(commit) = self.about(&open.run).and_then(|run| run.commit_id.as_deref()) {
            record.insert("commit_id".into(), commit.into());
        }
        record.insert("duration".into(), duration(now.saturating_sub(open.began)));
        if !reason.is_empty() {
            record.insert("level".into(), self.level.as_str().into());
            record.insert("extra".into(), json!({ "reason": reason }));
        }
        record
    }
}
