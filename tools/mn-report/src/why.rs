//! Why a run did not end well: the first cause, and what followed from it.

use crate::results;
use mn_cli::{Cannot, Result, escape};
use mn_msg::Message;
use nix::sys::signal::Signal;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// The stages of a role, which begin their diagnostics with their names.
const STAGES: [&str; 5] = ["job-split", "overlay-pack", "tftp-stage", "ssh-connect", "serial-expect"];

/// What a stage says that misses the end of its input.
const EARLY: &str = "input ended early";
/// What the last stage says when the one before it has ended without a word.
const LOST: &str = "the stage before has ended";

/// How something ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Ending {
    /// As mn-message(5) writes moments, which sort as text.
    at: String,
    who: String,
    text: String,
}

/// What a member says that ends because of another: it may say so before the other's own end is on record.
const CONSEQUENCES: [&str; 7] = [
    "lost the board: its member ",
    ", which left",
    ", which died",
    ", which is done",
    "every other member has",
    "lost the other console: ",
    ", which is essential, has failed",
];

impl Ending {
    fn is_consequence(&self) -> bool {
        CONSEQUENCES.iter().any(|words| self.text.contains(words))
    }
}

/// The lines for the run directory `run`, the first cause first; none when every member ended with 0.
///
/// # Errors
/// Status 3 when its list of members or its results cannot be read.
pub fn render(run: &Path) -> Result<String> {
    let members = run.join("members");
    let list = fs::read_to_string(&members).cannot(format_args!("read '{}'", members.display()))?;
    let messages = results::messages(&run.join("results.jsonl"))?;
    let (mut endings, mut failures, mut all_well) = (Vec::new(), Vec::new(), true);
    for line in list.lines() {
        let mut words = line.split_whitespace();
        let (Some(id), Some(role), Some(deploy)) = (words.next(), words.next(), words.next()) else { continue };
        let who = format!("member {id} ({role})");
        let member = Member { dir: &run.join(id), who, id, deploy, messages: &messages };
        let status = stamped(&member.dir.join("status"));
        all_well &= status.as_ref().is_some_and(|(status, _)| status == "0");
        let Some((status, at)) = status else { continue };
        match member.ending(&status, at) {
            Some(ending) => endings.push(ending),
            None if status != "0" => failures.extend(member.first_failure()),
            None => {}
        }
    }
    let told = stamped(&run.join("signal"));
    let told = told.map(|(text, at)| Ending { at, who: "mn-run".to_owned(), text: format!("told to end by {text}") });
    // What ended when nobody needed it any more is the cause of nothing.
    let lost = if all_well { None } else { mn_run(run, &endings).or_else(|| broker(run, &endings)) };
    // Of one moment with those who noticed, and before them.
    let endings: Vec<Ending> = told.into_iter().chain(lost).chain(endings).collect();
    // A test that fails ends nothing: it is the cause only where nothing else is.
    let mut all = if endings.is_empty() { failures } else { endings };
    all.sort_by(|a, b| (a.is_consequence(), &a.at).cmp(&(b.is_consequence(), &b.at)));
    let line = |(nth, ending): (usize, &Ending)| {
        let word = if nth == 0 { "first cause" } else { "then" };
        format!("{word}: {} {}: {}\n", ending.at, escape(&ending.who), escape(&ending.text))
    };
    Ok(all.iter().enumerate().map(line).collect())
}

/// What is known of a member.
struct Member<'a> {
    dir: &'a Path,
    who: String,
    id: &'a str,
    /// The method of its deployment, or `console`.
    deploy: &'a str,
    messages: &'a [Message],
}

