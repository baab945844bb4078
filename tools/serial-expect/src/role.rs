//! One role from its message to its end.

use crate::board::Board;
use crate::broker::{Broker, News};
use crate::cli::Options;
use crate::console::Console;
use crate::console_log::ConsoleLog;
use crate::listener::{Characters, Listener};
use crate::live::Live;
use crate::recorder::Recorder;
use crate::report::Report;
use crate::specification::Specification;
use crate::tape::Tape;
use crate::upstream::{self, Upstream};
use crate::wires::{Source, Wires};
use crate::{actions, leftovers, power, recording, teardown, verdict};
use mn_cli::{Error, Result, Signals, Status};
use mn_console::pacing::Pacing;
use mn_msg::role::{Device, Facts, Member, Work};
use mn_msg::{Input, MemberDir, Role, RunDir, Writer};
use std::collections::BTreeMap;
use std::time::Duration;

/// Reads the role and plays it.
///
/// # Errors
/// What ended the role before its time; a failed test is `Ok(Status::No)`.
pub fn run(options: &Options, mut signals: Signals, run_dir: Option<RunDir>, writer: &mut Writer) -> Result<Status> {
    let (input, upstream) = upstream::read_role(&mut signals)?;
    let (role, others) = match input {
        Input::Ended(status) => return Ok(status),
        Input::Role(role, others) => (role, others),
    };
    for message in &others {
        writer.write(message)?;
    }
    let facts = role.facts();
    let dir = run_dir.map(|run_dir| run_dir.member(&facts.job_id, &facts.role)).transpose()?;
    let mut report = Report::new(writer, dir.clone(), facts);
    let outcome = Script::of(&role, options, dir.as_ref())
        .and_then(|script| perform(script, &role, options, signals, upstream, dir, &mut report));
    // A reader that is gone is no reason to lose the status.
    let recorded = report.record(verdict::job_record(&outcome));
    outcome.and(recorded)?;
    Ok(if report.failed() { Status::No } else { Status::Success })
}

/// What is to be done, checked before anything is touched.
struct Script {
    place: Specification,
    /// Whose console it is, where it is another member's.
    watched: Option<Member>,
    pacing: Pacing,
    commands: BTreeMap<String, Vec<Vec<String>>>,
    undo: BTreeMap<String, Vec<Vec<String>>>,
}

impl Script {
    fn of(role: &Role, options: &Options, dir: Option<&MemberDir>) -> Result<Script> {
        let facts = role.facts();
        let device = facts.device.as_ref();
        let place =
            options.console.as_ref().or(facts.console.as_ref()).or(device.and_then(|device| device.connect.as_ref()));
        // What is played needs no console.
        let place = place.map(String::as_str).or(options.replay.as_ref().map(|_| "pty:"));
        let place =
            place.ok_or_else(|| Error::wrong("cannot find the console: the message has none; name it with '-c'"))?;
        let place = Specification::parse(place)?;
        let watched = recording::watched(&place, role)?;
        let place = match &watched {
            Some(member) if options.replay.is_none() => recording::socket(member, dir)?,
            _ => place,
        };
        let split = |lines: Option<&BTreeMap<String, Vec<String>>>| -> Result<BTreeMap<String, Vec<Vec<String>>>> {
            let lines = lines.into_iter().flatten();
            lines.map(|(name, lines)| Ok((name.clone(), power::words(name, lines)?))).collect()
        };
        let commands = split(device.map(|device| &device.commands))?;
        let undo = split(device.map(|device| &device.undo))?;
        actions::check(role, &commands)?;
        Ok(Script { place, watched, pacing: pacing(options, device)?, commands, undo })
    }
}

/// How the console is typed on: as the command line says, or else the dictionary.
fn pacing(options: &Options, device: Option<&Device>) -> Result<Pacing> {
    let Some(text) = options.pace.as_ref().or(device.and_then(|device| device.pacing.as_ref())) else {
        return Ok(Pacing::default());
    };
    text.parse().map_err(|why| Error::wrong(format_args!("cannot use the pacing '{text}': {why}")))
}

/// Connects everything, plays the role, and takes all of it down again.
fn perform(
    script: Script,
    role: &Role,
    options: &Options,
    signals: Signals,
    upstream: Upstream,
    dir: Option<MemberDir>,
    report: &mut Report,
) -> Result<()> {
    let facts = role.facts();
    let mut wires = match &options.replay {
        Some(path) => {
            let source = Source::Tape(Box::new(Tape::open(path)?));
            Wires::new(source, role.job_deadline().remaining(), ConsoleLog::open(dir.as_ref())?, None)?
        }
        None => connect(&script, role, options, signals, upstream, dir.as_ref(), report)?,
    };
    let Script { place, commands, undo, .. } = script;
    let mut board = Board { commands, undo, dir, held: Vec::new(), touched: false, up: false, done: Vec::new() };
    let played = match &place {
        Specification::Share(_) => recording::run(&mut wires, report),
        _ => actions::run(role, &mut board, &mut wires, report),
    };
    wires.tell(&played);
    if board.up && !wires.board_died && worth_draining(&played, facts) {
        let drained = teardown::drain(&mut wires, report, options.drain_timeout);
        return finish(played.and(drained), &mut board, &mut wires, report);
    }
    finish(played, &mut board, &mut wires, report)
}

