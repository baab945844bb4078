//! A console that is not there and may come: a serial port that was unplugged, a terminal server that has gone.

use crate::line::{self, Line};
use crate::specification::Specification;
use crate::tcp::Terms;
use mn_cli::Result;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::time::{Duration, Instant};

/// Time between two looks whether it is there. What udev makes it may open only later, so its name alone says nothing.
const LOOK: Duration = Duration::from_millis(200);
/// The longest pause between two connections to a server, each twice as long as the one before.
const PAUSE: Duration = Duration::from_secs(5);

/// A console that is awaited.
pub struct Away {
    since: Instant,
    /// None where only the role's own end is waited for.
    limit: Option<Duration>,
    look: Instant,
    pause: Duration,
    /// A connection that is being made.
    attempt: Option<Receiver<Result<Box<dyn Line>>>>,
    /// Whether it begins where the lost one did: every other one, as something between may not let it through.
    again: bool,
    /// Why the last one failed.
    why: Option<String>,
}

/// What a look found.
pub enum Looked {
    /// Nothing yet.
    Nothing,
    /// It is there.
    There(Box<dyn Line>),
    /// It is awaited no longer: why it could not be opened.
    GivenUp(String),
}

impl Away {
    /// Waits from now on, for so long.
    pub fn new(limit: Option<Duration>) -> Away {
        let now = Instant::now();
        Away { since: now, limit, look: now, pause: LOOK, attempt: None, again: false, why: None }
    }

    /// How long it has been away, where that has a limit.
    pub fn lasted(&self) -> Option<Duration> {
        self.limit.map(|_| self.since.elapsed())
    }

    /// When the next look is due.
    pub fn look_in(&self) -> Duration {
        self.look.saturating_duration_since(Instant::now())
    }

    /// Has the next look come now.
    pub fn hurry(&mut self) {
        self.look = Instant::now();
    }

    /// Looks whether it is there, if a look is due.
    pub fn look(&mut self, place: &Specification, terms: Terms) -> Looked {
        if Instant::now() < self.look {
            return Looked::Nothing;
        }
        let opened = if place.is_network() { self.connect(place, terms) } else { Some(opened(place, terms)) };
        match opened {
            Some(Ok(line)) => Looked::There(line),
            Some(Err(error)) => self.failed(place, &error.to_string()),
            None if self.is_over() => {
                Looked::GivenUp(self.why.take().unwrap_or_else(|| "the server does not answer".into()))
            }
            None => {
                self.look = Instant::now() + LOOK;
                Looked::Nothing
            }
        }
    }

    /// It could not be opened, or was closed at once.
    pub fn failed(&mut self, place: &Specification, why: &str) -> Looked {
        if self.is_over() {
            return Looked::GivenUp(why.to_owned());
        }
        self.why = Some(why.to_owned());
        self.look = Instant::now() + self.pause.min(self.rest());
        if place.is_network() {
            self.pause = (self.pause * 2).min(PAUSE);
        }
        Looked::Nothing
    }

    /// How long it is awaited yet.
    fn rest(&self) -> Duration {
        self.limit.map_or(Duration::MAX, |limit| limit.saturating_sub(self.since.elapsed()))
    }

    fn is_over(&self) -> bool {
        self.rest().is_zero()
    }

    /// A server may take long to answer: a thread waits for it.
    fn connect(&mut self, place: &Specification, terms: Terms) -> Option<Result<Box<dyn Line>>> {
        if self.attempt.is_none() && self.is_over() {
            return None;
        }
        let attempt = self.attempt.get_or_insert_with(|| {
            self.again = !self.again;
            let terms = Terms { from: terms.from.filter(|_| self.again), ..terms };
            let (place, (sender, opening)) = (place.clone(), channel());
            std::thread::spawn(move || sender.send(opened(&place, terms)));
            opening
        });
        match attempt.try_recv() {
            Ok(opened) => {
                self.attempt = None;
                Some(opened)
            }
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => {
                self.attempt = None;
                None
            }
        }
    }
}

fn opened(place: &Specification, terms: Terms) -> Result<Box<dyn Line>> {
    line::open(place, terms).map(|(line, _)| line)
}
