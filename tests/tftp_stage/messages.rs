//! What goes in and out, and the life of the process.

use crate::http::{Answer, Http};
use crate::served::tftp;
use crate::stage::{END, Lab, assert_refused, in_namespace, is_there, resource, whole_job, whole_resources};
use nix::sys::signal::Signal;
use pumice_tests::{Outcome, data, run, tool};
use serde_json::{Value, json};

fn outcome(status: i32, stdout: &str, stderr: &str) -> Outcome {
    Outcome { status, stdout: stdout.into(), stderr: stderr.into() }
}

#[test]
fn the_message_gets_what_the_golden_one_has() {
    in_namespace("messages::the_message_gets_what_the_golden_one_has", || {
        let (lab, http) = (Lab::new(), whole_job());
        let message = lab.message(&whole_resources(&http));
        let mut stage = lab.start(&message);
        let staged = stage.staged();
        let golden = std::fs::read_to_string(data("messages/host-tftp-stage.jsonl")).unwrap();
        let golden: Value = serde_json::from_str(golden.lines().next().unwrap()).unwrap();
        let root = lab.path("74588/nfsrootfs");
        let expected = json!({
            "SERVER_IP": "127.0.0.1", "NFS_SERVER_IP": "127.0.0.1", "LAVA_DISPATCHER_IP": "127.0.0.1",
            "LAVA_JOB_ID": "74588", "KERNEL": "74588/kernel/vmlinuz", "RAMDISK": "74588/ramdisk/initrd.img",
            "INITRD": "74588/ramdisk/initrd.img", "DTB": null, "NFSROOTFS": root.to_str().unwrap(),
        });
        assert_eq!(staged["staged"], expected);
        assert_eq!(staged["console"], golden["data"]["console"]);
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&staged), keys(&golden["data"]));
        assert_eq!(keys(&staged["staged"]), keys(&golden["data"]["staged"]));
        // What was there is passed on as it was.
        for key in keys(&message["data"]) {
            assert_eq!(staged[&key], message["data"][&key], "{key}");
        }
        assert_eq!(stage.end(), (0, String::new()));
        lab.assert_released();
    });
}

#[test]
fn messages_of_other_types_come_first_and_unchanged() {
    in_namespace("messages::messages_of_other_types_come_first_and_unchanged", || {
        let (lab, http) = (Lab::new(), whole_job());
        let later = r#"{"v":1,"type":"later","data":{"x":[1.5,null]},"y":true}"#;
        let message = lab.message(&whole_resources(&http));
        let mut stage = lab.start_with(format!("{message}\n{later}\n{END}\n"));
        assert_eq!(stage.line(), later);
        stage.staged();
        assert_eq!(stage.end(), (0, String::new()));
    });
}

#[test]
fn what_is_held_is_on_paper_while_it_is_held() {
    in_namespace("messages::what_is_held_is_on_paper_while_it_is_held", || {
        let (lab, http) = (Lab::new(), whole_job());
        let mut stage = lab.start(&lab.message(&whole_resources(&http)));
        stage.staged();
        let held = lab.read("74588/held");
        for name in ["tftp", "nfsrootfs"] {
            let undo = format!("tftp-stage rm -rf -- {}", lab.path("74588").join(name).display());
            assert!(held.lines().any(|line| line.starts_with('+') && line.ends_with(&undo)), "{held}");
        }
        assert!(!held.lines().any(|line| line.starts_with('-')), "{held}");
        assert_eq!(stage.end(), (0, String::new()));
        lab.assert_released();
    });
}

