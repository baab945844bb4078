//! Jobs that are wrong, and what is said of them.

use crate::splitting::{
    BOARD, DUPLICATE, assert_refused, assert_told, board_with, checked, edited, file, headlines, split, two_guests,
    warnings,
};
use pumice_tests::{Outcome, run, tool};
use std::time::{Duration, Instant};

#[test]
fn a_check_says_everything_and_writes_nothing() {
    assert_eq!(checked(&two_guests(), BOARD), (0, warnings(&[])));
    let job = edited("count: 2", "count: two").replace("to: tftp", "to: elsewhere");
    let (status, stderr) = checked(&job, &board_with("hostname: board-7", "hostname: 7"));
    let expected = [
        "stdin:12:16: expected an integer, found text".to_owned(),
        "warning: stdin:24:9: deploy method 'elsewhere' is not supported by this version".to_owned(),
        format!("warning: {DUPLICATE}"),
        "board.yaml:1:11: expected text, found the integer 7: quote it as '7'".to_owned(),
    ];
    assert_eq!(stderr.lines().collect::<Vec<_>>(), expected.map(|line| format!("job-split: {line}")));
    assert_eq!(status, 2);
}

#[test]
fn roles_that_do_not_fit_together_are_refused() {
    assert_told(
        &["--only", "1"],
        "stdin:",
        2,
        &[
            (
                "connection: ssh\n",
                "connection: ssh\n        device_type: board\n",
                "11:9: a role has a device_type or a connection, not both: remove one",
            ),
            ("        device_type: board\n", "", "18:9: a role needs a device_type or a connection"),
            ("        host_role: host\n", "", "11:9: missing key 'host_role'"),
            ("host_role: host", "host_role: hots", "14:20: role 'hots' does not exist: did you mean 'host'?"),
            ("host_role: host", "host_role: guest", "14:20: a host_role is a role with a device_type"),
            ("expect_role: host", "expect_role: nobody", "13:22: role 'nobody' does not exist"),
            (
                "expect_role: host",
                "expect_role: guest",
                "15:18: role 'guest' waits for its own lava_start: expect_role must name another role",
            ),
            ("count: 1", "count: 2", "18:16: a host_role has one member: count is 2"),
            ("count: 1", "count: 0", "18:16: a host_role has one member: count is 0"),
            ("count: 2", "count: -1", "12:16: count -1 is not 0 to 1024"),
            ("count: 2", "count: 3000", "12:16: count 3000 is not 0 to 1024"),
            ("        count: 2\n", "", "11:9: missing key 'count'"),
            ("device_type: board", "device_type: ''", "19:22: 'device_type' is empty"),
            (
                "      guest:\n",
                "      a guest:\n",
                "10:7: role 'a guest' is not 1 to 64 letters, digits, dots, hyphens and underscores",
            ),
        ],
    );
}

#[test]
fn pairs_of_keys_come_together() {
    assert_refused(
        &edited("        host_role: host\n", ""),
        &["11:9: missing key 'host_role'", "13:9: 'expect_role' without 'host_role': give both"],
    );
    assert_refused(
        &edited("        expect_role: host\n", ""),
        &[
            "13:9: 'host_role' without 'expect_role': give both",
            "14:18: 'request: lava-start' needs the expect_role whose lava_start is awaited",
        ],
    );
    let job = edited("connection: ssh\n", "connection: ssh\n        device: board-1\n        worker: lab\n");
    assert_refused(
        &job,
        &[
            "12:9: 'device' of a connection role: it runs on its host's board",
            "12:17: 'device' names one board, and count is 2",
            "13:9: 'worker' of a connection role: it runs on its host's board",
        ],
    );
}

