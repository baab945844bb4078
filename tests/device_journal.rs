//! Signals and requests of the helpers, as the receiving half hears them.

#![allow(clippy::unwrap_used)]

#[path = "device/board.rs"]
mod board;

use board::{Board, SHELLS, Terminal, answer, inline};
use mn_console::journal::{self, Heard, Next, Receiver};
use mn_console::signal::{Event, Request};
use serde_json::json;
use std::fs;

/// The stage's directory on the board.
const STAGE: &str = "/tmp/lava-7/0";

fn sealed(number: u64, text: &str) -> String {
    journal::sealed(STAGE, number, text)
}

fn on_every_shell(test: impl Fn(&Board)) {
    board::on_every_shell(test);
}

/// Runs a stage of these steps.
fn runner(board: &Board) -> String {
    format!("export SHELL={}; lava-test-runner /tmp/lava-7/0", board.shell.interpreter)
}

fn names(heard: &[Heard]) -> Vec<String> {
    let name = |heard: &Heard| match heard {
        Heard::Event { event: Event::Signal { name, body, .. }, .. } => Some(format!("{name} {body}")),
        _ => None,
    };
    heard.iter().filter_map(name).collect()
}

#[test]
fn what_is_lost_on_the_line_is_said_again_from_the_journal() {
    for shell in &SHELLS {
        let steps =
            ["lava-test-case a --shell true", "for i in 1 2 3; do lava-test-case b$i --result pass & done; wait"];
        let board = Board::new(shell, json!([inline("x", &steps)]));
        let ran = board.run(&runner(&board));
        // The whole console, and one of which only every third line is left.
        let mut whole = Receiver::new(STAGE, 0);
        let all = names(&whole.push(ran.stdout.as_bytes()));
        assert_eq!(whole.ended(), Next::Complete, "{}", ran.stdout);
        assert_eq!(all.len(), 8, "{all:?}");
        let mut receiver = Receiver::new(STAGE, 0);
        let part: Vec<_> = ran.stdout.lines().step_by(3).collect();
        let mut heard = receiver.push(part.join("\n").as_bytes());
        let Next::Ask(words) = receiver.ended() else { panic!("nothing is asked for") };
        let again = board.run(&format!("lava-test-journal /tmp/lava-7/0 {words}"));
        assert_eq!((again.stderr.as_str(), again.status), ("", 0));
        heard.extend(receiver.push(again.stdout.as_bytes()));
        assert_eq!(receiver.ended(), Next::Complete);
        assert_eq!(names(&heard), all);
        // The journal itself says the same, where it can be read.
        let mut receiver = Receiver::new(STAGE, 0);
        let directory = board.root.path().join("tmp/lava-7/0/journal");
        let mut heard = Vec::new();
        for number in 1..=8 {
            heard.extend(receiver.push(&fs::read(directory.join(number.to_string())).unwrap()));
        }
        assert_eq!(names(&heard), all);
    }
}

#[test]
fn a_journal_says_what_it_has_and_what_it_has_not() {
    on_every_shell(|board| {
        let usage =
            "usage: lava-test-journal STAGE_DIRECTORY [NUMBER|FIRST-[LAST]...]\n       lava-test-journal --check\n";
        assert_eq!(board.run("lava-test-journal --check"), answer("", "", 0));
        assert_eq!(board.run("lava-test-journal"), answer("", usage, 1));
        assert_eq!(board.run("lava-test-journal /tmp/lava-7/0 1-"), answer("", "", 3));
        board.run(&runner(board));
        assert_eq!(board.run("lava-test-journal /tmp/lava-7/0 x"), answer("", usage, 1));
        let (one, two) =
            (sealed(1, "<LAVA_SIGNAL_STARTRUN 0_x 7_1.1.3.1>"), sealed(2, "<LAVA_SIGNAL_ENDRUN 0_x 7_1.1.3.1>"));
        let count = sealed(2, "<LAVA_TEST_RUNNER COUNT>");
        for (words, lines) in
            [("", ""), ("2", &*two), ("1-", &*format!("{one}\n{two}")), ("1-1 2-9", &*format!("{one}\n{two}"))]
        {
            let lines = if lines.is_empty() { String::new() } else { format!("{lines}\n") };
            let expected = answer(&format!("{lines}{count}\n"), "", 0);
            assert_eq!(board.run(&format!("lava-test-journal /tmp/lava-7/0 {words}")), expected);
        }
        // Begun, and never written: as by a helper that was killed.
        let script = ": >/tmp/lava-7/0/journal/3; lava-test-journal /tmp/lava-7/0 3";
        let lost = format!("{}\n{}\n", sealed(3, "<LAVA_TEST_RUNNER LOST>"), sealed(3, "<LAVA_TEST_RUNNER COUNT>"));
        assert_eq!(board.run(script), answer(&lost, "", 0));
    });
}

