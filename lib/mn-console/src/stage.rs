//! One test stage on a shell as a state machine: start the runner, take its signals, relay its requests, know its end.
//!
//! The caller types, keeps the records, makes the multinode calls, and calls [`Stage::tick`] at [`Stage::next_tick`].

use std::collections::BTreeMap;
use std::time::Duration;

use mn_msg::role::Run;

use crate::dialogue::whole_seconds;
use crate::life::Life;
use crate::lines::Lines;
use crate::marker::{self, Mark};
use crate::matcher::Patterns;
use crate::parse::Parser;
use crate::reply::{self, Answer};
use crate::results::{Asked, Record, Recorder, Turn};
use crate::script::{Fault, Secret, Typed};
use crate::signal::{Event, Request, Scanner};

/// Silence of the shell after which it is asked again whether it is there.
const ASK_AGAIN: Duration = Duration::from_secs(5);
/// How long the answers to the last requests, and the shell's own marker, are awaited when the runner has ended.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Requests of the board that may be open at a time; further ones are refused.
const OPEN_REQUESTS: usize = 64;

/// What is to be run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The member's id.
    pub job_id: String,
    /// The number of the test block, from 0.
    pub stage: u32,
    /// The action's number, for the records.
    pub level: String,
    /// The overlay's directory on the board.
    pub directory: String,
    /// The interpreter of the tests.
    pub shell: String,
    /// The definitions of this stage.
    pub runs: Vec<Run>,
    /// The time after each typed character.
    pub delay: Duration,
    /// The time in which the shell has to answer at all.
    pub patience: Duration,
    /// Where the console is a board's own: what its firmware says when it begins anew.
    pub board: Option<Patterns>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Type this.
    Type(Typed),
    /// Say what happens: a word, and a text for people.
    Step(&'static str, String),
    /// Keep this record.
    Record(Record),
    /// Warn of something odd.
    Warn(String),
    /// Make this multinode call, and call [`Stage::answered`] with the number.
    Ask(u64, Request),
    /// The stage is over.
    Done,
    /// The stage is over, and the role with it.
    Fail(Fault, String),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// The shell is asked whether it is there.
    Asking {
        again: Duration,
    },
    /// The runner runs.
    Running,
    /// The runner has ended; the last answers are awaited.
    Ending {
        until: Duration,
    },
    Over,
}

/// A test stage.
#[derive(Debug)]
pub struct Stage {
    plan: Plan,
    token: String,
    phase: Phase,
    began: Duration,
    ready_by: Duration,
    end: Duration,
    scanner: Scanner,
    lines: Lines,
    recorder: Recorder,
    parser: Option<Parser>,
    life: Option<Life>,
    open: BTreeMap<u64, (Request, Asked)>,
    next_ask: u64,
    /// Whether a definition has begun, or failed to be installed.
    ran: bool,
    /// The runner's exit status, as the shell gave it.
    status: Option<i32>,
}

impl Stage {
    /// Prepares a stage. `offset` is the number of bytes that the console has printed so far.
    pub fn new(plan: Plan, offset: u64) -> Stage {
        let token = format!("{}.{}", plan.job_id, plan.stage);
        let recorder = Recorder::new(plan.stage, &plan.level, plan.runs.clone());
        let life = plan.board.as_ref().map(Life::new);
        Stage {
            plan,
            token,
            phase: Phase::Over,
            began: Duration::ZERO,
            ready_by: Duration::ZERO,
            end: Duration::MAX,
            scanner: Scanner::new(offset),
            lines: Lines::new(8),
            recorder,
            parser: None,
            life,
            open: BTreeMap::new(),
            next_ask: 0,
            ran: false,
            status: None,
        }
    }

    /// Begins. All has to be done by `end`.
    pub fn start(&mut self, now: Duration, end: Duration) -> Vec<Act> {
        self.began = now;
        self.end = end;
        self.ready_by = now.saturating_add(self.plan.patience);
        self.phase = Phase::Asking { again: now + ASK_AGAIN };
        vec![self.probe()]
    }

    fn probe(&self) -> Act {
        self.typed(&marker::probe(&self.token))
    }

    fn typed(&self, line: &str) -> Act {
        Act::Type(Typed { text: format!("{line}\n").into_bytes(), delay: self.plan.delay, secret: Secret::No })
    }

