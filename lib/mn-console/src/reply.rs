//! What is typed to a board that waits in lava-sync, lava-wait or lava-wait-all.

use crate::signal::Request;

/// The longest line that a terminal in its canonical mode takes, with its newline.
const LINE_BYTES: usize = 4095;

/// One member's message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The sender's job id.
    pub from: String,
    /// Its data.
    pub data: Vec<(String, String)>,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It was granted; the messages waited for.
    Granted(Vec<Sent>),
    /// It was refused: why.
    Refused(String),
}

/// The answer's line with a newline and an empty line, as LAVA types it; none for a `SEND`.
///
/// # Errors
/// The length of a line that no terminal takes, in bytes.
pub fn line(request: &Request, answer: &Answer) -> Result<Option<String>, usize> {
    if matches!(request, Request::Send { .. }) {
        return Ok(None);
    }
    let mut line = format!("<LAVA_{}_COMPLETE", request.word());
    match answer {
        Answer::Refused(_) => line.push_str(" nack"),
        Answer::Granted(messages) => {
            for Sent { from, data } in messages {
                line.extend(data.iter().map(|(key, value)| format!(" {from}:{key}={}", plain(value))));
            }
        }
    }
    line.push_str(">\n");
    if line.len() > LINE_BYTES { Err(line.len()) } else { Ok(Some(line + "\n")) }
}

/// The line that refuses a request of which only the word is known; none where no helper waits.
pub fn refusal(word: &str) -> Option<String> {
    matches!(word, "SYNC" | "WAIT" | "WAIT_ALL").then(|| format!("<LAVA_{word}_COMPLETE nack>"))
}

/// A value without what a terminal acts on: an interrupt or an end of line in it would not reach the helper.
fn plain(value: &str) -> String {
    value.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(data: &[(&str, &str)]) -> Answer {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Answer::Granted(vec![Sent { from: "1004".into(), data }, Sent { from: "1005".into(), data: vec![] }])
    }

    fn wait() -> Request {
        Request::Wait { id: "ipv4".into() }
    }

    #[test]
    fn the_words_are_those_the_helpers_wait_for() {
        let text = |request: &Request, answer: &Answer| line(request, answer).unwrap();
        let data = [("ipaddr", "10.0.0.5"), ("name", "a b")];
        let line = "<LAVA_WAIT_COMPLETE 1004:ipaddr=10.0.0.5 1004:name=a b>\n\n";
        assert_eq!(text(&wait(), &granted(&data)).as_deref(), Some(line));
        let sync = Request::Sync { id: "clients".into() };
        assert_eq!(text(&sync, &Answer::Granted(vec![])).as_deref(), Some("<LAVA_SYNC_COMPLETE>\n\n"));
        let all = Request::WaitAll { id: "x".into(), role: None };
        assert_eq!(text(&all, &Answer::Refused("left".into())).as_deref(), Some("<LAVA_WAIT_ALL_COMPLETE nack>\n\n"));
        let send = Request::Send { id: "x".into(), data: vec![] };
        assert_eq!(text(&send, &Answer::Refused("left".into())), None);
    }

    #[test]
    fn a_value_cannot_interrupt_or_end_the_line() {
        let typed = line(&wait(), &granted(&[("k", "a\u{3}b\nc\u{4}")])).unwrap();
        assert_eq!(typed.as_deref(), Some("<LAVA_WAIT_COMPLETE 1004:k=a b c >\n\n"));
    }

    #[test]
    fn a_line_that_no_terminal_takes_is_not_typed() {
        assert_eq!(line(&wait(), &granted(&[("k", &"x".repeat(5000))])), Err(5029));
    }
}