#[test]
fn blocks_that_a_role_cannot_run_are_refused() {
    let order = |order: &str| format!("an order of actions other than {order} is not supported by this version");
    let (host, guest) =
        (order("one deploy, then boots, tests and commands"), order("one deploy, one boot, then tests"));
    let unnamed = edited("- deploy:\n    role: [host]\n", "- deploy:\n");
    assert_refused(&unnamed, &["23:5: missing key 'role'"]);
    assert_refused(&edited("role: [host]", "role: []"), &["23:11: 'role' names no role"]);
    let elsewhere = edited("- deploy:\n    role: [host]\n", "- deploy:\n    role: [guest]\n");
    let outcome = split(&["--check"], &elsewhere);
    for line in [format!("36:3: role 'guest': {guest}"), format!("47:3: role 'host': {host}")] {
        assert!(outcome.stderr.contains(&format!("job-split: warning: stdin:{line}\n")), "{}", outcome.stderr);
    }
    let idle = edited("\nactions:\n", "\n      idle: {count: 1, device_type: board}\nactions:\n");
    assert_refused(&idle, &["21:7: no action names the role 'idle'"]);
    let swapped = edited("      guest:\n", "      guets:\n");
    let guets = "role 'guest' does not exist: did you mean 'guets'?";
    let told = [(37, 12), (61, 12), (66, 18), (77, 12)].map(|(line, column)| format!("{line}:{column}: {guets}"));
    let mut expected = vec!["10:7: no action names the role 'guets'"];
    expected.extend(told.iter().map(String::as_str));
    assert_refused(&swapped, &expected);
}

#[test]
fn errors_in_actions_have_their_place_and_their_mend() {
    assert_told(
        &["--only", "1"],
        "stdin:",
        2,
        &[
            ("to: tftp", "to: tfpt", "24:9: unknown deploy method 'tfpt': did you mean 'tftp'?"),
            (
                "request: lava-wait\n",
                "request: lava-send\n",
                "43:18: a call of 'prepare-scp-overlay' is a 'lava-wait', not a 'lava-send'",
            ),
            (
                "request: lava-wait\n",
                "request: lava-wiat\n",
                "43:18: request 'lava-wiat' is not one of lava-send, lava-wait, lava-wait-all, lava-sync: did you mean 'lava-wait'?",
            ),
            ("role: [host]", "role: [hosts]", "23:12: role 'hosts' does not exist: did you mean 'host'?"),
            ("- deploy:\n", "- depoly:\n", "22:3: unknown action 'depoly': did you mean 'deploy'?"),
            (
                "- deploy:\n    role: [host]",
                "- boot: {}\n  deploy:\n    role: [host]",
                "22:3: an action is a mapping with one key, 'deploy', 'boot', 'test' or 'command'",
            ),
            (
                "to: tftp",
                "to: tftp\n    timeout: {hours: 1}",
                "25:14: timeout of 3600 seconds is longer than the job's 1800",
            ),
            ("authorize: ssh", "authorize: telnet", "25:16: authorize 'telnet' is not 'ssh'"),
            (
                "http://files.example/a/vmlinuz",
                "files/vmlinuz",
                "27:12: url 'files/vmlinuz' has no scheme, as in http://",
            ),
            ("http://files.example/a/vmlinuz", "http://a/b/", "27:12: url 'http://a/b/' names no file"),
            ("url: http://files.example/a/vmlinuz", "type: image", "27:7: missing key 'url'"),
            ("type: image", "type: bootz", "28:13: type 'bootz' is not one of image, uimage, zimage"),
            (
                "compression: xz",
                "compression: x",
                "34:20: compression 'x' is not one of gz, xz, bz2, zstd, zip: did you mean 'xz'?",
            ),
            ("prefix: root/", "prefix: /root", "35:15: prefix '/root' must be relative and end in a slash"),
            ("'0123456789abcdef0", "'0", "31:18: 'sha256sum' is not 64 hexadecimal digits"),
            (
                "      - action: prepare-scp-overlay\n        request",
                "        action: prepare-scp-overlay\n        request",
                "42:9: calls are a list: begin this one with '- '",
            ),
            (
                "{ip: $ip}",
                "{ip: ip}",
                "45:18: nothing is picked up: give the key of the address a value that begins with '$'",
            ),
            (
                "hostID: address",
                "hostID: adress",
                "64:17: hostID 'adress' is not the messageID 'address' of the call at 42:9",
            ),
            ("host_key: ip}", "host_key: ipv6}", "64:17: host_key 'ipv6' is no key of the message of the call at 42:9"),
            ("      username: root\n", "", "52:7: missing key 'username'"),
            ("      password: letmein\n", "", "52:7: 'password' and 'password_prompt' come together: give both"),
            ("[stty cols 200]", "[]", "52:7: 'login_commands' is empty"),
            ("prompts: 'root@board:'", "prompts: []", "57:14: 'prompts' is empty"),
            (
                "prompts: 'root@board:'",
                "prompts: 12:30",
                "57:14: expected text, found the integer 750: quote it as '12:30'",
            ),
            (
                "from: git",
                "from: inlin",
                "69:13: a definition comes from 'git', 'inline' or 'url', not 'inlin': did you mean 'inline'?",
            ),
            ("name: smoke", "name: smo.ke", "72:13: name 'smo.ke' is not of letters, digits, underscores and hyphens"),
            ("name: smoke", "name: lava", "72:13: name 'lava' is reserved: choose another"),
            ("name: smoke", "name: meet", "79:7: name 'meet' is taken by the test at 69:7"),
            (
                "skip_install: [deps]",
                "skip_install: [dep]",
                "84:21: 'dep' is no part of an install: keys, sources, deps, steps, git-repos, all: did you mean 'deps'?",
            ),
            ("lava-signal: kmsg", "lava-signal: dmesg", "82:20: 'lava-signal' is 'dmesg': it is 'stdout' or 'kmsg'"),
            (
                "Definition 1.0",
                "Definition 2.0",
                "87:19: format 'Lava-Test Test Definition 2.0' is not 'Lava-Test Test Definition 1.0'",
            ),
            ("- lava-sync meet", "- lava-sync: meet", "93:13: expected text, found a mapping"),
        ],
    );
}

