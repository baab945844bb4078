use super::*;
use crate::test::Test;
use serde_json::json;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn started(pattern: &str) -> Monitors {
    started_with(json!([{"name": "tests", "start": "BOOTING", "end": "SUCCESSFUL", "pattern": pattern}]))
}

/// A block of monitors that has 60 seconds.
fn started_with(monitors: serde_json::Value) -> Monitors {
    let messages: Vec<Message> = serde_json::from_value(monitors).unwrap();
    let mut block = Monitors::new("3", &messages).unwrap();
    block.start(seconds(0), seconds(60));
    block
}

/// What was done, in words.
fn told(acts: &[Act]) -> Vec<String> {
    let word = |act: &Act| match act {
        Act::Record(record) => {
            let keys = ["definition", "case", "result", "measurement", "units"];
            let texts = keys.iter().filter_map(|key| record.get(*key)).map(|value| value.to_string().replace('"', ""));
            Some(texts.collect::<Vec<_>>().join(" "))
        }
        Act::Warn(text) => Some(format!("warns {text}")),
        Act::Done => Some("done".into()),
        Act::Fail(fault, text) => Some(format!("{fault:?} {text}")),
        _ => None,
    };
    acts.iter().filter_map(word).collect()
}

const RESULT: &str = r"(?P<test_case_id>\w+): (?P<result>PASS|FAIL|odd)( (?P<measurement>[0-9.]+) ?(?P<units>\w+)?)?";

#[test]
fn results_count_between_start_and_end() {
    let mut block = started(RESULT);
    assert_eq!(told(&block.push(b"early: PASS\r\n*** BOOTING ***\r\n", seconds(1))), [""; 0]);
    let acts = block.push(b"Ping: PASS 1.5 ms\r\ndisk: FAIL\r\nlast: PA", seconds(2));
    assert_eq!(told(&acts), ["tests ping pass 1.5 ms", "tests disk fail"]);
    let acts = block.push(b"SS\r\nSUCCESSFUL\r\nlate: PASS\r\n", seconds(3));
    assert_eq!(told(&acts), ["tests last pass", "lava lava-test-monitor pass", "done"]);
    assert_eq!(block.take_unread(), b"\r\nlate: PASS\r\n");
}

#[test]
fn how_the_bytes_are_cut_changes_nothing() {
    let text = b"BOOTING\r\na: PASS 12.25 s\r\nnoise \xff\r\nb: PASS\r\nb: FAIL\r\nSUCCESSFUL";
    let whole = told(&started(RESULT).push(text, seconds(1)));
    assert_eq!(whole[0], "tests a pass 12.25 s");
    for size in [1, 3, 17] {
        let mut block = started(RESULT);
        let acts: Vec<Act> = text.chunks(size).flat_map(|piece| block.push(piece, seconds(1))).collect();
        assert_eq!(told(&acts), whole, "{size}");
    }
}

#[test]
fn a_result_may_span_lines_and_its_name_is_made_one_word() {
    let mut block = started(r"(?P<test_case_id>\d+ *- [^-]+) (?P<measurement>\d+) tcs = [0-9]+ nsec");
    let table = b"BOOTING\r\n|----|\r\n| 1 - Measure time from ISR back to thread    |\r\n\
        | switching time is 107 tcs = 1337 nsec    |\r\n|----|\r\nSUCCESSFUL\r\n";
    let case = "tests 1_measure_time_from_isr_back_to_thread_switching_time_is pass 107.0";
    assert_eq!(told(&block.push(table, seconds(1)))[0], case);
}