    /// The command that runs the stage: the overlay's environment, then its runner.
    fn command(&self) -> String {
        let Plan { directory, shell, stage, .. } = &self.plan;
        let environment = format!("{directory}/environment");
        format!(
            "[ -r {environment} ] && . {environment} && export SHELL={shell} && {directory}/bin/lava-test-runner {directory}/{stage}"
        )
    }

    /// Takes what the console printed.
    pub fn push(&mut self, bytes: &[u8], now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        let mut rest = bytes;
        while self.phase != Phase::Over {
            let (used, event) = self.scanner.next(rest);
            self.pass(&rest[..used], &mut acts);
            let death = self.life.as_mut().and_then(|life| life.push(&rest[..used], now));
            if let Some(reason) = death {
                self.fail(Fault::Dead, reason, now, &mut acts);
                break;
            }
            rest = &rest[used..];
            match event {
                Some(event) => self.event(event, now, &mut acts),
                None => break,
            }
        }
        acts
    }

    fn pass(&mut self, bytes: &[u8], acts: &mut Vec<Act>) {
        self.lines.push(bytes);
        let found = self.parser.as_mut().map(|parser| parser.push(bytes)).unwrap_or_default();
        for case in found {
            let turn = self.recorder.parsed_case(&case.case, case.result, case.measurement, case.units.as_deref());
            keep(turn, acts);
        }
    }

    fn event(&mut self, event: Event, now: Duration, acts: &mut Vec<Act>) {
        match event {
            Event::Mark(mark) => self.mark(&mark, now, acts),
            // Nothing of this stage has been started: these are words of an earlier one.
            _ if matches!(self.phase, Phase::Asking { .. }) => {}
            Event::Signal { name, body, at } => {
                self.ran |= name == "STARTRUN";
                let turn = self.recorder.signal(&name, &body, at, now);
                self.follow_run(&name, acts);
                self.keep(turn, now, acts);
            }
            Event::InstallFail => {
                self.ran = true;
                acts.push(Act::Warn("the runner could not install a definition, which is left out".into()));
                let turn = self.recorder.install_failed(now);
                self.keep(turn, now, acts);
            }
            Event::RunnerExit => self.wind_up(now, acts),
            Event::Request(request) => self.request(request, now, acts),
            Event::BadRequest { word, reason } => {
                acts.push(Act::Warn(reason));
                // The helper waits for an answer all the same.
                acts.extend(reply::refusal(&word).map(|line| self.typed(&line)));
            }
            Event::Torn(start) => acts.push(Act::Warn(format!("a signal was cut off and is left out: '{start}…'"))),
            Event::TooLong(start) => acts.push(Act::Warn(format!("a signal is too long and left out: '{start}…'"))),
        }
    }

    fn mark(&mut self, mark: &Mark, now: Duration, acts: &mut Vec<Act>) {
        if mark.token != self.token {
            return;
        }
        match (mark.kind.as_str(), self.phase) {
            (marker::kind::READY, Phase::Asking { .. }) => {
                self.phase = Phase::Running;
                acts.push(Act::Step("test", format!("runs stage {}", self.plan.stage)));
                acts.push(self.typed(&marker::framed(&self.command(), &self.token)));
            }
            (marker::kind::END, Phase::Running | Phase::Ending { .. }) => {
                self.status = Some(mark.status);
                self.wind_up(now, acts);
            }
            _ => {}
        }
    }

    /// What a signal means beside its record: which run's pattern is looked for, and progress.
    fn follow_run(&mut self, name: &str, acts: &mut Vec<Act>) {
        if name == "ENDRUN" {
            self.parser = None;
        }
        let Some(running) = self.recorder.running().filter(|_| name == "STARTRUN") else { return };
        acts.push(Act::Step("run", running.to_owned()));
        let known = self.plan.runs.iter().find(|run| run.run == running);
        self.parser = known.and_then(|run| match Parser::new(run) {
            Ok(parser) => parser,
            Err(reason) => {
                acts.push(Act::Warn(reason));
                None
            }
        });
    }

    fn keep(&mut self, mut turn: Turn, now: Duration, acts: &mut Vec<Act>) {
        let broken = turn.broken.take();
        keep(turn, acts);
        if let Some(reason) = broken {
            self.fail(Fault::No, reason, now, acts);
        }
    }

