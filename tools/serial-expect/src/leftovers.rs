//! What a console says before its board is switched on: a terminal server greets with what it has kept of an earlier boot.

use crate::console_log::ConsoleLog;
use crate::listener::Listener;
use crate::wires::Event;
use mio::{Events, Poll, Token};
use mn_cli::{Cannot, Result};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

/// Silence after which nothing more of it comes.
const SILENCE: Duration = Duration::from_millis(100);
/// How long that silence is awaited: the board may be on already, and never fall silent.
const LIMIT: Duration = Duration::from_secs(1);

/// Hears it out: it is kept in the log, and answers nothing. A console that is lost meanwhile is found so again.
///
/// # Errors
/// Status 3 when it cannot be kept.
pub fn hear_out(console: &mut Listener, log: &mut ConsoleLog) -> Result<()> {
    let mut poll = Poll::new().cannot("make an event loop")?;
    let mut events = Events::with_capacity(1);
    console.line.register(poll.registry(), Token(0))?;
    let began = Instant::now();
    let mut heard_at = began;
    while heard_at.elapsed() < SILENCE && began.elapsed() < LIMIT {
        let mut heard = Vec::new();
        console.read(Duration::ZERO, log, &mut heard)?;
        if heard.iter().any(|event| matches!(event, Event::Closed(_))) {
            break;
        }
        if !heard.is_empty() {
            heard_at = Instant::now();
        } else if !console.more {
            match poll.poll(&mut events, Some(SILENCE.saturating_sub(heard_at.elapsed()))) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                polled => polled.cannot("wait for events")?,
            }
        }
    }
    console.more = true;
    Ok(())
}
