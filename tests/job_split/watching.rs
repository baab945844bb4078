//! Roles that record another's console.

use crate::splitting::{edited, split};
use serde_json::{Value, json};

const ROLES: &str = "    roles:\n";
const WATCHER: &str = "    roles:\n      watcher: {count: 2, connection: console, host_role: host}\n";

#[test]
fn a_member_that_records_is_not_counted_and_has_the_console_of_its_host() {
    let outcome = split(&["--role", "watcher"], &edited(ROLES, WATCHER));
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    let messages: Vec<Value> = outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let [first, second, _end] = messages.as_slice() else { panic!("two members: {}", outcome.stdout) };
    for (message, id) in [(first, "1"), (second, "2")] {
        let data = &message["data"];
        assert_eq!((&data["job_id"], &data["console"]), (&json!(id), &json!("share:host")));
        assert_eq!((&data["actions"], &data["device"], data.get("host")), (&json!([]), &Value::Null, None));
        let watcher = |id: &str| json!({"job_id": id, "role": "watcher", "counted": false});
        assert_eq!(data["group"]["members"][0], watcher("1"));
        assert_eq!(data["group"]["members"][1], watcher("2"));
        assert_eq!(data["group"]["members"][2].get("counted"), None);
    }
}

#[test]
fn lavas_split_is_without_it() {
    let (with, without) =
        (split(&["--format", "lava"], &edited(ROLES, WATCHER)), split(&["--format", "lava"], &edited(ROLES, ROLES)));
    let size = |text: &str| text.lines().filter(|line| line.contains("group_size: 3")).count();
    assert_eq!((size(&with.stdout), size(&without.stdout)), (3, 3));
    assert!(!with.stdout.contains("watcher"), "{}", with.stdout);
}

#[test]
fn what_cannot_be_recorded_is_told() {
    for (role, why) in [
        ("{count: 1, connection: console}", "missing key 'host_role'"),
        ("{count: 1, connection: console, host_role: hots}", "role 'hots' does not exist: did you mean 'host'?"),
        ("{count: 1, connection: console, host_role: guest}", "a host_role has one member: count is 2"),
        (
            "{count: 1, connection: console, host_role: watcher}",
            "the host_role of a console is a role that has one of its own",
        ),
    ] {
        let outcome = split(&[], &edited(ROLES, &format!("    roles:\n      watcher: {role}\n")));
        assert_eq!(outcome.status, 2, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(why), "{role}: {}", outcome.stderr);
    }
}

#[test]
fn it_has_nothing_to_do_besides() {
    let job = edited(ROLES, WATCHER).replacen("role: [host]", "role: [host, watcher]", 1);
    let outcome = split(&["--role", "watcher"], &job);
    let why = "a deploy of the recording role 'watcher' is not supported by this version";
    assert_eq!(outcome.status, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
    assert!(outcome.stdout.contains("\"unsupported\":["), "{}", outcome.stdout);
}
