//! The golden messages of mn-message(5) hold nothing that the types do not know, and the types leave nothing out.

use mn_msg::{Input, Kind, Reader, read_one_role};
use serde_json::Value;
use std::path::PathBuf;

fn golden(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/messages").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_golden_role_message_reads_back_whole() {
    for name in [
        "host-job-split.jsonl",
        "host-overlay-pack.jsonl",
        "host-tftp-stage.jsonl",
        "guest-job-split.jsonl",
        "guest-overlay-pack.jsonl",
        "guest-ssh-connect.jsonl",
    ] {
        let input = read_one_role(&mut Reader::new(golden(name).as_slice())).unwrap();
        let Input::Role(role, others) = input else { panic!("{name} holds no role") };
        let facts = serde_json::to_value(role.facts()).unwrap();
        assert_eq!(facts, Value::Object(role.message().data().clone()), "{name}");
        assert!(others.is_empty(), "{name}");
    }
}

#[test]
fn every_golden_stream_of_results_is_whole() {
    for name in ["host-serial-expect.jsonl", "guest-serial-expect.jsonl"] {
        let bytes = golden(name);
        let mut reader = Reader::new(bytes.as_slice());
        let mut results = 0;
        loop {
            let message = reader.next_message().unwrap();
            match message.kind() {
                Kind::End => break,
                Kind::Result => {
                    assert_eq!(message.data().get("seq"), Some(&Value::from(results)), "{name}");
                    results += 1;
                }
                kind => assert_eq!(kind, Kind::Step, "{name}"),
            }
        }
        assert!(results > 0, "{name}");
    }
}
