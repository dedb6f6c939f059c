//! Publishing what one attempt of a variation says: ack-clocked coalescing behind a fence.
//!
//! One message is in flight at a time. The first token goes out at once; what the model says
//! while a message waits for its ack is joined into the next. So latency is one round trip, the
//! rate of messages bounds itself and order needs no cleverness. Every message expects that the
//! variation's `.attempt` is as it was when the attempt began (the *fence*), so nothing is stored
//! once it was closed or a newer one opened; the first, `start`, expects that nobody wrote at
//! all, so that of two processes of one attempt one wins.
//!
//! [`Machine`] decides and does no I/O: simulations drive it through losses and restarts.
//! [`Publisher`] is the thin task that does what the machine says, over a [`Bus`](crate::Bus).

mod attempt;
mod composer;
mod machine;
mod protocol;
mod queue;
mod task;

pub use attempt::{Opened, open};
pub use machine::Machine;
pub use protocol::{Action, Failure, Input, OutSeen, Outgoing};
pub use queue::TooLarge;
pub use task::Publisher;

use aideator_contract::{Attempt, RunId, Variation};

/// Whose words are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    /// The run.
    pub run: RunId,
    /// The variation.
    pub variation: Variation,
    /// The attempt.
    pub attempt: Attempt,
    /// This process: no other, not even of the same attempt, has the same.
    pub process: String,
}

impl Speaker {
    /// This process, speaking for an attempt.
    #[must_use]
    pub fn new(run: RunId, variation: Variation, attempt: Attempt) -> Self {
        let process = format!("{:016x}", rand::random::<u64>());
        Self {
            run,
            variation,
            attempt,
            process,
        }
    }
}

/// Why nothing more can be published. Nothing that was not acknowledged is stored any more,
/// except perhaps the one message that was on its way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Ended {
    /// The attempt was closed, or a newer one opened.
    #[error("the attempt was closed or a newer one opened")]
    Superseded,
    /// Another process of the same attempt was first.
    #[error("another process of the same attempt was first")]
    Outrun,
    /// NATS does not let this process write (any more): its credential has expired.
    #[error("NATS does not let this process write: {0}")]
    Refused(String),
    /// NATS will never take this message, or what is stored can't be read: a mistake in a program.
    #[error("publishing can't go on: {0}")]
    Impossible(String),
    /// [`Publisher`] was dropped.
    #[error("the publisher was dropped")]
    Dropped,
}
