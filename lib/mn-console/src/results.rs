//! From a test shell's signals to result records with LAVA's keys.
//!
//! Two things differ from LAVA, which loses them: a definition that ends without its end signal is recorded as failed
//! even when another one follows it, and a test set that was left open ends with its definition.

mod case;
mod runs;

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use mn_msg::role::Run;
use serde_json::{Map, Value};

use crate::lines::readable;
use crate::signal::Request;
use case::Case;

pub(crate) use case::outcome;

/// One result: LAVA's keys, in LAVA's order.
pub type Record = Map<String, Value>;

/// Places of test cases that have begun and not ended; further ones get no `starttc`.
const OPEN_CASES: usize = 1000;
/// Names of test cases remembered to find the expected ones that are missing.
const SEEN_CASES: usize = 100_000;

/// What a signal led to.
#[derive(Debug, Default, PartialEq)]
pub struct Turn {
    /// Results, in order.
    pub records: Vec<Record>,
    /// What is odd and does no harm.
    pub warnings: Vec<String>,
    /// A text that the test sent as an event.
    pub event: Option<String>,
    /// Why the test stage cannot go on, if it cannot.
    pub broken: Option<String>,
}

impl Turn {
    fn record(record: Record) -> Turn {
        Turn { records: vec![record], ..Turn::default() }
    }

    fn warn(text: String) -> Turn {
        Turn { warnings: vec![text], ..Turn::default() }
    }

    fn broken(text: impl Into<String>) -> Turn {
        Turn { broken: Some(text.into()), ..Turn::default() }
    }
}

/// A request that has not been answered yet, and the suite that it is recorded in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    suite: Option<String>,
    case: String,
}

/// A run that has begun.
#[derive(Debug)]
struct Open {
    run: String,
    uuid: String,
    began: Duration,
    seen: BTreeSet<String>,
}

/// The results of one test stage.
#[derive(Debug)]
pub struct Recorder {
    stage: u32,
    level: String,
    /// The stage's definitions.
    runs: Vec<Run>,
    open: Option<Open>,
    /// The suite of the last run that began; it stays when the run ends.
    suite: Option<String>,
    set: Option<String>,
    /// Where the cases begin and end, in bytes.
    starts: Map<String, Value>,
    ends: Map<String, Value>,
    /// An installation failed since the last run began.
    install_failed: bool,
    completed: BTreeSet<String>,
}

impl Recorder {
    /// Begins the stage `stage` of the action `level`, which runs `runs`.
    pub fn new(stage: u32, level: &str, runs: Vec<Run>) -> Recorder {
        Recorder {
            stage,
            level: level.to_owned(),
            runs,
            open: None,
            suite: None,
            set: None,
            starts: Map::new(),
            ends: Map::new(),
            install_failed: false,
            completed: BTreeSet::new(),
        }
    }

    /// The name of the run that has begun and not ended.
    pub fn running(&self) -> Option<&str> {
        self.open.as_ref().map(|open| open.run.as_str())
    }

    /// Takes a signal. `at` is its place in the stream, where that is known; `now` the time since any one moment.
    pub fn signal(&mut self, name: &str, body: &str, at: Option<Range<u64>>, now: Duration) -> Turn {
        let words: Vec<&str> = body.split_whitespace().collect();
        match (name, words.as_slice()) {
            ("STARTRUN", &[run, uuid, ..]) => self.start_run(run, uuid, now),
            ("ENDRUN", &[run, _, ..]) => self.end_run(run, now),
            ("FAILRUN", &[run, _, status, ref step @ ..]) => self.fail_run(run, status, step.first().copied(), now),
            ("STARTRUN" | "ENDRUN", _) => Turn::broken(format!("'{name}' without a run and its uuid")),
            ("STARTTC", &[case, ..]) => mark(&mut self.starts, case, at.map(|at| at.end)),
            ("ENDTC", &[case, ..]) => mark(&mut self.ends, case, at.map(|at| at.start)),
            ("TESTCASE", words) => self.test_case(words, at),
            ("TESTREFERENCE", &[case, result, url]) => self.reference(case, result, url),
            ("TESTREFERENCE", _) => Turn::broken("'TESTREFERENCE' without case, result and address"),
            ("TESTSET", &["START", set, ..]) => self.set_set(Some(set)),
            ("TESTSET", &["START"]) => Turn::broken("'TESTSET START' without a name"),
            ("TESTSET", &["STOP", ..]) => self.set_set(None),
            ("TESTRAISE", _) => Turn::broken(readable(body.as_bytes())),
            ("TESTEVENT", _) => Turn { event: Some(readable(body.as_bytes())), ..Turn::default() },
            // Of the helpers here; LAVA has no such signal.
            ("WARNING", _) => Turn::warn(readable(body.as_bytes())),
            // Like LAVA: what is not known is no error.
            _ => Turn::default(),
        }
    }

    fn close_set(&mut self, run: &str) -> Option<String> {
        let set = self.set.take()?;
        Some(format!("the test set '{}' was still open at the end of '{run}'", readable(set.as_bytes())))
    }

    fn set_set(&mut self, set: Option<&str>) -> Turn {
        self.set = set.map(str::to_owned);
        Turn::default()
    }

    /// Takes the news that the runner could not install a definition.
    pub fn install_failed(&mut self, now: Duration) -> Turn {
        let turn = self.abandon(now, "");
        self.install_failed = true;
        turn
    }

