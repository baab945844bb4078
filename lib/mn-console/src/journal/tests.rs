use super::*;
use std::time::Duration;

const STAGE: &str = "/lava-7/0";

fn sealed(number: u64, text: &str) -> String {
    super::sealed(STAGE, number, text)
}

fn signal(name: &str, body: &str) -> String {
    format!("<LAVA_SIGNAL_{name} {body}>")
}

fn bodies(heard: &[Heard]) -> Vec<String> {
    let body = |heard: &Heard| match heard {
        Heard::Event { number, event: Event::Signal { name, body, .. }, .. } => Some(format!("{number} {name} {body}")),
        _ => None,
    };
    heard.iter().filter_map(body).collect()
}

#[test]
fn signals_are_given_once_and_in_order() {
    let mut receiver = Receiver::new(STAGE, 0);
    let line = |number: u64| format!("{}\r\n", sealed(number, &signal("ENDTC", &number.to_string())));
    let heard = receiver.push([line(1), line(3), line(1), line(3)].concat().as_bytes());
    assert_eq!(bodies(&heard), ["1 ENDTC 1"]);
    assert_eq!(bodies(&receiver.push(line(2).as_bytes())), ["2 ENDTC 2", "3 ENDTC 3"]);
    assert!(!receiver.is_complete());
    assert_eq!(receiver.push(sealed(3, "<LAVA_TEST_RUNNER EXIT>").as_bytes()), [Heard::Exit]);
    assert!(receiver.is_complete());
    assert_eq!(receiver.ended(), Next::Complete);
    assert_eq!(receiver.rest(), []);
}

#[test]
fn a_line_of_the_kernel_in_the_middle_makes_it_no_signal() {
    let mut receiver = Receiver::new(STAGE, 0);
    let whole = sealed(1, &signal("TESTCASE", "TEST_CASE_ID=a RESULT=pass"));
    for at in 1..whole.len() {
        let (begin, rest) = whole.split_at(at);
        assert_eq!(receiver.push(format!("{begin}[  1.0] usb 1-1: new\r\n{rest}\r\n").as_bytes()), []);
    }
    assert_eq!(bodies(&receiver.push(whole.as_bytes())).len(), 1);
    // A kernel's line without an end of its own stands before a whole one.
    let mut receiver = Receiver::new(STAGE, 0);
    assert_eq!(bodies(&receiver.push(format!("[ 1.0] <LAVA_SIG {whole}").as_bytes())).len(), 1);
}

#[test]
fn what_is_missing_is_asked_for_until_the_board_has_nothing_more_to_say() {
    let mut receiver = Receiver::new(STAGE, 0);
    receiver.push(sealed(3, &signal("ENDTC", "c")).as_bytes());
    assert_eq!(receiver.ended(), Next::Ask("1-2 4-".into()));
    receiver.push(sealed(5, "<LAVA_TEST_RUNNER COUNT>").as_bytes());
    assert_eq!(receiver.ended(), Next::Ask("1-2 4-5".into()));
    for (number, text) in [(1, "<LAVA_TEST_RUNNER LOST>"), (2, "<LAVA_SIGNAL_ENDTC b>"), (4, "<LAVA_SIGNAL_ENDTC d>")] {
        receiver.push(sealed(number, text).as_bytes());
    }
    for _ in 0..VAIN {
        assert_eq!(receiver.ended(), Next::Ask("5".into()));
    }
    assert_eq!(receiver.ended(), Next::Lost("the board does not say signals 5 again".into()));
    receiver.push(sealed(5, &signal("ENDTC", "e")).as_bytes());
    let reason = "the board has no record of signal 1";
    assert_eq!(receiver.ended(), Next::Lost(reason.into()));
    assert_eq!(bodies(&receiver.rest()), ["2 ENDTC b", "3 ENDTC c", "4 ENDTC d", "5 ENDTC e"]);
}