#[test]
fn the_output_is_recorded_in_the_run_directory() {
    in_namespace("messages::the_output_is_recorded_in_the_run_directory", || {
        let (lab, http) = (Lab::new(), whole_job());
        let mut stage = lab.start(&lab.message(&whole_resources(&http)));
        let staged = stage.staged();
        let recorded: Value = serde_json::from_str(lab.read("74588/tftp-stage.jsonl").lines().next().unwrap()).unwrap();
        assert_eq!(recorded["data"], staged);
        let progress = lab.read("progress.jsonl");
        for step in ["fetch", "unpack", "overlay", "ramdisk"] {
            assert!(progress.contains(&format!(r#""step":"{step}""#)), "{progress}");
        }
    });
}

#[test]
fn an_earlier_status_travels_through() {
    let lab = Lab::new();
    let end = "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":124}}\n";
    assert_eq!(lab.start_with(end.to_owned()).outcome(), outcome(124, end, ""));
    lab.assert_released();
}

#[test]
fn an_input_without_its_end_is_refused() {
    let lab = Lab::new();
    let message = lab.message(&[resource("kernel", "http://127.0.0.1:1/k")]);
    let end = "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":3}}\n";
    assert_eq!(lab.start_with(format!("{message}\n")).outcome(), outcome(3, end, "tftp-stage: input ended early\n"));
}

#[test]
fn a_second_role_message_is_refused() {
    let lab = Lab::new();
    let message = lab.message(&[resource("kernel", "http://127.0.0.1:1/k")]);
    let outcome = lab.start_with(format!("{message}\n{message}\n{END}\n")).outcome();
    assert_eq!(outcome.status, 2);
    assert!(outcome.stderr.starts_with("tftp-stage: cannot work on a second role message"), "{}", outcome.stderr);
}

#[test]
fn a_role_that_cannot_be_staged_is_refused_with_the_mend() {
    let lab = Lab::new();
    let kernel = [resource("kernel", "http://127.0.0.1:1/k")];
    let mut message = lab.message(&kernel);
    message["data"]["device"] = Value::Null;
    let reason = "cannot stage for role 'host': it has no device dictionary: give 'job-split --device TYPE=FILE'";
    assert_refused(&lab, &message, 2, reason);
    let mut message = lab.message(&kernel);
    message["data"]["device"].as_object_mut().unwrap().remove("connect");
    assert_refused(&lab, &message, 2, "cannot stage for 'qemu-mustang': its dictionary names no console");
    let mut message = lab.message(&kernel);
    message["data"]["actions"][0]["to"] = "ssh".into();
    assert_refused(&lab, &message, 2, "cannot deploy to 'ssh': only 'tftp' and 'overlay' are staged here");
    assert_refused(
        &lab,
        &lab.message(&kernel),
        2,
        "cannot lay the overlay into anything: the job has neither nfsrootfs nor ramdisk, and no transfer_overlay",
    );
}

#[test]
fn without_a_run_directory_nothing_begins() {
    let stderr = "tftp-stage: no run directory: give --run-dir or set MN_RUNDIR\n\
                  Try 'tftp-stage --help' for more information.\n";
    assert_eq!(run(&mut tool("tftp-stage"), b""), outcome(2, "", stderr));
}

#[test]
fn a_signal_says_gone_and_waits_for_the_reader() {
    in_namespace("messages::a_signal_says_gone_and_waits_for_the_reader", || {
        let (lab, http) = (Lab::new(), whole_job());
        let mut stage = lab.start(&lab.message(&whole_resources(&http)));
        stage.staged();
        stage.signal(Signal::SIGTERM);
        let mut pipe = std::io::BufReader::new(stage.take_pipe());
        let mut gone = String::new();
        std::io::BufRead::read_line(&mut pipe, &mut gone).unwrap();
        let gone: Value = serde_json::from_str(&gone).unwrap();
        assert_eq!((&gone["type"], &gone["data"]["status"]), (&json!("gone"), &json!(143)));
        // The reader is still there, and so is what it uses.
        assert!(is_there(&lab.path("74588/nfsrootfs/etc/hostname")));
        drop(pipe);
        assert_eq!(stage.end(), (143, String::new()));
        lab.assert_released();
    });
}

#[test]
fn a_second_signal_does_not_wait() {
    in_namespace("messages::a_second_signal_does_not_wait", || {
        let (lab, http) = (Lab::new(), whole_job());
        let mut stage = lab.start(&lab.message(&whole_resources(&http)));
        stage.staged();
        stage.signal(Signal::SIGINT);
        let mut pipe = std::io::BufReader::new(stage.take_pipe());
        let mut gone = String::new();
        std::io::BufRead::read_line(&mut pipe, &mut gone).unwrap();
        stage.signal(Signal::SIGINT);
        let mut rest = String::new();
        // The pipe is open at this end until the other one has gone.
        std::io::Read::read_to_string(&mut pipe, &mut rest).unwrap();
        assert_eq!(rest, "");
        lab.assert_released();
    });
}

