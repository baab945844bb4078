//! Signals without a number: a test may print LAVA's lines itself.
//!
//! Such a line counts when no numbered signal was lost where it stands. Where one was, it may be what the line left of
//! that one: the same text is, any other makes the results uncertain.

use std::time::Duration;

use crate::signal::Event;

/// Bytes of them that are kept until the next numbered signal has come.
const BYTES: usize = 8 * 1024 * 1024;

/// One of them.
#[derive(Debug)]
struct Line {
    event: Event,
    text: String,
    heard: Duration,
    /// The highest number that had been heard before.
    after: u64,
    /// The first new number that was heard after it.
    before: Option<u64>,
    /// Whether numbers in between had to be asked for.
    doubtful: bool,
}

/// Those whose place between the numbered ones is not yet certain.
#[derive(Debug, Default)]
pub(super) struct Loose {
    /// A signal whose next byte is not yet known.
    ended: Option<(Event, String)>,
    lines: Vec<Line>,
    bytes: usize,
    /// Why the results are not certain, if they are not.
    doubt: Option<String>,
}

impl Loose {
    /// Takes a signal that has just ended; what the runner says itself always has a number.
    pub(super) fn ended(&mut self, event: Event) {
        if let Event::Signal { name, body, .. } = &event
            && !matches!(name.as_str(), "STARTRUN" | "ENDRUN" | "FAILRUN" | "WARNING")
        {
            let text = format!("<LAVA_SIGNAL_{name} {body}>");
            self.ended = Some((event, text));
        }
    }

    /// Takes the next byte: a signal with a number goes on in its line, whatever became of that number. `last` is the
    /// highest number that was heard, and its text.
    pub(super) fn next(&mut self, byte: u8, last: (u64, &str), heard: Duration) {
        let Some((event, text)) = self.ended.take() else { return };
        if !matches!(byte, b'\r' | b'\n') || text == last.1 {
            return;
        }
        if self.bytes + text.len() > BYTES {
            self.doubt = Some(format!("more than {BYTES} bytes of signals without a number came in a row"));
            return;
        }
        self.bytes += text.len();
        self.lines.push(Line { event, text, heard, after: last.0, before: None, doubtful: false });
    }

    /// Takes the news that a number was heard for the first time on the line.
    pub(super) fn followed_by(&mut self, number: u64, text: &str) {
        self.lines.retain_mut(|line| {
            let next = line.before.is_none() && number > line.after;
            if next {
                line.before = Some(number);
            }
            !(next && line.text == text)
        });
    }

    /// Takes the news of a number that was asked for.
    pub(super) fn was_lost(&mut self, number: u64, text: &str) {
        self.lines.retain_mut(|line| {
            let between = number > line.after && line.before.is_none_or(|before| number < before);
            line.doubtful |= between;
            !(between && line.text == text)
        });
    }

    /// Those that stand before a number, all when it is none.
    pub(super) fn before(&mut self, number: Option<u64>) -> Vec<(Event, Duration)> {
        let stands = |line: &Line| number.is_none_or(|number| line.before.is_some_and(|before| before <= number));
        let (here, later) = std::mem::take(&mut self.lines).into_iter().partition::<Vec<_>, _>(stands);
        self.lines = later;
        self.bytes = self.lines.iter().map(|line| line.text.len()).sum();
        let (doubtful, certain) = here.into_iter().partition::<Vec<_>, _>(|line| line.doubtful);
        if let Some(line) = doubtful.first() {
            self.doubt.get_or_insert_with(|| doubt(&line.text));
        }
        certain.into_iter().map(|line| (line.event, line.heard)).collect()
    }

    /// Why the results are not certain.
    pub(super) fn doubt(&self) -> Option<String> {
        let waiting = self.lines.iter().find(|line| line.doubtful).map(|line| doubt(&line.text));
        self.doubt.clone().or(waiting)
    }
}

fn doubt(text: &str) -> String {
    let start: String = text.chars().take(80).collect();
    format!("'{start}' has no number, and stands where others were lost")
}
