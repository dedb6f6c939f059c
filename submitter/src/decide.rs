//! What the submitter does next: pure decisions over what was read, without clock, client or task.
//!
//! [`request`] and [`command`] decide about one command in hand, [`schedule`] whose turn it is,
//! [`launch`] about one variation whose turn has come, [`stop`] about one that is to end. Each gives
//! one step; the caller applies it (writes by compare-and-set) and asks again with what it reads
//! then.

pub mod command;
pub mod launch;
pub mod request;
pub mod schedule;
pub mod stop;

use aideator_contract::{AttemptRecord, Change, RunId, StateMessage, Summary, Timestamp};

/// The last message on a run's `.state`.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its sequence: what a compare-and-set expects.
    pub sequence: u64,
    /// What it says.
    pub message: StateMessage,
    /// It is archived from a stream that was there before this one: what is written now could not
    /// follow it.
    pub lost: bool,
}

impl Known {
    /// What the stream has.
    #[must_use]
    pub fn new(sequence: u64, message: StateMessage) -> Self {
        Self {
            sequence,
            message,
            lost: false,
        }
    }

    /// The run as it is.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.message.summary
    }
}

/// The last message on a variation's `.attempt`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fence {
    /// Its sequence.
    pub sequence: u64,
    /// What it says.
    pub record: AttemptRecord,
}

/// A message for `.state`, to be stored if the last one there is still the one it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Write {
    /// The sequence of the message it follows; 0: there is none.
    pub after: u64,
    /// The message.
    pub message: Box<StateMessage>,
}

impl Write {
    fn new(run: &RunId, after: u64, at: Timestamp, (summary, change): (Summary, Change)) -> Self {
        Self {
            after,
            message: Box::new(StateMessage::new(run.clone(), at, change, summary)),
        }
    }
}

/// The sequence an append behind `fence` expects.
fn behind(fence: Option<&Fence>) -> u64 {
    fence.map_or(0, |fence| fence.sequence)
}