    fn request(&mut self, request: Request, now: Duration, acts: &mut Vec<Act>) {
        let asked = self.recorder.asked(&request);
        self.next_ask += 1;
        let number = self.next_ask;
        let full = self.open.len() >= OPEN_REQUESTS;
        self.open.insert(number, (request.clone(), asked));
        if full {
            let reason = format!("more than {OPEN_REQUESTS} requests are open");
            acts.extend(self.answered(number, &Answer::Refused(reason), now));
        } else {
            acts.push(Act::Ask(number, request));
        }
    }

    /// Takes the answer to the call of [`Act::Ask`] with this number.
    pub fn answered(&mut self, number: u64, answer: &Answer, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        let Some((request, asked)) = self.open.remove(&number) else { return acts };
        let mut refused = match answer {
            Answer::Refused(reason) => Some(reason.clone()),
            Answer::Granted(_) => None,
        };
        let line = reply::line(&request, answer).or_else(|length| {
            refused = Some(format!("the answer has {length} bytes, more than a terminal's line takes"));
            reply::line(&request, &Answer::Refused(String::new()))
        });
        if let Some(reason) = &refused {
            acts.push(Act::Warn(format!("'{} {}' failed: {reason}", request.word().to_lowercase(), request.id())));
        }
        if let (Ok(Some(line)), Phase::Running) = (line, self.phase) {
            acts.push(Act::Type(Typed { text: line.into_bytes(), delay: self.plan.delay, secret: Secret::No }));
        }
        let result = if refused.is_some() { "fail" } else { "pass" };
        keep(self.recorder.answered(&asked, result), &mut acts);
        if matches!(self.phase, Phase::Ending { .. }) {
            self.wind_up(now, &mut acts);
        }
        acts
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        match self.phase {
            Phase::Over => {}
            _ if self.life.as_ref().is_some_and(|life| life.over_at().is_some_and(|at| now >= at)) => {
                let reason = self.life.take().map(Life::into_reason).unwrap_or_default();
                self.fail(Fault::Dead, reason, now, &mut acts);
            }
            Phase::Ending { until } if now >= until.min(self.end) => self.finish(now, &mut acts),
            Phase::Asking { .. } if now >= self.ready_by.min(self.end) => {
                let after = whole_seconds(now.saturating_sub(self.began));
                let text = format!("the shell did not answer within {after} s; {}", self.seen());
                self.fail(Fault::Timeout, text, now, &mut acts);
            }
            Phase::Asking { again } if now >= again => {
                self.phase = Phase::Asking { again: now + ASK_AGAIN };
                acts.push(self.probe());
            }
            Phase::Running if now >= self.end => {
                let after = whole_seconds(now.saturating_sub(self.began));
                let what = self.recorder.running().map(|run| format!("'{run}' was running, ")).unwrap_or_default();
                let text = format!("timed out after {after} s; {what}{}", self.seen());
                self.fail(Fault::Timeout, text, now, &mut acts);
            }
            _ => {}
        }
        acts
    }

    fn seen(&self) -> String {
        match self.lines.last() {
            Some(line) => format!("last seen: '{line}'"),
            None => "the console was silent".to_owned(),
        }
    }

    /// When [`Stage::tick`] is to be called at the latest.
    pub fn next_tick(&self) -> Option<Duration> {
        let next = match self.phase {
            Phase::Over => return None,
            Phase::Asking { again } => again.min(self.ready_by).min(self.end),
            Phase::Running => self.end,
            Phase::Ending { until } => until.min(self.end),
        };
        let over = self.life.as_ref().and_then(Life::over_at);
        Some(over.map_or(next, |over| over.min(next)))
    }

    /// The runner has ended, as it said itself or as the shell said: the stage is over when the other has been heard
    /// too and every send has been answered.
    fn wind_up(&mut self, now: Duration, acts: &mut Vec<Act>) {
        if !matches!(self.phase, Phase::Ending { .. }) {
            self.phase = Phase::Ending { until: now + LAST_WORDS };
        }
        let sending = self.open.values().any(|(request, _)| matches!(request, Request::Send { .. }));
        if self.status.is_some() && !sending {
            self.finish(now, acts);
        }
    }

    fn finish(&mut self, now: Duration, acts: &mut Vec<Act>) {
        if !self.ran && !self.plan.runs.is_empty() {
            let status = self.status.map_or_else(|| "unknown".to_owned(), |status| status.to_string());
            let text = format!("the test runner ran nothing, status {status}; {}", self.seen());
            return self.fail(Fault::Lab, text, now, acts);
        }
        self.close(now, acts);
        acts.push(Act::Done);
    }

