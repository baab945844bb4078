//! The boot dialogue as a state machine: what the console prints and the time that passes in, what is to be done out.
//!
//! The caller runs the power command, types, keeps the records, and calls [`Dialogue::tick`] at
//! [`Dialogue::next_tick`]. Times are durations since any one moment.

use std::time::Duration;

use mn_msg::Object;
use mn_msg::role::Boot;
use serde_json::{Value, json};

use crate::expect::{Expect, Hit};
use crate::kernel::{Report, Watch};
use crate::lines::{Lines, readable};
use crate::results::{Record, duration, lava};
use crate::script::{self, BadStep, Fault, Nudge, Op, Secret, Then, Typed, Wait, Watching};

/// Silence after which a pattern that asks for the end of the text may match.
const QUIET: Duration = Duration::from_millis(100);
/// Silence after which a bootloader has said its prompt for good.
const SETTLED: Duration = Duration::from_millis(250);
/// How long that silence is awaited at most.
const SETTLING: Duration = Duration::from_secs(3);
/// Silence after which a shell or a getty is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// How long the rest of a fatal report is awaited.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// How long the rest of a bootloader's error line is awaited.
const REST_OF_LINE: Duration = Duration::from_millis(300);

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Run the dictionary's command of this name, then call [`Dialogue::powered`].
    Power(String),
    /// Type this.
    Type(Typed),
    /// Say that a step has begun: its name, and what it does.
    Step(String, String),
    /// Keep this record.
    Record(Record),
    /// The shell is there; the dialogue is over.
    Ready,
    /// The dialogue is over.
    Fail(Fault, String),
}

/// A boot.
#[derive(Debug)]
pub struct Dialogue {
    ops: Vec<Op>,
    at: usize,
    level: String,
    expect: Expect,
    lines: Lines,
    step: Step,
    end: Duration,
    /// What is being waited for.
    wait: Option<Box<Wait>>,
    /// The text up to the last match.
    text: Vec<u8>,
    last_byte: Duration,
    quiet_asked: bool,
    asked: Duration,
    /// When the board has to be silent at the latest, while that is waited for.
    settle: Option<Duration>,
    dying: Option<Dying>,
    over: bool,
}

/// The step that runs.
#[derive(Debug, Default)]
struct Step {
    name: String,
    /// When the first of the steps of this name began.
    began: Duration,
    end: Duration,
    watch: Option<Watch>,
    /// Whether the record lists what was reported.
    listed: bool,
}

/// Something fatal was seen; its last words are awaited.
#[derive(Debug)]
enum Dying {
    Kernel { until: Duration },
    Bootloader { text: &'static str, fault: Fault, until: Duration },
}

impl Dialogue {
    /// Takes the steps of `boot` apart. `staged` holds the placeholders of mn-message(5), `delay` is the time after each
    /// typed character where a step has none of its own.
    ///
    /// # Errors
    /// The first step with a pattern that cannot be used.
    pub fn new(boot: &Boot, staged: &Object, delay: Duration) -> Result<Dialogue, BadStep> {
        Ok(Dialogue {
            ops: script::compile(boot, staged, delay)?,
            at: 0,
            level: boot.level.clone(),
            expect: Expect::default(),
            lines: Lines::new(8),
            step: Step::default(),
            end: Duration::MAX,
            wait: None,
            text: Vec::new(),
            last_byte: Duration::ZERO,
            quiet_asked: true,
            asked: Duration::ZERO,
            settle: None,
            dying: None,
            over: false,
        })
    }

    /// Begins. All has to be done by `end`.
    pub fn start(&mut self, now: Duration, end: Duration) -> Vec<Act> {
        self.end = end;
        let mut acts = Vec::new();
        self.run(now, &mut acts);
        acts
    }

    /// The command of [`Act::Power`] has been run.
    pub fn powered(&mut self, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        self.at += 1;
        self.run(now, &mut acts);
        acts
    }