#[test]
fn monitors_follow_each_other_and_words_are_translated() {
    let monitor = |name: &str, start: &str| {
        json!({"name": name, "start": start, "end": "End of", "pattern": "'(?P<test_case_id>\\w+)'.*?(?P<result>PASSED|Assertion)",
            "fixupdict": {"PASSED": "pass"}, "expected": ["t1", "t9"]})
    };
    let mut block = started_with(json!([monitor("secure", "Execute S"), monitor("other", "Execute N")]));
    let acts =
        block.push(b"Execute S\n'T1' it PASSED\n'T2' is\nAssertion\nEnd of\n'T3' PASSED\nExecute N\n", seconds(1));
    let missing = "secure t9 fail";
    assert_eq!(
        told(&acts),
        ["secure t1 pass", "warns a result is left out: 'Assertion' of 't2' is no result", missing]
    );
    let acts = block.push(b"'T1' PASSED\n'T9' PASSED\nEnd of", seconds(1));
    assert_eq!(told(&acts), ["other t1 pass", "other t9 pass", "lava lava-test-monitor pass", "done"]);
}

#[test]
fn what_was_awaited_is_named_when_it_does_not_come() {
    let mut block = started(RESULT);
    let why = "monitor 'tests': waited for its start 'BOOTING' in vain, 60 s; the console was silent";
    assert_eq!(told(&block.tick(seconds(60))), ["lava lava-test-monitor fail", &format!("Timeout {why}")]);
    let mut block = started(RESULT);
    block.push(b"BOOTING\na: PASS\n", seconds(20));
    let why = "monitor 'tests': waited for its end 'SUCCESSFUL' in vain, 40 s; last seen: 'a: PASS'";
    assert_eq!(told(&block.tick(seconds(60)))[1], format!("Timeout {why}"));
}

#[test]
fn a_pattern_that_cannot_be_used_is_told() {
    let told = |pattern: &str| check(pattern).unwrap_err();
    assert_eq!(told("(?P<result>x)"), "cannot use the pattern '(?P<result>x)': it has no group 'test_case_id'");
    assert_eq!(
        told("(?P<test_case_id>x)?"),
        "cannot use the pattern '(?P<test_case_id>x)?': it matches the empty text"
    );
    let unclosed = "cannot use the pattern '(?P<test_case_id>x': Parsing error at position 18: Opening parenthesis without closing parenthesis";
    assert_eq!(told("(?P<test_case_id>x"), unclosed);
}

#[test]
fn a_pattern_may_look_around() {
    let mut block = started(r"^(?P<test_case_id>(?!total)\w+): (?P<result>PASS|FAIL)(?= *$)");
    let acts = block.push(b"BOOTING\ntotal: PASS\na: PASS \nb: FAIL twice\n", seconds(1));
    assert_eq!(told(&acts).into_iter().filter(|told| told.starts_with("tests ")).collect::<Vec<_>>(), ["tests a pass"]);
}

#[test]
fn a_board_that_talks_for_ever_takes_bounded_memory() {
    let mut block = started(RESULT);
    block.push(b"BOOTING", seconds(1));
    for _ in 0..200 {
        block.push(&[b'x'; 4096], seconds(1));
        block.push(b"\n", seconds(1));
        assert!(block.window.len() <= WINDOW);
    }
    assert_eq!(told(&block.push(b"a: PASS\n", seconds(1))), ["tests a pass"]);
}

proptest::proptest! {
    #[test]
    fn whatever_a_board_says_the_results_are_the_same_however_it_is_cut(
        text in "(BOOTING|SUCCESSFUL|a: PASS|b: FAIL 1|[ab:\r\n ]){0,20}",
        cuts in proptest::collection::vec(1usize..7, 1..40),
    ) {
        let told_in = |sizes: &mut dyn Iterator<Item = usize>| {
            let mut block = started(RESULT);
            let (mut acts, mut rest) = (Vec::new(), text.as_bytes());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
                acts.extend(block.push(piece, seconds(1)));
                rest = after;
            }
            acts.extend(block.tick(seconds(60)));
            told(&acts)
        };
        proptest::prop_assert_eq!(told_in(&mut cuts.into_iter()), told_in(&mut std::iter::once(1000)));
    }
}