#[test]
fn a_board_that_begins_again_leaves_numbers_out() {
    let line = |number: u64| sealed(number, &signal("ENDTC", &number.to_string())) + "\n";
    // Signal 3 was heard, and is gone from the journal.
    let skip = sealed(3, "<LAVA_TEST_RUNNER SKIP 1002>") + "\n";
    let rest = [skip, line(1003), sealed(1003, "<LAVA_TEST_RUNNER EXIT>")].concat();
    let mut receiver = Receiver::new(STAGE, 0);
    let heard = receiver.push(([1, 2, 3].map(line).concat() + &rest).as_bytes());
    assert_eq!(bodies(&heard), ["1 ENDTC 1", "2 ENDTC 2", "3 ENDTC 3", "1003 ENDTC 1003"]);
    assert_eq!(receiver.ended(), Next::Complete);
    // Signal 3 was not heard either, but 4 was: that something is lost must be known.
    let mut receiver = Receiver::new(STAGE, 0);
    let heard = receiver.push(([1, 2, 4].map(line).concat() + &rest).as_bytes());
    assert_eq!(bodies(&heard), ["1 ENDTC 1", "2 ENDTC 2", "4 ENDTC 4", "1003 ENDTC 1003"]);
    assert_eq!(receiver.ended(), Next::Lost("the board has no record of signal 3".into()));
}

#[test]
fn a_request_is_answered_at_once_and_again_when_it_is_repeated() {
    let mut receiver = Receiver::new(STAGE, 0);
    let line = sealed(2, "<LAVA_MULTI_NODE> <LAVA_WAIT ipv4>");
    let request = Request::Wait { id: "ipv4".into() };
    assert_eq!(receiver.push(line.as_bytes()), [Heard::Request { number: 2, request: request.clone() }]);
    assert_eq!(receiver.push(line.as_bytes()), []);
    let answer = receiver.answer(2, "<LAVA_WAIT_COMPLETE 8:k=v>");
    assert_eq!(answer, sealed(2, "<LAVA_WAIT_COMPLETE 8:k=v>") + "\n");
    assert_eq!(receiver.push(line.as_bytes()), [Heard::Again { number: 2, line: answer }]);
    let heard = receiver.push(sealed(1, &signal("ENDTC", "a")).as_bytes());
    assert_eq!(
        heard.last(),
        Some(&Heard::Event { number: 2, event: Event::Request(request), when: When::Late(Duration::ZERO) })
    );
}

#[test]
fn what_the_board_could_not_keep_is_marked() {
    let heard = Receiver::new(STAGE, 0).push(sealed(0, &signal("ENDTC", "a")).as_bytes());
    assert!(matches!(&heard[..], [Heard::Unkept(Event::Signal { .. })]));
}

#[test]
fn a_line_without_end_costs_no_memory() {
    let mut receiver = Receiver::new(STAGE, 0);
    let begin = "<LAVA_".repeat(100_000) + ">[mn 1 00000000]";
    assert_eq!(receiver.push(begin.as_bytes()), []);
    assert!(receiver.line.len() <= 2 * LINE_BYTES);
}

#[test]
fn nothing_with_a_number_is_silence() {
    let mut receiver = Receiver::new(STAGE, 0);
    receiver.push(signal("ENDTC", "a").as_bytes());
    receiver.push(super::sealed("/lava-8/0", 1, &signal("ENDTC", "a")).as_bytes());
    assert_eq!(receiver.ended(), Next::Silent);
}

#[test]
fn what_waits_for_another_is_shown_ahead_and_what_is_asked_for_has_no_place() {
    let mut receiver = Receiver::new(STAGE, 0);
    let line = |number: u64| sealed(number, &signal("ENDTC", &number.to_string())) + "\n";
    let when = |heard: &[Heard]| {
        let when = heard.iter().filter_map(|heard| match heard {
            Heard::Event { when, .. } => Some(*when),
            _ => None,
        });
        when.collect::<Vec<_>>()
    };
    assert_eq!(when(&receiver.next(line(1).as_bytes(), Duration::from_secs(1)).1), [When::AtOnce]);
    let (_, heard) = receiver.next(line(3).as_bytes(), Duration::from_secs(3));
    assert!(matches!(&heard[..], [Heard::Ahead(Event::Signal { .. })]), "{heard:?}");
    assert_eq!(receiver.ended(), Next::Ask("2 4-".into()));
    let heard = receiver.push(line(2).as_bytes());
    assert_eq!(when(&heard), [When::Again, When::Late(Duration::from_secs(3))]);
}

