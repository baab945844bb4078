//! job-split with jobs of every kind: what it keeps, what it tells, and LAVA's own split beside it.

use pumice_tests::{Outcome, data, run, tool};
use serde_json::{Value, json};

/// A job for one board that nobody needs a server for, by a method that is not run.
const SINGLE: &str = "job_name: one board
visibility: personal
device_type: beagle
timeouts:
  job: {minutes: 20}
  actions: {http-download: {minutes: 2}}
  connections: {lava-test-shell: {seconds: 44}}
context: {extra_kernel_args: quiet, lava_test_results_dir: /tmp/lava-%s, test_character_delay: 7}
environment: {A: b}
secrets:
  TOKEN: hunter2
actions:
- deploy:
    to: tftp
    timeout: {minutes: 9}
    failure_retry: 3
    kernel: {url: 'http://files.example/Image'}
- boot:
    method: depthcharge
    commands: nfs
    prompts: ['root@beagle:']
    timeout: {minutes: 4}
- command: {name: user_relay_on}
- test:
    timeout: {minutes: 5}
    definitions:
    - from: url
      repository: http://files.example/tests.tar.gz
      compression: gz
      path: a.yaml
      name: a
      parameters: {LEVEL: 1, KEEP: x}
";

fn split(arguments: &[&str], job: &str) -> Outcome {
    run(tool("job-split").args(arguments).arg("-"), job.as_bytes())
}

/// The data of the one role message.
fn role(arguments: &[&str], job: &str) -> Value {
    let outcome = split(arguments, job);
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let message: Value = serde_json::from_str(outcome.stdout.lines().next().expect("a line")).expect("JSON");
    message["data"].clone()
}

#[test]
fn a_job_for_one_board_is_a_group_of_one() {
    let role = role(&["--job-id", "7"], SINGLE);
    assert_eq!((&role["job_id"], &role["role"], &role["sub_id"]), (&json!("7"), &json!("host"), &json!(0)));
    assert_eq!(role["group"]["members"], json!([{"job_id": "7", "role": "host"}]));
    assert_eq!(role["environment"], json!({"A": "b"}));
    assert_eq!(role["connection_timeouts"], json!({"lava-test-shell": 44}));
    assert!(!role.to_string().contains("hunter2"), "a secret is in no message");
    let kinds: Vec<_> = role["actions"].as_array().expect("a list").iter().map(|action| &action["action"]).collect();
    assert_eq!(kinds, ["deploy", "boot", "command", "test"]);
}