impl Member<'_> {
    /// How it ended, if its role did not come to its end. `status` is the file's text, `ended` its moment.
    fn ending(&self, status: &str, ended: String) -> Option<Ending> {
        let (number, script) = status.split_once(' ').unwrap_or((status, ""));
        let number: i32 = number.parse().unwrap_or(3);
        let job = self.failed().find(|record| record.text("definition") == "lava" && record.text("case") == "job");
        let (at, text) = match job {
            // What its stages said after the end of their script is the consequence.
            _ if !script.is_empty() => (ended, format!("{script} {}", death(number))),
            // The last record comes after the teardown: the moment is that of the first that failed with it.
            Some(job) => {
                let first = self.failed().find(|record| record.text("definition") == "lava").unwrap_or(job);
                (first.text("at").to_owned(), job.text("error_msg").to_owned())
            }
            None => self.stage_that_failed(number, ended)?,
        };
        // A holder that releases what it holds says so before it closes the pipe.
        let text = if text.contains(LOST) { format!("{} died", self.holder()) } else { text };
        Some(Ending { at, who: self.who.clone(), text })
    }

    /// The stage that said why it ended, or the one that ended without a word: the stage after it misses its end.
    fn stage_that_failed(&self, number: i32, ended: String) -> Option<(String, String)> {
        let (log, written) = stamped(&self.dir.join("log")).unwrap_or_default();
        let of_stage =
            |line: &&str| STAGES.iter().any(|stage| line.starts_with(stage)) && !line.contains(": warning: ");
        let (early, said): (Vec<&str>, Vec<&str>) =
            log.lines().filter(of_stage).partition(|line| line.ends_with(EARLY));
        // Who was killed says nothing; what others say then is that they lost it.
        let killed = number > 128 && !said.iter().any(|line| line.starts_with("serial-expect"));
        match (said.first(), early.first()) {
            _ if number == 0 => None,
            _ if killed => Some((ended, format!("serial-expect {}", death(number)))),
            (Some(line), _) => Some((written.min(ended), (*line).to_owned())),
            (None, Some(line)) => Some((written.min(ended), format!("{} died", self.stage_before(line)))),
            (None, None) if number > 1 => Some((ended, format!("serial-expect {}", death(number)))),
            (None, None) => None,
        }
    }

    /// The stage before the one that wrote the line.
    fn stage_before(&self, line: &str) -> &'static str {
        match line.split(':').next() {
            Some("overlay-pack") => "job-split",
            Some("serial-expect") => self.holder(),
            _ => "overlay-pack",
        }
    }

    fn holder(&self) -> &'static str {
        match self.deploy {
            "ssh" => "ssh-connect",
            "console" => "job-split",
            _ => "tftp-stage",
        }
    }

    fn first_failure(&self) -> Option<Ending> {
        let record = self.failed().next()?;
        let text = format!("the test '{}/{}' failed", record.text("definition"), record.text("case"));
        Some(Ending { at: record.text("at").to_owned(), who: self.who.clone(), text })
    }

    fn failed(&self) -> impl Iterator<Item = &Message> {
        let of_this = |record: &&Message| record.text("job_id") == self.id && record.text("result") == "fail";
        self.messages.iter().filter(of_this)
    }
}

/// The broker's end, if it came before that of the run.
fn broker(run: &Path, endings: &[Ending]) -> Option<Ending> {
    let (status, at) = stamped(&run.join("broker.status"))?;
    Some(Ending { at: noticed(endings, at), who: "broker".to_owned(), text: death(status.parse().unwrap_or(3)) })
}

/// The end of mn-run without its cleaning up, which ends the broker.
fn mn_run(run: &Path, endings: &[Ending]) -> Option<Ending> {
    let (_, at) = stamped(&run.join("mn-run.died"))?;
    Some(Ending { at: noticed(endings, at), who: "mn-run".to_owned(), text: "died".to_owned() })
}

/// When the broker was missed: its members notice before anybody writes down that it has ended, at `written`.
fn noticed(endings: &[Ending], written: String) -> String {
    let members = endings.iter().filter(|ending| ending.text.contains("broker")).map(|ending| ending.at.clone());
    members.chain([written.clone()]).min().unwrap_or(written)
}

/// How a process ended, of which nothing but its status is known.
fn death(status: i32) -> String {
    match Signal::try_from(status - 128) {
        Ok(signal) => format!("was ended by {}", signal.as_str()),
        Err(_) => "died".to_owned(),
    }
}

/// A file's text without its last newline, and the moment of its last change.
fn stamped(path: &Path) -> Option<(String, String)> {
    let changed = fs::metadata(path).and_then(|data| data.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let text = fs::read_to_string(path).ok()?;
    Some((text.trim_end().to_owned(), humantime::format_rfc3339_micros(changed).to_string()))
}
