//! `interactive` of a test block: commands for a prompt that is no shell's, and what they are to answer.

use crate::findings::Findings;
use crate::read::{Keys, boolean, list_of_maps, patterns, place, require_text, text};
use crate::suggest::suggest;
use crate::tests::check_reserved;
use mn_console::signal::Request;
use mn_msg::{Object, role};
use mn_yaml::{Mapping, Position};

/// A script.
#[derive(Clone, Debug)]
pub struct Script {
    /// Where it stands.
    pub position: Position,
    /// Where its calls stand, in order.
    pub calls: Vec<Position>,
    /// As the message has it.
    pub message: role::Script,
}

/// LAVA's words for the calls, and those of the console.
const CALLS: [(&str, &str, &str); 4] = [
    ("lava-send", "SEND", "send"),
    ("lava-sync", "SYNC", "sync"),
    ("lava-wait", "WAIT", "wait"),
    ("lava-wait-all", "WAIT_ALL", "wait-all"),
];

/// LAVA's classes of errors that a failure can end the role with.
const EXCEPTIONS: [&str; 3] = ["InfrastructureError", "JobError", "TestError"];

/// The longest delay of a step, in seconds.
const LONGEST_DELAY: i64 = 1_000_000_000;

/// Reads the scripts.
pub fn read(body: &Mapping, findings: &mut Findings) -> Option<Vec<Script>> {
    let items = list_of_maps(body, "interactive", findings)?;
    Some(items.into_iter().filter_map(|map| script(map, findings)).collect())
}

fn script(map: &Mapping, findings: &mut Findings) -> Option<Script> {
    Keys { of: "an interactive test", known: &["echo", "name", "prompts", "script"], unsupported: &[] }
        .check(map, findings);
    let name = require_text(map, "name", findings);
    check_reserved(name.as_deref().unwrap_or_default(), place(map, "name"), findings);
    let prompts = findings.ok(map.require("prompts")).map(|node| patterns(node, findings));
    let echo = text(map, "echo", findings);
    if let Some(other) = echo.as_deref().filter(|word| *word != "discard") {
        findings.error(place(map, "echo"), format!("echo '{other}' is not 'discard'{}", suggest(other, ["discard"])));
    }
    let items = list_of_maps(map, "script", findings)?;
    let mut calls = Vec::new();
    let mut steps = Vec::new();
    for item in items {
        let Some((step, call)) = step(item, findings) else { continue };
        if waits_in_vain(&step, prompts.as_deref()) {
            let text = "there is no prompt to wait for: give 'prompts', or 'wait_for_prompt: false'";
            findings.error(item.position(), text);
        }
        calls.extend(call);
        steps.push(step);
    }
    let message = role::Script { name: name?, prompts: prompts?, echo, steps };
    Some(Script { position: map.position(), calls, message })
}

fn waits_in_vain(step: &role::ScriptStep, prompts: Option<&[String]>) -> bool {
    step.call.is_none() && step.wait_for_prompt != Some(false) && prompts.is_some_and(<[String]>::is_empty)
}

/// A step, and where its call stands, if it is one.
fn step(map: &Mapping, findings: &mut Findings) -> Option<(role::ScriptStep, Option<Position>)> {
    let words = CALLS.map(|(key, ..)| key);
    let known = ["command", "delay", "failures", "name", "successes", "wait_for_prompt"];
    Keys { of: "a step", known: &[known.as_slice(), &words].concat(), unsupported: &[] }.check(map, findings);
    let does: Vec<&str> = ["command"].into_iter().chain(words).filter(|key| map.get(key).is_some()).collect();
    if let [first, second, ..] = does.as_slice() {
        let at = map.entry(second).map_or(map.position(), |entry| entry.key_position);
        findings.error(at, format!("a step has '{first}' or '{second}', not both: make two of it"));
        return None;
    }
    let mut step = role::ScriptStep {
        name: text(map, "name", findings),
        delay: delay(map, findings),
        command: text(map, "command", findings),
        call: None,
        successes: successes(map, findings),
        failures: failures(map, findings),
        wait_for_prompt: boolean(map, "wait_for_prompt", findings).filter(|wait| !wait),
    };
    let call = CALLS.into_iter().find(|(key, ..)| does.first() == Some(key));
    let messages = ["failures", "successes", "wait_for_prompt"];
    if let (Some((key, ..)), Some(entry)) = (call, messages.iter().find_map(|key| map.entry(key))) {
        let text = format!("'{}' has no meaning in a step with '{key}'", entry.key);
        findings.warn(entry.key_position, text);
    }
    if let Some(call) = call {
        step.call = Some(multinode(map, call, findings)?);
        return Some((step, Some(place(map, call.0))));
    }
    if does.is_empty() && step.successes.is_empty() && step.failures.is_empty() {
        if step.delay.is_none() {
            findings.error(map.position(), "a step does nothing: give 'command', 'delay' or a call");
            return None;
        }
        step.wait_for_prompt = Some(false);
    }
    Some((step, None))
}

fn delay(map: &Mapping, findings: &mut Findings) -> Option<u64> {
    let node = map.get("delay")?;
    let seconds = findings.ok(node.as_int())?;
    if !(0..=LONGEST_DELAY).contains(&seconds) {
        findings.error(node.position(), format!("'delay' is {seconds}: it is 0 to {LONGEST_DELAY} seconds"));
    }
    u64::try_from(seconds).ok().filter(|seconds| *seconds > 0)
}

