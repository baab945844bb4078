use super::*;
use serde_json::json;

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
        let turn = recorder.signal(name, body, Some(place), Duration::from_secs(at as u64));
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
fn a_run_that_did_not_come_to_its_end_has_failed_at_its_step() {
    let signals =
        [("STARTRUN", "0_smoke u"), ("TESTCASE", "TEST_CASE_ID=a RESULT=pass"), ("FAILRUN", "0_smoke u 137 2")];
    let mut recorder = recorder();
    let records = play(&mut recorder, &signals).records;
    assert_eq!(records[0]["result"], "pass");
    let failed = [&records[1]["case"], &records[1]["result"], &records[1]["extra"]["reason"]];
    assert_eq!(failed, ["0_smoke", "fail", "step 2 ended with status 137"]);
    // Said of a run that has its record, and of one that a later start found.
    assert_eq!(play(&mut recorder, &[("FAILRUN", "0_smoke u 137 2")]), Turn::default());
    let records = play(&mut recorder, &[("STARTRUN", "1_sync u"), ("FAILRUN", "1_sync u interrupted")]).records;
    assert_eq!(records[0]["extra"]["reason"], "it was interrupted");
    let records_of_steps = play(&mut recorder, &[("STARTRUN", "x u"), ("FAILRUN", "x u 1 2-4")]).records;
    assert_eq!(records_of_steps[0]["extra"]["reason"], "one of steps 2-4 ended with status 1");
    assert_eq!(records.len(), 3, "and the two cases that were expected");
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
    let records = text(&recorder.finish(Duration::from_secs(9), "the kernel panicked"));
    assert_eq!(records.len(), 3, "{records:?}");
    assert!(records[0].contains(r#""case":"0_smoke","uuid":"u","result":"fail""#));
    assert!(records[0].ends_with(r#""level":"3","extra":{"reason":"the kernel panicked"}}"#), "{}", records[0]);
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
    let last = text(&recorder.finish(Duration::ZERO, ""));
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
    let broken = |name, body| recorder().signal(name, body, Some(0..1), Duration::ZERO).broken;
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

#[test]
fn a_place_that_is_not_known_is_no_other_signals() {
    let mut recorder = recorder();
    let mut records = Vec::new();
    let case = "TEST_CASE_ID=a RESULT=pass";
    for (name, body, at) in [
        ("STARTRUN", "x u", None),
        ("STARTTC", "a", None),
        ("ENDTC", "a", Some(5..9)),
        ("TESTCASE", case, Some(10..20)),
    ] {
        records.extend(recorder.signal(name, body, at, Duration::ZERO).records);
    }
    records.extend(recorder.signal("TESTCASE", case, None, Duration::ZERO).records);
    let place = |record: &Record, key: &str| record.get(key).cloned();
    assert_eq!((place(&records[0], "starttc"), place(&records[0], "endtc")), (None, Some(json!(5))));
    assert_eq!((place(&records[1], "starttc"), place(&records[1], "endtc")), (None, None));
}