    /// Takes what the console printed.
    pub fn push(&mut self, bytes: &[u8], now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        self.last_byte = now;
        self.quiet_asked = false;
        self.expect.push(bytes);
        self.look(now, &mut acts);
        acts
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Duration) -> Vec<Act> {
        let mut acts = Vec::new();
        if self.over {
            return acts;
        }
        match &self.dying {
            Some(Dying::Kernel { until } | Dying::Bootloader { until, .. }) if now >= *until => {
                self.die(now, &mut acts)
            }
            Some(_) => {}
            None if now >= self.step.end.min(self.end) && !self.step.name.is_empty() => self.expire(now, &mut acts),
            None => self.tick_wait(now, &mut acts),
        }
        acts
    }

    fn tick_wait(&mut self, now: Duration, acts: &mut Vec<Act>) {
        if let Some(latest) = self.settle {
            if now >= latest.min(self.last_byte + SETTLED) {
                self.settle = None;
                self.wait = None;
                self.at += 1;
                self.run(now, acts);
            }
            return;
        }
        if !self.quiet_asked && now >= self.last_byte + QUIET {
            self.quiet_asked = true;
            if let Some(hit) = self.expect.quiet() {
                self.follow(hit, now, acts);
                return;
            }
        }
        if self.asks_again() && now >= self.last_byte.max(self.asked) + ASK_AGAIN {
            self.asked = now;
            acts.push(Act::Type(Typed { text: b"\n".to_vec(), delay: Duration::ZERO, secret: Secret::No }));
        }
    }

    fn asks_again(&self) -> bool {
        self.wait.as_ref().is_some_and(|wait| wait.nudge == Nudge::EmptyLine)
    }

    /// When [`Dialogue::tick`] is to be called at the latest.
    pub fn next_tick(&self) -> Option<Duration> {
        if self.over {
            return None;
        }
        if let Some(Dying::Kernel { until } | Dying::Bootloader { until, .. }) = self.dying {
            return Some(until);
        }
        if let Some(latest) = self.settle {
            return Some(latest.min(self.last_byte + SETTLED).min(self.step.end).min(self.end));
        }
        let quiet = (!self.quiet_asked).then(|| self.last_byte + QUIET);
        let again = self.asks_again().then(|| self.last_byte.max(self.asked) + ASK_AGAIN);
        [Some(self.step.end.min(self.end)), quiet, again].into_iter().flatten().min()
    }

    /// The last line that was seen.
    pub fn last_seen(&self) -> Option<String> {
        self.lines.last()
    }

    /// Ends the dialogue; gives what came after the last match.
    pub fn into_unread(mut self) -> Vec<u8> {
        self.expect.take_unread()
    }

    /// Goes on until something has to be waited for.
    fn run(&mut self, now: Duration, acts: &mut Vec<Act>) {
        while let Some(op) = self.ops.get(self.at).cloned() {
            match op {
                Op::Begin { name, timeout, watch } => {
                    self.begin(&name, timeout, now, acts);
                    self.step.watch = (watch != Watching::No).then(Watch::default);
                    self.step.listed = watch == Watching::All;
                }
                Op::Power(command) => {
                    acts.push(Act::Step(self.step.name.clone(), format!("running '{command}'")));
                    acts.push(Act::Power(command));
                    // What the board printed before its reset is no answer to what comes.
                    self.expect.take_unread();
                    return;
                }
                Op::Settle(wait) => {
                    self.settle = Some(now + SETTLING);
                    return self.enter(wait, now, acts);
                }
                Op::Type(typed) => {
                    self.asked = now;
                    acts.push(Act::Type(typed));
                }
                Op::Choose(menu) => match menu.number_in(&self.text) {
                    Some(number) => acts.push(typed_line(&number)),
                    None => {
                        return self.fail(Fault::Wrong, format!("there is no menu entry '{}'", menu.item), now, acts);
                    }
                },
                Op::Wait(wait) => {
                    acts.push(Act::Step(self.step.name.clone(), format!("waiting for {}", wait.what)));
                    return self.enter(wait, now, acts);
                }
            }
            self.at += 1;
        }
        self.end_step(now, "pass", acts);
        self.over = true;
        acts.push(Act::Ready);
    }