    /// Notes that the board has made a multinode request, which belongs to the run that goes on now.
    pub fn asked(&mut self, request: &Request) -> Asked {
        let case = request.case();
        self.note_seen(&case);
        Asked { suite: self.suite.clone(), case }
    }

    /// Records how a request ended.
    pub fn answered(&mut self, asked: &Asked, result: &str) -> Turn {
        let Some(suite) = &asked.suite else {
            // As from the installation of the first definition.
            return Turn::warn(format!("no run had begun: '{}' is not recorded", readable(asked.case.as_bytes())));
        };
        let mut record = Record::new();
        record.insert("definition".into(), suite.as_str().into());
        record.insert("case".into(), asked.case.as_str().into());
        record.insert("result".into(), result.into());
        self.insert_set(&mut record);
        Turn::record(record)
    }

    fn note_seen(&mut self, case: &str) {
        if let Some(open) = self.open.as_mut().filter(|open| open.seen.len() < SEEN_CASES) {
            open.seen.insert(case.to_owned());
        }
    }

    /// Ends the stage: what has begun and not ended has failed, for this reason, if one is known, and so have the
    /// expected cases of runs that never began.
    pub fn finish(&mut self, now: Duration, reason: &str) -> Turn {
        let mut turn = self.abandon(now, reason);
        for run in self.runs.iter().filter(|run| !self.completed.contains(&run.run)) {
            turn.records.extend(self.missing(&run.run, &BTreeSet::new()));
        }
        turn
    }

    fn test_case(&mut self, words: &[&str], at: Option<Range<u64>>) -> Turn {
        if self.suite.is_none() {
            return Turn::broken("a test case was reported before any run had begun");
        }
        match Case::parse(words) {
            Ok(case) => {
                mark_once(&mut self.starts, &case.name, at.as_ref().map(|at| at.start));
                mark_once(&mut self.ends, &case.name, at.map(|at| at.end));
                self.record_case(&case.name, &case.result, |record| case.measure(record))
            }
            Err(reason) => Turn::warn(format!("a result is left out: {reason}")),
        }
    }

    /// Records a result that `parse.pattern` of the definition found in the output.
    pub fn parsed_case(&mut self, name: &str, result: &str, measurement: Option<f64>, units: Option<&str>) -> Turn {
        let case =
            Case { name: name.to_owned(), result: result.to_owned(), measurement, units: units.map(str::to_owned) };
        self.record_case(name, result, |record| case.measure(record))
    }

    fn record_case(&mut self, name: &str, result: &str, fill: impl FnOnce(&mut Record)) -> Turn {
        let suite = self.suite.clone().unwrap_or_default();
        let mut turn = Turn::default();
        let mut result = result;
        let expected = self.expected(&suite);
        if !expected.is_empty() && !expected.iter().any(|known| known == name) && self.open.is_some() {
            turn.warnings
                .push(format!("'{}' is not one of the expected cases of '{suite}'", readable(name.as_bytes())));
            result = "fail";
        }
        self.note_seen(name);
        let mut record = Record::new();
        record.insert("definition".into(), suite.into());
        record.insert("case".into(), name.into());
        record.insert("result".into(), result.into());
        fill(&mut record);
        self.insert_set(&mut record);
        for (key, marks) in [("starttc", &mut self.starts), ("endtc", &mut self.ends)] {
            if let Some(at) = marks.shift_remove(name).filter(|at| !at.is_null()) {
                record.insert(key.into(), at);
            }
        }
        turn.records.push(record);
        turn
    }

    fn reference(&mut self, case: &str, result: &str, url: &str) -> Turn {
        let Some(suite) = self.suite.clone() else {
            return Turn::broken("a reference was reported before any run had begun");
        };
        let mut record = Record::new();
        record.insert("case".into(), case.into());
        record.insert("definition".into(), suite.into());
        record.insert("result".into(), result.into());
        record.insert("reference".into(), url.into());
        self.insert_set(&mut record);
        Turn::record(record)
    }

    fn insert_set(&self, record: &mut Record) {
        if let Some(set) = &self.set {
            record.insert("set".into(), set.as_str().into());
        }
    }

    /// What is known of a run; nothing when the board ran something else.
    fn about(&self, run: &str) -> Option<&Run> {
        self.runs.iter().find(|known| known.run == run)
    }

    fn expected(&self, run: &str) -> &[String] {
        self.about(run).and_then(|run| run.expected.as_deref()).unwrap_or_default()
    }
}

/// A record of the suite `lava`.
pub fn lava(case: &str, result: &str) -> Record {
    let mut record = Record::new();
    record.insert("definition".into(), "lava".into());
    record.insert("case".into(), case.into());
    record.insert("result".into(), result.into());
    record
}

/// A duration as LAVA writes it: seconds with two decimals, a string.
pub fn duration(time: Duration) -> Value {
    format!("{:.2}", time.as_secs_f64()).into()
}

/// Without a place the mark is null: that of another signal would be wrong.
fn mark(marks: &mut Map<String, Value>, case: &str, at: Option<u64>) -> Turn {
    if marks.len() < OPEN_CASES {
        marks.insert(case.to_owned(), at.into());
    }
    Turn::default()
}

fn mark_once(marks: &mut Map<String, Value>, case: &str, at: Option<u64>) {
    if !marks.contains_key(case) {
        mark(marks, case, at);
    }
}

#[cfg(test)]
mod tests;
