//! The end of a role, however it came: let the guests finish, switch the board off, release what was given, leave.

use crate::board::Board;
use crate::report::Report;
use crate::wires::{Event, Wires};
use mn_cli::{Error, Result, Status};
use serde_json::Value;
use std::time::Duration;

/// How long the power-off, or what undoes a command, may take.
const POWER_OFF: Duration = Duration::from_secs(45);

/// How long the broker's answer may come late.
const LATE: Duration = Duration::from_secs(5);

/// Waits for the guests of this board, at most `limit`.
///
/// # Errors
/// When the wait was refused or cut short.
pub fn drain(wires: &mut Wires, report: &mut Report, limit: Duration) -> Result<()> {
    if !wires.drain(limit)? {
        return Ok(());
    }
    report.step("drain", "waiting for the guests of this board")?;
    let until = wires.now() + limit + LATE;
    while wires.now() < until {
        for event in wires.turn(Some(until))? {
            if let Event::Drained(how) = event {
                return report.step("drain", &gone(&how?));
            }
        }
    }
    Err(Error::lab("lost the broker: it does not answer"))
}

/// Who has left and who has died, for people.
fn gone(value: &Value) -> String {
    let ids = |key: &str| {
        let list = value.get(key).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
    };
    let parts = [("left", ids("left")), ("died", ids("died"))];
    let parts = parts.iter().filter(|(_, ids)| !ids.is_empty()).map(|(word, ids)| format!("{word}: {ids}"));
    let text = parts.collect::<Vec<_>>().join("; ");
    if text.is_empty() { "no guest was there".to_owned() } else { text }
}

/// Switches the board off, if it was switched on.
///
/// # Errors
/// Status 3 when the dictionary's command fails, 124 when it takes too long, 128+N after a second signal.
pub fn power_off(board: &mut Board, wires: &mut Wires, report: &mut Report, signalled: bool) -> Result<()> {
    let commands = board.commands.get("power_off").cloned().unwrap_or_default();
    if !board.touched || commands.is_empty() {
        return Ok(());
    }
    // A reader that is gone must not keep the board on.
    let _ = report.step("power-off", "switching the board off");
    see_through("power_off", commands, board, wires, signalled)?;
    board.held.drain(..).try_for_each(mn_msg::Held::release)
}

/// Undoes the commands of the dictionary's users that were run, the last first.
///
/// # Errors
/// As [`power_off`], of the first that fails; the others are run all the same.
pub fn undo(board: &mut Board, wires: &mut Wires, report: &mut Report, signalled: bool) -> Result<()> {
    let mut outcome = Ok(());
    while let Some((name, held)) = board.done.pop() {
        let _ = report.step("undo", &format!("undoing '{name}'"));
        let lines = board.undo.get(&name).cloned().unwrap_or_default();
        let undone = see_through(&name, lines, board, wires, signalled)
            .and_then(|()| held.into_iter().try_for_each(mn_msg::Held::release));
        outcome = outcome.and(undone);
    }
    outcome
}

/// Runs a command at a role's end, whatever else is lost by now.
fn see_through(
    name: &str,
    commands: Vec<Vec<String>>,
    board: &Board,
    wires: &mut Wires,
    signalled: bool,
) -> Result<()> {
    let until = wires.now() + POWER_OFF;
    let mut signals = usize::from(signalled);
    // Before the command is there to be cut short: a signal that comes after it has begun counts.
    wires.forget_signals();
    wires.switch(name, commands, board.dir.as_ref())?;
    loop {
        match wires.turn(Some(until)) {
            Ok(events) => {
                if let Some(how) = events.into_iter().find_map(switched) {
                    return how;
                }
            }
            // Only a second signal cuts this short; what else may be lost by now is of no use any more.
            Err(error) => {
                signals += usize::from(matches!(error.status(), Status::Signal(_)));
                if signals > 1 {
                    return Err(error);
                }
            }
        }
        if wires.now() >= until {
            wires.stop_switching();
            return Err(Error::timeout(format_args!("cannot run '{name}': it took over {} s", POWER_OFF.as_secs())));
        }
    }
}

fn switched(event: Event) -> Option<Result<()>> {
    match event {
        Event::Switched(how) => Some(how),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::gone;
    use serde_json::json;

    #[test]
    fn those_who_died_are_told_from_those_who_left() {
        assert_eq!(gone(&json!({"left": ["1", "2"], "died": ["3"]})), "left: 1, 2; died: 3");
        assert_eq!(gone(&json!({"left": [], "died": []})), "no guest was there");
    }
}