    fn enter(&mut self, wait: Box<Wait>, now: Duration, acts: &mut Vec<Act>) {
        self.expect.wait(&wait.patterns);
        self.wait = Some(wait);
        self.asked = now;
        self.look(now, acts);
    }

    /// Looks at what has come, for the pattern and for the kernel's trouble.
    fn look(&mut self, now: Duration, acts: &mut Vec<Act>) {
        if self.over {
            return;
        }
        if self.dying.is_some() {
            return self.hear_out(now, acts);
        }
        while let Some(hit) = self.find(now, acts) {
            match &self.wait {
                Some(wait) if self.settle.is_some() && wait.then[hit.pattern] == Then::Next => {
                    self.expect.wait(&wait.patterns);
                }
                _ => return self.follow(hit, now, acts),
            }
        }
    }

    /// The next match, unless the kernel has died before it.
    fn find(&mut self, now: Duration, acts: &mut Vec<Act>) -> Option<Hit> {
        let (lines, watch) = (&mut self.lines, &mut self.step.watch);
        let mut fatal = None;
        let hit = self.expect.find(|bytes| {
            lines.push(bytes);
            fatal = watch.as_mut().and_then(|watch| watch.push(bytes));
        });
        if let Some(report) = fatal {
            self.killed(&report, now, acts);
            return None;
        }
        if self.step.watch.as_ref().is_some_and(Watch::is_dying) {
            // A prompt after a panic does not come from a board that lives.
            self.dying = Some(Dying::Kernel { until: now + LAST_WORDS });
            self.hear_out(now, acts);
            return None;
        }
        hit
    }

    fn follow(&mut self, hit: Hit, now: Duration, acts: &mut Vec<Act>) {
        let Some(wait) = self.wait.take() else { return };
        self.text = hit.text;
        match wait.then[hit.pattern] {
            Then::Next => self.at += 1,
            Then::Skip(more) => self.at += 1 + more,
            Then::Fail(fault, text) => {
                self.dying = Some(Dying::Bootloader { text, fault, until: now + REST_OF_LINE });
                return self.hear_out(now, acts);
            }
        }
        self.run(now, acts);
    }

    /// Takes the rest of the line in which an error was found, or of the kernel's report.
    fn hear_out(&mut self, now: Duration, acts: &mut Vec<Act>) {
        let rest = self.expect.take_unread();
        self.lines.push(&rest);
        match self.dying {
            Some(Dying::Kernel { .. }) => {
                if let Some(report) = self.step.watch.as_mut().and_then(|watch| watch.push(&rest)) {
                    self.killed(&report, now, acts);
                }
            }
            Some(Dying::Bootloader { .. }) => {
                let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                self.text.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
                if end.is_some() {
                    self.die(now, acts);
                }
            }
            None => {}
        }
    }

    fn die(&mut self, now: Duration, acts: &mut Vec<Act>) {
        match self.dying.take() {
            Some(Dying::Kernel { .. }) => {
                if let Some(report) = self.step.watch.as_mut().and_then(Watch::flush) {
                    self.killed(&report, now, acts);
                }
            }
            Some(Dying::Bootloader { text, fault, .. }) => {
                let line = self
                    .text
                    .rsplit(|byte| matches!(byte, b'\r' | b'\n'))
                    .map(readable)
                    .find(|line| !line.trim().is_empty());
                let line = line.unwrap_or_default();
                self.fail(fault, format!("{text}: '{}'", line.trim()), now, acts);
            }
            None => {}
        }
    }

    fn killed(&mut self, report: &Report, now: Duration, acts: &mut Vec<Act>) {
        let what = if report.kind == "panic" { "the kernel panicked" } else { "the board has reset itself" };
        let first = report.message.lines().next().unwrap_or_default();
        let text = format!("{what}: '{}'", first.trim());
        let fatal = json!({"kind": report.kind, "message": report.message});
        self.kernel_record("fail", Some(fatal), now, acts);
        self.fail(Fault::Dead, text, now, acts);
    }

