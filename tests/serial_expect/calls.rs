//! The tests' multinode calls, and the guests of a board.

use crate::lab::{Lab, MEMBERS, PASS, group, one_run};
use crate::running::{Running, await_text, test_results};
use nix::sys::signal::Signal;
use pumice_tests::broker::Broker;
use serde_json::{Value, json};

/// A host of a group of three that is told apart from its guests.
fn host_of_three(runner: &str) -> (Lab, Broker) {
    let mut lab = Lab::host(runner);
    lab.role["group"] = group(&MEMBERS);
    (lab, Broker::start(&MEMBERS, &[]))
}

/// What a helper on the board does: ask, and read the answer from the terminal.
fn helper(request: &str) -> String {
    format!(
        "echo '<LAVA_MULTI_NODE> <LAVA_{request}>'; while read -r answer; do case $answer in *_COMPLETE*) break;; esac; done\necho \"heard: $answer\""
    )
}

#[test]
fn requests_of_the_board_reach_the_others_and_their_answers_the_board() {
    let (lab, broker) = host_of_three(&one_run(&format!(
        "echo '<LAVA_MULTI_NODE> <LAVA_SEND ipv4 ipaddr=10.0.0.2 name=a b>'\n{}\n{}",
        helper("WAIT_ALL ready guest"),
        helper("SYNC clients")
    )));
    let guests: Vec<_> = ["101", "102"].map(|id| broker.join(id)).into_iter().collect();
    let running = lab.start_with(&broker);
    for (at, mut guest) in guests.into_iter().enumerate() {
        std::thread::spawn(move || {
            let got = guest.ask(json!({"id": 1, "call": "wait", "args": {"message": "ipv4", "timeout": 30}}));
            assert_eq!(
                got["return"]["messages"],
                json!([{"from": "104", "data": {"ipaddr": "10.0.0.2", "name": "a b"}}])
            );
            guest.ask(json!({"id": 2, "call": "send", "args": {"message": "ready", "data": {"n": at.to_string()}}}));
            guest.ask(json!({"id": 3, "call": "sync", "args": {"message": "clients", "timeout": 30}}));
            guest.ask(json!({"id": 4, "call": "leave"}));
        });
    }
    let outcome = running.outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{}", outcome.stdout);
    let expected = [
        "0_smoke/multinode-send-ipv4 pass",
        "0_smoke/multinode-wait_all-ready pass",
        "0_smoke/multinode-sync-clients pass",
    ];
    assert_eq!(test_results(&outcome.stdout), expected);
    let log = lab.text("run/104/console.log");
    let heard: Vec<&str> = log.lines().filter(|line| line.starts_with("heard: ")).collect();
    let both = ["101:n=0 102:n=1", "102:n=1 101:n=0"].map(|data| format!("heard: <LAVA_WAIT_ALL_COMPLETE {data}>"));
    assert!(both.contains(&heard[0].trim().to_owned()), "{heard:?}");
    assert_eq!(heard[1].trim(), "heard: <LAVA_SYNC_COMPLETE>");
}

#[test]
fn the_board_stays_on_until_its_guests_have_left() {
    let (lab, broker) = host_of_three(&one_run(PASS));
    let mut guests = ["101", "102"].map(|id| broker.join(id));
    let running = lab.start_with(&broker);
    await_text(&lab.path("run/progress.jsonl"), "waiting for the guests");
    assert_eq!(lab.text("off"), "");
    for guest in &mut guests {
        guest.ask(json!({"id": 1, "call": "leave"}));
    }
    let outcome = running.outcome();
    assert_eq!((outcome.status, lab.text("off").as_str()), (0, "off\n"));
    assert!(outcome.stdout.contains("left: 101, 102"), "{}", outcome.stdout);
}

#[test]
fn guests_that_do_not_leave_are_not_waited_for_without_end() {
    let (lab, broker) = host_of_three(&one_run(PASS));
    let _guests = ["101", "102"].map(|id| broker.join(id));
    let mut command = lab.command();
    command.env("MN_SOCKET", broker.socket()).args(["--drain-timeout", "0.5"]);
    let outcome = Running::start(&mut command, &lab.message()).outcome();
    assert_eq!((outcome.status, lab.text("off").as_str()), (124, "off\n"));
    assert!(outcome.stderr.starts_with("serial-expect: "), "{}", outcome.stderr);
}

