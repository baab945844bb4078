//! What a member may ask for, and how asking can end badly.

use crate::store::Data;
use std::fmt;

/// A request of a member. All but `Send` may wait.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// Give data to everybody under an id. Never waits; a second send of the same id takes the first's place.
    Send {
        /// Message id.
        id: String,
        /// Keys and values, in order.
        data: Data,
    },
    /// Until any member, the caller included, has sent the id.
    Wait {
        /// Message id.
        id: String,
    },
    /// Until every member has sent the id, or every member of one role.
    WaitAll {
        /// Message id.
        id: String,
        /// Only this role's members need to have sent.
        role: Option<String>,
    },
    /// Until every member has called sync with this id. The same id can be used again afterwards.
    Sync {
        /// Name of the meeting; no relation to messages of the same id.
        id: String,
    },
    /// Until every member of a role has sent `lava_start`.
    Start {
        /// LAVA's `expect_role`.
        role: String,
    },
    /// Until all secondary members on this host have left or died. From now on the caller counts as left.
    Drain,
}

/// The message whose sending lets delayed roles start (LAVA's name).
pub(crate) const START_ID: &str = "lava_start";

impl Call {
    /// The call's name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Send { .. } => "send",
            Self::Wait { .. } => "wait",
            Self::WaitAll { .. } => "wait-all",
            Self::Sync { .. } => "sync",
            Self::Start { .. } => "start",
            Self::Drain => "drain",
        }
    }

    /// The id the caller named.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::Send { id, .. } | Self::Wait { id } | Self::WaitAll { id, .. } | Self::Sync { id } => Some(id),
            Self::Start { .. } | Self::Drain => None,
        }
    }

    /// The role the caller named.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        match self {
            Self::WaitAll { role, .. } => role.as_deref(),
            Self::Start { role } => Some(role),
            _ => None,
        }
    }
}

/// Reads after "waits", as in "host 101 waits in sync 'clients'".
impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send { id, .. } => write!(f, "to send '{id}'"),
            Self::Wait { id } => write!(f, "for message '{id}'"),
            Self::WaitAll { id, role: None } => write!(f, "for message '{id}' of all members"),
            Self::WaitAll { id, role: Some(role) } => write!(f, "for message '{id}' of role '{role}'"),
            Self::Sync { id } => write!(f, "in sync '{id}'"),
            Self::Start { role } => write!(f, "to start after role '{role}'"),
            Self::Drain => write!(f, "in drain"),
        }
    }
}

/// Why a call got no answer; the names are those of mn-protocol(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The request itself is unusable.
    BadRequest,
    /// The connection has not said whom it speaks for.
    NotJoined,
    /// No such member or role in this group.
    Unknown,
    /// The caller's deadline has passed.
    Timeout,
    /// Somebody who is needed has left, has died or drains.
    Left,
    /// Every live member waits, and nothing came.
    Deadlock,
    /// Beyond a bound of [`Limits`](crate::Limits).
    Limit,
    /// One that this version does not know; no group gives it.
    Other,
}

impl Class {
    const ALL: [Self; 7] =
        [Self::BadRequest, Self::NotJoined, Self::Unknown, Self::Timeout, Self::Left, Self::Deadlock, Self::Limit];

    /// The word on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::NotJoined => "not-joined",
            Self::Unknown => "unknown",
            Self::Timeout => "timeout",
            Self::Left => "left",
            Self::Deadlock => "deadlock",
            Self::Limit => "limit",
            Self::Other => "x-other",
        }
    }

    /// The class of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Self {
        Self::ALL.into_iter().find(|class| class.word() == word).unwrap_or(Self::Other)
    }
}

/// A call that ended badly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub class: Class,
    /// One line for a person.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(Class::BadRequest, message)
    }

    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self::new(Class::Unknown, message)
    }

    pub(crate) fn limit(message: impl Into<String>) -> Self {
        Self::new(Class::Limit, message)
    }

    pub(crate) fn left(message: impl Into<String>) -> Self {
        Self::new(Class::Left, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
