//! What holds for every job: nothing panics, and the members are those that the counts ask for.

use crate::cli::{Format, Options, Warnings};
use crate::findings::{Findings, Level};
use crate::input::Input;
use crate::report::Form;
use crate::split::split;
use crate::{check, job, lava};
use proptest::prelude::*;
use serde_json::{Value, json};

fn options() -> Options {
    Options {
        job_id: 7,
        group: None,
        only: None,
        role: None,
        params: Vec::new(),
        collate: true,
        diagnostics: Form::Text,
        warnings: Warnings::Tell,
        devices: Vec::new(),
        devices_dir: None,
        rewrites: Vec::new(),
        cache: None,
        format: Format::Message,
        job: "-".into(),
        run_dir: None,
    }
}

/// All that is done with a job; its errors, and the members whose messages were made.
fn worked(text: &str) -> (Vec<String>, Vec<(String, String)>) {
    let mut findings = Findings::with_source("job", text.as_bytes());
    let document = findings.ok(mn_yaml::parse(text.as_bytes()));
    let job = document.and_then(|document| job::read(&document, &[], &mut findings));
    let mut input = Input { job, findings, group: "g".to_owned(), boards: Vec::new() };
    let mut made = Vec::new();
    let members = split(
        &mut input,
        &options(),
        |_| true,
        |facts| {
            made.push((facts.job_id.clone(), facts.role.clone()));
            mn_msg::Role::from_facts(facts).map(|_| ())
        },
    );
    check::check(&mut input, &options());
    check::flow(&input, check::flow::Drawing::Svg, &options());
    if let (Some(job), Ok(members)) = (&input.job, members) {
        lava::documents(job, &members, "g", |_| true);
    }
    let errors = input.findings.of(&[Level::Error]);
    crate::report::draw(&input.findings);
    (errors.into_iter().map(|error| error.text).collect(), made)
}

const JOBS: [&str; 3] = [
    include_str!("../../../tests/data/jobs/two-guests.yaml"),
    include_str!("../../../tests/data/jobs/oddities.yaml"),
    include_str!("../../../tests/data/jobs/mustang-ssh-guest.yaml"),
];

/// Any tree, of words that jobs are made of.
fn tree() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "actions",
        "deploy",
        "boot",
        "test",
        "role",
        "host",
        "guest",
        "to",
        "tftp",
        "ssh",
        "method",
        "timeout",
        "minutes",
        "protocols",
        "lava-multinode",
        "roles",
        "count",
        "connection",
        "definitions",
        "from",
        "inline",
        "repository",
        "run",
        "steps",
        "lava-sync a",
        "$(lava-wait b",
        "messageID",
        "message",
        "$x",
        "'",
        "\u{7}",
        "yes",
        "12:30",
        "",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        word.clone().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        let entry = (word.clone(), inner.clone()).prop_map(|(key, value)| (key.to_owned(), value));
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::from),
            prop::collection::vec(entry, 0..6).prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

/// Puts `new` in the place of the `nth` node below `value`.
fn replace(value: &mut Value, nth: &mut usize, new: &Value) {
    if *nth == 0 {
        *value = new.clone();
    }
    *nth = nth.wrapping_sub(1);
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, nth, new)),
        Value::Object(map) => map.values_mut().for_each(|item| replace(item, nth, new)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: if cfg!(debug_assertions) { 300 } else { 5_000 }, ..ProptestConfig::default() })]

    #[test]
    fn no_tree_makes_anything_panic(tree in tree()) {
        worked(&mn_yaml::document(&tree));
    }

    #[test]
    fn no_job_with_a_strange_part_makes_anything_panic(job in 0..JOBS.len(), nth in 0..160_usize, tree in tree()) {
        let mut value = mn_yaml::parse(JOBS[job].as_bytes()).unwrap().root.value();
        let mut nth = nth;
        replace(&mut value, &mut nth, &tree);
        worked(&mn_yaml::document(&value));
    }

    #[test]
    fn no_text_makes_anything_panic(text in any::<String>()) {
        worked(&text);
    }

    #[test]
    fn there_are_as_many_members_as_the_counts_say_with_ids_in_order(counts in prop::collection::vec(0..9_u32, 1..7)) {
        let roles: serde_json::Map<String, Value> = (counts.iter().enumerate())
            .map(|(nth, count)| (format!("r{nth}"), json!({"count": count, "device_type": "d"})))
            .collect();
        let names: Vec<&String> = roles.keys().collect();
        let block = |work: Value| {
            let mut block = work;
            block["role"] = json!(names);
            block
        };
        let job = json!({
            "job_name": "n", "visibility": "public", "timeouts": {"job": {"minutes": 5}},
            "protocols": {"lava-multinode": {"roles": roles}},
            "actions": [
                {"deploy": block(json!({"to": "tftp"}))},
                {"boot": block(json!({"method": "grub-efi", "commands": ["boot"], "prompts": ["#"]}))},
            ],
        });
        let (errors, made) = worked(&mn_yaml::document(&job));
        prop_assert_eq!(errors, Vec::<String>::new());
        let expected: Vec<(String, String)> = (counts.iter().enumerate())
            .flat_map(|(nth, count)| (0..*count).map(move |_| format!("r{nth}")))
            .zip(7..)
            .map(|(role, id): (String, u64)| (id.to_string(), role))
            .collect();
        prop_assert_eq!(made, expected);
    }
}