#[test]
fn what_is_not_run_is_kept_and_named() {
    let role = role(&[], SINGLE);
    let boot = &role["actions"][1];
    assert_eq!(boot["method"], "depthcharge");
    assert_eq!(boot["block"]["commands"], "nfs");
    assert_eq!(role["actions"][2], json!({"action": "command", "level": "3", "timeout": 30, "name": "user_relay_on"}));
    assert_eq!(role["actions"][3]["definitions"][0]["from"], "url");
    assert_eq!(role["actions"][3]["definitions"][0]["compression"], "gz");
    let told: Vec<_> = role["unsupported"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert_eq!(told[0], "stdin:16:5: 'failure_retry' of a deploy to tftp is not supported by this version");
    assert!(told.contains(&"stdin:19:13: boot method 'depthcharge' is not supported by this version"), "{told:?}");
}

#[test]
fn a_stage_refuses_a_role_that_cannot_be_run() {
    let outcome = split(&[], SINGLE);
    let line = outcome.stdout.lines().next().expect("a message");
    let message = mn_msg::Message::parse(line.as_bytes()).expect("a message");
    let error = mn_msg::Role::from_message(message).expect_err("it cannot be run");
    let expected =
        "cannot run role 'host': stdin:16:5: 'failure_retry' of a deploy to tftp is not supported by this version";
    assert_eq!((error.to_string(), error.status()), (expected.to_owned(), mn_cli::Status::Wrong));
}

#[test]
fn every_action_has_its_timeout_in_seconds() {
    let role = role(&[], SINGLE);
    // The job names http-download; file-download has a third of what its three attempts have together.
    assert_eq!(role["actions"][0]["timeout"], 540);
    assert_eq!(role["actions"][0]["timeouts"], json!({"file-download": 180, "http-download": 120}));
    assert_eq!(role["actions"][3]["timeout"], 300);
}

#[test]
fn context_sets_what_is_no_matter_of_a_template() {
    let board = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(
        board.path(),
        "hostname: b\ndevicetype: beagle\ncommands: {users: {user_relay_on: {do: relay on}}}\n",
    )
    .expect("it is written");
    let device = format!("beagle={}", board.path().display());
    let role = role(&["--device", &device, "--job-id", "5"], SINGLE);
    assert_eq!(role["device"]["results_dir"], "/tmp/lava-5");
    assert_eq!(role["device"]["character_delays"], json!({"boot": 0, "test": 7}));
    let job = SINGLE.replace("extra_kernel_args", "extra_kernel_arg");
    let told = split(&["--check"], &job).stderr;
    let expected = "context has no variable 'extra_kernel_arg' in LAVA: did you mean 'extra_kernel_args'?";
    assert!(told.contains(&format!("job-split: warning: stdin:8:11: {expected}\n")), "{told}");
}

#[test]
fn a_parameter_of_the_command_line_holds_over_the_jobs() {
    let role = role(&["--param", "LEVEL=a=b", "--param", "NEW=1"], SINGLE);
    let parameters = &role["actions"][3]["definitions"][0]["parameters"];
    assert_eq!(*parameters, json!({"LEVEL": "a=b", "KEEP": "x", "NEW": "1"}));
}

#[test]
fn the_members_of_one_role_can_be_asked_for() {
    let job = std::fs::read_to_string(data("jobs/two-guests.yaml")).expect("the job");
    let outcome = split(&["--format", "list", "--role", "guest"], &job);
    assert_eq!(outcome.stdout, "1\tguest\tssh\n2\tguest\tssh\n");
    let outcome = split(&["--format", "list", "--role", "gest"], &job);
    assert!(outcome.stderr.ends_with("job-split: no member of role 'gest': did you mean 'guest'?\n"));
    assert_eq!(outcome.status, 2);
}

#[test]
fn a_directory_of_dictionaries_is_searched_for_the_types_of_the_job() {
    let directory = tempfile::tempdir().expect("a directory");
    for (file, text) in [
        ("2.yaml", "hostname: two\ndevicetype: beagle\ncommands: {users: {user_relay_on: {do: relay on}}}\n"),
        ("1.yml", "hostname: one\ndevicetype: beagle\ncommands: {users: {user_relay_on: {do: relay on}}}\n"),
        ("0.yaml", "hostname: zero\ndevicetype: other\n"),
        ("notes.txt", "- no dictionary\n"),
    ] {
        std::fs::write(directory.path().join(file), text).expect("it is written");
    }
    let path = directory.path().to_str().expect("a name");
    assert_eq!(role(&["--devices", path], SINGLE)["device"]["hostname"], "one");
    let outcome = split(&["--devices", "/no/such/directory"], SINGLE);
    assert_eq!(outcome.stderr, "job-split: cannot read '/no/such/directory': No such file or directory\n");
}

#[test]
fn a_diagnostic_shows_the_line_with_a_caret() {
    let outcome = split(&["--only", "1"], &SINGLE.replace("to: tftp", "to: tfpt"));
    let expected = "job-split: stdin:14:9: unknown deploy method 'tfpt': did you mean 'tftp'?
   |
14 |     to: tfpt
   |         ^^^^
";
    assert_eq!((outcome.status, outcome.stderr.as_str()), (2, expected));
}

#[test]
fn a_program_reads_diagnostics_as_json() {
    let job = SINGLE.replace("to: tftp", "to: tfpt").replace("prompts: [", "prompts: 7 #");
    let outcome = split(&["--check", "--diagnostics", "json"], &job);
    assert_eq!(outcome.status, 2);
    let lines: Vec<Value> =
        outcome.stderr.lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect();
    let errors: Vec<_> = lines.iter().filter(|line| line["severity"] == "error").collect();
    let expected = json!({"file": "stdin", "line": 14, "column": 9, "severity": "error",
        "message": "unknown deploy method 'tfpt': did you mean 'tftp'?"});
    assert_eq!(*errors[0], expected);
    assert_eq!((&errors[1]["line"], errors.len()), (&json!(21), 2));
}

#[test]
fn a_file_that_is_no_yaml_is_told_the_same_way() {
    let outcome = split(&["--check", "--diagnostics", "json"], "a: b\nc: @d\n");
    let line: Value = serde_json::from_str(outcome.stderr.trim()).expect("one line of JSON");
    assert_eq!(line["message"], "a value cannot begin with '@': quote it");
    assert_eq!((&line["line"], &line["column"], outcome.status), (&json!(2), &json!(4), 2));
}

#[test]
fn secrets_are_not_told() {
    let job = SINGLE.replace("TOKEN: hunter2", "TOKEN: 12:30\n  TOKEN: hunter2");
    let outcome = split(&["--check"], &job);
    assert!(outcome.stderr.contains("duplicate key 'TOKEN'"));
    assert!(!outcome.stderr.contains("hunter2") && !outcome.stderr.contains("12:30"), "{}", outcome.stderr);
    let job = SINGLE.replace("hunter2", "4:35").replace(
        "    prompts: ['root@beagle:']",
        "    prompts: ['#']\n    auto_login: {login_prompt: 'login:', username: a, password_prompt: 'P:', password: 271828}",
    );
    for form in ["text", "json"] {
        let told = split(&["--check", "--diagnostics", form], &job).stderr;
        assert!(told.contains("this value is not text in every version of YAML"), "{told}");
        assert!(told.contains("expected text: quote it if it is text"), "{told}");
        for secret in ["4:35", "275", "271828"] {
            assert!(!told.contains(secret), "{secret} in {told}");
        }
    }
}

#[test]
fn values_that_two_versions_of_yaml_read_differently_are_told() {
    let job = SINGLE.replace("LEVEL: 1,", "MAC: 10:20:30:40:50:55, MODE: 0755, YES: on, TEXT: 'on',");
    let told = split(&["--check"], &job).stderr;
    for expected in [
        "warning: stdin:32:25: '10:20:30:40:50:55' is the number 8041827055 in YAML 1.1: quote it if it is text",
        "note: stdin:32:50: '0755' is 493 here, as in LAVA, and 755 in YAML 1.2: quote it if it is text",
        "note: stdin:32:61: 'on' is true here, as in LAVA, and text in YAML 1.2: quote it if it is text",
    ] {
        assert!(told.contains(&format!("job-split: {expected}\n")), "{expected}\nnot in\n{told}");
    }
}

#[test]
fn warnings_can_be_refused() {
    assert_eq!(split(&["--check"], SINGLE).status, 0);
    assert_eq!(split(&["--check", "-W", "error"], SINGLE).status, 1);
    let outcome = split(&["-W", "error"], SINGLE);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (2, "{\"v\":1,\"type\":\"end\",\"data\":{\"status\":2}}\n"));
}

