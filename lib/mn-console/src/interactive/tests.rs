use super::*;
use crate::reply::{Answer, Sent};
use crate::test::Test;
use serde_json::json;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A block of one script at a U-Boot, with these steps, that has 60 seconds; its first acts.
fn started(steps: serde_json::Value) -> (Interactive, Vec<Act>) {
    started_with(json!({"name": "net", "prompts": ["=> "], "steps": steps}))
}

fn started_with(script: serde_json::Value) -> (Interactive, Vec<Act>) {
    let plan = Plan {
        level: "3".into(),
        scripts: vec![serde_json::from_value(script).unwrap()],
        staged: json!({"SERVER_IP": "10.0.0.1", "DTB": null}).as_object().unwrap().clone(),
        delay: Duration::ZERO,
        patience: None,
    };
    let mut block = Interactive::new(plan, 100).unwrap();
    let acts = block.start(seconds(0), seconds(60));
    (block, acts)
}

/// What was done, in words.
fn told(acts: &[Act]) -> Vec<String> {
    let word = |act: &Act| match act {
        Act::Type(typed) => Some(format!("types {:?}", String::from_utf8_lossy(&typed.text))),
        Act::Record(record) => {
            let text = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
            let reason = record.get("extra").map(|extra| format!(": {}", extra["reason"].as_str().unwrap_or_default()));
            Some(format!("{}/{} {}{}", text("definition"), text("case"), text("result"), reason.unwrap_or_default()))
        }
        Act::Ask(number, request) => Some(format!("asks {number} {request:?}")),
        Act::Warn(text) => Some(format!("warns {text}")),
        Act::Done => Some("done".into()),
        Act::Fail(fault, text) => Some(format!("{fault:?} {text}")),
        Act::Step(..) => None,
    };
    acts.iter().filter_map(word).collect()
}

const PASSED: &str = "lava/lava-test-interactive pass";
const FAILED: &str = "lava/lava-test-interactive fail";

#[test]
fn a_command_is_typed_and_its_success_and_the_prompt_are_awaited() {
    let dhcp = json!({"name": "dhcp", "command": "dhcp", "successes": ["bound to address"]});
    let (mut block, acts) = started(json!([dhcp, {"command": "setenv serverip {SERVER_IP}"}]));
    assert_eq!(told(&acts), ["types \"dhcp\\n\""]);
    let acts = block.push(b"dhcp\r\nDHCP client bound to address 10.0.0.9\r\n", seconds(1));
    assert_eq!(told(&acts), ["net/dhcp pass"]);
    assert_eq!(told(&block.push(b"=> ", seconds(2))), ["types \"setenv serverip 10.0.0.1\\n\""]);
    assert_eq!(told(&block.push(b"setenv serverip 10.0.0.1\r\n=> ", seconds(3))), [PASSED, "done"]);
    assert_eq!(block.next_tick(), None);
}

#[test]
fn a_result_has_its_place_in_the_console() {
    let (mut block, _) = started(json!([{"name": "v", "command": "version"}]));
    let acts = block.push(b"version\r\nU-Boot 2022.04\r\n=> more", seconds(1));
    let Act::Record(record) = &acts[0] else { panic!("{acts:?}") };
    assert_eq!((&record["starttc"], &record["endtc"]), (&json!(100), &json!(128)));
    assert_eq!(block.take_unread(), b"more");
}

#[test]
fn how_the_bytes_are_cut_changes_nothing() {
    let steps = json!([{"name": "a", "command": "a", "successes": ["ok"]}, {"name": "b", "command": "b"}]);
    let script = json!({"name": "net", "prompts": ["=> "], "echo": "discard", "steps": steps});
    for size in [1, 2, 7, 100] {
        let (mut block, mut acts) = started_with(script.clone());
        for text in ["a ok\r\nit is ok\r\n=> ", "b\r\n=> "] {
            for piece in text.as_bytes().chunks(size) {
                acts.extend(block.push(piece, seconds(1)));
            }
        }
        assert_eq!(told(&acts)[1..], ["net/a pass", "types \"b\\n\"", "net/b pass", PASSED, "done"], "{size}");
    }
}

