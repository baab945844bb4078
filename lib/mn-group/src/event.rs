//! What goes into a group and what comes out.

use crate::{Call, Failure, Member, State, store::Messages};
use std::time::Duration;

/// Whom an answer is for: the broker's number of a connection and that connection's number of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Connection.
    pub connection: u64,
    /// Request on it.
    pub request: i64,
}

/// What the end of a connection means for its member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// The connection is part of the member's life: it must leave, or the member is dead.
    Lasting,
    /// The connection speaks for the member and goes again: one command of a shell script.
    Passing,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A connection says whom it speaks for.
    Join {
        /// Who asks.
        caller: Caller,
        /// The member's id.
        member: String,
        /// Whether the member lives as long as this connection.
        stay: Stay,
        /// How long the connection may be lost, if not as long as the group's settings say.
        grace: Option<Duration>,
    },
    /// Somebody who is not in the list joins: on an open place, or from outside. Known by id, it only joins.
    Enrol {
        /// Who asks.
        caller: Caller,
        /// The newcomer; with an empty id it gets the next decimal one.
        member: Member,
        /// Whether the member lives as long as this connection.
        stay: Stay,
        /// As in `Join`.
        grace: Option<Duration>,
    },
    /// A connection takes the place of another, which is lost or soon will be, with all calls that wait.
    Resume {
        /// Who asks.
        caller: Caller,
        /// The other connection.
        of: u64,
    },
    /// A connection gives up its calls that wait.
    Withdraw {
        /// Whose.
        connection: u64,
    },
    /// The broker was gone and is back: every connection is lost, and has at least this grace to come back.
    Restart {
        /// How long.
        grace: Duration,
    },
    /// A connection that has joined asks for something.
    Call {
        /// Who asks.
        caller: Caller,
        /// What for.
        call: Call,
        /// When it must be answered, on the clock of `now`. `Send` does not look at it.
        deadline: Duration,
    },
    /// A connection has done its part; a member has left when all its connections have.
    Leave {
        /// Who asks.
        caller: Caller,
    },
    /// Somebody who knows says that a member is gone, whether it ever joined or not.
    LeaveMember {
        /// Who asks; needs not to have joined.
        caller: Caller,
        /// The member's id.
        member: String,
    },
    /// Somebody's work has failed. For those who need it; it changes nothing else.
    Fail {
        /// Who asks; has joined, or names a member.
        caller: Caller,
        /// The member's id, if it is not the caller's own.
        member: Option<String>,
    },
    /// A connection is gone; after `Leave` this is nothing, without it the member dies.
    Lost {
        /// Which.
        connection: u64,
    },
    /// Time has passed.
    Tick,
}

/// What an event brought about, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The one answer to a request.
    Answer {
        /// Whom for.
        caller: Caller,
        /// What.
        result: Result<Reply, Failure>,
    },
    /// Something for those who look on.
    Note(Note),
}

/// A good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The connection speaks for this member (join).
    Joined {
        /// The member's id.
        member: String,
    },
    /// It is done (send, sync, start, leave).
    Done,
    /// What was sent under the id and by whom (wait, wait-all).
    Messages(Messages),
    /// The caller's guests are gone: ids of those that left, and of those that died (drain).
    Drained {
        /// Left.
        left: Vec<String>,
        /// Died.
        died: Vec<String>,
    },
}

/// Something seen in the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// A member's state has changed.
    State {
        /// The member's id.
        member: String,
        /// Its state now.
        state: State,
    },
    /// A member's work has failed.
    Failed {
        /// The member's id.
        member: String,
    },
    /// A message was sent.
    Sent {
        /// The sender.
        member: String,
        /// Message id.
        id: String,
    },
    /// A call that may wait was made.
    Waits {
        /// Who made it.
        member: String,
        /// What it is.
        call: Call,
    },
    /// A call that may wait has ended.
    Ended {
        /// Who made it.
        member: String,
        /// What it was.
        call: Call,
        /// How it failed, if it did.
        failure: Option<Failure>,
    },
    /// A sync is complete.
    Synced {
        /// Its id.
        id: String,
    },
    /// Every live member waits; if nothing comes, the waits end with `deadlock`.
    AllWait {
        /// In how long.
        ends_in: Duration,
    },
}
