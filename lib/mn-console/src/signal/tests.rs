use super::*;
use proptest::prelude::*;

fn events(reads: &[&[u8]]) -> Vec<Event> {
    let mut scanner = Scanner::new(0);
    let mut found = Vec::new();
    for read in reads {
        let mut rest = *read;
        while let (used, Some(event)) = scanner.next(rest) {
            found.push(event);
            rest = &rest[used..];
        }
    }
    found
}

fn one(text: &str) -> Event {
    let mut all = events(&[text.as_bytes()]);
    assert_eq!(all.len(), 1, "{text}: {all:?}");
    all.remove(0)
}

#[test]
fn a_signal_may_stand_anywhere_in_a_line_and_knows_its_place() {
    let event = one("x<LAVA_SIGNAL_STARTTC pwd>\r\n");
    assert_eq!(event, Event::Signal { name: "STARTTC".into(), body: "pwd".into(), at: 1..26 });
}

#[test]
fn a_body_may_span_lines_and_is_never_empty() {
    let Event::Signal { body, .. } = one("<LAVA_SIGNAL_TESTRAISE a\nb < c>") else { panic!() };
    assert_eq!(body, "a\nb < c");
    assert_eq!(events(&[b"<LAVA_SIGNAL_TESTEVENT >"]), []);
}

#[test]
fn every_cut_into_two_reads_finds_the_same() {
    let text = b"[ 1.0] usb <LAVA_SIGNAL_<LAVA_SIGNAL_ENDTC a>x<LAVA_MULTI_NODE> <LAVA_SYNC clients>\r\n\
        <LAVA_TEST_RUNNER INSTALL_FAIL><LAVA_TEST_RUNNER EXIT>\n<mn-end 1.0 0>";
    let whole = events(&[text]);
    assert_eq!(whole.len(), 5, "{whole:?}");
    for cut in 0..text.len() {
        assert_eq!(events(&[&text[..cut], &text[cut..]]), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(events(&bytes), whole);
}

#[test]
fn values_of_a_message_may_contain_blanks_and_equals_signs() {
    let event = one("<LAVA_MULTI_NODE> <LAVA_SEND ready name=a b url=http://x/?q=1 e=>");
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let data = vec![pair("name", "a b"), pair("url", "http://x/?q=1"), pair("e", "")];
    assert_eq!(event, Event::Request(Request::Send { id: "ready".into(), data }));
}

#[test]
fn a_key_with_a_dash_sticks_to_what_stands_before_it() {
    let event = one("<LAVA_MULTI_NODE> <LAVA_SEND ready server-ip=10.0.0.1>");
    assert_eq!(event, Event::Request(Request::Send { id: "ready server-ip=10.0.0.1".into(), data: vec![] }));
}

#[test]
fn all_requests_are_understood_and_named_as_lava_names_them() {
    let Event::Request(request) = one("<LAVA_MULTI_NODE> <LAVA_WAIT_ALL Booted guest>") else { panic!() };
    assert_eq!(request, Request::WaitAll { id: "Booted".into(), role: Some("guest".into()) });
    assert_eq!(request.case(), "multinode-wait_all-booted");
    assert_eq!(request.helper(), "lava-wait-all Booted");
    assert_eq!(one("<LAVA_MULTI_NODE> <LAVA_WAIT ipv4>"), Event::Request(Request::Wait { id: "ipv4".into() }));
}

#[test]
fn a_request_with_too_many_words_is_told_from_noise() {
    assert!(matches!(one("<LAVA_MULTI_NODE> <LAVA_SYNC a b>"), Event::BadRequest { .. }));
    assert!(matches!(one("<LAVA_MULTI_NODE> <LAVA_DANCE a>"), Event::BadRequest { .. }));
}

#[test]
fn a_signal_that_the_kernel_has_cut_off_costs_only_itself() {
    let text = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RE[ 22.0] usb\r\n<LAVA_SIGNAL_ENDRUN x u>";
    let found = events(&[text.as_bytes()]);
    assert!(matches!(&found[0], Event::Torn(start) if start.starts_with("<LAVA_SIGNAL_TESTCASE")), "{found:?}");
    let start = text.rfind('<').unwrap() as u64;
    let end = Event::Signal { name: "ENDRUN".into(), body: "x u".into(), at: start..text.len() as u64 };
    assert_eq!(found[1..], [end]);
    assert_eq!(
        events(&[b"<LAVA_SIGNAL_[ 22.0] usb 1-1> <LAVA_TEST_RUNNER E[ 23.0] x <LAVA_TEST_RUNNER EXIT>"]).len(),
        2
    );
}

#[test]
fn debug_noise_of_the_helpers_is_ignored() {
    assert_eq!(events(&[b"<LAVA_SYNC_DEBUG preparing Mon Jan  1 00:00:00 UTC 2024>\r\n<LAVA_SEND x>\r\n"]), []);
}

#[test]
fn a_body_without_end_is_dropped_and_the_next_signal_found() {
    let mut text = b"<LAVA_SIGNAL_TESTRAISE ".to_vec();
    text.extend(vec![b'x'; 3 * BODY_BYTES]);
    text.extend(b"> <LAVA_TEST_RUNNER EXIT>");
    let found = events(&[&text]);
    assert!(matches!(&found[0], Event::TooLong(start) if start.starts_with("<LAVA_SIGNAL_TESTRAISE xxx")));
    assert_eq!(found[1..], [Event::RunnerExit]);
}

proptest! {
    #[test]
    fn whatever_a_board_prints_gives_the_same_in_any_reads(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "<LAVA_SIGNAL_", "<LAVA_TEST_RUNNER ", "<LAVA_MULTI_NODE> <LAVA_", "<mn-", "<", ">", " ", "EXIT>",
                "SEND a b=c", "end 7.0 ", "1>", "é", "\r\n", "TESTCASE", "x",
            ]),
            0..30,
        ),
        cut in 0usize..200,
    ) {
        let text = words.concat().into_bytes();
        let whole = events(&[&text]);
        let (one, two) = text.split_at(cut.min(text.len()));
        prop_assert_eq!(events(&[one, two]), whole);
    }
}
