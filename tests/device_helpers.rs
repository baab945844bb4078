//! The scripts of an overlay's `bin/` under the shells that boards have.

#![allow(clippy::unwrap_used)]

#[path = "device/board.rs"]
mod board;

use board::{
    Board, SHELLS, Terminal, answer, inline, on_every_shell, pack, run_in_root, small_root, unsealed, warning,
};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_case_is_a_snippet_or_a_command_and_never_fails_itself() {
    on_every_shell(|board| {
        for (script, printed, result) in [
            ("lava-test-case a --shell 'echo 1 && echo 2'", "1\n2\n", "pass"),
            ("lava-test-case a --shell printf '%s|' 'x  y' '$HOME' ';'", "x  y|$HOME|;|", "pass"),
            ("lava-test-case a --shell false", "", "fail"),
            ("lava-test-case a --shell 'exit 7'", "", "fail"),
            ("lava-test-case a --shell 'set -e; false; echo no'", "", "fail"),
            ("lava-test-case a --shell 'false; echo yes'", "yes\n", "pass"),
            ("lava-test-case a --shell 'echo $TEST_CASE_ID $undefined.'", "a .\n", "pass"),
            ("A=1; lava-test-case a --shell 'A=2; cd /'; test $A = 1 || echo leaked", "", "pass"),
        ] {
            let expected = format!(
                "<LAVA_SIGNAL_STARTTC a>\n{printed}<LAVA_SIGNAL_ENDTC a>\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT={result}>\n"
            );
            assert_eq!(board.run(script), answer(&expected, "", 0), "{script}");
            assert_eq!(board.read("result/results/a/result").unwrap(), format!("{result}\n"));
        }
    });
}

#[test]
fn a_case_takes_a_result_with_its_measurement_and_output() {
    on_every_shell(|board| {
        let signal = |text: &str| answer(&format!("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a {text}>\n"), "", 0);
        assert_eq!(board.run("lava-test-case a --result skip"), signal("RESULT=skip"));
        let script = "lava-test-case a --units MB/s --measurement 3.5 --result pass";
        assert_eq!(board.run(script), signal("RESULT=pass UNITS=MB/s MEASUREMENT=3.5"));
        assert_eq!(board.read("result/results/a/units").unwrap(), "MB/s\n");
        assert_eq!(board.read("result/results/a/measurement").unwrap(), "3.5\n");
        let expected =
            "<LAVA_SIGNAL_STARTTC a>\nsaid\n<LAVA_SIGNAL_ENDTC a>\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=fail>\n";
        let script = "echo said >/tmp/o; lava-test-case a --result fail --output /tmp/o";
        assert_eq!(board.run(script), answer(expected, "", 0));
        // By hand, without a runner.
        assert_eq!(board.run("unset LAVA_RESULT_DIR; lava-test-case a --result pass"), signal("RESULT=pass"));
    });
}

#[test]
fn a_case_that_is_not_said_well_is_refused() {
    let usage = "usage: lava-test-case CASE --shell COMMAND [ARGUMENT...]
       lava-test-case CASE --result RESULT [--units UNITS] [--measurement NUMBER] [--output FILE]\n";
    on_every_shell(|board| {
        for script in
            ["", "''", "a", "'' --result pass", "a --shell", "a --result", "a --resutl pass", "a --result pass x"]
        {
            assert_eq!(board.run(&format!("lava-test-case {script}")), answer("", usage, 1), "{script}");
        }
        let reason = "lava-test-case: no result given for 'a': use --result or --shell\n";
        assert_eq!(board.run("lava-test-case a --units s"), answer("", reason, 1));
    });
}