/// `ID KEY=VALUE...` of a send, `ID role=NAME` of a wait-all, else `ID`.
fn multinode(
    map: &Mapping,
    (key, word, request): (&str, &str, &str),
    findings: &mut Findings,
) -> Option<role::ScriptCall> {
    let body = require_text(map, key, findings)?;
    let at = place(map, key);
    let wrong = |findings: &mut Findings, form: &str| {
        findings.error(at, format!("'{body}' is not '{form}'"));
        None
    };
    let call =
        |id: String, role, data| Some(role::ScriptCall { request: request.to_owned(), message_id: id, role, data });
    match Request::parse(word, &body) {
        Ok(Request::Send { id, data }) => {
            let data: Object = data.into_iter().map(|(key, value)| (key, value.into())).collect();
            call(id, None, data)
        }
        Ok(Request::WaitAll { id, role: Some(role) }) => match role.strip_prefix("role=") {
            Some(role) if !role.is_empty() => call(id, Some(role.to_owned()), Object::new()),
            _ => wrong(findings, "ID role=NAME"),
        },
        Ok(Request::Wait { id } | Request::Sync { id } | Request::WaitAll { id, role: None }) => {
            call(id, None, Object::new())
        }
        Err(_) if request == "wait-all" => wrong(findings, "ID role=NAME"),
        Err(_) => wrong(findings, "ID"),
    }
}

fn successes(map: &Mapping, findings: &mut Findings) -> Vec<String> {
    let items = map.get("successes").and_then(|_| list_of_maps(map, "successes", findings)).unwrap_or_default();
    items.into_iter().filter_map(|item| message(item, &[], findings)).collect()
}

fn failures(map: &Mapping, findings: &mut Findings) -> Vec<role::Failure> {
    let items = map.get("failures").and_then(|_| list_of_maps(map, "failures", findings)).unwrap_or_default();
    let mut failures = Vec::new();
    for item in items {
        let Some(message) = message(item, &["error", "exception"], findings) else { continue };
        let exception = crate::deploy::one_of(item, "exception", &EXCEPTIONS, findings);
        if let (None, Some(entry)) = (&exception, item.entry("error")) {
            findings.warn(entry.key_position, "'error' has no meaning without 'exception'");
        }
        failures.push(role::Failure { message, exception, error: text(item, "error", findings) });
    }
    failures
}

fn message(map: &Mapping, more: &[&'static str], findings: &mut Findings) -> Option<String> {
    let known = [["message"].as_slice(), more].concat();
    Keys { of: "what a step waits for", known: &known, unsupported: &[] }.check(map, findings);
    require_text(map, "message", findings).and(crate::read::pattern(map, "message", findings))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(steps: &str) -> (Option<Script>, Vec<String>, Vec<String>) {
        let text = format!("{{interactive: [{{name: net, prompts: ['=>'], script: [{steps}]}}]}}");
        let document = mn_yaml::parse(text.as_bytes()).unwrap();
        let mut findings = Findings::new("job");
        let scripts = read(document.root.as_map().unwrap(), &mut findings);
        let script = scripts.and_then(|mut scripts| scripts.pop());
        (script, findings.error_lines(), findings.warning_lines())
    }

    #[test]
    fn a_call_has_an_id_and_what_belongs_to_it() {
        let (script, errors, warnings) =
            told("{lava-send: 'up ip={ip} name=a b'}, {lava-wait-all: 'up role=guest'}, {lava-sync: done}");
        assert_eq!((errors, warnings), (vec![], vec![]));
        let calls: Vec<_> = script.unwrap().message.steps.into_iter().filter_map(|step| step.call).collect();
        assert_eq!(serde_json::to_value(&calls[0].data).unwrap(), serde_json::json!({"ip": "{ip}", "name": "a b"}));
        assert_eq!((calls[1].message_id.as_str(), calls[1].role.as_deref()), ("up", Some("guest")));
        assert_eq!((calls[2].request.as_str(), calls[2].message_id.as_str()), ("sync", "done"));
        assert_eq!(told("{lava-wait-all: 'up guest'}").1, ["job:1:70: 'up guest' is not 'ID role=NAME'"]);
        assert_eq!(told("{lava-sync: 'a b'}").1, ["job:1:66: 'a b' is not 'ID'"]);
    }

    #[test]
    fn an_empty_command_is_none_and_an_empty_text_is_one() {
        let steps = told("{command: }, {command: ''}, {delay: 3}").0.unwrap().message.steps;
        assert_eq!(steps.iter().map(|step| step.command.as_deref()).collect::<Vec<_>>(), [None, Some(""), None]);
        let waits: Vec<_> = steps.iter().map(|step| step.wait_for_prompt).collect();
        assert_eq!(waits, [None, None, Some(false)], "a delay alone waits for nothing");
    }

    #[test]
    fn a_step_does_one_thing() {
        let nothing = "job:1:54: a step does nothing: give 'command', 'delay' or a call";
        assert_eq!(told("{name: x}").1, [nothing]);
        let both = "job:1:67: a step has 'command' or 'lava-sync', not both: make two of it";
        assert_eq!(told("{command: x, lava-sync: y}").1, [both]);
    }
}