#[test]
fn errors_in_the_job_itself_are_told() {
    assert_told(
        &["--only", "1"],
        "stdin:",
        2,
        &[
            ("job_name: two guests on one board\n", "", "1:1: missing key 'job_name'"),
            ("  job: {minutes: 30}\n", "", "3:3: missing key 'job'"),
            (
                "protocols:\n",
                "device_type: board\nprotocols:\n",
                "7:1: 'device_type' of a multinode job belongs to its roles: move it there",
            ),
            ("actions:\n- deploy", "action:\n- deploy", "1:1: missing key 'actions'"),
        ],
    );
    assert_refused("- a\n", &["1:1: expected a mapping, found a list"]);
    assert_refused("", &["1:1: expected a mapping, found nothing"]);
}

#[test]
fn what_no_stage_can_do_is_a_warning_until_it_is_run() {
    assert_told(
        &["--check"],
        "warning: stdin:",
        0,
        &[
            (
                "connection: ssh\n",
                "connection: telnet\n",
                "11:21: connection 'telnet' is not supported by this version",
            ),
            (
                "- deploy:\n",
                "- command: {name: x, role: [guest]}\n- deploy:\n",
                "22:3: a command for the role 'guest' on a connection is not supported by this version",
            ),
            (
                "http://files.example/a/vmlinuz",
                "scp://a/b",
                "27:12: scheme 'scp' of 'scp://a/b' is not supported by this version",
            ),
            ("prefix: root/", "archive: tar", "35:7: 'archive' of the nfsrootfs is not supported by this version"),
            (
                "action: prepare-scp-overlay",
                "action: scp-overlay",
                "42:17: a call of action 'scp-overlay' is not supported by this version",
            ),
            (
                "method: grub-efi",
                "method: qemu",
                "49:13: boot method 'qemu' is not supported by this version: give QEMU a dictionary as a board, with \
                 its start as 'hard_reset' and its serial line as 'connect', and boot it by 'grub-efi', 'u-boot' or \
                 'minimal'",
            ),
            (
                "method: grub-efi",
                "method: grub-efi\n    transfer_overlay: {transfer_method: zmodem, unpack_command: tar}",
                "50:41: transfer_method 'zmodem' is not supported by this version: transfer by 'http'",
            ),
            (
                "    definitions:\n",
                "    services: []\n    definitions:\n",
                "68:5: 'services' of a test is not supported by this version",
            ),
            (
                "  lava-multinode:\n",
                "  lava-xnbd: {port: auto}\n  lava-multinode:\n",
                "8:3: 'lava-xnbd' of the protocols is not supported by this version",
            ),
        ],
    );
}

