use super::*;
use crate::reply::{Answer, Sent};
use crate::script::Fault;
use crate::signal::Request;
use crate::test::{Act, Test};

fn stage() -> Stage {
    let runs = serde_json::json!([{"run": "0_smoke", "uuid": "u", "stage": 0, "from": "git", "name": "smoke", "path": "s.yaml"}]);
    Stage::new(
        Plan {
            job_id: "7".into(),
            stage: 0,
            level: "3".into(),
            directory: "/lava-7".into(),
            shell: "/bin/sh".into(),
            runs: serde_json::from_value(runs).unwrap(),
            delay: Duration::ZERO,
            patience: Duration::from_secs(30),
            board: Some(Patterns::new(&["The default boot selection"]).unwrap()),
            earlier: 0,
        },
        0,
    )
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn a_kernel_that_panics_and_is_silent_ends_the_stage() {
    let (mut stage, _) = started();
    assert_eq!(stage.push(b"\r\n[    9.1] Kernel panic - not syncing: sysrq\r\n", seconds(3)), []);
    let at = stage.next_tick().unwrap();
    assert!(at > seconds(3) && at <= seconds(13), "{at:?}");
    let text = "test stage 0: the kernel panicked: '[    9.1] Kernel panic - not syncing: sysrq'";
    assert_eq!(stage.tick(at).last(), Some(&Act::Fail(Fault::Dead, text.into())));
}

#[test]
fn a_test_that_prints_an_old_panic_goes_on() {
    let (mut stage, _) = started();
    stage.push(b"[    9.1] Kernel panic - not syncing: old\r\nnext line\r\n", seconds(3));
    assert_eq!(stage.next_tick(), Some(seconds(300)));
}

#[test]
fn a_board_that_begins_anew_ends_the_stage() {
    let (mut stage, _) = started();
    let acts = stage.push(b"The default boot selection will start in 5 s", seconds(3));
    assert!(matches!(acts.last(), Some(Act::Fail(Fault::Dead, text)) if text.contains("the board has restarted")));
}

/// A stage whose shell has answered that its overlay has LAVA's own helpers.
fn started() -> (Stage, Vec<Act>) {
    started_with(127)
}

fn started_with(helpers: i32) -> (Stage, Vec<Act>) {
    let mut stage = stage();
    let mut acts = stage.start(seconds(0), seconds(300));
    let ready = format!("# printf '...'\r\n<mn-ready 7.0 {helpers}>\r\n# ");
    acts.extend(stage.push(ready.as_bytes(), seconds(1)));
    (stage, acts)
}

/// The number of the first request that has none of its own.
const PLAIN: u64 = (1 << 62) + 1;

fn typed(acts: &[Act]) -> String {
    let typed = acts.iter().filter_map(|act| match act {
        Act::Type(typed) => Some(String::from_utf8_lossy(&typed.text).into_owned()),
        _ => None,
    });
    typed.collect()
}

fn results(acts: &[Act]) -> Vec<String> {
    let results = acts.iter().filter_map(|act| match act {
        Act::Record(record) => Some(format!(
            "{}/{} {}",
            record["definition"].as_str()?,
            record["case"].as_str()?,
            record["result"].as_str()?
        )),
        _ => None,
    });
    results.collect()
}

const BEGIN: &str = "<LAVA_SIGNAL_STARTRUN 0_smoke u>\r\n";
const REST: &str = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\r\n<LAVA_SIGNAL_ENDRUN 0_smoke u>\r\n\
    <LAVA_TEST_RUNNER EXIT>\r\n";
const END: &str = "<mn-end 7.0 0>\r\n";

#[test]
fn the_runner_is_typed_when_the_shell_has_answered() {
    let (_, acts) = started();
    let line = "/lava-7/bin/lava-test-journal --check 2>/dev/null; printf '\\n<mn''-%s %s %s>\\n' ready 7.0 $?\n\
        [ -r /lava-7/environment ] && . /lava-7/environment && export SHELL=/bin/sh && /lava-7/bin/lava-test-runner /lava-7/0; \
        printf '\\n<mn''-%s %s %s>\\n' end 7.0 $? end 7.0 $?\n";
    assert_eq!(typed(&acts), line);
    assert!(typed(&started_with(0).1).contains("export SHELL=/bin/sh MN_SIGNALS=1 && "));
}

#[test]
fn a_stage_ends_with_the_runner_and_the_shells_word() {
    let (mut stage, _) = started();
    let acts = stage.push(format!("{BEGIN}{REST}{END}").as_bytes(), seconds(2));
    assert_eq!(results(&acts), ["0_smoke/a pass", "lava/0_smoke pass"]);
    assert_eq!(acts.last(), Some(&Act::Done));
    assert_eq!(stage.next_tick(), None);
}

#[test]
fn a_shells_word_that_was_lost_only_costs_a_moment() {
    let (mut stage, _) = started();
    let acts = stage.push(format!("{BEGIN}{REST}<mn-e[ 9.1] usb").as_bytes(), seconds(2));
    assert_ne!(acts.last(), Some(&Act::Done));
    let at = stage.next_tick().unwrap();
    assert_eq!(stage.tick(at).last(), Some(&Act::Done));
}

#[test]
fn a_runner_that_dies_fails_what_was_open() {
    let (mut stage, _) = started();
    let acts = stage.push(format!("{BEGIN}<mn-end 7.0 137>").as_bytes(), seconds(2));
    assert_eq!(results(&acts), ["lava/0_smoke fail"]);
    assert_eq!(acts.last(), Some(&Act::Done));
}

#[test]
fn a_runner_that_is_not_there_is_the_labs_fault() {
    let (mut stage, _) = started();
    let acts = stage.push(b"sh: /lava-7/bin/lava-test-runner: not found\r\n<mn-end 7.0 127>\r\n", seconds(2));
    let Some(Act::Fail(Fault::Lab, text)) = acts.last() else { panic!("{acts:?}") };
    assert!(text.starts_with("test stage 0: the test runner ran nothing, status 127; last seen: "), "{text}");
}

#[test]
fn a_shell_that_does_not_answer_is_asked_again_and_then_given_up() {
    let mut stage = stage();
    let mut acts = stage.start(seconds(0), seconds(300));
    while let Some(at) = stage.next_tick() {
        acts.extend(stage.tick(at));
    }
    assert_eq!(typed(&acts).lines().count(), 6);
    let text = "test stage 0: the shell did not answer within 30 s; the console was silent";
    assert_eq!(acts.last(), Some(&Act::Fail(Fault::Timeout, text.into())));
}

#[test]
fn words_of_an_earlier_stage_do_not_count() {
    let mut stage = stage();
    stage.start(seconds(0), seconds(300));
    assert_eq!(stage.push(format!("{BEGIN}{REST}{END}").as_bytes(), seconds(1)), []);
    assert_eq!(stage.next_tick(), Some(seconds(5)));
}

#[test]
fn a_request_is_relayed_answered_and_recorded() {
    let (mut stage, _) = started();
    let text = format!("{BEGIN}<LAVA_MULTI_NODE> <LAVA_WAIT ipv4>\r\n");
    let acts = stage.push(text.as_bytes(), seconds(2));
    assert_eq!(acts.last(), Some(&Act::Ask(PLAIN, Request::Wait { id: "ipv4".into() })));
    assert!(stage.push(b"still talking\r\n", seconds(3)).is_empty());
    let messages = vec![Sent { from: "8".into(), data: vec![("ipaddr".into(), "10.0.0.1".into())] }];
    let acts = stage.answered(PLAIN, &Answer::Granted(messages), seconds(4));
    assert_eq!(typed(&acts), "<LAVA_WAIT_COMPLETE 8:ipaddr=10.0.0.1>\n\n");
    assert_eq!(results(&acts), ["0_smoke/multinode-wait-ipv4 pass"]);
}

#[test]
fn a_refused_request_fails_its_case_and_the_run_goes_on() {
    let (mut stage, _) = started();
    stage.push(format!("{BEGIN}<LAVA_MULTI_NODE> <LAVA_SYNC x>\r\n").as_bytes(), seconds(2));
    let mut acts = stage.answered(PLAIN, &Answer::Refused("74585 has left".into()), seconds(3));
    assert_eq!(typed(&acts), "<LAVA_SYNC_COMPLETE nack>\n\n");
    assert!(acts.contains(&Act::Warn("'sync x' failed: 74585 has left".into())));
    acts.extend(stage.push(format!("{REST}{END}").as_bytes(), seconds(4)));
    assert_eq!(results(&acts), ["0_smoke/multinode-sync-x fail", "0_smoke/a pass", "lava/0_smoke pass"]);
}

#[test]
fn a_request_that_makes_no_sense_is_answered_so_that_the_helper_goes_on() {
    let (mut stage, _) = started();
    let acts = stage.push(b"<LAVA_MULTI_NODE> <LAVA_SYNC a b>", seconds(2));
    assert_eq!(typed(&acts), "<LAVA_SYNC_COMPLETE nack>\n\n");
    assert!(matches!(&acts[1], Act::Warn(text) if text == "'<LAVA_SYNC a b>' is no multinode request"));
}

#[test]
fn a_send_that_is_on_its_way_is_waited_for_at_the_end() {
    let (mut stage, _) = started();
    let text = format!("{BEGIN}<LAVA_MULTI_NODE> <LAVA_SEND done>\r\n{REST}{END}");
    let acts = stage.push(text.as_bytes(), seconds(2));
    assert_ne!(acts.last(), Some(&Act::Done));
    let acts = stage.answered(PLAIN, &Answer::Granted(vec![]), seconds(3));
    assert_eq!(results(&acts), ["0_smoke/multinode-send-done pass"]);
    assert_eq!(acts.last(), Some(&Act::Done));
}

#[test]
fn a_board_that_asks_without_end_is_refused() {
    let (mut stage, _) = started();
    let text = format!("{BEGIN}{}", "<LAVA_MULTI_NODE> <LAVA_WAIT never>\r\n".repeat(65));
    let acts = stage.push(text.as_bytes(), seconds(2));
    assert_eq!(acts.iter().filter(|act| matches!(act, Act::Ask(..))).count(), 64);
    assert_eq!(results(&acts), ["0_smoke/multinode-wait-never fail"]);
}

#[test]
fn a_stage_that_takes_too_long_names_what_was_running() {
    let (mut stage, _) = started();
    stage.push(format!("{BEGIN}sleeping\r\n").as_bytes(), seconds(2));
    let acts = stage.tick(seconds(300));
    assert_eq!(results(&acts), ["lava/0_smoke fail"]);
    let text = "test stage 0: timed out after 300 s; '0_smoke' was running, last seen: 'sleeping'";
    assert_eq!(acts.last(), Some(&Act::Fail(Fault::Timeout, text.into())));
}

#[test]
fn lava_test_raise_ends_the_role() {
    let (mut stage, _) = started();
    let acts = stage.push(format!("{BEGIN}<LAVA_SIGNAL_TESTRAISE no disk>\r\n").as_bytes(), seconds(2));
    assert_eq!(acts.last(), Some(&Act::Fail(Fault::No, "test stage 0: no disk".into())));
    assert_eq!(results(&acts), ["lava/0_smoke fail"]);
}

#[test]
fn every_cut_of_the_console_into_reads_gives_the_same() {
    let text = format!("{BEGIN}[ 1.0] usb\r\n<LAVA_MULTI_NODE> <LAVA_SEND a k=v w>\r\n{REST}{END}");
    let play = |cut: usize| {
        let (mut stage, _) = started();
        let (one, two) = text.as_bytes().split_at(cut);
        let mut acts = stage.push(one, seconds(2));
        acts.extend(stage.push(two, seconds(2)));
        acts.extend(stage.answered(PLAIN, &Answer::Granted(vec![]), seconds(2)));
        acts
    };
    let whole = play(0);
    assert_eq!(whole.last(), Some(&Act::Done));
    for cut in 1..text.len() {
        assert_eq!(play(cut), whole, "cut at {cut}");
    }
}

/// What a helper with a journal prints.
fn said(number: u64, text: &str) -> String {
    crate::journal::sealed("/lava-7/0", number, text) + "\r\n"
}

const BEGUN: &str = "<LAVA_SIGNAL_STARTRUN 0_smoke u>";
const CASE: &str = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>";
const RUN_ENDED: &str = "<LAVA_SIGNAL_ENDRUN 0_smoke u>";
const EXIT: &str = "<LAVA_TEST_RUNNER EXIT>";
const COUNT: &str = "<LAVA_TEST_RUNNER COUNT>";

#[test]
fn signals_with_numbers_need_no_question_when_all_have_come() {
    let (mut stage, _) = started_with(0);
    let text = [said(1, BEGUN), said(2, CASE), said(3, RUN_ENDED), said(3, EXIT), END.to_owned()].concat();
    let acts = stage.push(text.as_bytes(), seconds(2));
    assert_eq!(results(&acts), ["0_smoke/a pass", "lava/0_smoke pass"]);
    assert_eq!((typed(&acts).as_str(), acts.last()), ("", Some(&Act::Done)));
}

#[test]
fn what_was_lost_is_asked_for_and_recorded_in_order() {
    let (mut stage, _) = started_with(0);
    let torn = said(1, BEGUN).replace("0_smoke", "0_sm[ 2.0] usb\r\noke");
    let text = [torn, said(2, CASE), said(3, RUN_ENDED), said(3, EXIT)].concat();
    let acts = stage.push(text.as_bytes(), seconds(2));
    assert_eq!(results(&acts), [""; 0]);
    assert!(acts.contains(&Act::Step("case", "a pass".into())), "{acts:?}");
    let acts = stage.push(END.as_bytes(), seconds(2));
    let question =
        "/lava-7/bin/lava-test-journal /lava-7/0 1; printf '\\n<mn''-%s %s %s>\\n' end 7.0.1 $? end 7.0.1 $?\n";
    assert_eq!(typed(&acts), question);
    let acts = stage.push([said(1, BEGUN), said(3, COUNT)].concat().as_bytes(), seconds(3));
    assert_eq!(results(&acts), ["0_smoke/a pass", "lava/0_smoke pass"]);
    assert_eq!(acts.last(), Some(&Act::Done));
}

#[test]
fn a_question_that_brings_nothing_is_asked_again_on_a_line_of_its_own_and_then_given_up() {
    let (mut stage, _) = started_with(0);
    let text = [said(1, BEGUN), said(2, CASE), said(4, EXIT), END.to_owned()].concat();
    let mut acts = stage.push(text.as_bytes(), seconds(2));
    assert_eq!(results(&acts), ["0_smoke/a pass"]);
    while let Some(at) = stage.next_tick() {
        acts.extend(stage.tick(at));
    }
    assert_eq!(typed(&acts).matches("\x03\n/lava-7/bin/lava-test-journal /lava-7/0 3-4; ").count(), 19);
    let text = "test stage 0: signals are lost: the board does not say signals 3-4 again";
    assert_eq!(acts.last(), Some(&Act::Fail(Fault::Lab, text.into())));
    assert_eq!(results(&acts)[1..], ["lava/0_smoke fail"]);
}

#[test]
fn what_came_after_a_lost_signal_is_recorded_also_when_the_board_dies() {
    let (mut stage, _) = started_with(0);
    stage.push([said(1, BEGUN), said(3, CASE)].concat().as_bytes(), seconds(2));
    let acts = stage.push(b"The default boot selection will start in 5 s", seconds(3));
    assert_eq!(results(&acts), ["0_smoke/a pass", "lava/0_smoke fail"]);
    let reason = acts.iter().find_map(|act| match act {
        Act::Record(record) => record.get("extra")?["reason"].as_str(),
        _ => None,
    });
    let reason = reason.unwrap();
    assert!(
        reason.starts_with("the board has restarted: ") && reason.ends_with("The default boot selection'"),
        "{reason}"
    );
}

#[test]
fn a_numbered_request_is_made_once_answered_again_and_recorded_at_its_place() {
    let (mut stage, _) = started_with(0);
    let wait = said(3, "<LAVA_MULTI_NODE> <LAVA_WAIT ipv4>");
    let acts = stage.push([said(1, BEGUN), wait.clone(), wait.clone()].concat().as_bytes(), seconds(2));
    let asked: Vec<_> = acts.iter().filter(|act| matches!(act, Act::Ask(..))).collect();
    assert_eq!(asked, [&Act::Ask(3, Request::Wait { id: "ipv4".into() })]);
    let acts = stage.answered(3, &Answer::Granted(vec![]), seconds(3));
    let answer = crate::journal::sealed("/lava-7/0", 3, "<LAVA_WAIT_COMPLETE>") + "\n";
    assert_eq!((typed(&acts), results(&acts)), (answer.clone(), vec![]));
    // One that was on its way already, and one of a helper that waits.
    assert_eq!(typed(&stage.push(wait.as_bytes(), seconds(3))), "");
    assert_eq!(typed(&stage.push(wait.as_bytes(), seconds(5))), answer);
    let acts = stage.push([said(2, CASE), said(4, RUN_ENDED)].concat().as_bytes(), seconds(6));
    assert_eq!(results(&acts), ["0_smoke/a pass", "0_smoke/multinode-wait-ipv4 pass", "lava/0_smoke pass"]);
    assert_eq!(typed(&stage.push([said(4, EXIT), wait].concat().as_bytes(), seconds(9))), "");
}

#[test]
fn a_send_with_a_number_is_answered_too_and_one_that_is_found_later_has_failed() {
    let (mut stage, _) = started_with(0);
    let send = said(2, "<LAVA_MULTI_NODE> <LAVA_SEND a k=v>");
    stage.push([said(1, BEGUN), send].concat().as_bytes(), seconds(2));
    let acts = stage.answered(2, &Answer::Granted(vec![]), seconds(2));
    assert_eq!(typed(&acts), crate::journal::sealed("/lava-7/0", 2, "<LAVA_SEND_COMPLETE>") + "\n");
    stage.push([said(4, RUN_ENDED), said(4, EXIT), END.to_owned()].concat().as_bytes(), seconds(3));
    let acts = stage.push(said(3, "<LAVA_MULTI_NODE> <LAVA_SEND b>").as_bytes(), seconds(4));
    assert!(acts.iter().all(|act| !matches!(act, Act::Ask(..))), "{acts:?}");
    assert_eq!(results(&acts), ["0_smoke/multinode-send-b fail", "lava/0_smoke pass"]);
}

#[test]
fn what_the_board_could_not_keep_counts_and_makes_the_results_uncertain() {
    let (mut stage, _) = started_with(0);
    let text = [said(1, BEGUN), said(0, CASE), said(2, RUN_ENDED), said(2, EXIT), END.to_owned()].concat();
    let acts = stage.push(text.as_bytes(), seconds(2));
    assert_eq!(results(&acts), ["0_smoke/a pass", "lava/0_smoke pass"]);
    let text = "test stage 0: the results are not certain: the board could not keep all signals in its journal, so that some may be missing";
    assert_eq!(acts.last(), Some(&Act::Fail(Fault::Lab, text.into())));
}

#[test]
fn a_pattern_whose_run_began_unheard_makes_the_results_uncertain() {
    let (mut stage, _) = started_with(0);
    stage.plan.runs[0].pattern = Some("(?P<test_case_id>x): (?P<result>pass)".into());
    let text = [said(2, RUN_ENDED), said(2, EXIT), END.to_owned(), said(1, BEGUN)].concat();
    let acts = stage.push(text.as_bytes(), seconds(2));
    let Some(Act::Fail(Fault::Lab, text)) = acts.last() else { panic!("{acts:?}") };
    assert!(text.contains("at the beginning or the end of '0_smoke'"), "{text}");
}

#[test]
fn a_runner_of_whom_nothing_was_heard_ran_nothing() {
    let (mut stage, _) = started_with(0);
    let acts = stage.push(format!("{REST}<mn-end 7.0 1>").as_bytes(), seconds(2));
    let Some(Act::Fail(Fault::Lab, text)) = acts.last() else { panic!("{acts:?}") };
    assert!(text.starts_with("test stage 0: the test runner ran nothing, status 1; "), "{text}");
}