#[test]
fn an_echo_is_no_answer_where_it_is_discarded() {
    let steps = json!([{"name": "a", "command": "echo ok", "successes": ["ok"]}]);
    let (mut block, _) = started_with(json!({"name": "n", "prompts": ["=> "], "echo": "discard", "steps": steps}));
    assert_eq!(told(&block.push(b"echo ok\r\n=> ", seconds(1)))[0], "n/a fail: the prompt came, and not 'ok'");
    let (mut block, _) = started(steps);
    assert_eq!(told(&block.push(b"echo ok\r\n", seconds(1))), ["net/a pass"]);
}

#[test]
fn what_was_printed_before_a_command_is_no_answer_to_it() {
    let (mut block, _) = started(json!([
        {"name": "a", "command": "a", "successes": ["ok"], "wait_for_prompt": false}, {"name": "b", "command": "b"}]));
    let acts = block.push(b"ok\r\n=> ", seconds(1));
    assert_eq!(told(&acts), ["net/a pass", "types \"b\\n\""]);
    assert_eq!(told(&block.push(b"b\r\n=> ", seconds(2))), ["net/b pass", PASSED, "done"]);
}

#[test]
fn an_empty_command_only_waits() {
    let (mut block, acts) = started(json!([{"name": "wait"}, {"name": "newline", "command": ""}]));
    assert_eq!(told(&acts), [""; 0]);
    assert_eq!(told(&block.push(b"\r\n=> ", seconds(1))), ["net/wait pass", "types \"\\n\""]);
}

#[test]
fn a_failure_that_ends_nothing_is_a_result() {
    let (mut block, _) = started(json!([{"name": "a", "command": "a", "failures": [{"message": "T.*OUT"}]}]));
    assert_eq!(told(&block.push(b"TIMEOUT\r\n", seconds(1))), ["net/a fail: 'T.*OUT' was seen"]);
    assert_eq!(told(&block.push(b"=> ", seconds(1))), [PASSED, "done"]);
}

#[test]
fn a_failure_with_an_exception_ends_the_role_with_its_class() {
    for (exception, fault) in [("InfrastructureError", "Lab"), ("JobError", "Wrong"), ("TestError", "No")] {
        let failure = json!({"message": "TIMEOUT", "exception": exception, "error": "dhcp failed"});
        let (mut block, _) = started(json!([{"name": "a", "command": "a", "failures": [failure]}]));
        let acts = block.push(b"link up\r\nTIMEOUT", seconds(1));
        let said = "dhcp failed: 'TIMEOUT' was seen: 'TIMEOUT'";
        let end = format!("{fault} interactive test 'net', 'a': {said}");
        assert_eq!(told(&acts), [format!("net/a fail: {said}"), FAILED.into(), end]);
    }
}

#[test]
fn a_failure_that_nobody_would_hear_of_ends_the_role() {
    let (mut block, _) = started(json!([{"command": "a", "successes": ["ok"]}]));
    let acts = block.push(b"=> ", seconds(1));
    assert_eq!(told(&acts), [FAILED, "No interactive test 'net', 'a': the prompt came, and not 'ok'"]);
}

#[test]
fn a_prompt_that_never_comes_is_named() {
    let (mut block, _) = started(json!([{"name": "a", "command": "a"}]));
    block.push(b"working\r\n", seconds(1));
    assert_eq!(told(&block.tick(seconds(59))), [""; 0]);
    let why = "waited for '=> ' in vain, 60 s, and the test's time is up; last seen: 'working'";
    let end = format!("Timeout interactive test 'net', 'a': {why}");
    assert_eq!(told(&block.tick(seconds(60))), [format!("net/a fail: {why}"), FAILED.into(), end]);
}

#[test]
fn a_prompt_that_asks_for_the_end_waits_for_silence() {
    let script = json!({"name": "n", "prompts": ["=> $"], "steps": [{"name": "a", "command": "a"}]});
    let (mut block, _) = started_with(script);
    assert_eq!(told(&block.push(b"=> ", seconds(1))), [""; 0]);
    let at = block.next_tick().unwrap();
    assert_eq!(told(&block.tick(at)), ["n/a pass", PASSED, "done"]);
}