    fn fail(&mut self, fault: Fault, text: String, now: Duration, acts: &mut Vec<Act>) {
        self.close(now, acts);
        acts.push(Act::Fail(fault, format!("test stage {}: {text}", self.plan.stage)));
    }

    /// Ends the records: what is still open has failed.
    fn close(&mut self, now: Duration, acts: &mut Vec<Act>) {
        self.phase = Phase::Over;
        for (_, (_, asked)) in std::mem::take(&mut self.open) {
            keep(self.recorder.answered(&asked, "fail"), acts);
        }
        keep(self.recorder.finish(now), acts);
    }

    /// Ends the stage from outside, because the console or the lab is gone: what is open has failed.
    pub fn abort(&mut self, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.phase != Phase::Over {
            self.close(now, &mut acts);
        }
        acts
    }

    /// The last line that was seen.
    pub fn last_seen(&self) -> Option<String> {
        self.lines.last()
    }
}

fn keep(turn: Turn, acts: &mut Vec<Act>) {
    acts.extend(turn.warnings.into_iter().map(Act::Warn));
    acts.extend(turn.event.map(|text| Act::Step("event", text)));
    acts.extend(turn.records.into_iter().map(Act::Record));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Sent;

    fn stage() -> Stage {
        let runs = serde_json::json!([{"run": "0_smoke", "uuid": "u", "stage": 0, "from": "git", "name": "smoke", "path": "s.yaml"}]);
        Stage::new(
            Plan {
                job_id: "7".into(),
                stage: 0,
                level: "3".into(),
                directory: "/lava-7".into(),
                shell: "/bin/sh".into(),
                runs: serde_json::from_value(runs).unwrap(),
                delay: Duration::ZERO,
                patience: Duration::from_secs(30),
                board: Some(Patterns::new(&["The default boot selection"]).unwrap()),
            },
            0,
        )
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_kernel_that_panics_and_is_silent_ends_the_stage() {
        let (mut stage, _) = started();
        assert_eq!(stage.push(b"\r\n[    9.1] Kernel panic - not syncing: sysrq\r\n", seconds(3)), []);
        let at = stage.next_tick().unwrap();
        assert!(at > seconds(3) && at <= seconds(13), "{at:?}");
        let text = "test stage 0: the kernel panicked: '[    9.1] Kernel panic - not syncing: sysrq'";
        assert_eq!(stage.tick(at).last(), Some(&Act::Fail(Fault::Dead, text.into())));
    }

    #[test]
    fn a_test_that_prints_an_old_panic_goes_on() {
        let (mut stage, _) = started();
        stage.push(b"[    9.1] Kernel panic - not syncing: old\r\nnext line\r\n", seconds(3));
        assert_eq!(stage.next_tick(), Some(seconds(300)));
    }

    #[test]
    fn a_board_that_begins_anew_ends_the_stage() {
        let (mut stage, _) = started();
        let acts = stage.push(b"The default boot selection will start in 5 s", seconds(3));
        assert!(matches!(acts.last(), Some(Act::Fail(Fault::Dead, text)) if text.contains("the board has restarted")));
    }

    fn started() -> (Stage, Vec<Act>) {
        let mut stage = stage();
        let mut acts = stage.start(seconds(0), seconds(300));
        acts.extend(stage.push(b"# printf '...'\r\n<mn-ready 7.0 0>\r\n# ", seconds(1)));
        (stage, acts)
    }

    fn typed(acts: &[Act]) -> String {
        let typed = acts.iter().filter_map(|act| match act {
            Act::Type(typed) => Some(String::from_utf8_lossy(&typed.text).into_owned()),
            _ => None,
        });
        typed.collect()
    }

    fn results(acts: &[Act]) -> Vec<String> {
        let results = acts.iter().filter_map(|act| match act {
            Act::Record(record) => Some(format!(
                "{}/{} {}",
                record["definition"].as_str()?,
                record["case"].as_str()?,
                record["result"].as_str()?
            )),
            _ => None,
        });
        results.collect()
    }

    const BEGIN: &str = "<LAVA_SIGNAL_STARTRUN 0_smoke u>\r\n";
    const REST: &str = "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\r\n<LAVA_SIGNAL_ENDRUN 0_smoke u>\r\n\
        <LAVA_TEST_RUNNER EXIT>\r\n";
    const END: &str = "<mn-end 7.0 0>\r\n";

    #[test]
    fn the_runner_is_typed_when_the_shell_has_answered() {
        let (_, acts) = started();
        let line = "printf '\\n<mn''-%s %s %s>\\n' ready 7.0 0\n\
            [ -r /lava-7/environment ] && . /lava-7/environment && export SHELL=/bin/sh && /lava-7/bin/lava-test-runner /lava-7/0; \
            printf '\\n<mn''-%s %s %s>\\n' end 7.0 $?\n";
        assert_eq!(typed(&acts), line);
    }

    #[test]
    fn a_stage_ends_with_the_runner_and_the_shells_word() {
        let (mut stage, _) = started();
        let acts = stage.push(format!("{BEGIN}{REST}{END}").as_bytes(), seconds(2));
        assert_eq!(results(&acts), ["0_smoke/a pass", "lava/0_smoke pass"]);
        assert_eq!(acts.last(), Some(&Act::Done));
        assert_eq!(stage.next_tick(), None);
    }

    #[test]
    fn a_shells_word_that_was_lost_only_costs_a_moment() {
        let (mut stage, _) = started();
        let acts = stage.push(format!("{BEGIN}{REST}<mn-e[ 9.1] usb").as_bytes(), seconds(2));
        assert_ne!(acts.last(), Some(&Act::Done));
        let at = stage.next_tick().unwrap();
        assert_eq!(stage.tick(at).last(), Some(&Act::Done));
    }

    #[test]
    fn a_runner_that_dies_fails_what_was_open() {
        let (mut stage, _) = started();
        let acts = stage.push(format!("{BEGIN}<mn-end 7.0 137>").as_bytes(), seconds(2));
        assert_eq!(results(&acts), ["lava/0_smoke fail"]);
        assert_eq!(acts.last(), Some(&Act::Done));
    }

    #[test]
    fn a_runner_that_is_not_there_is_the_labs_fault() {
        let (mut stage, _) = started();
        let acts = stage.push(b"sh: /lava-7/bin/lava-test-runner: not found\r\n<mn-end 7.0 127>\r\n", seconds(2));
        let Some(Act::Fail(Fault::Lab, text)) = acts.last() else { panic!("{acts:?}") };
        assert!(text.starts_with("test stage 0: the test runner ran nothing, status 127; last seen: "), "{text}");
    }

    #[test]
    fn a_shell_that_does_not_answer_is_asked_again_and_then_given_up() {
        let mut stage = stage();
        let mut acts = stage.start(seconds(0), seconds(300));
        while let Some(at) = stage.next_tick() {
            acts.extend(stage.tick(at));
        }
        assert_eq!(typed(&acts).lines().count(), 6);
        let text = "test stage 0: the shell did not answer within 30 s; the console was silent";
        assert_eq!(acts.last(), Some(&Act::Fail(Fault::Timeout, text.into())));
    }

    #[test]
    fn words_of_an_earlier_stage_do_not_count() {
        let mut stage = stage();
        stage.start(seconds(0), seconds(300));
        assert_eq!(stage.push(format!("{BEGIN}{REST}{END}").as_bytes(), seconds(1)), []);
        assert_eq!(stage.next_tick(), Some(seconds(5)));
    }

    #[test]
    fn a_request_is_relayed_answered_and_recorded() {
        let (mut stage, _) = started();
        let text = format!("{BEGIN}<LAVA_MULTI_NODE> <LAVA_WAIT ipv4>\r\n");
        let acts = stage.push(text.as_bytes(), seconds(2));
        assert_eq!(acts.last(), Some(&Act::Ask(1, Request::Wait { id: "ipv4".into() })));
        assert!(stage.push(b"still talking\r\n", seconds(3)).is_empty());
        let messages = vec![Sent { from: "8".into(), data: vec![("ipaddr".into(), "10.0.0.1".into())] }];
        let acts = stage.answered(1, &Answer::Granted(messages), seconds(4));
        assert_eq!(typed(&acts), "<LAVA_WAIT_COMPLETE 8:ipaddr=10.0.0.1>\n\n");
        assert_eq!(results(&acts), ["0_smoke/multinode-wait-ipv4 pass"]);
    }

    #[test]
    fn a_refused_request_fails_its_case_and_the_run_goes_on() {
        let (mut stage, _) = started();
        stage.push(format!("{BEGIN}<LAVA_MULTI_NODE> <LAVA_SYNC x>\r\n").as_bytes(), seconds(2));
        let mut acts = stage.answered(1, &Answer::Refused("74585 has left".into()), seconds(3));
        assert_eq!(typed(&acts), "<LAVA_SYNC_COMPLETE nack>\n\n");
        assert!(acts.contains(&Act::Warn("'sync x' failed: 74585 has left".into())));
        acts.extend(stage.push(format!("{REST}{END}").as_bytes(), seconds(4)));
        assert_eq!(results(&acts), ["0_smoke/multinode-sync-x fail", "0_smoke/a pass", "lava/0_smoke pass"]);
    }

    #[test]
    fn a_request_that_makes_no_sense_is_answered_so_that_the_helper_goes_on() {
        let (mut stage, _) = started();
        let acts = stage.push(b"<LAVA_MULTI_NODE> <LAVA_SYNC a b>", seconds(2));
        assert_eq!(typed(&acts), "<LAVA_SYNC_COMPLETE nack>\n");
        assert!(matches!(&acts[0], Act::Warn(text) if text == "'<LAVA_SYNC a b>' is no multinode request"));
    }

    #[test]
    fn a_send_that_is_on_its_way_is_waited_for_at_the_end() {
        let (mut stage, _) = started();
        let text = format!("{BEGIN}<LAVA_MULTI_NODE> <LAVA_SEND done>\r\n{REST}{END}");
        let acts = stage.push(text.as_bytes(), seconds(2));
        assert_ne!(acts.last(), Some(&Act::Done));
        let acts = stage.answered(1, &Answer::Granted(vec![]), seconds(3));
        assert_eq!(results(&acts), ["0_smoke/multinode-send-done pass"]);
        assert_eq!(acts.last(), Some(&Act::Done));
    }

    #[test]
    fn a_board_that_asks_without_end_is_refused() {
        let (mut stage, _) = started();
        let text = format!("{BEGIN}{}", "<LAVA_MULTI_NODE> <LAVA_WAIT never>\r\n".repeat(65));
        let acts = stage.push(text.as_bytes(), seconds(2));
        assert_eq!(acts.iter().filter(|act| matches!(act, Act::Ask(..))).count(), 64);
        assert_eq!(results(&acts), ["0_smoke/multinode-wait-never fail"]);
    }

    #[test]
    fn a_stage_that_takes_too_long_names_what_was_running() {
        let (mut stage, _) = started();
        stage.push(format!("{BEGIN}sleeping\r\n").as_bytes(), seconds(2));
        let acts = stage.tick(seconds(300));
        assert_eq!(results(&acts), ["lava/0_smoke fail"]);
        let text = "test stage 0: timed out after 300 s; '0_smoke' was running, last seen: 'sleeping'";
        assert_eq!(acts.last(), Some(&Act::Fail(Fault::Timeout, text.into())));
    }

    #[test]
    fn lava_test_raise_ends_the_role() {
        let (mut stage, _) = started();
        let acts = stage.push(format!("{BEGIN}<LAVA_SIGNAL_TESTRAISE no disk>\r\n").as_bytes(), seconds(2));
        assert_eq!(acts.last(), Some(&Act::Fail(Fault::No, "test stage 0: no disk".into())));
        assert_eq!(results(&acts), ["lava/0_smoke fail"]);
    }

    #[test]
    fn every_cut_of_the_console_into_reads_gives_the_same() {
        let text = format!("{BEGIN}[ 1.0] usb\r\n<LAVA_MULTI_NODE> <LAVA_SEND a k=v w>\r\n{REST}{END}");
        let play = |cut: usize| {
            let (mut stage, _) = started();
            let (one, two) = text.as_bytes().split_at(cut);
            let mut acts = stage.push(one, seconds(2));
            acts.extend(stage.push(two, seconds(2)));
            acts.extend(stage.answered(1, &Answer::Granted(vec![]), seconds(2)));
            acts
        };
        let whole = play(0);
        assert_eq!(whole.last(), Some(&Act::Done));
        for cut in 1..text.len() {
            assert_eq!(play(cut), whole, "cut at {cut}");
        }
    }
}