/// The documents of `--format lava`, without what LAVA's scheduler adds after the split.
fn documents(job: &str) -> Vec<Value> {
    let path = data(&format!("jobs/{job}.yaml"));
    let outcome = run(tool("job-split").args(["--format", "lava", "--group", "GROUP"]).arg(path), b"");
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let texts = outcome.stdout.split("---\n").skip(1);
    let mut documents: Vec<Value> =
        texts.map(|text| mn_yaml::parse(text.as_bytes()).expect("it is YAML").root.value()).collect();
    for document in &mut documents {
        let protocol = document["protocols"]["lava-multinode"].as_object_mut().expect("a mapping");
        assert!(protocol.shift_remove("roles").is_some_and(|roles| roles.is_object()));
    }
    documents
}

#[test]
fn the_jobs_of_the_members_are_those_of_lavas_own_split() {
    for job in ["mustang-ssh-guest", "two-guests", "oddities"] {
        let text = std::fs::read_to_string(data(&format!("split/{job}.json"))).expect("LAVA's split");
        let expected: Vec<Value> = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(documents(job), expected, "{job}");
    }
}

#[test]
fn a_dispatcher_gets_the_roles_on_devices_and_the_secrets() {
    let job = std::fs::read_to_string(data("jobs/two-guests.yaml")).expect("the job") + "secrets: {KEY: hunter2}\n";
    let outcome = split(&["--format", "lava", "--only", "2"], &job);
    let value = mn_yaml::parse(outcome.stdout.as_bytes()).expect("one document").root.value();
    assert_eq!(value["protocols"]["lava-multinode"]["roles"], json!({"3": "host"}));
    assert_eq!(value["protocols"]["lava-multinode"]["sub_id"], 1);
    assert_eq!(value["secrets"], json!({"KEY": "hunter2"}));
}

