//! What was sent: the newest data of each sender, kept for the life of the group.

use crate::Failure;
use crate::limits::{Limits, json_bytes};
use std::collections::BTreeMap;

/// Keys and values of one message, in the sender's order.
pub type Data = Vec<(String, String)>;

/// Data of one id: the sender's member id and what it sent, in the order the senders first came.
pub type Messages = Vec<(String, Data)>;

/// All messages, by id. Syncs are not here: LAVA's coordinator mixes the two, and a send after a sync of
/// the same id kills it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    messages: BTreeMap<String, Messages>,
    bytes: usize,
}

impl Store {
    /// Keeps what a member sent, unless the message, its id's answer or the whole store would become too big.
    pub(crate) fn send(&mut self, limits: &Limits, sender: &str, id: &str, data: Data) -> Result<(), Failure> {
        let added = entry_bytes(sender, &data);
        if added > limits.message_bytes {
            return Err(Failure::limit(format!("message '{id}' is larger than {} bytes", limits.message_bytes)));
        }
        let old = self.of(id);
        let replaced = old.iter().find(|(from, _)| from == sender).map_or(0, |(from, data)| entry_bytes(from, data));
        let answer: usize = old.iter().map(|(from, data)| entry_bytes(from, data)).sum();
        if answer - replaced + added > limits.answer_bytes {
            let bytes = limits.answer_bytes;
            return Err(Failure::limit(format!("message '{id}' of all senders together is larger than {bytes} bytes")));
        }
        if old.is_empty() && self.messages.len() >= limits.ids {
            return Err(Failure::limit(format!("the group has {} message ids and takes no more", limits.ids)));
        }
        let bytes = self.bytes - replaced + added;
        if bytes > limits.stored_bytes {
            return Err(Failure::limit(format!("the group keeps {} bytes of messages and takes no more", self.bytes)));
        }
        self.bytes = bytes;
        self.put(sender, id, data);
        Ok(())
    }

    fn put(&mut self, sender: &str, id: &str, data: Data) {
        let messages = self.messages.entry(id.to_owned()).or_default();
        match messages.iter_mut().find(|(from, _)| from == sender) {
            Some((_, old)) => *old = data,
            None => messages.push((sender.to_owned(), data)),
        }
    }

    /// What was sent under an id; empty if nothing was.
    pub(crate) fn of(&self, id: &str) -> &[(String, Data)] {
        self.messages.get(id).map_or(&[], Vec::as_slice)
    }
}

/// Bytes one sender's data takes in an answer, `{"from":"…","data":{"key":"value",…}},` and a bit.
fn entry_bytes(sender: &str, data: &Data) -> usize {
    let pairs: usize = data.iter().map(|(key, value)| json_bytes(key) + json_bytes(value) + 2).sum();
    json_bytes(sender) + pairs + 24
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(value: &str) -> Data {
        vec![("k".into(), value.into())]
    }

    #[test]
    fn a_second_send_replaces_the_first_and_keeps_its_place() {
        let (mut store, limits) = (Store::default(), Limits::default());
        for (sender, value) in [("2", "a"), ("1", "b"), ("2", "c")] {
            store.send(&limits, sender, "id", data(value)).expect("room");
        }
        assert_eq!(store.of("id"), [("2".to_owned(), data("c")), ("1".to_owned(), data("b"))]);
    }

    #[test]
    fn an_id_whose_answer_would_not_fit_a_line_is_refused_and_nothing_changes() {
        let (mut store, limits) = (Store::default(), Limits::default());
        store.send(&limits, "1", "id", data(&"x".repeat(32_000))).expect("room");
        let failure = store.send(&limits, "2", "id", data(&"x".repeat(32_000))).expect_err("too big");
        assert_eq!(failure.message, "message 'id' of all senders together is larger than 60000 bytes");
        assert_eq!(store.of("id").len(), 1);
        store.send(&limits, "1", "id", data("small")).expect("a smaller one takes its place");
        store.send(&limits, "2", "id", data(&"x".repeat(32_000))).expect("room now");
    }

    #[test]
    fn one_message_and_the_number_of_ids_are_bounded() {
        let (mut store, limits) = (Store::default(), Limits::default());
        assert!(store.send(&limits, "1", "id", data(&"x".repeat(33_000))).is_err());
        assert!(store.of("id").is_empty());
        for n in 0..1024 {
            store.send(&limits, "1", &format!("id{n}"), vec![]).expect("room");
        }
        assert!(store.send(&limits, "1", "id", vec![]).is_err());
        store.send(&limits, "2", "id7", vec![]).expect("an id that is there takes more senders");
    }

    #[test]
    fn the_whole_store_is_bounded_and_replacing_does_not_fill_it() {
        let limits = Limits { stored_bytes: 200, ..Limits::default() };
        let mut store = Store::default();
        for _ in 0..100 {
            store.send(&limits, "1", "id", data("0123456789")).expect("replaces");
        }
        let more = (0..100).map(|n| store.send(&limits, "1", &format!("id{n}"), data("")));
        let taken = more.filter(Result::is_ok).count();
        assert!((1..10).contains(&taken), "{taken}");
    }
}
