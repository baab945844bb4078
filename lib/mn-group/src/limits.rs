//! How much a group takes, so that no member can grow it without bound.

use crate::{Call, Failure};
use std::time::Duration;

/// Times and bounds of a group.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a lost connection may stay away before its member counts as dead.
    pub grace: Duration,
    /// How long no request may come while every live member waits, before the waits end with `deadlock`.
    pub quiet: Duration,
    /// Sizes.
    pub limits: Limits,
}

impl Default for Settings {
    fn default() -> Self {
        Self { grace: Duration::ZERO, quiet: Duration::from_secs(10), limits: Limits::default() }
    }
}

/// Sizes a group keeps within; a request beyond one of them fails with [`Class::Limit`](crate::Class).
#[derive(Clone, Debug)]
pub struct Limits {
    /// Members of the group.
    pub members: usize,
    /// Bytes of a role's name.
    pub role_bytes: usize,
    /// Bytes of a message's id.
    pub id_bytes: usize,
    /// Message ids the group keeps.
    pub ids: usize,
    /// Keys in one message.
    pub keys: usize,
    /// Bytes of one message's data in JSON.
    pub message_bytes: usize,
    /// Bytes one id's data may have in JSON, all senders together: the answer to a wait must fit one line.
    pub answer_bytes: usize,
    /// Bytes of all data kept.
    pub stored_bytes: usize,
    /// Calls one connection may have waiting.
    pub waiting: usize,
    /// Calls all connections together may have waiting.
    pub waiting_in_all: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            members: 1024,
            role_bytes: 255,
            id_bytes: 128,
            ids: 1024,
            keys: 64,
            message_bytes: 32 << 10,
            answer_bytes: 60_000,
            stored_bytes: 8 << 20,
            waiting: 64,
            waiting_in_all: 4096,
        }
    }
}

impl Limits {
    /// Whether a call's own words are within the bounds; what depends on the store is checked there.
    /// How ids and keys are spelt is the protocol's matter.
    pub(crate) fn check(&self, call: &Call) -> Result<(), Failure> {
        if call.id().is_some_and(|id| id.len() > self.id_bytes) {
            return Err(Failure::limit(format!("message id is longer than {} bytes", self.id_bytes)));
        }
        match call {
            Call::Send { id, data } if data.len() > self.keys => {
                Err(Failure::limit(format!("message '{}' has more than {} keys", shown(id), self.keys)))
            }
            _ => Ok(()),
        }
    }
}

/// A stranger's word as an error shows it: its beginning, control characters escaped.
pub(crate) fn shown(word: &str) -> String {
    let mut text: String = word.chars().take(64).flat_map(char::escape_debug).collect();
    if word.chars().nth(64).is_some() {
        text.push('…');
    }
    text
}

/// Bytes of a text as a JSON string with its quotes, at most: a control character takes up to six.
pub(crate) fn json_bytes(text: &str) -> usize {
    let escaped = |c: char| match c {
        '"' | '\\' => 2,
        c if c.is_control() => 6,
        c => c.len_utf8(),
    };
    2 + text.chars().map(escaped).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send(id: &str, keys: usize) -> Call {
        let data = (0..keys).map(|n| (format!("k{n}"), String::new())).collect();
        Call::Send { id: id.into(), data }
    }

    #[test]
    fn ids_and_keys_are_bounded() {
        let limits = Limits::default();
        assert_eq!(limits.check(&send(&"x".repeat(128), 64)), Ok(()));
        let too_long = limits.check(&Call::Sync { id: "x".repeat(129) }).expect_err("too long");
        assert_eq!(too_long.message, "message id is longer than 128 bytes");
        assert_eq!(limits.check(&send("x", 65)).expect_err("too many").message, "message 'x' has more than 64 keys");
    }

    #[test]
    fn a_strangers_word_is_shown_short_and_harmless() {
        assert_eq!(shown("a\nb"), "a\\nb");
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), 65);
    }

    #[test]
    fn json_bytes_is_never_less_than_what_json_writes() {
        assert_eq!(json_bytes("ab"), 4);
        assert_eq!(json_bytes("a\"b\\"), 8);
        assert_eq!(json_bytes("\u{1}"), 8);
        assert_eq!(json_bytes("ü"), 4);
    }
}
