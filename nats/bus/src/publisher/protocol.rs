//! What the machine asks for and what it is told.

use std::time::Duration;

use aideator_contract::{Attempt, Subject};
use bytes::Bytes;

use super::Ended;

/// The next thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Nothing until something is pushed.
    Idle,
    /// Append this, and say [`Input::Stored`] or [`Input::Failed`].
    Send(Outgoing),
    /// Read the last message of the variation's `.attempt`: [`Input::Attempt`] or [`Input::Unread`].
    ReadAttempt,
    /// Read the last message of the variation's `.out`: [`Input::Out`] or [`Input::Unread`].
    ReadOut,
    /// Wait this long: [`Input::Waited`].
    Wait(Duration),
    /// Nothing, ever.
    End(Ended),
}

/// A message and what its writer expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub subject: Subject,
    /// The JSON.
    pub payload: Bytes,
    /// Its `Nats-Msg-Id`, the same each time the message is sent.
    pub msg_id: String,
    /// The last message there (a wildcard for `start`) …
    pub filter: Subject,
    /// … has this sequence, or the message is not stored.
    pub sequence: u64,
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The message is stored, now or by an earlier sending.
    Stored,
    /// It is not, or nobody knows.
    Failed(Failure),
    /// The sequence of the last message on `.attempt`, as some replica has it.
    Attempt(Option<u64>),
    /// The last message on `.out`, as some replica has it.
    Out(Option<OutSeen>),
    /// What was to be read could not be.
    Unread,
    /// The pause is over.
    Waited,
}

/// Why a message is not known to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// What it expects is not so (10071). It is not stored by this sending.
    Conflict,
    /// The server has not decided (10164).
    Undecided,
    /// No room (10077), or another error that may pass.
    Full,
    /// No answer: stored or not.
    Away,
    /// Not permitted.
    Refused(String),
    /// It can never be stored.
    Impossible(String),
}

/// A message on `.out`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutSeen {
    /// Its sequence in the stream.
    pub sequence: u64,
    /// The attempt that wrote it.
    pub attempt: Attempt,
    /// Its place in the attempt.
    pub n: u64,
    /// The process, if it is a `start`.
    pub process: Option<String>,
}
