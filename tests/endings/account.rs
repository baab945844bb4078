//! What is known of a run after its end.

use mn_msg::{Message, parse_moment};
use std::collections::BTreeMap;
use std::fs;
use std::io::Result;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A line `first cause:` or `then:`.
#[derive(Clone, Debug)]
pub struct Line {
    pub at: SystemTime,
    /// `member 4 (host): tftp-stage died`.
    pub text: String,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Account {
    /// Of mn-run; none when it had to be killed.
    pub status: Option<i32>,
    pub began: SystemTime,
    pub ended: SystemTime,
    /// When the strike came; none when the victim had ended before.
    pub struck: Option<SystemTime>,
    /// All that mn-run wrote on standard error.
    pub said: String,
    pub first: Option<Line>,
    pub then: Vec<Line>,
    /// The status of each member that was started.
    pub statuses: BTreeMap<String, Option<i32>>,
    /// `MEMBER SUITE CASE RESULT`, sorted.
    pub records: Vec<String>,
    /// Whether mn-run has heeded a signal.
    pub heeded: bool,
    /// Lines of the run directory that may hold a mark: the file, when, the line.
    events: Vec<(&'static str, SystemTime, String)>,
    /// What is there that should not be.
    pub left: Vec<String>,
    pub board_is: String,
}

impl Account {
    /// Reads what a run has left.
    ///
    /// # Errors
    /// When what it said cannot be read.
    pub fn read(
        run: &Path,
        said: &Path,
        (began, ended): (SystemTime, SystemTime),
        struck: Option<SystemTime>,
        status: Option<i32>,
    ) -> Result<Self> {
        let said = fs::read_to_string(said)?;
        let lines = |prefix: &str| said.lines().filter_map(|line| parse(line.strip_prefix(prefix)?)).collect();
        let (first, then): (Vec<Line>, Vec<Line>) = (lines("first cause: "), lines("then: "));
        let mut records: Vec<String> = messages(&run.join("results.jsonl")).iter().map(record).collect();
        records.sort();
        let members = fs::read_to_string(run.join("members")).unwrap_or_default();
        let members = members
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .filter(|id| run.join(id).join("log").exists());
        let statuses = members.map(|id| (id.to_owned(), status_of(&run.join(id)))).collect();
        let files = ["progress.jsonl", "results.jsonl", "4/console.jsonl"];
        let events = files.into_iter().flat_map(|name| events(run, name)).collect();
        Ok(Self {
            status,
            began,
            ended,
            struck,
            first: first.into_iter().next(),
            then,
            statuses,
            records,
            heeded: run.join("signal").exists(),
            events,
            said,
            left: Vec::new(),
            board_is: String::new(),
        })
    }

    /// How long the run took.
    pub fn took(&self) -> Duration {
        self.ended.duration_since(self.began).unwrap_or_default()
    }

    /// When a line with these words first came into the file.
    pub fn first_with(&self, file: &str, words: &str) -> Option<SystemTime> {
        self.events.iter().find(|(name, _, line)| *name == file && line.contains(words)).map(|(_, at, _)| *at)
    }
}

fn parse(line: &str) -> Option<Line> {
    let (at, text) = line.split_once(' ')?;
    Some(Line { at: parse_moment(at)?, text: text.to_owned() })
}

fn messages(path: &Path) -> Vec<Message> {
    let text = fs::read(path).unwrap_or_default();
    text.split(|byte| *byte == b'\n').filter_map(|line| Message::parse(line).ok()).collect()
}

fn record(message: &Message) -> String {
    ["job_id", "definition", "case", "result"].map(|key| message.text(key)).join(" ")
}

fn events(run: &Path, name: &'static str) -> Vec<(&'static str, SystemTime, String)> {
    let text = |message: &Message| message.to_line().map(|line| String::from_utf8_lossy(&line).into_owned());
    let messages = messages(&run.join(name)).into_iter();
    messages.filter_map(|message| Some((name, parse_moment(message.text("at"))?, text(&message).ok()?))).collect()
}

fn status_of(member: &Path) -> Option<i32> {
    fs::read_to_string(member.join("status")).ok()?.split_whitespace().next()?.parse().ok()
}