/// Connects the role to the world.
fn connect(
    script: &Script,
    role: &Role,
    options: &Options,
    signals: Signals,
    mut upstream: Upstream,
    dir: Option<&MemberDir>,
    report: &mut Report,
) -> Result<Wires> {
    let facts = role.facts();
    let title = format!("{} {}", facts.role, facts.job_id);
    let recorder = options.record.as_ref().map(|path| Recorder::create(path, &title)).transpose()?;
    let mut broker = join(options, facts)?;
    if let Specification::Share(_) = script.place {
        // The console is another member's: it ends with that one, and not with the stage before.
        upstream.close()?;
    }
    if let Some(broker) = &mut broker {
        broker.watch(others(script, facts))?;
    }
    let console = Console::open(&script.place, options.link_timeout, Duration::from_secs(facts.timeouts.connection))?;
    let mut log = ConsoleLog::open(dir)?;
    share(&mut log, options, dir, report)?;
    let characters = if recorder.is_some() { Characters::Whole } else { Characters::Cut };
    let mut console = Listener::new(console, characters);
    if begins_with_power(role) {
        leftovers::hear_out(&mut console, &mut log)?;
    }
    let live = Live::new(signals, upstream, broker, console, script.pacing, log.keyboard())?;
    Wires::new(Source::Live(Box::new(live)), role.job_deadline().remaining(), log, recorder)
}

/// The members of which something has to be known: whose console this is, or else those who are essential.
fn others<'a>(script: &'a Script, facts: &'a Facts) -> impl Iterator<Item = (&'a Member, News)> {
    let recorded = script.watched.iter().map(|member| (member, News::Gone));
    let records = matches!(script.place, Specification::Share(_));
    let essential = move |member: &&Member| member.essential && member.job_id != facts.job_id && !records;
    recorded.chain(facts.group.members.iter().filter(essential).map(|member| (member, News::Failed)))
}

/// Whether the board is switched on before anything else.
fn begins_with_power(role: &Role) -> bool {
    let first = role.boot().and_then(|boot| boot.dialogue.first());
    first.is_some_and(|step| matches!(step.work, Work::Power { .. }))
}

/// Lets others look on: where they are asked to come, or else in the run directory, where a failure is no disaster.
fn share(log: &mut ConsoleLog, options: &Options, dir: Option<&MemberDir>, report: &mut Report) -> Result<()> {
    match (&options.share, dir) {
        (Some(socket), _) => log.share(dir, socket),
        (None, Some(member)) => {
            let shared = log.share(dir, &member.path().join("attach.sock"));
            shared.or_else(|error| report.warn(&error.to_string()))
        }
        (None, None) => Ok(()),
    }
}

/// Joins the group; a job of one member needs no broker.
fn join(options: &Options, facts: &Facts) -> Result<Option<Broker>> {
    match &options.socket {
        Some(socket) => {
            let timeout = Duration::from_secs(facts.timeouts.call);
            Broker::join(socket, &facts.job_id, timeout).map(Some)
        }
        None if facts.group.size > 1 => {
            Err(Error::lab("cannot reach the broker: there is no 'broker.sock' in the run directory; set MN_SOCKET"))
        }
        None => Ok(None),
    }
}

/// Whether guests may still use the board: not when the lab has failed or the role was told to end.
fn worth_draining(played: &Result<()>, facts: &Facts) -> bool {
    let guests = facts.group.members.iter().any(|member| member.host.as_ref() == Some(&facts.job_id));
    let alive = match played {
        Ok(()) => true,
        Err(error) => matches!(error.status(), Status::No | Status::Timeout),
    };
    guests && alive
}

/// Takes everything down; the first error is the role's, later ones are told as warnings.
fn finish(played: Result<()>, board: &mut Board, wires: &mut Wires, report: &mut Report) -> Result<()> {
    let signalled = matches!(&played, Err(error) if matches!(error.status(), Status::Signal(_)));
    let off = teardown::power_off(board, wires, report, signalled);
    let undone = teardown::undo(board, wires, report, signalled);
    let parted = wires.part();
    let mut first = played;
    for next in [off, undone, parted] {
        match (&first, next) {
            (Err(_), Err(error)) => drop(report.warn(&error.to_string())),
            (Ok(()), next) => first = next,
            (Err(_), Ok(())) => {}
        }
    }
    first
}
