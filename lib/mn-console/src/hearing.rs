//! A stage's signals, with numbers where the board keeps a journal, else as LAVA's helpers say them.

use std::time::Duration;

use crate::journal::{Heard, Receiver, When};
use crate::reply::LINE_BYTES;
use crate::signal::{Event, Scanner};

/// Requests of a journal's board that have no number of their own get one from here on.
const WITHOUT_NUMBER: u64 = 1 << 62;

/// What is listened with.
#[derive(Debug)]
pub(crate) enum Hearing {
    /// To helpers without numbers.
    Plain(Scanner),
    /// To helpers with numbers.
    Numbered(Box<Receiver>),
}

/// The signals of a stage.
#[derive(Debug)]
pub(crate) struct Ear {
    pub(crate) hearing: Hearing,
    /// Requests without a number so far.
    requests: u64,
}

impl Ear {
    /// Listens from `offset` bytes after the beginning of the stream on.
    pub(crate) fn new(offset: u64) -> Ear {
        Ear { hearing: Hearing::Plain(Scanner::new(offset)), requests: 0 }
    }

    /// Walks over `bytes` up to the first byte with which something is heard; gives the number of bytes used, and what
    /// was heard; nothing only when all are used.
    pub(crate) fn next(&mut self, bytes: &[u8], now: Duration) -> (usize, Vec<Heard>) {
        match &mut self.hearing {
            Hearing::Numbered(receiver) => receiver.next(bytes, now),
            Hearing::Plain(scanner) => {
                let (used, event) = scanner.next(bytes);
                (used, event.map(|event| self.plain(event)).unwrap_or_default())
            }
        }
    }

    /// What a signal without a number means.
    pub(crate) fn plain(&mut self, event: Event) -> Vec<Heard> {
        match event {
            Event::Mark(mark) => vec![Heard::Mark(mark)],
            Event::RunnerExit => vec![Heard::Exit],
            event => {
                let number = self.number(&event);
                let said = match &event {
                    Event::Request(request) => Some(Heard::Request { number, request: request.clone() }),
                    Event::BadRequest { word, .. } => Some(Heard::BadRequest { number, word: word.clone() }),
                    _ => None,
                };
                said.into_iter().chain([Heard::Event { number, event, when: When::AtOnce }]).collect()
            }
        }
    }

    fn number(&mut self, event: &Event) -> u64 {
        if !matches!(event, Event::Request(_) | Event::BadRequest { .. }) {
            return 0;
        }
        self.requests += 1;
        WITHOUT_NUMBER + self.requests
    }

    /// The lines that answer a request, as they are typed; none where no helper waits for them.
    ///
    /// # Errors
    /// The length of a line that no terminal takes, in bytes.
    pub(crate) fn answer(&mut self, number: u64, word: &str, text: &str) -> Result<Option<String>, usize> {
        // The number, its checksum and what is around them.
        const SEAL: usize = 40;
        match &mut self.hearing {
            Hearing::Numbered(_) if text.len() + SEAL > LINE_BYTES => Err(text.len() + SEAL),
            Hearing::Numbered(receiver) if number < WITHOUT_NUMBER => Ok(Some(receiver.answer(number, text))),
            _ if word == "SEND" => Ok(None),
            _ if text.len() >= LINE_BYTES => Err(text.len() + 1),
            // Two ends of line, as LAVA types them.
            _ => Ok(Some(format!("{text}\n\n"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::sealed;

    #[test]
    fn a_line_that_no_terminal_takes_is_not_typed() {
        let mut ear = Ear::new(0);
        assert_eq!(ear.answer(WITHOUT_NUMBER, "WAIT", &"x".repeat(4095)), Err(4096));
        assert_eq!(ear.answer(WITHOUT_NUMBER, "WAIT", "<x>"), Ok(Some("<x>\n\n".into())));
        assert_eq!(ear.answer(WITHOUT_NUMBER, "SEND", "<x>"), Ok(None));
        ear.hearing = Hearing::Numbered(Box::new(Receiver::new("/lava-7/0", 0)));
        assert_eq!(ear.answer(1, "WAIT", &"x".repeat(4080)), Err(4120));
        assert_eq!(ear.answer(1, "SEND", "<x>"), Ok(Some(sealed("/lava-7/0", 1, "<x>") + "\n")));
    }
}