#[test]
fn a_wait_for_one_who_has_left_fails_its_case_and_the_run_goes_on() {
    let (lab, broker) = host_of_three(&one_run(&format!("{}\n{PASS}", helper("SYNC clients"))));
    for id in ["101", "102"] {
        broker.join(id).ask(json!({"id": 1, "call": "leave"}));
    }
    let outcome = lab.start_with(&broker).outcome();
    assert_eq!(outcome.status, 1);
    assert_eq!(test_results(&outcome.stdout), ["0_smoke/multinode-sync-clients fail", "0_smoke/a pass"]);
    assert!(outcome.stderr.starts_with("serial-expect: warning: 'sync clients' failed: "), "{}", outcome.stderr);
    assert!(lab.text("run/104/console.log").contains("heard: <LAVA_SYNC_COMPLETE nack>"));
}

#[test]
fn a_broker_that_dies_ends_the_role() {
    let (lab, mut broker) = host_of_three(&one_run(&helper("WAIT never")));
    let running = lab.start_with(&broker);
    await_text(&lab.path("run/104/console.log"), "<LAVA_WAIT never>");
    broker.end(Signal::SIGKILL);
    let outcome = running.outcome();
    assert_eq!(outcome.status, 3);
    assert!(outcome.stderr.starts_with("serial-expect: lost the broker: "), "{}", outcome.stderr);
    assert_eq!(test_results(&outcome.stdout), ["0_smoke/multinode-wait-never fail"]);
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_role_ends_when_an_essential_member_has_failed() {
    let (mut lab, broker) = host_of_three(&one_run("echo begun; exec sleep 100"));
    lab.role["group"]["members"][0]["essential"] = json!(true);
    let running = lab.start_with(&broker);
    await_text(&lab.path("run/104/console.log"), "\nbegun");
    assert_eq!(broker.run(&["fail", "102"]).status, 0, "nobody needs this one");
    assert_eq!(broker.run(&["fail", "101"]).status, 0);
    for guest in ["101", "102"] {
        assert_eq!(broker.run(&["leave", guest]).status, 0);
    }
    let outcome = running.outcome();
    let why = "given up: guest 101, which is essential, has failed";
    assert_eq!((outcome.status, outcome.stderr), (1, format!("serial-expect: {why}\n")));
    assert!(outcome.stdout.contains(&format!("\"case\":\"job\",\"result\":\"fail\",\"error_msg\":\"{why}\"")));
    assert_eq!(lab.text("off"), "off\n");
}

#[test]
fn a_role_does_not_begin_when_an_essential_member_has_failed_before() {
    let (mut lab, broker) = host_of_three(&one_run(PASS));
    lab.role["group"]["members"][1]["essential"] = json!(true);
    drop(broker.join("102"));
    let outcome = lab.start_with(&broker).outcome();
    let why = "given up: guest 102, which is essential, has failed";
    assert_eq!((outcome.status, outcome.stderr), (1, format!("serial-expect: {why}\n")));
    assert_eq!(test_results(&outcome.stdout), [""; 0]);
}

#[test]
fn an_essential_member_that_leaves_ends_nobody() {
    let (mut lab, broker) = host_of_three(&one_run(PASS));
    lab.role["group"]["members"][0]["essential"] = json!(true);
    for id in ["101", "102"] {
        broker.join(id).ask(json!({"id": 1, "call": "leave"}));
    }
    let outcome = lab.start_with(&broker).outcome();
    assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""));
}

#[test]
fn the_others_are_told_that_a_role_has_failed() {
    let failed = |runner: &str| {
        let (lab, broker) = host_of_three(runner);
        let guests = ["101", "102"].map(|id| broker.join(id));
        let running = lab.start_with(&broker);
        await_text(&lab.path("run/progress.jsonl"), "waiting for the guests");
        // Now: those who use its board are still there.
        let status: Value = serde_json::from_str(&broker.run(&["status", "--json"]).stdout).expect("JSON");
        drop(guests);
        running.outcome();
        status["members"][2]["failed"] == true
    };
    assert!(failed(&one_run("echo '<LAVA_SIGNAL_TESTRAISE no disk>'; exec sleep 100")));
    assert!(!failed(&one_run("echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=b RESULT=fail>'")), "a test may fail");
}

#[test]
fn without_a_broker_one_member_works_alone_and_is_refused() {
    let lab = Lab::host(&one_run(&helper("WAIT never")));
    let outcome = lab.start().outcome();
    assert_eq!(outcome.status, 1);
    assert_eq!(outcome.stderr, "serial-expect: warning: 'wait never' failed: there is no broker\n");
    let mut lab = Lab::host("");
    lab.role["group"] = group(&MEMBERS);
    let outcome = lab.start().outcome();
    assert_eq!(outcome.status, 3);
    assert!(outcome.stderr.starts_with("serial-expect: cannot reach the broker: "), "{}", outcome.stderr);
    assert_eq!(lab.text("off"), "");
}