#[test]
fn a_delay_comes_before_the_command() {
    let (mut block, acts) = started(json!([{"command": "a", "delay": 5}, {"delay": 3, "wait_for_prompt": false}]));
    assert_eq!((told(&acts), block.next_tick()), (vec![], Some(seconds(5))));
    assert_eq!(told(&block.tick(seconds(5))), ["types \"a\\n\""]);
    assert_eq!(told(&block.push(b"=> ", seconds(6))), [""; 0]);
    assert_eq!(told(&block.tick(block.next_tick().unwrap())), [PASSED, "done"]);
}

#[test]
fn what_others_send_becomes_a_placeholder() {
    let wait = json!({"call": {"request": "wait", "message_id": "server"}});
    let send = json!({"call": {"request": "send", "message_id": "up", "data": {"ip": "{ip}"}}});
    let (mut block, acts) = started(json!([wait, {"command": "ping {ip}", "name": "ping"}, send]));
    assert_eq!(told(&acts), ["asks 1 Wait { id: \"server\" }"]);
    let sent = Sent { from: "8".into(), data: vec![("ip".into(), "10.0.0.7\nreset".into())] };
    let acts = block.answered(1, &Answer::Granted(vec![sent]), seconds(1));
    assert_eq!(told(&acts), ["net/multinode-wait-server pass", "types \"ping 10.0.0.7 reset\\n\""]);
    let acts = block.push(b"alive\r\n=> ", seconds(2));
    let asked = "asks 2 Send { id: \"up\", data: [(\"ip\", \"10.0.0.7 reset\")] }";
    assert_eq!(told(&acts), ["net/ping pass", asked]);
    assert_eq!(told(&block.answered(1, &Answer::Granted(vec![]), seconds(3))), [""; 0], "another's answer");
    let acts = block.answered(2, &Answer::Granted(vec![]), seconds(3));
    assert_eq!(told(&acts), ["net/multinode-send-up pass", PASSED, "done"]);
}

#[test]
fn a_call_that_is_refused_ends_the_role() {
    let (mut block, _) = started(json!([{"call": {"request": "sync", "message_id": "all"}}]));
    let acts = block.answered(1, &Answer::Refused("member 8 has left".into()), seconds(1));
    let why = "'lava-sync all' failed: member 8 has left";
    let end = format!("No interactive test 'net', 'lava-sync all': {why}");
    assert_eq!(told(&acts), [format!("net/multinode-sync-all fail: {why}"), FAILED.into(), end]);
}

#[test]
fn a_name_without_a_value_is_not_typed() {
    let (_, acts) = started(json!([{"command": "tftp {DTB}"}]));
    assert_eq!(told(&acts)[1], "Wrong interactive test 'net', 'tftp {DTB}': 'tftp {DTB}' names what has no value");
}

#[test]
fn the_end_of_the_console_fails_what_is_open() {
    let (mut block, _) = started(json!([{"name": "a", "command": "a"}]));
    assert_eq!(told(&block.abort("lost", seconds(1))), ["net/a fail: lost", FAILED]);
    assert_eq!(told(&block.abort("lost", seconds(1))), [""; 0]);
}

proptest::proptest! {
    #[test]
    fn whatever_a_board_says_a_block_comes_to_the_same_end_however_it_is_cut(
        text in "[a-c=> \r\n]{0,60}",
        cuts in proptest::collection::vec(1usize..7, 1..40),
    ) {
        let steps = json!([{"name": "a", "successes": ["a+b"]}, {"name": "b", "failures": [{"message": "cc"}]}, {"name": "c"}]);
        let told_in = |sizes: &mut dyn Iterator<Item = usize>| {
            let (mut block, mut acts) = started(steps.clone());
            let mut rest = text.as_bytes();
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(sizes.next().unwrap_or(1).min(rest.len()));
                acts.extend(block.push(piece, seconds(1)));
                rest = after;
            }
            acts.extend(block.tick(seconds(60)));
            told(&acts)
        };
        proptest::prop_assert_eq!(told_in(&mut cuts.into_iter()), told_in(&mut std::iter::once(100)));
    }
}