#[test]
fn sets_references_events_and_feedback_are_signals() {
    on_every_shell(|board| {
        for (script, signal, status) in [
            ("lava-test-set start one", "TESTSET START one", 0),
            ("lava-test-set stop", "TESTSET STOP", 0),
            ("lava-test-set stop one", "TESTSET STOP", 0),
            ("lava-test-reference a --reference http://h/1 --result pass", "TESTREFERENCE a pass http://h/1", 0),
            ("lava-test-event 'a b'", "TESTEVENT a b", 0),
            ("lava-test-feedback --namespace n", "TESTFEEDBACK n", 0),
            ("lava-test-raise no 'net  work'", "TESTRAISE no net  work", 1),
        ] {
            assert_eq!(board.run(script), answer(&format!("<LAVA_SIGNAL_{signal}>\n"), "", status), "{script}");
        }
        for (script, reason) in [
            ("lava-test-set", "usage: lava-test-set start NAME | stop"),
            ("lava-test-set start", "usage: lava-test-set start NAME | stop"),
            ("lava-test-set start ''", "usage: lava-test-set start NAME | stop"),
            ("lava-test-reference", "usage: lava-test-reference CASE --result RESULT --reference URL"),
            ("lava-test-reference a --url x", "usage: lava-test-reference CASE --result RESULT --reference URL"),
            ("lava-test-reference a --result pass", "lava-test-reference: no --reference given for 'a'"),
            ("lava-test-reference a --reference u", "lava-test-reference: no --result given for 'a'"),
            ("lava-test-event", "usage: lava-test-event TEXT (one word: quote it)"),
            ("lava-test-event a b", "usage: lava-test-event TEXT (one word: quote it)"),
            ("lava-test-feedback n", "usage: lava-test-feedback --namespace NAMESPACE"),
            ("lava-test-raise", "usage: lava-test-raise REASON..."),
        ] {
            assert_eq!(board.run(script), answer("", &format!("{reason}\n"), 1), "{script}");
        }
    });
}

#[test]
fn signals_can_take_the_kernels_log_and_their_time() {
    on_every_shell(|board| {
        let script = ": >/tmp/k; mount --bind /tmp/k /dev/kmsg; KMSG=true lava-test-event x; cat /tmp/k";
        assert_eq!(board.run(script), answer("<0><LAVA_SIGNAL_TESTEVENT x>\n", "", 0));
        board.fake("sleep", "echo slept $*");
        let expected = "slept 0.05\n<LAVA_SIGNAL_TESTEVENT x>\n";
        let script = "PATH=/mnt/fakes:$PATH; CHARACTER_DELAY=0.05 lava-test-event x";
        // BusyBox prefers its own sleep to one in PATH.
        if board.shell.name != "busybox sh" {
            assert_eq!(board.run(script), answer(expected, "", 0));
        }
    });
}

#[test]
fn a_message_is_sent_with_its_pairs_and_nothing_else() {
    on_every_shell(|board| {
        let sent = |text: &str| format!("<LAVA_MULTI_NODE> <LAVA_SEND {text}>\n");
        assert_eq!(board.run("lava-send lava_start"), answer(&sent("lava_start"), "", 0));
        let script = "lava-send ipv4 ipaddr=10.0.0.2 'note=a  b' x=y=z";
        assert_eq!(board.run(script), answer(&sent("ipv4 ipaddr=10.0.0.2 note=a  b x=y=z"), "", 0));
        for pair in ["ipaddr=", "=x", "word", "server-ip=1", ""] {
            let reason =
                format!("lava-send: '{pair}' is not sent: it is not KEY=VALUE with a key of letters, digits and '_'\n");
            assert_eq!(board.run(&format!("lava-send m '{pair}' a=b")), answer(&sent("m a=b"), &reason, 0));
        }
        let usage = "usage: lava-send ID [KEY=VALUE...]\n";
        assert_eq!(board.run("lava-send"), answer("", usage, 1));
        assert_eq!(board.run("lava-send ''"), answer("", usage, 1));
        for word in ["a=b", "a b"] {
            let reason = format!("lava-send: cannot use '{word}': a name has no white space and no '='\n");
            assert_eq!(board.run(&format!("lava-send '{word}'")), answer("", &reason, 1));
        }
        let reason = "lava-send: cannot send 'a=>': it has a '>' or a control character\n";
        assert_eq!(board.run("lava-send m 'a=>'"), answer("", reason, 1));
        let reason = "lava-send: cannot send 'a=b\nc': it has a '>' or a control character\n";
        assert_eq!(board.run("lava-send m 'a=b\nc'"), answer("", reason, 1));
    });
}

