//! A role's test stages, on whatever shell the console leads to.

use crate::board::closed;
use crate::mark::Mark;
use crate::report::Report;
use crate::verdict;
use crate::wires::{Event, Wires};
use mn_cli::Result;
use mn_console::script::Fault;
use mn_console::stage::{Act, Stage};
use std::collections::VecDeque;
use std::time::Duration;

/// Runs one stage. `unread` is what the console printed after the last prompt; all has to be done by `end`.
///
/// # Errors
/// When the stage cannot go on, with the status that fits; what had begun has then been recorded as failed.
pub fn run(mut stage: Stage, unread: &[u8], wires: &mut Wires, report: &mut Report, end: Duration) -> Result<()> {
    let now = wires.now();
    let mut acts = VecDeque::from(stage.start(now, end));
    acts.extend(stage.push(unread, now));
    let outcome = converse(&mut stage, &mut acts, wires, report);
    if let Err(error) = &outcome {
        for act in stage.abort(&error.to_string(), wires.now()) {
            if let Act::Record(record) = act {
                report.record(record)?;
            }
        }
    }
    outcome
}

fn converse(stage: &mut Stage, acts: &mut VecDeque<Act>, wires: &mut Wires, report: &mut Report) -> Result<()> {
    let mut lost = None;
    loop {
        if !acts.is_empty() {
            // What follows from the board's words stands after them.
            wires.log.write()?;
        }
        while let Some(act) = acts.pop_front() {
            match act {
                Act::Type(typed) => wires.type_text(typed)?,
                Act::Step(step, text) => {
                    wires.mark(&Mark::Step(format!("{step}: {text}")))?;
                    report.step(step, &text)?;
                }
                Act::Record(record) => report.record(record)?,
                Act::Warn(text) => report.warn(&text)?,
                Act::Ask(number, request) => {
                    report.step("call", &request.helper())?;
                    wires.ask(number, &request)?;
                }
                Act::Done => return Ok(()),
                Act::Fail(fault, text) => {
                    wires.board_died = fault == Fault::Dead;
                    return Err(verdict::error(fault, &text));
                }
            }
        }
        // What came before the console's end was heard out first: it may have been the end of the stage.
        if let Some(reason) = lost {
            return Err(closed(wires, reason, stage.last_seen()));
        }
        let events = wires.turn(stage.next_tick())?;
        let now = wires.now();
        for event in events {
            match event {
                Event::Console(bytes) => acts.extend(stage.push(&bytes, now)),
                Event::Noted(text) => report.warn(&text)?,
                Event::Closed(reason) => lost = Some(reason),
                Event::Answer(number, answer) => acts.extend(stage.answered(number, &answer, now)),
                Event::Switched(_) | Event::Drained(_) => {}
            }
        }
        acts.extend(stage.tick(now));
    }
}