#[test]
fn text_that_would_end_a_signal_early_does_not() {
    on_every_shell(|board| {
        let script = "lava-test-event 'a > b\nc\u{7}'";
        assert_eq!(board.run(script), answer("<LAVA_SIGNAL_TESTEVENT a ) b c >\n", "", 0));
    });
}

#[test]
fn a_request_is_repeated_until_its_answer_is_whole() {
    for shell in &SHELLS {
        let steps = ["lava-send here k=v </dev/null", "lava-wait ipv4 </dev/null", "lava-sync end || echo refused"];
        let board = Board::new(shell, json!([inline("x", &steps)]));
        let (mut terminal, mut child) = Terminal::start(&board, &format!("export MN_SIGNALS=1; {}", runner(&board)));
        let mut receiver = Receiver::new(STAGE, 0);
        let mut heard_to = 0;
        for (number, asked, text) in [
            (2, Request::Send { id: "here".into(), data: vec![("k".into(), "v".into())] }, "<LAVA_SEND_COMPLETE>"),
            (3, Request::Wait { id: "ipv4".into() }, "<LAVA_WAIT_COMPLETE 8:ipaddr=10.0.0.2 8:v6=[::1]>"),
            (4, Request::Sync { id: "end".into() }, "<LAVA_SYNC_COMPLETE nack>"),
        ] {
            let word = format!("<LAVA_{} {}", asked.word(), asked.id());
            terminal.read_to(&word);
            terminal.read_to_again("]", heard_to + terminal.seen[heard_to..].find(&word).unwrap());
            let heard = receiver.push(&terminal.seen.as_bytes()[heard_to..]);
            heard_to = terminal.seen.len();
            assert!(heard.contains(&Heard::Request { number, request: asked.clone() }), "{}", terminal.seen);
            let answer = receiver.answer(number, text);
            if number == 3 {
                // Damaged, and not what was asked for: neither is an answer.
                terminal.type_text(&answer.replace("10.0.0.2", "10.0.0.3"));
                terminal.type_text("<LAVA_WAIT_COMPLETE 8:ipaddr=10.0.0.4>\n");
                terminal.read_to_again(&format!("{word}>[mn 3 "), heard_to);
                terminal.read_to_again("]", terminal.seen.rfind(&word).unwrap());
                let heard = receiver.push(&terminal.seen.as_bytes()[heard_to..]);
                heard_to = terminal.seen.len();
                assert!(heard.contains(&Heard::Again { number, line: answer.clone() }), "{}", terminal.seen);
            }
            terminal.type_text(&answer);
        }
        terminal.read_to("RUNNER EXIT>[mn 5 ");
        assert!(terminal.seen.contains("8:ipaddr=10.0.0.2\r\n8:v6=[::1]\r\n"), "{}", terminal.seen);
        assert!(terminal.seen.contains("refused\r\n"), "{}", terminal.seen);
        assert_eq!(board.read("received/ipv4.txt").unwrap(), "8:ipaddr=10.0.0.2\n8:v6=[::1]\n");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_wait_in_the_background_leaves_the_terminal_to_others() {
    for shell in &SHELLS {
        let board = Board::new(shell, json!([inline("x", &["lava-wait late & lava-sync now; wait"])]));
        let (mut terminal, mut child) = Terminal::start(&board, &format!("export MN_SIGNALS=1; {}", runner(&board)));
        let mut receiver = Receiver::new(STAGE, 0);
        let mut numbers = Vec::new();
        let mut heard_to = 0;
        while numbers.len() < 2 {
            terminal.read_to_again("]\r\n", heard_to);
            for heard in receiver.push(&terminal.seen.as_bytes()[heard_to..]) {
                if let Heard::Request { number, request } = heard {
                    numbers.push((number, request));
                }
            }
            heard_to = terminal.seen.len();
        }
        numbers.sort_by_key(|(_, request)| request.id() != "now");
        for (number, request) in numbers {
            terminal.type_text(&receiver.answer(number, &format!("<LAVA_{}_COMPLETE>", request.word())));
        }
        terminal.read_to("RUNNER EXIT>[mn 4 ");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_second_start_goes_on_with_the_next_definition() {
    let numbered = |number: usize, steps: &[&str]| {
        let mut definition = inline("x", steps);
        definition["run"] = json!(format!("{number}_x"));
        definition
    };
    for shell in &SHELLS {
        // The machine that goes down takes the runner and the shell of the test with it.
        let down = "kill -9 $(cat /tmp/lava-7/runner); kill -9 $$";
        let definitions = json!([
            numbered(0, &["true"]),
            numbered(1, &["lava-test-case a --result pass", down]),
            numbered(2, &["true"])
        ]);
        let board = Board::new(shell, definitions);
        let start = format!(
            "export SHELL={}; echo $$ >/tmp/lava-7/runner; exec lava-test-runner /tmp/lava-7/0",
            shell.interpreter
        );
        let mut console = board.run(&start).stdout;
        let more = board.run(&start);
        assert_eq!(more.status, 0, "{}", more.stderr);
        console += &more.stdout;
        let expected = "<LAVA_SIGNAL_STARTRUN 0_x 7_1.1.3.1>
<LAVA_SIGNAL_ENDRUN 0_x 7_1.1.3.1>
<LAVA_SIGNAL_STARTRUN 1_x 7_1.1.3.1>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>
<LAVA_SIGNAL_FAILRUN 1_x 7_1.1.3.1 interrupted 2>
<LAVA_SIGNAL_STARTRUN 2_x 7_1.1.3.1>
<LAVA_SIGNAL_ENDRUN 2_x 7_1.1.3.1>
<LAVA_TEST_RUNNER EXIT>
";
        let mut receiver = Receiver::new(STAGE, 0);
        let heard = names(&receiver.push(console.as_bytes()));
        assert_eq!(heard.len(), 7, "{heard:?}");
        assert_eq!(receiver.ended(), Next::Complete);
        assert_eq!(console.replace(" SKIP 1004>", ">").split("[mn ").count(), 10, "{console}");
        let plain: Vec<_> = console
            .lines()
            .filter(|line| !line.contains("SKIP"))
            .map(|line| line.split("[mn ").next().unwrap())
            .collect();
        assert_eq!(plain.join("\n") + "\n", expected);
        let third = board.run(&start);
        assert!(third.stderr.ends_with("is not there, or was used by an earlier run\n"), "{}", third.stderr);
    }
}

#[test]
fn a_killed_step_fails_its_run_by_its_number() {
    for shell in &SHELLS {
        let board = Board::new(shell, json!([inline("x", &["true", "lava-test-case a --shell true", "kill -9 $$"])]));
        let mut receiver = Receiver::new(STAGE, 0);
        let heard = names(&receiver.push(board.run(&runner(&board)).stdout.as_bytes()));
        assert_eq!(heard.last().unwrap(), "FAILRUN 0_x 7_1.1.3.1 137 3");
        assert_eq!(receiver.ended(), Next::Complete);
    }
}

#[test]
fn a_runner_that_was_killed_is_reported_by_its_journal() {
    for shell in &SHELLS {
        // Something ends every shell, as a lack of memory does.
        let steps = ["lava-test-case a --result pass", "kill -9 $(cat /tmp/lava-7/runner); kill -9 $$"];
        let board = Board::new(shell, json!([inline("x", &steps)]));
        let start =
            format!("echo $$ >/tmp/lava-7/runner; exec {}", runner(&board).replace("export ", "env ").replace(';', ""));
        let mut receiver = Receiver::new(STAGE, 0);
        let mut heard = names(&receiver.push(board.run(&start).stdout.as_bytes()));
        assert_eq!(heard.len(), 2, "{heard:?}");
        assert_eq!(receiver.ended(), Next::Ask("3-".into()));
        let again = board.run("lava-test-journal /tmp/lava-7/0 3-");
        assert_eq!((again.stderr.as_str(), again.status), ("", 0));
        heard.extend(names(&receiver.push(again.stdout.as_bytes())));
        assert_eq!(heard.last().unwrap(), "FAILRUN 0_x 7_1.1.3.1 interrupted 2");
        assert_eq!(receiver.ended(), Next::Complete);
        let third = board.run("lava-test-journal /tmp/lava-7/0 3-").stdout;
        assert_eq!(receiver.push(third.as_bytes()), [], "said once");
    }
}

#[test]
fn a_root_that_cannot_be_written_is_told() {
    on_every_shell(|board| {
        let read_only = "mount -o remount,bind,ro /tmp/lava-7";
        let ran = board.run(&format!("{read_only}; {}; echo $?", runner(board)));
        let reason = "lava-test-runner: cannot run '/tmp/lava-7/0': its directory cannot be written\n";
        assert_eq!(ran, answer("<LAVA_TEST_RUNNER EXIT>\n1\n", reason, 0));
        // Without a /tmp and a place in the overlay the pairs are printed all the same.
        let script = format!("{read_only}; mount -o remount,bind,ro /tmp; lava-wait m");
        let said = board.run_with("<LAVA_WAIT_COMPLETE 8:k=v>\n", &script);
        let complaint = |file: &str| format!("lava-wait: cannot write '{file}': what was received is only printed\n");
        let expected = complaint("/tmp/lava-7/received/m.txt") + &complaint("/tmp/lava_multi_node_cache.txt");
        assert_eq!(said, answer("<LAVA_MULTI_NODE> <LAVA_WAIT m>\n8:k=v\n", &expected, 0));
    });
}

#[test]
fn a_system_without_md5sum_is_served_as_by_lava() {
    let shell = &SHELLS[0];
    let board = Board::new(shell, json!([inline("x", &["true"])]));
    board.fake("md5sum", "exit 127");
    assert_eq!(board.run("PATH=/mnt/fakes:$PATH; lava-test-journal --check"), answer("", "", 3));
    let ran = board.run(&format!("PATH=/mnt/fakes:$PATH; {}", runner(&board)));
    let expected =
        "<LAVA_SIGNAL_STARTRUN 0_x 7_1.1.3.1>\n<LAVA_SIGNAL_ENDRUN 0_x 7_1.1.3.1>\n<LAVA_TEST_RUNNER EXIT>\n";
    assert_eq!(ran.stdout, expected);
    let reason = "lava-test-runner: no md5sum on this system: what is lost on the line stays lost\n";
    assert!(ran.stderr.starts_with(reason), "{}", ran.stderr);
}

#[test]
fn a_process_in_the_background_is_stopped_with_its_children() {
    on_every_shell(|board| {
        let script = "lava-background-process-start b --cmd 'echo began; sleep 1000 & wait' >/tmp/out
until grep -q began /tmp/out; do :; done; pid=$(cat $LAVA_RESULT_DIR/results/b/pid); kill -0 $pid || echo gone
lava-background-process-stop b; wait; while kill -0 $pid 2>/dev/null; do :; done; lava-background-process-stop b";
        let reason = "lava-background-process-stop: 'b' was not started\n";
        assert_eq!(board.run(script), answer("", reason, 1));
        let usage = "usage: lava-background-process-start NAME --cmd COMMAND...\n";
        assert_eq!(board.run("lava-background-process-start b"), answer("", usage, 1));
    });
}
