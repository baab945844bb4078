//! What is typed to a board that waits in lava-sync, lava-wait or lava-wait-all.

use crate::signal::Request;

/// The longest line that a terminal in its canonical mode takes, with its newline.
pub(crate) const LINE_BYTES: usize = 4095;

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

/// The answer as LAVA has it, without the end of its line; LAVA has none for a `SEND`.
pub fn text(request: &Request, answer: &Answer) -> String {
    let mut line = format!("<LAVA_{}_COMPLETE", request.word());
    match answer {
        Answer::Refused(_) => line.push_str(" nack"),
        Answer::Granted(messages) => {
            for Sent { from, data } in messages {
                line.extend(data.iter().map(|(key, value)| format!(" {from}:{key}={}", plain(value))));
            }
        }
    }
    line + ">"
}

/// The text that refuses a request of which only the word is known; none where no helper waits.
pub fn refusal(word: &str) -> Option<String> {
    matches!(word, "SYNC" | "WAIT" | "WAIT_ALL").then(|| format!("<LAVA_{word}_COMPLETE nack>"))
}

/// A value without what a terminal acts on: an interrupt or an end of line in it would not reach the helper.
pub(crate) fn plain(value: &str) -> String {
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
        let data = [("ipaddr", "10.0.0.5"), ("name", "a b")];
        assert_eq!(text(&wait(), &granted(&data)), "<LAVA_WAIT_COMPLETE 1004:ipaddr=10.0.0.5 1004:name=a b>");
        let sync = Request::Sync { id: "clients".into() };
        assert_eq!(text(&sync, &Answer::Granted(vec![])), "<LAVA_SYNC_COMPLETE>");
        let all = Request::WaitAll { id: "x".into(), role: None };
        assert_eq!(text(&all, &Answer::Refused("left".into())), "<LAVA_WAIT_ALL_COMPLETE nack>");
    }

    #[test]
    fn a_value_cannot_interrupt_or_end_the_line() {
        assert_eq!(text(&wait(), &granted(&[("k", "a\u{3}b\nc\u{4}")])), "<LAVA_WAIT_COMPLETE 1004:k=a b c >");
    }
}