#[test]
fn a_job_for_one_board_goes_to_a_dispatcher_as_it_is() {
    let outcome = split(&["--format", "lava"], SINGLE);
    let read = |text: &str| mn_yaml::parse(text.as_bytes()).expect("it is YAML").root.value();
    assert_eq!(read(&outcome.stdout), read(SINGLE));
}

/// The job with packages in inline definitions of the host and of its guests.
fn with_deps(host: &str, guest: &str) -> String {
    let job = std::fs::read_to_string(data("jobs/mustang-ssh-guest.yaml")).expect("the job");
    let job = job.replacen("        run:\n", &format!("        install: {{deps: {host}}}\n        run:\n"), 1);
    let at = job.rfind("        run:\n").expect("the guest's steps");
    format!("{}        install: {{deps: {guest}}}\n{}", &job[..at], &job[at..])
}

fn definitions(arguments: &[&str], job: &str) -> (Value, String) {
    let outcome = split(arguments, job);
    let role: Value = serde_json::from_str(outcome.stdout.lines().next().expect("a line")).expect("JSON");
    (role["data"]["actions"][2]["definitions"].clone(), outcome.stderr)
}

#[test]
fn packages_of_all_members_on_a_board_are_installed_by_the_hosts_first_definition() {
    let job = with_deps("[openssh-server]", "[socat, openssh-server]");
    let (host, told) = definitions(&["--role", "host"], &job);
    assert_eq!(host[0]["definition"]["install"]["deps"], json!(["openssh-server", "socat"]));
    assert!(told.contains("these packages are installed by the first definition of 'host', at 106:7"), "{told}");
    let (guest, _) = definitions(&["--role", "guest", "--only", "1"], &job);
    assert_eq!(guest[1]["definition"].get("install"), None);
    let (guest, told) = definitions(&["--role", "guest", "--no-collate-deps"], &job);
    assert_eq!(guest[1]["definition"]["install"]["deps"], json!(["socat", "openssh-server"]));
    assert!(!told.contains("these packages"), "{told}");
    let lava = split(&["--format", "lava", "--only", "1"], &job).stdout;
    assert!(lava.contains("socat"));
}

#[test]
fn a_host_whose_first_definition_is_in_git_gets_the_packages_beside_it() {
    let job = with_deps("[a]", "[b]");
    let (from, to) = (job.find("    - from: inline").expect("one"), job.find("    - repository:").expect("one"));
    let job = format!("{}{}", &job[..from], &job[to..]);
    let (host, _) = definitions(&["--role", "host"], &job);
    assert_eq!((&host[0]["from"], &host[0]["deps"]), (&json!("git"), &json!(["b"])));
}

#[test]
fn the_hosts_message_names_its_guests_definitions_from_git() {
    let job = std::fs::read_to_string(data("jobs/mustang-ssh-guest.yaml")).expect("the job");
    let other = job.replacen("      name: post-smoke-tests", "      revision: v2\n      name: post-smoke-tests", 1);
    let host = role(&["--role", "host"], &other);
    let named = host["guest_definitions"].as_array().expect("a list");
    let named: Vec<_> = named.iter().map(|definition| (&definition["name"], &definition["revision"])).collect();
    assert_eq!(named, [(&json!("pre-smoke-tests"), &Value::Null), (&json!("post-smoke-tests"), &json!("v2"))]);
    // The same file of the same repository is named once, and not at all when the host runs it first.
    let named = &role(&["--role", "host"], &job)["guest_definitions"];
    assert_eq!(named.as_array().map(Vec::len), Some(1));
    let first = "    definitions:\n    - from: inline\n      name: ssh-inline";
    let smoke = "    - {from: git, repository: 'http://127.0.0.1:8000/git/functional-tests.git', name: first, \
                 path: lava-test-shell/smoke-tests-basic.yaml}\n";
    let job = job.replacen(first, &first.replace("    - from", &format!("{smoke}    - from")), 1);
    assert_eq!(role(&["--role", "host"], &job).get("guest_definitions"), None);
}

#[test]
fn a_text_that_lava_takes_for_two_roles_is_told() {
    let job = std::fs::read_to_string(data("jobs/oddities.yaml")).expect("the job").replace("idle", "serve");
    let told = split(&["--check"], &job).stderr;
    let expected = "LAVA takes this text for the role 'serve' too, whose name is part of it: write a list";
    assert!(told.contains(&format!("job-split: warning: stdin:28:16: {expected}\n")), "{told}");
    assert_eq!(told.matches(expected).count(), 1, "a list is no text");
}
