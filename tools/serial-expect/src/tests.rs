//! A role's test blocks, on whatever the console leads to.

use crate::board::closed;
use crate::mark::Mark;
use crate::report::Report;
use crate::wires::{Event, Wires};
use mn_cli::Result;
use mn_console::script::Fault;
use mn_console::test::{Act, Test};
use std::collections::VecDeque;
use std::time::Duration;

/// How a block has ended by itself.
pub enum Ended {
    /// To its end.
    Done,
    /// Before it, for this reason.
    Failed(Fault, String),
}

/// Runs one block. `unread` is what the console printed after the last prompt; all has to be done by `end`.
///
/// # Errors
/// When the role cannot go on, with the status that fits; what had begun has then been recorded as failed.
pub fn run(test: &mut dyn Test, unread: &[u8], wires: &mut Wires, report: &mut Report, end: Duration) -> Result<Ended> {
    let now = wires.now();
    let mut acts = VecDeque::from(test.start(now, end));
    acts.extend(test.push(unread, now));
    let outcome = converse(test, &mut acts, wires, report);
    wires.forget_calls();
    if let Err(error) = &outcome {
        for act in test.abort(&error.to_string(), wires.now()) {
            if let Act::Record(record) = act {
                report.record(record)?;
            }
        }
    }
    outcome
}

fn converse(test: &mut dyn Test, acts: &mut VecDeque<Act>, wires: &mut Wires, report: &mut Report) -> Result<Ended> {
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
                Act::Done => return Ok(Ended::Done),
                Act::Fail(fault, text) => {
                    wires.board_died = fault == Fault::Dead;
                    return Ok(Ended::Failed(fault, text));
                }
            }
        }
        // What came before the console's end was heard out first: it may have been the end of the stage.
        if let Some(reason) = lost {
            return Err(closed(wires, reason, test.last_seen()));
        }
        let events = wires.turn(test.next_tick())?;
        let now = wires.now();
        for event in events {
            match event {
                Event::Console(bytes) => acts.extend(test.push(&bytes, now)),
                Event::Noted(text) => report.warn(&text)?,
                Event::Closed(reason) => lost = Some(reason),
                Event::Answer(number, answer) => acts.extend(test.answered(number, &answer, now)),
                Event::Switched(_) | Event::Drained(_) => {}
            }
        }
        acts.extend(test.tick(now));
    }
}
