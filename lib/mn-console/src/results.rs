//! From a test shell's signals to result records with LAVA's keys.
//!
//! Two things differ from LAVA, which loses them: a definition that ends without its end signal is recorded as failed
//! even when another one follows it, and a test set that was left open ends with its definition.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use mn_msg::role::Run;
use serde_json::{Map, Value, json};

use crate::lines::readable;
use crate::signal::Request;

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

    /// Takes a signal. `at` is its place in the stream, `now` the time since any one moment.
    pub fn signal(&mut self, name: &str, body: &str, at: Range<u64>, now: Duration) -> Turn {
        let words: Vec<&str> = body.split_whitespace().collect();
        match (name, words.as_slice()) {
            ("STARTRUN", &[run, uuid, ..]) => self.start_run(run, uuid, now),
            ("ENDRUN", &[run, _, ..]) => self.end_run(run, now),
            ("STARTRUN" | "ENDRUN", _) => Turn::broken(format!("'{name}' without a run and its uuid")),
            ("STARTTC", &[case, ..]) => mark(&mut self.starts, case, at.end),
            ("ENDTC", &[case, ..]) => mark(&mut self.ends, case, at.start),
            ("TESTCASE", words) => self.test_case(words, &at),
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

    fn start_run(&mut self, run: &str, uuid: &str, now: Duration) -> Turn {
        let turn = self.abandon(now);
        self.suite = Some(run.to_owned());
        let (run, uuid) = (run.to_owned(), uuid.to_owned());
        self.open = Some(Open { run, uuid, began: now, seen: BTreeSet::new() });
        turn
    }

    fn end_run(&mut self, run: &str, now: Duration) -> Turn {
        let Some(open) = self.open.take() else {
            return Turn::warn(format!("the run '{run}' ended without having begun"));
        };
        let mut turn = Turn { records: self.missing(&open.run, &open.seen), ..Turn::default() };
        turn.records.push(self.completed_record(&open, now));
        turn.warnings.extend(self.close_set(&open.run));
        self.completed.insert(open.run);
        turn
    }

    /// Ends what was open without its end signal.
    fn abandon(&mut self, now: Duration) -> Turn {
        let mut turn = Turn::default();
        if std::mem::take(&mut self.install_failed) {
            turn.records.push(lava(&format!("stage_{}", self.stage), "fail"));
        }
        if let Some(open) = self.open.take() {
            turn.records.push(self.broken_record(&open, now));
            turn.records.extend(self.missing(&open.run, &open.seen));
            turn.warnings.extend(self.close_set(&open.run));
            self.completed.insert(open.run);
        }
        turn
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
        let turn = self.abandon(now);
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

    /// Ends the stage: what has begun and not ended has failed, and so have the expected cases of runs that never began.
    pub fn finish(&mut self, now: Duration) -> Turn {
        let mut turn = self.abandon(now);
        for run in self.runs.iter().filter(|run| !self.completed.contains(&run.run)) {
            turn.records.extend(self.missing(&run.run, &BTreeSet::new()));
        }
        turn
    }

    fn test_case(&mut self, words: &[&str], at: &Range<u64>) -> Turn {
        if self.suite.is_none() {
            return Turn::broken("a test case was reported before any run had begun");
        }
        match Case::parse(words) {
            Ok(case) => {
                mark_once(&mut self.starts, &case.name, at.start);
                mark_once(&mut self.ends, &case.name, at.end);
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
            if let Some(at) = marks.shift_remove(name) {
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

    fn missing(&self, run: &str, seen: &BTreeSet<String>) -> Vec<Record> {
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

    fn completed_record(&self, open: &Open, now: Duration) -> Record {
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

    fn broken_record(&self, open: &Open, now: Duration) -> Record {
        let mut record = lava(&open.run, "fail");
        record.shift_remove("result");
        record.insert("uuid".into(), open.uuid.as_str().into());
        record.insert("result".into(), "fail".into());
        if let Some(commit) = self.about(&open.run).and_then(|run| run.commit_id.as_deref()) {
            record.insert("commit_id".into(), commit.into());
        }
        record.insert("duration".into(), duration(now.saturating_sub(open.began)));
        record
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

fn mark(marks: &mut Map<String, Value>, case: &str, at: u64) -> Turn {
    if marks.len() < OPEN_CASES {
        marks.insert(case.to_owned(), at.into());
    }
    Turn::default()
}

fn mark_once(marks: &mut Map<String, Value>, case: &str, at: u64) {
    if !marks.contains_key(case) {
        mark(marks, case, at);
    }
}

/// The words of a TESTCASE.
#[derive(Debug)]
struct Case {
    name: String,
    result: String,
    measurement: Option<f64>,
    units: Option<String>,
}

impl Case {
    fn parse(words: &[&str]) -> Result<Case, String> {
        let mut name = None;
        let mut result = None;
        let mut measurement = None;
        let mut units = None;
        for word in words {
            let word_shown = readable(word.as_bytes());
            let (key, value) = word.split_once('=').ok_or(format!("'{word_shown}' is no KEY=VALUE"))?;
            match key.to_ascii_uppercase().as_str() {
                "TEST_CASE_ID" => name = Some(value.to_owned()),
                "RESULT" => result = Some(outcome(value).ok_or(format!("'{word_shown}' is no result"))?),
                "UNITS" => units = Some(value.to_owned()),
                "MEASUREMENT" => {
                    let number = value.parse().ok().filter(|number: &f64| number.is_finite());
                    measurement = Some(number.ok_or(format!("'{word_shown}' is no number"))?);
                }
                _ => {}
            }
        }
        let name = name.filter(|name| !name.is_empty()).ok_or("it has no TEST_CASE_ID")?;
        let result = result.ok_or(format!("'{}' has no RESULT", readable(name.as_bytes())))?.to_owned();
        Ok(Case { name, result, measurement, units })
    }

    fn measure(&self, record: &mut Record) {
        if let Some(measurement) = self.measurement {
            record.insert("measurement".into(), measurement.into());
            if let Some(units) = &self.units {
                record.insert("units".into(), units.as_str().into());
            }
        }
    }
}

/// LAVA's four results; upper case is taken for the same.
pub(crate) fn outcome(value: &str) -> Option<&'static str> {
    let known = [("pass", "PASS"), ("fail", "FAIL"), ("skip", "SKIP"), ("unknown", "UNKNOWN")];
    known.iter().find(|(lower, upper)| value == *lower || value == *upper).map(|(lower, _)| *lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder() -> Recorder {
        let runs = json!([
            {"run": "0_smoke", "uuid": "7_1.1.3.1", "stage": 0, "from": "git", "name": "smoke", "path": "smoke.yaml",
             "repository": "http://x/t.git", "commit_id": "abc"},
            {"run": "1_sync", "uuid": "7_1.1.3.5", "stage": 0, "from": "inline", "name": "sync", "path": "inline/sync.yaml",
             "expected": ["b", "a"]},
        ]);
        Recorder::new(0, "3", serde_json::from_value(runs).unwrap())
    }

    fn text(turn: &Turn) -> Vec<String> {
        turn.records.iter().map(|record| serde_json::to_string(record).unwrap()).collect()
    }

    /// Plays signals, a second apart, each 100 bytes after the last; gives all records.
    fn play(recorder: &mut Recorder, signals: &[(&str, &str)]) -> Turn {
        let mut all = Turn::default();
        for (at, (name, body)) in signals.iter().enumerate() {
            let place = at as u64 * 100..at as u64 * 100 + 10;
            let turn = recorder.signal(name, body, place, Duration::from_secs(at as u64));
            all.records.extend(turn.records);
            all.warnings.extend(turn.warnings);
        }
        all
    }

    #[test]
    fn a_run_that_completes_gives_lavas_record() {
        let signals = [("STARTRUN", "0_smoke 7_1.1.3.1"), ("ENDRUN", "0_smoke 7_1.1.3.1")];
        assert_eq!(
            text(&play(&mut recorder(), &signals)),
            [
                r#"{"definition":"lava","case":"0_smoke","uuid":"7_1.1.3.1","repository":"http://x/t.git","path":"smoke.yaml","duration":"1.00","result":"pass","revision":"unspecified","namespace":"common","commit_id":"abc"}"#
            ]
        );
    }

    #[test]
    fn a_case_has_its_place_its_measurement_and_its_set() {
        let signals = [
            ("STARTRUN", "0_smoke u"),
            ("TESTSET", "START net"),
            ("STARTTC", "ping"),
            ("ENDTC", "ping"),
            ("TESTCASE", "TEST_CASE_ID=ping result=PASS UNITS=ms MEASUREMENT=3.5"),
            ("TESTSET", "STOP"),
            ("TESTCASE", "TEST_CASE_ID=late RESULT=skip"),
        ];
        assert_eq!(
            text(&play(&mut recorder(), &signals)),
            [
                r#"{"definition":"0_smoke","case":"ping","result":"pass","measurement":3.5,"units":"ms","set":"net","starttc":210,"endtc":300}"#,
                r#"{"definition":"0_smoke","case":"late","result":"skip","starttc":600,"endtc":610}"#,
            ]
        );
    }

    #[test]
    fn a_helper_can_warn_before_any_run_has_begun() {
        let signals = [("WARNING", "lava-x: cannot y: no z"), ("STARTRUN", "0_smoke u"), ("UNHEARD", "of")];
        let turn = play(&mut recorder(), &signals);
        assert_eq!((turn.records, turn.warnings), (vec![], vec!["lava-x: cannot y: no z".to_owned()]));
    }

    #[test]
    fn a_malformed_result_is_left_out_with_a_warning() {
        let mut recorder = recorder();
        for body in [
            "TEST_CASE_ID=a b RESULT=pass",
            "TEST_CASE_ID=a RESULT=good",
            "RESULT=pass",
            "TEST_CASE_ID=a RESULT=pass MEASUREMENT=nan",
        ] {
            let turn = play(&mut recorder, &[("STARTRUN", "x u"), ("TESTCASE", body), ("ENDRUN", "x u")]);
            assert_eq!((turn.records.len(), turn.warnings.len()), (1, 1), "{body}: {turn:?}");
        }
    }

    #[test]
    fn a_run_that_dies_is_recorded_as_failed_also_when_another_follows() {
        let signals = [("STARTRUN", "0_smoke u0"), ("STARTRUN", "2_next u2"), ("ENDRUN", "2_next u2")];
        let records = text(&play(&mut recorder(), &signals));
        assert_eq!(
            records[0],
            r#"{"definition":"lava","case":"0_smoke","uuid":"u0","result":"fail","commit_id":"abc","duration":"1.00"}"#
        );
        assert!(records[1].contains(r#""case":"2_next""#) && records[1].contains("pass"));
    }

    #[test]
    fn the_end_of_the_stage_fails_what_is_open_and_what_was_expected() {
        let mut recorder = recorder();
        play(&mut recorder, &[("STARTRUN", "0_smoke u")]);
        let records = text(&recorder.finish(Duration::from_secs(9)));
        assert_eq!(records.len(), 3, "{records:?}");
        assert!(records[0].contains(r#""case":"0_smoke","uuid":"u","result":"fail""#));
        assert!(records[1].starts_with(r#"{"definition":"1_sync","case":"a","result":"fail","level":"3""#));
        assert!(records[2].starts_with(r#"{"definition":"1_sync","case":"b","result":"fail""#));
    }

    #[test]
    fn expected_cases_that_are_missing_fail_and_unexpected_ones_too() {
        let signals = [
            ("STARTRUN", "1_sync u"),
            ("TESTCASE", "TEST_CASE_ID=a RESULT=pass"),
            ("TESTCASE", "TEST_CASE_ID=c RESULT=pass"),
            ("ENDRUN", "1_sync u"),
        ];
        let turn = play(&mut recorder(), &signals);
        let results: Vec<_> =
            turn.records.iter().map(|r| (r["case"].as_str().unwrap(), r["result"].as_str().unwrap())).collect();
        assert_eq!(results, [("a", "pass"), ("c", "fail"), ("b", "fail"), ("1_sync", "pass")]);
        assert_eq!(turn.warnings, ["'c' is not one of the expected cases of '1_sync'"]);
    }

    #[test]
    fn a_failed_installation_fails_the_stage_whatever_follows() {
        let mut recorder = recorder();
        assert_eq!(recorder.install_failed(Duration::ZERO), Turn::default());
        let turn = play(&mut recorder, &[("STARTRUN", "1_x u")]);
        assert_eq!(text(&turn), [r#"{"definition":"lava","case":"stage_0","result":"fail"}"#]);
        assert_eq!(text(&recorder.install_failed(Duration::ZERO)).len(), 1);
        let last = text(&recorder.finish(Duration::ZERO));
        assert_eq!(last[0], r#"{"definition":"lava","case":"stage_0","result":"fail"}"#);
    }

    #[test]
    fn a_request_is_recorded_in_the_run_that_made_it() {
        let mut recorder = recorder();
        let request = Request::Send { id: "lava_start".into(), data: vec![] };
        let asked = recorder.asked(&request);
        assert_eq!(recorder.answered(&asked, "pass").warnings.len(), 1);
        play(&mut recorder, &[("STARTRUN", "0_smoke u")]);
        let asked = recorder.asked(&request);
        play(&mut recorder, &[("ENDRUN", "0_smoke u"), ("STARTRUN", "1_sync u")]);
        assert_eq!(
            text(&recorder.answered(&asked, "fail")),
            [r#"{"definition":"0_smoke","case":"multinode-send-lava_start","result":"fail"}"#]
        );
    }

    #[test]
    fn a_set_that_was_left_open_ends_with_its_run() {
        let signals = [
            ("STARTRUN", "x u"),
            ("TESTSET", "START s"),
            ("ENDRUN", "x u"),
            ("STARTRUN", "y u"),
            ("TESTCASE", "TEST_CASE_ID=a RESULT=pass"),
        ];
        let turn = play(&mut recorder(), &signals);
        assert!(turn.records[1].get("set").is_none());
        assert_eq!(turn.warnings, ["the test set 's' was still open at the end of 'x'"]);
    }

    #[test]
    fn what_breaks_a_stage_says_why() {
        let broken = |name, body| recorder().signal(name, body, 0..1, Duration::ZERO).broken;
        assert_eq!(broken("TESTRAISE", "no disk\x1b").as_deref(), Some("no disk\\u{1b}"));
        assert!(broken("TESTCASE", "TEST_CASE_ID=a RESULT=pass").is_some());
        assert!(broken("STARTRUN", "x").is_some());
        assert!(broken("TESTSET", "START").is_some());
        assert_eq!(broken("SOMETHING", "else"), None);
    }

    #[test]
    fn a_reference_keeps_its_address() {
        let turn = play(&mut recorder(), &[("STARTRUN", "x u"), ("TESTREFERENCE", "log pass http://x/y")]);
        assert_eq!(text(&turn), [r#"{"case":"log","definition":"x","result":"pass","reference":"http://x/y"}"#]);
    }
}