#[test]
fn a_signal_ends_a_download_that_hangs() {
    in_namespace("messages::a_signal_ends_a_download_that_hangs", || {
        let http = Http::serve(&[("/root.tar.gz", Answer::Stalled(vec![0; 1000]))]);
        let lab = Lab::new();
        let stage = lab.start(&lab.message(&[resource("nfsrootfs", &http.url("/root.tar.gz"))]));
        while http.requests().is_empty() {
            std::thread::yield_now();
        }
        stage.signal(Signal::SIGTERM);
        let end = "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":143}}\n";
        assert_eq!(stage.outcome(), outcome(143, end, ""));
        lab.assert_released();
    });
}

#[test]
fn a_reader_that_goes_early_ends_the_work() {
    in_namespace("messages::a_reader_that_goes_early_ends_the_work", || {
        let http = Http::serve(&[("/root.tar.gz", Answer::Stalled(vec![0; 1000]))]);
        let lab = Lab::new();
        let mut command = tool("tftp-stage");
        command.args(&lab.options).env("MN_RUNDIR", lab.directory.path());
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let message = lab.message(&[resource("nfsrootfs", &http.url("/root.tar.gz"))]);
        let input = format!("{message}\n{END}\n");
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
        while http.requests().is_empty() {
            std::thread::yield_now();
        }
        drop(child.stdout.take());
        assert_eq!(child.wait().unwrap().code(), Some(141));
        lab.assert_released();
    });
}

#[test]
fn the_time_of_the_deploy_block_is_the_limit() {
    in_namespace("messages::the_time_of_the_deploy_block_is_the_limit", || {
        let http = Http::serve(&[("/root.tar.gz", Answer::Stalled(vec![0; 1000]))]);
        let lab = Lab::new();
        let mut message = lab.message(&[resource("nfsrootfs", &http.url("/root.tar.gz"))]);
        message["data"]["actions"][0]["timeout"] = 1.into();
        let outcome = lab.run(&message);
        assert_eq!(outcome.status, 124);
        // Whichever notices first: the download or the one who waits for it.
        let url = http.url("/root.tar.gz");
        let reasons =
            ["cannot stage in the time that the deploy block gives", &format!("cannot fetch '{url}': out of time")];
        assert!(reasons.iter().any(|reason| outcome.stderr == format!("tftp-stage: {reason}\n")), "{}", outcome.stderr);
        lab.assert_released();
    });
}

#[test]
fn hold_outlives_its_reader() {
    in_namespace("messages::hold_outlives_its_reader", || {
        let (lab, http) = (Lab::new().with(&["--hold", "--serve"]), whole_job());
        let mut stage = lab.start(&lab.message(&whole_resources(&http)));
        stage.staged();
        drop(stage.take_pipe());
        for _ in 0..3 {
            assert_eq!(tftp("74588/kernel/vmlinuz", ""), Ok(b"a kernel".to_vec()));
        }
        stage.signal(Signal::SIGTERM);
        assert_eq!(stage.end(), (143, String::new()));
        lab.assert_released();
    });
}

#[test]
fn what_another_stage_left_is_not_touched() {
    in_namespace("messages::what_another_stage_left_is_not_touched", || {
        let (lab, http) = (Lab::new(), whole_job());
        std::fs::create_dir_all(lab.path("74588/nfsrootfs/precious")).unwrap();
        let outcome = lab.run(&lab.message(&whole_resources(&http)));
        let path = lab.path("74588/nfsrootfs");
        assert_eq!(outcome.stderr, format!("tftp-stage: cannot make '{}': File exists\n", path.display()));
        assert_eq!(outcome.status, 3);
        assert!(is_there(&lab.path("74588/nfsrootfs/precious")));
    });
}