#[test]
fn what_a_wait_received_is_printed_and_kept() {
    on_every_shell(|board| {
        let reply = "# noise\n\n<LAVA_WAIT_COMPLETE 8:ipaddr=10.0.0.2 8:note=at 12:30  or so 6:x=y=z>\n\n\n";
        let pairs = "8:ipaddr=10.0.0.2\n8:note=at 12:30  or so\n6:x=y=z\n";
        let script = "lava-wait ipv4; echo $?; cat /tmp/lava_multi_node_cache.txt";
        let expected = format!("<LAVA_MULTI_NODE> <LAVA_WAIT ipv4>\n{pairs}0\n{pairs}");
        assert_eq!(board.run_with(reply, script), answer(&expected, "", 0));
        assert_eq!(board.read("received/ipv4.txt").unwrap(), pairs);
        // A carriage return is a terminal's business.
        let expected = "<LAVA_MULTI_NODE> <LAVA_WAIT_ALL a/b guest>\n6:k=v\n";
        assert_eq!(
            board.run_with("<LAVA_WAIT_ALL_COMPLETE 6:k=v>\r\n", "lava-wait-all a/b guest"),
            answer(expected, "", 0)
        );
        assert_eq!(board.read("received/a_b.txt").unwrap(), "6:k=v\n");
        assert_eq!(board.read("received/ipv4.txt").unwrap(), pairs);
        // No data: what was received before must not be taken for it.
        let script = "echo old >/tmp/lava_multi_node_cache.txt; lava-wait ipv4; ls /tmp";
        let expected = "<LAVA_MULTI_NODE> <LAVA_WAIT ipv4>\nlava-7\n";
        assert_eq!(board.run_with("<LAVA_WAIT_COMPLETE>\n", script), answer(expected, "", 0));
        assert_eq!(board.read("received/ipv4.txt"), None);
    });
}

#[test]
fn the_longest_line_that_a_terminal_takes_is_a_reply() {
    on_every_shell(|board| {
        let value = "v ".repeat(2030);
        let reply = format!("<LAVA_WAIT_COMPLETE 8:k={value}x>\n");
        let expected = format!("<LAVA_MULTI_NODE> <LAVA_WAIT m>\n8:k={value}x\n");
        assert_eq!(board.run_with(&reply, "lava-wait m"), answer(&expected, "", 0));
    });
}

#[test]
fn a_sync_needs_an_answer_and_keeps_what_was_received() {
    on_every_shell(|board| {
        let script = "echo old >/tmp/lava_multi_node_cache.txt; lava-sync clients; cat /tmp/lava_multi_node_cache.txt";
        let answered = board.run_with("<LAVA_WAIT_COMPLETE>\n<LAVA_SYNC_COMPLETE>\n", script);
        assert_eq!(answered, answer("<LAVA_MULTI_NODE> <LAVA_SYNC clients>\nold\n", "", 0));
    });
}

#[test]
fn a_refused_wait_is_a_failure_with_its_reason() {
    on_every_shell(|board| {
        for (command, api) in [("lava-sync", "SYNC"), ("lava-wait", "WAIT"), ("lava-wait-all", "WAIT_ALL")] {
            let asked = format!("<LAVA_MULTI_NODE> <LAVA_{api} m>\n");
            for (reply, reason) in [
                ("COMPLETE nack>\n", "'m' was refused: out of time, or a member it needs has gone"),
                ("COMPLETE 8:k=v\n", "the reply is cut short"),
                ("OTHER>\n", "no reply: the input has ended"),
            ] {
                let reply = format!("<LAVA_{api}_{reply}");
                let script = format!("{command} m; echo $?");
                let expected = answer(&format!("{asked}1\n"), &format!("{command}: {reason}\n"), 0);
                assert_eq!(board.run_with(&reply, &script), expected, "{reply}");
            }
        }
    });
}