#[test]
fn what_is_probably_a_mistake_is_a_warning() {
    assert_told(
        &["--check"],
        "warning: stdin:",
        0,
        &[
            (
                "  action: {minutes: 3}",
                "  acton: {minutes: 3}",
                "4:3: unknown key 'acton' of the job's timeouts is ignored: did you mean 'action'?",
            ),
            (
                "request: lava-start",
                "request: lava_start",
                "15:18: request 'lava_start' has no effect: did you mean 'lava-start'?",
            ),
            (
                "['root@board:']",
                "['root@boards:']",
                "63:5: prompts differ from those of 'host', whose system this is, at 57:5",
            ),
            (
                "  action: {minutes: 3}",
                "  action: {seconds: 0}",
                "4:11: timeout of 0 seconds: 30 are taken, as LAVA does",
            ),
        ],
    );
}

#[test]
fn a_wrong_command_line_is_status_2_and_names_the_help() {
    for (arguments, expected) in [
        (&["--job-id", "0"][..], "invalid value '0' for '--job-id <N>': 0 is not in 1..=999999999999"),
        (&["--device", "board"], "invalid value 'board' for '--device <TYPE=FILE>': a device is given as TYPE=FILE"),
        (&["--rewrite", "x"], "invalid value 'x' for '--rewrite <OLD=NEW>': a rewrite is given as OLD=NEW"),
        (&["--group", "a b"], "group 'a b' is not 1 to 64 letters, digits, dots, hyphens and underscores"),
        (
            &["--param", "1=2"],
            "invalid value '1=2' for '--param <KEY=VALUE>': a parameter is given as KEY=VALUE, the key a name of the shell",
        ),
        (&["-W", "all"], "invalid value 'all' for '-W <error>' [possible values: error]"),
        (&["--rewite", "x=y"], "unexpected argument '--rewite' found; a similar argument exists: '--rewrite'"),
    ] {
        let outcome = split(arguments, &two_guests());
        let stderr = format!("job-split: {expected}\nTry 'job-split --help' for more information.\n");
        assert_eq!(outcome, Outcome { status: 2, stdout: String::new(), stderr });
    }
}

#[test]
fn a_member_that_does_not_exist_is_refused() {
    let outcome = split(&["--only", "7"], &two_guests());
    assert_eq!(outcome.stderr, "job-split: no member '7': the members are 1 to 3\n");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (2, "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":2}}\n"));
}

#[test]
fn a_job_that_cannot_be_read_is_status_2() {
    let outcome = run(tool("job-split").arg("/no/such/job.yaml"), b"");
    assert_eq!(outcome.stderr, "job-split: cannot read '/no/such/job.yaml': No such file or directory\n");
    assert_eq!((outcome.status, outcome.stdout.as_str()), (2, "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":2}}\n"));
}

#[test]
fn diagnostics_name_the_job_as_it_was_given() {
    let job = file("a: [\n");
    let name = job.path().display();
    let outcome = run(tool("job-split").arg(job.path()), b"");
    assert!(outcome.stderr.starts_with(&format!("job-split: {name}:2:1: not YAML: ")), "{}", outcome.stderr);
    assert_eq!(outcome.status, 2);
}

#[test]
fn hostile_jobs_are_refused_in_no_time() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(", ")));
    }
    let many = "x".repeat(5 << 20);
    let started = Instant::now();
    for (job, expected) in [
        (bomb.as_bytes(), "document too large: more than 100000 values or 16777216 bytes, aliases expanded"),
        ("[".repeat(20_000).as_bytes(), "nested too deep: more than 64 levels"),
        ("- ".repeat(20_000).as_bytes(), "nested too deep: more than 64 levels"),
        (b"job_name: a\0b\n", "control character U+0000 is not allowed in YAML"),
        (b"job_name: caf\xe9\n", "byte 0xE9 is not UTF-8: save the file as UTF-8"),
        (many.as_bytes(), "file too large: 4194305 bytes, the limit is 4194304"),
        (b"a: 1\n---\nb: 2\n", "a second document starts here: a file holds one"),
    ] {
        let outcome = headlines(run(tool("job-split").args(["--check", "-"]), job));
        assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""), "{expected}");
        assert!(outcome.stderr.ends_with(&format!(": {expected}\n")), "{}", outcome.stderr);
    }
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}
