//! How connections come to speak for somebody: hello, join, and coming back.

use super::{Desk, Done, Letter, Outcome, Seat};
use crate::input::Asked;
use crate::sessions::Standing;
use mn_group::{Caller, Event, Member, Output, Reply, Stay};
use mn_ipc::Class;
use serde_json::json;
use std::time::Duration;

impl Desk {
    pub(super) fn hello(&mut self, caller: Caller, said: Seat) -> Done {
        if self.sessions.token(caller.connection).is_some() {
            return Err((Class::BadRequest, "'hello' comes before a join".into()));
        }
        if let Some(name) = &said.group {
            self.halls.find(name)?;
        }
        let seat = self.seats.entry(caller.connection).or_default();
        seat.group = said.group.or(seat.group.take());
        seat.grace = said.grace.or(seat.grace);
        seat.session = said.session.or(seat.session.take());
        Ok(Some(json!({})))
    }

    /// Joins, speaks or enters, by what the member lacks: a listed one has no role here, one from outside no id.
    pub(super) fn join(
        &mut self,
        now: Duration,
        caller: Caller,
        asked: &Asked,
        member: Member,
        stay: Stay,
        outcome: &mut Outcome,
    ) -> Done {
        if let Standing::Waits | Standing::Answered(_) | Standing::Messages(_) = self.again(caller) {
            return Err((Class::BadRequest, "this connection has joined already".into()));
        }
        let listed = Some(member.id.as_str()).filter(|id| !id.is_empty());
        let token = asked.token.as_deref().unwrap_or_default();
        if let Some(session) = self.sessions.find(token) {
            // The answer to the first join was lost, or is on its way.
            if listed.is_some_and(|id| id != session.member) {
                return Err((Class::BadRequest, "the session is of another member".into()));
            }
            return self.resume(now, caller, token, outcome);
        }
        let group = self.halls.choose(asked.group.as_deref(), listed)?;
        let grace = asked.grace.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let event = match listed {
            Some(_) => Event::Join { caller, member: member.id, stay, grace },
            None => Event::Enrol { caller, member, stay, grace },
        };
        self.apply_join(now, &group, event, caller, token, outcome);
        Ok(None)
    }

    /// Applies a join and begins its session before the answer, which holds the token, is written.
    fn apply_join(&mut self, now: Duration, group: &str, event: Event, caller: Caller, token: &str, out: &mut Outcome) {
        let Some(result) = self.apply_for(now, group, event, caller, out) else { return };
        if let Ok(Reply::Joined { member }) = &result {
            self.sessions.begin(token, group, member, caller.connection);
            out.changed = true;
        }
        self.put(group, Output::Answer { caller, result }, out);
    }

    pub(super) fn resume(&mut self, now: Duration, caller: Caller, token: &str, outcome: &mut Outcome) -> Done {
        if self.sessions.token(caller.connection).is_some() {
            return Err((Class::BadRequest, "this connection has joined already".into()));
        }
        let unknown = || (Class::Unknown, "no such session".to_owned());
        let session = self.sessions.find(token).ok_or_else(unknown)?;
        let (group, member, old, left) =
            (session.group.clone(), session.member.clone(), session.connection, session.left);
        if !left {
            let event = Event::Resume { caller, of: old };
            if let Some(Err(failure)) = self.apply_for(now, &group, event, caller, outcome) {
                return Err((failure.class, failure.message));
            }
        }
        self.sessions.move_to(token, caller.connection);
        self.seats.entry(caller.connection).or_default().resumed = true;
        outcome.changed = true;
        outcome.letters.push(Letter::Close(old));
        Ok(Some(self.halls.joined(&group, &member, token)))
    }
}