/// What is given when these lines were heard, and the missing ones have been said again.
fn with_loose(lines: &[&str], again: &[(u64, &str)]) -> (Vec<String>, Next) {
    let mut receiver = Receiver::new(STAGE, 0);
    let mut heard = receiver.push(lines.concat().as_bytes());
    heard.extend(receiver.push(sealed(3, "<LAVA_TEST_RUNNER EXIT>").as_bytes()));
    let mut next = receiver.ended();
    if matches!(next, Next::Ask(_)) {
        for (number, body) in again {
            heard.extend(receiver.push(sealed(*number, &signal("ENDTC", body)).as_bytes()));
        }
        next = receiver.ended();
    }
    heard.extend(receiver.rest());
    (bodies(&heard), next)
}

#[test]
fn a_signal_that_a_test_prints_itself_counts_where_nothing_was_lost() {
    let line = |number: u64| sealed(number, &signal("ENDTC", &number.to_string())) + "\r\n";
    let own = signal("ENDTC", "own") + "\r\n";
    let (given, next) = with_loose(&[&line(1), &own, &line(2), &line(3)], &[]);
    assert_eq!((given.join(","), next), ("1 ENDTC 1,0 ENDTC own,2 ENDTC 2,3 ENDTC 3".into(), Next::Complete));
    let (given, next) = with_loose(&[&line(1), &line(2), &line(3), &own], &[]);
    assert_eq!((given.join(","), next), ("1 ENDTC 1,2 ENDTC 2,3 ENDTC 3,0 ENDTC own".into(), Next::Complete));
    // Another one was lost, but elsewhere.
    let (given, next) = with_loose(&[&line(1), &line(3), &own], &[(2, "2")]);
    assert_eq!((given.join(","), next), ("1 ENDTC 1,2 ENDTC 2,3 ENDTC 3,0 ENDTC own".into(), Next::Complete));
}

#[test]
fn a_signal_without_a_number_may_be_what_is_left_of_a_lost_one() {
    let line = |number: u64| sealed(number, &signal("ENDTC", &number.to_string())) + "\r\n";
    // The kernel spoke between text and number, or the number is damaged.
    let split = signal("ENDTC", "2") + "\r\n[ 1.0] usb\r\n[mn 2 00000000]\r\n";
    let damaged = signal("ENDTC", "22") + "[mn 2 00000000]\r\n";
    for left in [split, damaged] {
        let (given, next) = with_loose(&[&line(1), &left, &line(3)], &[(2, "2")]);
        assert_eq!((given.join(","), next), ("1 ENDTC 1,2 ENDTC 2,3 ENDTC 3".into(), Next::Complete), "{left}");
    }
    // Twice, once without its number.
    let twice = signal("ENDTC", "2") + "\r\n" + &line(2);
    let (given, _) = with_loose(&[&line(1), &twice, &line(3)], &[]);
    assert_eq!(given.join(","), "1 ENDTC 1,2 ENDTC 2,3 ENDTC 3");
    // Nobody knows whether this was one of the test's own.
    let other = signal("ENDTC", "other") + "\r\n";
    let (given, next) = with_loose(&[&line(1), &other, &line(3)], &[(2, "2")]);
    assert_eq!(given.join(","), "1 ENDTC 1,2 ENDTC 2,3 ENDTC 3");
    let reason = "'<LAVA_SIGNAL_ENDTC other>' has no number, and stands where others were lost";
    assert_eq!(next, Next::Lost(reason.into()));
}