    fn expire(&mut self, now: Duration, acts: &mut Vec<Act>) {
        let after = whole_seconds(now.saturating_sub(self.step.began));
        let whole = if self.end < self.step.end { ", and the boot's time is up" } else { "" };
        let seen = match self.lines.last() {
            Some(line) => format!("last seen: '{line}'"),
            None => "the console was silent".to_owned(),
        };
        let text = match &self.wait {
            Some(wait) => format!("waited for {} in vain, {after} s{whole}; {seen}", wait.what),
            None => format!("timed out after {after} s{whole}; {seen}"),
        };
        self.fail(Fault::Timeout, text, now, acts);
    }

    fn fail(&mut self, fault: Fault, text: String, now: Duration, acts: &mut Vec<Act>) {
        self.over = true;
        let name = self.step.name.clone();
        self.end_step(now, "fail", acts);
        acts.push(Act::Fail(fault, format!("{name}: {text}")));
    }

    /// Begins a step; steps of one name that follow each other are one in the records.
    fn begin(&mut self, name: &str, timeout: Duration, now: Duration, acts: &mut Vec<Act>) {
        if self.step.name != name {
            self.end_step(now, "pass", acts);
            self.step = Step { name: name.to_owned(), began: now, ..Step::default() };
        }
        self.step.end = now.saturating_add(timeout);
    }

    fn end_step(&mut self, now: Duration, result: &str, acts: &mut Vec<Act>) {
        self.kernel_record("pass", None, now, acts);
        if !self.step.name.is_empty() {
            let name = self.step.name.clone();
            let record = self.record(&name, result, now);
            acts.push(Act::Record(record));
        }
    }

    /// The record of what the kernel reported, once, at the end of the step that looked for all of it, or when it died.
    fn kernel_record(&mut self, result: &str, fatal: Option<Value>, now: Duration, acts: &mut Vec<Act>) {
        let Some(mut watch) = self.step.watch.take() else { return };
        if fatal.is_none() && !self.step.listed {
            return;
        }
        watch.flush();
        let noted = watch.reports().iter().map(|report| json!({"kind": report.kind, "message": report.message}));
        let all: Vec<Value> = noted.chain(fatal).collect();
        let mut record = self.record("kernel-messages", result, now);
        record.insert("extra".into(), json!({ "extra": all }));
        acts.push(Act::Record(record));
    }

    fn record(&self, case: &str, result: &str, now: Duration) -> Record {
        let mut record = lava(case, result);
        record.insert("level".into(), self.level.as_str().into());
        record.insert("duration".into(), duration(now.saturating_sub(self.step.began)));
        record
    }
}

/// A time for people.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    (time + Duration::from_millis(500)).as_secs()
}

