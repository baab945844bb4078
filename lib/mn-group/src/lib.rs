//! The state of a multinode group: join, send, wait, wait-all, sync, start, drain, leave.
//!
//! A [`Group`] is a state machine without I/O and without a clock. Events go in with the time they
//! happened at (counted from the broker's start), outputs come out: answers to requests, and notes for
//! who looks on. What the calls mean is mn-protocol(7); the words (send, wait, wait-all, sync) are LAVA's
//! multinode API, and where LAVA's coordinator does otherwise than LAVA documents, the document counts.
//!
//! ```
//! use mn_group::{Call, Caller, Event, Group, Member, Output, Reply, Settings, Stay};
//! use std::time::Duration;
//!
//! let members = vec![Member::new("101", "host"), Member::new("102", "guest").on_host("101")];
//! let mut group = Group::new(members, Settings::default())?;
//! let now = Duration::from_secs(1);
//! let caller = Caller { connection: 7, request: 1 };
//! group.apply(now, Event::Join { caller, member: "101".into(), stay: Stay::Lasting, grace: None });
//! let call = Call::Send { id: "ipv4".into(), data: vec![("ipaddr".into(), "10.0.2.15".into())] };
//! let caller = Caller { connection: 7, request: 2 };
//! let out = group.apply(now, Event::Call { caller, call, deadline: now });
//! assert!(out.contains(&Output::Answer { caller, result: Ok(Reply::Done) }));
//! # Ok::<(), mn_group::Failure>(())
//! ```

mod call;
mod deadlock;
mod event;
mod group;
mod limits;
mod roster;
mod status;
mod store;
mod verdict;

pub use call::{Call, Class, Failure};
pub use event::{Caller, Event, Note, Output, Reply, Stay};
pub use group::Group;
pub use limits::{Limits, Settings};
pub use roster::{Counted, Member, State, Work};
pub use status::{MemberStatus, Status, WaitStatus};
pub use store::{Data, Messages};