#[test]
fn a_wait_that_is_not_said_well_is_refused_before_it_is_sent() {
    on_every_shell(|board| {
        for (script, reason) in [
            ("lava-wait", "usage: lava-wait ID"),
            ("lava-wait a b", "usage: lava-wait ID"),
            ("lava-wait-all a b c", "usage: lava-wait-all ID [ROLE]"),
            ("lava-sync ''", "usage: lava-sync ID"),
            ("lava-wait-all a 'b c'", "lava-wait-all: cannot use 'b c': a name has no white space and no '='"),
            ("lava-sync 'a>'", "lava-sync: cannot send 'a>': it has a '>' or a control character"),
        ] {
            assert_eq!(board.run(script), answer("", &format!("{reason}\n"), 1), "{script}");
        }
    });
}

#[test]
fn replies_are_read_from_the_terminal_and_not_echoed() {
    const ECHO: &str = "stty -a </dev/tty 2>/dev/null | tr ' ;' '\\n\\n' | grep -x -e echo -e -echo";
    on_every_shell(|board| {
        let script = format!("lava-wait ipv4 </dev/null; echo $?; {ECHO}; echo over");
        let (mut terminal, mut child) = Terminal::start(board, &script);
        terminal.read_to("<LAVA_WAIT ipv4>\r\n");
        terminal.type_text("<LAVA_WAIT_COMPLETE 8:ipaddr=10.0.0.2>\n");
        terminal.read_to("over\r\n");
        assert_eq!(terminal.seen, "<LAVA_MULTI_NODE> <LAVA_WAIT ipv4>\r\n8:ipaddr=10.0.0.2\r\n0\r\necho\r\nover\r\n");
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn a_system_without_stty_hears_the_reply_too() {
    // BusyBox prefers its own stty to one in PATH.
    for shell in SHELLS.iter().filter(|shell| shell.name != "busybox sh") {
        let board = Board::new(shell, json!([inline("x", &["true"])]));
        board.fake("stty", "exit 127");
        let (mut terminal, mut child) = Terminal::start(&board, "lava-sync clients; echo $?");
        terminal.read_to("<LAVA_SYNC clients>\r\n");
        terminal.type_text("<LAVA_SYNC_COMPLETE>\n");
        terminal.read_to("0\r\n");
        assert_eq!(terminal.seen, "<LAVA_MULTI_NODE> <LAVA_SYNC clients>\r\n<LAVA_SYNC_COMPLETE>\r\n0\r\n");
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn a_member_knows_itself_and_all_others() {
    on_every_shell(|board| {
        for (script, printed, status) in [
            ("lava-self", "7\n", 0),
            ("lava-role", "guest", 0),
            ("lava-role list", "guest\nguest\nhost\n", 0),
            ("lava-group", "6\tguest\n7\tguest\n8\thost\n", 0),
            ("lava-group guest", "6\n7", 0),
            ("lava-group host", "8", 0),
            ("lava-group gues", "", 1),
            ("lava-target-ip", "10.0.0.9\n", 0),
            ("lava-target-mac", "52:54:00:00:00:01\n", 0),
        ] {
            assert_eq!(board.run(script), answer(printed, "", status), "{script}");
        }
        assert_eq!(board.run("lava-role me"), answer("", "usage: lava-role [list]\n", 1));
    });
}

#[test]
fn an_address_is_found_with_the_tools_there_are() {
    on_every_shell(|board| {
        let script = "ip addr add 10.9.8.7/24 dev lo; ip addr add 10.9.8.6/24 dev lo; lava-echo-ipv4 lo";
        assert_eq!(board.run(script), answer("10.9.8.7\n", "", 0));
        let none = "lava-echo-ipv4: neither ip nor ifconfig shows an IPv4 address on 'eth9'\n";
        assert_eq!(board.run("lava-echo-ipv4 eth9"), answer("", none, 0));
        assert_eq!(board.run("lava-echo-ipv4"), answer("", "usage: lava-echo-ipv4 INTERFACE\n", 1));
        if board.shell.name == "busybox sh" {
            return;
        }
        board.fake("ip", "exit 1");
        for shown in [
            "eth0: flags=4163<UP>  mtu 1500\\n  inet 10.0.0.2  netmask 255.255.255.0\\n",
            "eth0   Link encap:Ethernet\\n   inet addr:10.0.0.2  Bcast:10.0.0.255\\n",
        ] {
            board.fake("ifconfig", &format!("printf '{shown}'"));
            assert_eq!(board.run("PATH=/mnt/fakes:$PATH; lava-echo-ipv4 eth0"), answer("10.0.0.2\n", "", 0));
        }
    });
}

#[test]
fn what_is_not_added_is_said() {
    on_every_shell(|board| {
        let said = warning("lava-add-keys: not added: 'k': the job names no os");
        assert_eq!(board.run("lava-add-keys k"), answer(&said, "", 0));
        let said = warning("lava-add-sources: not added: 'ppa:x/y': the job names no os");
        assert_eq!(board.run("lava-add-sources ppa:x/y"), answer(&said, "", 0));
    });
}

#[test]
fn a_system_says_what_it_is() {
    on_every_shell(|board| {
        let release = "NAME=x\nPRETTY_NAME=\"A System 1.2\"\n";
        let script = format!("printf '{release}' >/tmp/r; mount --bind /tmp/r /etc/os-release; lava-os-build");
        assert_eq!(board.run(&script), answer("A System 1.2\n", "", 0));
    });
}

/// The runner's output without the trace of the shell, which is on stderr.
#[test]
fn a_runner_goes_on_after_a_definition_that_dies() {
    let installing = |name: &str, number: usize, install: Value, steps: &[&str]| {
        let mut definition = inline(name, steps);
        definition["run"] = json!(format!("{number}_{name}"));
        definition["definition"]["install"] = install;
        definition["parameters"] = json!({"QUOTES": "it's \"$HOME\"\n`x` \\"});
        definition
    };
    let definitions = json!([
        installing(
            "dies",
            0,
            json!({"steps": ["echo installed >out"]}),
            &["cat out", "echo before", "false", "echo after"]
        ),
        installing("skipped", 1, json!({"steps": ["exit 3"]}), &["echo never"]),
        installing(
            "passes",
            2,
            Value::Null,
            &["printf '%s|' \"$QUOTES\"", "lava-test-case one --shell \"echo $((1 + 1))\"", "pwd"]
        ),
    ]);
    for shell in &SHELLS {
        let board = Board::new(shell, definitions.clone());
        let script = format!("export SHELL={}; lava-test-runner /tmp/lava-7/0; echo $?", shell.interpreter);
        let first = board.run(&script);
        let expected = "/tmp/lava-7/0/tests/0_dies
<LAVA_SIGNAL_STARTRUN 0_dies 7_1.1.3.1>
installed
before
<LAVA_SIGNAL_FAILRUN 0_dies 7_1.1.3.1 1 3>
/tmp/lava-7/0/tests/1_skipped
<LAVA_TEST_RUNNER INSTALL_FAIL>
<LAVA_SIGNAL_STARTRUN 2_passes 7_1.1.3.1>
it's \"$HOME\"
`x` \\|<LAVA_SIGNAL_STARTTC one>
2
<LAVA_SIGNAL_ENDTC one>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=one RESULT=pass>
/tmp/lava-7/0/tests/2_passes
<LAVA_SIGNAL_ENDRUN 2_passes 7_1.1.3.1>
<LAVA_TEST_RUNNER EXIT>
0
";
        assert_eq!(unsealed("/tmp/lava-7/0", &first.stdout), expected, "{}", first.stderr);
        let said = |text: &str| assert!(first.stderr.lines().any(|line| line == text), "{text}\n{}", first.stderr);
        said(&format!(
            "lava-test-shell: '{} -e /tmp/lava-7/0/tests/0_dies/run.sh' ended with status 1",
            shell.interpreter
        ));
        said("lava-test-runner: skip '1_skipped': its install steps ended with status 3");
        said("+ false");
        let again = "lava-test-runner: cannot run '/tmp/lava-7/0': '/tmp/lava-7/0/lava-test-runner.conf' is not there, or was used by an earlier run\n";
        assert_eq!(board.run(&script), answer("<LAVA_TEST_RUNNER EXIT>\n1\n", again, 0));
        assert_eq!(
            status_files(&board),
            [
                "0_dies install_return_code 0",
                "0_dies return_code 1",
                "0_dies step 3",
                "1_skipped install_return_code 3",
                "2_passes results",
                "2_passes return_code 0",
                "2_passes step 3"
            ]
        );
    }
}

/// What the runner has left for each definition.
fn status_files(board: &Board) -> Vec<String> {
    let mut found = Vec::new();
    for run in fs::read_dir(board.root.path().join("tmp/lava-7/0/results")).unwrap().map(Result::unwrap) {
        let name = run.file_name().into_string().unwrap();
        let (name, time) = name.rsplit_once('-').unwrap();
        assert!(time.parse::<u64>().is_ok(), "{time}");
        for file in fs::read_dir(run.path()).unwrap().map(Result::unwrap) {
            let text = fs::read_to_string(file.path()).unwrap_or_default();
            let line = format!("{name} {} {}", file.file_name().into_string().unwrap(), text.trim());
            found.push(line.trim().to_owned());
        }
    }
    found.sort();
    found
}

#[test]
fn a_runner_that_is_ended_says_so() {
    for shell in &SHELLS {
        let board = Board::new(shell, json!([inline("x", &["kill -TERM $RUNNER", "sleep 0"])]));
        let script = format!(
            "export SHELL={}; (export RUNNER=$(exec sh -c 'echo $PPID'); exec lava-test-runner /tmp/lava-7/0) 2>/dev/null; echo $?",
            shell.interpreter
        );
        let ended = board.run(&script);
        let expected =
            "<LAVA_SIGNAL_STARTRUN 0_x 7_1.1.3.1>\n<LAVA_SIGNAL_ENDRUN 0_x 7_1.1.3.1>\n<LAVA_TEST_RUNNER EXIT>\n143\n";
        assert_eq!((unsealed("/tmp/lava-7/0", &ended.stdout).as_str(), ended.stderr.as_str()), (expected, ""));
    }
}

#[test]
fn a_small_root_with_nothing_but_busybox_runs_an_overlay_from_its_own_place() {
    for shell in &SHELLS {
        let root = small_root(shell);
        let definitions = json!([inline(
            "small",
            &["lava-wait m", "lava-test-case os --shell lava-os-build", "lava-send done at=$(lava-self)"]
        )]);
        let overlay = pack(root.path(), "/bin/sh", "/lava-7", definitions);
        fs::rename(overlay, root.path().join("overlay.tar.gz")).unwrap();
        let script = "tar -C / -xzf /overlay.tar.gz && . /lava-7/environment && /lava-7/bin/lava-test-runner /lava-7/0 2>/dev/null; echo $LAVA_JOB_ID
mkdir /etc; printf 'Old System 3 %s\\n' '\\n \\l' >/etc/issue; /lava-7/bin/lava-os-build";
        let ran = run_in_root(root.path(), "<LAVA_WAIT_COMPLETE 8:k=v>\n", script);
        let expected = "<LAVA_SIGNAL_STARTRUN 0_small 7_1.1.3.1>
<LAVA_MULTI_NODE> <LAVA_WAIT m>
8:k=v
<LAVA_SIGNAL_STARTTC os>
busybox system
<LAVA_SIGNAL_ENDTC os>
<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=os RESULT=pass>
<LAVA_MULTI_NODE> <LAVA_SEND done at=7>
<LAVA_SIGNAL_ENDRUN 0_small 7_1.1.3.1>
<LAVA_TEST_RUNNER EXIT>
7
Old System 3
";
        assert_eq!(unsealed("/lava-7/0", &ran.stdout), expected, "{}: {}", shell.name, ran.stderr);
        assert_eq!(fs::read_to_string(root.path().join("lava-7/received/m.txt")).unwrap(), "8:k=v\n");
    }
}