fn typed_line(text: &str) -> Act {
    Act::Type(Typed { text: format!("{text}\n").into_bytes(), delay: Duration::ZERO, secret: Secret::No })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ERRORS: [&str; 2] = ["error: file '(.*)' not found", "error: no such device"];

    fn boot() -> Boot {
        let login = json!({"step": "login", "login_prompt": "login:", "username": "root", "prompts": ["root@board:"], "kernel_messages": true, "name": "login-action", "timeout": 60});
        let steps = json!([
            {"step": "power", "command": "hard_reset", "name": "reset-device", "timeout": 60},
            {"step": "expect", "patterns": ["for a command-line"], "name": "bootloader-interrupt", "timeout": 60},
            {"step": "send", "text": "c", "newline": true, "name": "bootloader-interrupt", "timeout": 60},
            {"step": "commands", "prompt": "grub>", "lines": ["linux {KERNEL}", "devicetree {DTB}", "boot"], "errors": ERRORS, "name": "bootloader-commands", "timeout": 60},
            {"step": "kernel", "pattern": "Linux version [0-9]", "errors": ERRORS, "name": "auto-login-action", "timeout": 60},
            login,
            {"step": "shell", "prompts": ["root@board:"], "name": "expect-shell-connection", "timeout": 60},
        ]);
        boot_of(steps)
    }

    fn boot_of(steps: Value) -> Boot {
        serde_json::from_value(json!({"level": "2", "timeout": 300, "method": "grub-efi", "dialogue": steps})).unwrap()
    }

    fn staged() -> Object {
        json!({"KERNEL": "7/vmlinuz", "DTB": null}).as_object().unwrap().clone()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A dialogue with a board that answers from a script; keeps what was done.
    struct Bench {
        dialogue: Dialogue,
        acts: Vec<Act>,
        now: Duration,
    }

    impl Bench {
        fn new(boot: &Boot) -> Bench {
            let dialogue = Dialogue::new(boot, &staged(), Duration::ZERO).unwrap();
            let mut bench = Bench { dialogue, acts: Vec::new(), now: seconds(1) };
            bench.acts = bench.dialogue.start(bench.now, seconds(1000));
            bench
        }

        fn powered(mut self) -> Bench {
            self.acts.extend(self.dialogue.powered(self.now));
            self
        }

        fn push(mut self, text: &str) -> Bench {
            for byte in text.as_bytes() {
                self.acts.extend(self.dialogue.push(&[*byte], self.now));
            }
            self.now += seconds(1);
            self
        }

        /// Plays the time up to `now` as an event loop would.
        fn until(mut self, now: Duration) -> Bench {
            while let Some(at) = self.dialogue.next_tick().filter(|at| *at <= now) {
                self.now = at;
                self.acts.extend(self.dialogue.tick(at));
            }
            self.now = now;
            self
        }

        fn settled(self) -> Bench {
            self.after(3)
        }

        fn after(self, time: u64) -> Bench {
            let now = self.now + seconds(time);
            self.until(now)
        }

        fn typed(&self) -> String {
            let typed = self.acts.iter().filter_map(|act| match act {
                Act::Type(typed) => Some(String::from_utf8_lossy(&typed.text).into_owned()),
                _ => None,
            });
            typed.collect()
        }

        fn failure(&self) -> (Fault, &str) {
            match self.acts.last() {
                Some(Act::Fail(fault, text)) => (*fault, text),
                other => panic!("no failure: {other:?}"),
            }
        }

        fn records(&self) -> Vec<(&str, &str)> {
            let records = self.acts.iter().filter_map(|act| match act {
                Act::Record(record) => Some((record["case"].as_str()?, record["result"].as_str()?)),
                _ => None,
            });
            records.collect()
        }
    }

    /// A board that has come to its kernel; GRUB takes the newline after the key for an empty command.
    fn to_kernel() -> Bench {
        let bench =
            Bench::new(&boot()).powered().push("UEFI\r\nPress enter, or 'c' for a command-line\r\n\ngrub> \ngrub> ");
        bench.settled().push("linux\r\ngrub> ").push("boot\r\n[ 0.0] Linux version 6.1\r\n")
    }

    #[test]
    fn a_board_that_boots_is_led_to_its_shell() {
        let bench = to_kernel();
        let bench = bench.push("[ 1.0] BUG: x\r\nboard login: ").push("root@board:~# ").push("\r\nroot@board:~# ");
        assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\nboot\nroot\n\n");
        assert_eq!(bench.acts.last(), Some(&Act::Ready));
        assert!(bench.acts.contains(&Act::Power("hard_reset".into())));
        let cases = [
            "reset-device",
            "bootloader-interrupt",
            "bootloader-commands",
            "auto-login-action",
            "kernel-messages",
            "login-action",
            "expect-shell-connection",
        ];
        assert_eq!(bench.records(), cases.map(|case| (case, "pass")));
    }

    #[test]
    fn a_prompt_that_comes_twice_does_not_put_the_commands_ahead_of_the_board() {
        let bench = Bench::new(&boot()).powered().push("for a command-line\n\ngrub> \ngrub> ");
        assert_eq!(bench.typed(), "c\n");
        let bench = bench.settled();
        assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\n");
        let bench = bench.push("linux 7/vmlinuz\r\n").after(5);
        assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\n");
        assert_eq!(bench.push("grub> ").typed(), "c\nlinux 7/vmlinuz\nboot\n");
    }

    #[test]
    fn a_bootloader_that_never_falls_silent_is_typed_to_all_the_same() {
        let mut bench = Bench::new(&boot()).powered().push("for a command-line\ngrub> ");
        for _ in 0..40 {
            bench.now += Duration::from_millis(100);
            let now = bench.now;
            bench.acts.extend(bench.dialogue.push(b".", now));
            bench.acts.extend(bench.dialogue.tick(now));
        }
        assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\n");
    }

    #[test]
    fn a_shell_that_is_there_already_is_not_logged_in_to() {
        let bench = to_kernel().push("root@board:~# ").push("\r\nroot@board:~# ");
        assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\nboot\n\n");
        assert_eq!(bench.acts.last(), Some(&Act::Ready));
    }

    #[test]
    fn an_error_of_the_bootloader_is_told_with_its_whole_line() {
        let bench = Bench::new(&boot())
            .powered()
            .push("for a command-line\r\ngrub> ")
            .settled()
            .push("linux\r\nerror: no such device: root.\r\ngrub>");
        assert_eq!(
            bench.failure(),
            (Fault::Lab, "bootloader-commands: the bootloader failed: 'error: no such device: root.'")
        );
        assert_eq!(bench.records().last(), Some(&("bootloader-commands", "fail")));
    }

    #[test]
    fn an_error_without_end_of_line_is_told_after_a_moment() {
        let bench = Bench::new(&boot()).powered().push("for a command-line grub> error: no such device: a");
        let bench = bench.until(seconds(9));
        let text = "bootloader-commands: the bootloader failed: 'error: no such device: a'";
        assert_eq!(bench.failure().1, text);
    }

    #[test]
    fn a_silent_board_is_told_from_one_that_hangs() {
        let bench = Bench::new(&boot()).powered().until(seconds(100));
        assert_eq!(
            bench.failure(),
            (
                Fault::Timeout,
                "bootloader-interrupt: waited for 'for a command-line' in vain, 60 s; the console was silent"
            )
        );
        let bench = Bench::new(&boot()).powered().push("UEFI firmware\r\n").until(seconds(100));
        assert_eq!(
            bench.failure().1,
            "bootloader-interrupt: waited for 'for a command-line' in vain, 60 s; last seen: 'UEFI firmware'"
        );
    }

    #[test]
    fn what_was_printed_before_the_reset_is_no_answer() {
        let mut dialogue = Dialogue::new(&boot(), &staged(), Duration::ZERO).unwrap();
        dialogue.push(b"for a command-line", seconds(0));
        dialogue.start(seconds(1), seconds(100));
        let acts = dialogue.powered(seconds(2));
        assert!(!acts.iter().any(|act| matches!(act, Act::Type(_))), "{acts:?}");
    }

    #[test]
    fn the_whole_boot_has_a_limit_too() {
        let mut dialogue = Dialogue::new(&boot(), &staged(), Duration::ZERO).unwrap();
        dialogue.start(seconds(1), seconds(5));
        dialogue.powered(seconds(2));
        assert_eq!(dialogue.next_tick(), Some(seconds(5)));
        assert!(matches!(dialogue.tick(seconds(5)).last(), Some(Act::Fail(Fault::Timeout, _))));
        assert_eq!(dialogue.next_tick(), None);
    }

    #[test]
    fn a_panic_is_named_with_its_first_line() {
        let panic = "[ 2.0] Kernel panic - not syncing: VFS: Unable to mount root fs\r\n[ 2.0] CPU: 0\r\n";
        let bench = to_kernel().push(panic).after(12);
        let text =
            "login-action: the kernel panicked: '[ 2.0] Kernel panic - not syncing: VFS: Unable to mount root fs'";
        assert_eq!(bench.failure(), (Fault::Dead, text));
        assert_eq!(bench.records()[4..], [("kernel-messages", "fail"), ("login-action", "fail")]);
    }

    #[test]
    fn a_prompt_after_a_panic_is_no_login() {
        let panic =
            "Kernel panic - not syncing: x\r\nlogin: root@board:\r\n---[ end Kernel panic - not syncing: x ]---\r\n";
        let bench = to_kernel().push(panic);
        assert_eq!(bench.failure().0, Fault::Dead);
    }

    #[test]
    fn a_refused_login_is_the_jobs_fault() {
        let bench = to_kernel().push("login: ").push("\r\nLogin incorrect\r\n");
        assert_eq!(bench.failure(), (Fault::Wrong, "login-action: the login was refused: 'Login incorrect'"));
    }

    #[test]
    fn a_login_prompt_that_was_lost_is_asked_for_again() {
        let bench = to_kernel().push("boa[ 9.0] usb 1-1\r\nrd log").after(12);
        assert_eq!(bench.typed(), "c\nlinux 7/vmlinuz\nboot\n\n");
        let bench = bench.push("\r\nboard login: ");
        assert!(bench.typed().ends_with("\n\nroot\n"));
    }

    #[test]
    fn a_password_is_typed_and_marked_as_secret() {
        let boot = boot_of(
            json!([{"step": "login", "login_prompt": "login:", "username": "u", "password_prompt": "Password:", "password": "geheim", "login_commands": ["su"], "prompts": ["[#$] $"], "kernel_messages": false, "name": "login-action", "timeout": 60}]),
        );
        let bench = Bench::new(&boot).push("login: ").push("Password: ").push("\r\n$ ").until(seconds(5));
        assert_eq!(bench.typed(), "u\ngeheim\nsu\n");
        let secret =
            bench.acts.iter().filter(|act| matches!(act, Act::Type(typed) if typed.secret == Secret::Yes)).count();
        assert_eq!(secret, 1);
        assert_eq!(bench.push("# ").until(seconds(9)).acts.last(), Some(&Act::Ready));
    }

    #[test]
    fn a_menu_entry_is_chosen_by_its_label() {
        let choose = |item| {
            boot_of(
                json!([{"step": "choose", "prompt": "Start:", "item": item, "item_markup": ["[", "]"], "item_class": "0-9", "separator": " ", "name": "grub-efi-menu-selector", "timeout": 60}]),
            )
        };
        let menu = "[1] Linaro Grub\r\n[2] LAVA PXE Grub\r\nStart:";
        assert_eq!(Bench::new(&choose("LAVA PXE Grub")).push(menu).typed(), "2\n");
        let bench = Bench::new(&choose("Shell")).push(menu);
        assert_eq!(bench.failure(), (Fault::Wrong, "grub-efi-menu-selector: there is no menu entry 'Shell'"));
    }

    #[test]
    fn a_step_with_a_bad_pattern_is_named_before_anything_happens() {
        let boot =
            boot_of(json!([{"step": "expect", "patterns": ["("], "name": "bootloader-interrupt", "timeout": 1}]));
        let error = Dialogue::new(&boot, &staged(), Duration::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "boot step 'bootloader-interrupt': cannot use the pattern '(': unclosed group");
    }

    #[test]
    fn what_follows_the_last_prompt_is_handed_on() {
        let boot = boot_of(json!([{"step": "expect", "patterns": ["ready"], "name": "x", "timeout": 1}]));
        let mut bench = Bench::new(&boot);
        bench.acts.extend(bench.dialogue.push(b"ready <LAVA", bench.now));
        assert_eq!(bench.acts.last(), Some(&Act::Ready));
        assert_eq!(bench.dialogue.into_unread(), b" <LAVA");
    }
}
