//! mn-broker as its users see it.

mod faults;
mod groups;
mod journal;
mod lava;
mod place;
mod verbs;
mod wire;

use pumice_tests::Outcome;
use pumice_tests::broker::{Broker, Wire};
use serde_json::{Value, json};
use std::process::{Child, Stdio};

fn outcome(status: i32, stdout: &str, stderr: &str) -> Outcome {
    Outcome { status, stdout: stdout.into(), stderr: stderr.into() }
}

fn done(stdout: &str) -> Outcome {
    outcome(0, stdout, "")
}

/// Starts a verb that waits; its end is for `finish`.
fn spawn(broker: &Broker, arguments: &[&str]) -> Child {
    let mut command = broker.verb(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the verb runs")
}

fn finish(child: Child) -> Outcome {
    child.wait_with_output().expect("the verb ends").into()
}

/// Watches until an event of this name comes, so that a test goes on when the broker has got so far.
fn await_event(watcher: &mut Wire, name: &str) -> Value {
    loop {
        let event = watcher.hear();
        if event["event"] == name {
            return event["data"].clone();
        }
    }
}

fn watcher(broker: &Broker) -> Wire {
    let mut wire = broker.connect();
    assert_eq!(wire.ask(json!({ "id": 1, "call": "watch" })), json!({ "id": 1, "return": {} }));
    wire
}

fn class(answer: &Value) -> &str {
    answer["error"]["class"].as_str().unwrap_or("no error")
}
