//! What lets a client come back: its token, what it waits for, and the answers that it may not have seen.

use mn_group::{Call, Failure, Reply};
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Answers kept for a client that may ask again: as many as it may have requests open.
const KEPT: usize = 64;
/// Sessions kept that have ended or are lost; the oldest is forgotten.
const ENDED: usize = 4096;

/// A member's connection, whatever socket carries it at the moment.
#[derive(Debug)]
pub struct Session {
    /// The group's name.
    pub group: String,
    /// For whom it speaks.
    pub member: String,
    /// The connection at the moment, or the last one.
    pub connection: u64,
    /// It has left, and comes back for its answer only.
    pub left: bool,
    /// Calls that wait.
    open: BTreeMap<i64, Call>,
    /// Answers that were given.
    kept: VecDeque<(i64, Kept)>,
}

/// An answer, small enough to be kept.
#[derive(Clone, Debug)]
enum Kept {
    Reply(Reply),
    /// The messages that this call asks for; they stay with the group.
    Messages(Call),
    Failed(Failure),
}

/// How a request of a session stands that has come back.
pub enum Standing {
    /// It is new.
    New,
    /// It waits.
    Waits,
    /// It was answered so.
    Answered(Result<Reply, Failure>),
    /// It was answered with what the group has for this call.
    Messages(Call),
}

/// All sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    by_token: HashMap<String, Session>,
    tokens: HashMap<u64, String>,
    ended: VecDeque<String>,
}

impl Sessions {
    /// A connection has joined.
    pub fn begin(&mut self, token: &str, group: &str, member: &str, connection: u64) {
        let session = Session {
            group: group.to_owned(),
            member: member.to_owned(),
            connection,
            left: false,
            open: BTreeMap::new(),
            kept: VecDeque::new(),
        };
        self.tokens.insert(connection, token.to_owned());
        self.by_token.insert(token.to_owned(), session);
    }

    /// The session of a token.
    pub fn find(&self, token: &str) -> Option<&Session> {
        self.by_token.get(token)
    }

    /// The session of a connection.
    pub fn of(&self, connection: u64) -> Option<&Session> {
        self.by_token.get(self.tokens.get(&connection)?)
    }

    /// The token of a connection.
    pub fn token(&self, connection: u64) -> Option<&str> {
        self.tokens.get(&connection).map(String::as_str)
    }

    fn of_mut(&mut self, connection: u64) -> Option<&mut Session> {
        self.by_token.get_mut(self.tokens.get(&connection)?)
    }

    /// A session goes on over another connection; gives the one it had.
    pub fn move_to(&mut self, token: &str, connection: u64) -> Option<u64> {
        let session = self.by_token.get_mut(token)?;
        let old = std::mem::replace(&mut session.connection, connection);
        self.tokens.remove(&old);
        self.tokens.insert(connection, token.to_owned());
        self.ended.retain(|other| other != token);
        Some(old)
    }

    /// A connection is lost: its session may come back, but is not kept for ever.
    pub fn lose(&mut self, connection: u64) {
        let Some(token) = self.tokens.get(&connection).cloned() else { return };
        if !self.ended.contains(&token) {
            self.ended.push_back(token);
        }
        if self.ended.len() > ENDED
            && let Some(oldest) = self.ended.pop_front()
            && let Some(session) = self.by_token.remove(&oldest)
        {
            self.tokens.remove(&session.connection);
        }
    }

    /// A connection has done its part.
    pub fn leave(&mut self, connection: u64) {
        if let Some(session) = self.of_mut(connection) {
            session.left = true;
        }
    }

    /// Forgets the sessions of a group that is gone.
    pub fn forget_group(&mut self, group: &str) {
        let tokens = &mut self.tokens;
        self.by_token.retain(|_, session| {
            let gone = session.group == group;
            if gone {
                tokens.remove(&session.connection);
            }
            !gone
        });
        let known = &self.by_token;
        self.ended.retain(|token| known.contains_key(token));
    }

    /// A call has been made.
    pub fn asked(&mut self, connection: u64, id: i64, call: &Call) {
        if !matches!(call, Call::Send { .. })
            && let Some(session) = self.of_mut(connection)
        {
            session.open.insert(id, call.clone());
        }
    }

    /// A request has been answered.
    pub fn answered(&mut self, connection: u64, id: i64, result: &Result<Reply, Failure>) {
        let Some(session) = self.of_mut(connection) else { return };
        let kept = match (session.open.remove(&id), result) {
            (Some(call), Ok(Reply::Messages(_))) => Kept::Messages(call),
            (_, Ok(Reply::Messages(_) | Reply::Joined { .. })) => return,
            (_, Ok(reply)) => Kept::Reply(reply.clone()),
            (_, Err(failure)) => Kept::Failed(failure.clone()),
        };
        if session.kept.len() == KEPT {
            session.kept.pop_front();
        }
        session.kept.push_back((id, kept));
    }

    /// How a request stands.
    pub fn standing(&self, connection: u64, id: i64) -> Standing {
        let Some(session) = self.of(connection) else { return Standing::New };
        if session.open.contains_key(&id) {
            return Standing::Waits;
        }
        match session.kept.iter().rev().find(|(kept, _)| *kept == id) {
            None => Standing::New,
            Some((_, Kept::Reply(reply))) => Standing::Answered(Ok(reply.clone())),
            Some((_, Kept::Failed(failure))) => Standing::Answered(Err(failure.clone())),
            Some((_, Kept::Messages(call))) => Standing::Messages(call.clone()),
        }
    }
}
