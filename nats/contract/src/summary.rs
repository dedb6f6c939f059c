//! The life of a run as one value. Only the pure functions of `moves` change it.

mod moves;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{Attempt, Variation};
use crate::reason::Reason;
use crate::startup::Startup;
use crate::state::State;
use crate::time::Timestamp;
use crate::usage::{Digest, Usage};

pub use moves::{Ending, Move, Unmoved};

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// At least one variation has not ended.
    Open,
    /// All variations have ended.
    Finished,
    /// The request could not be used.
    Rejected,
}

/// Everything about a run but its texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Where the run is.
    pub status: Status,
    /// The digest of the request, to tell a repetition from a conflict.
    pub request_sha256: String,
    /// When it was accepted or rejected.
    pub created: Timestamp,
    /// When the last variation ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
    /// The variations, in order.
    pub variations: Vec<VariationSummary>,
    /// Which is best, if somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<Pick>,
    /// Sequences of the commands that were applied, newest last (at most 128).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applied: Vec<u64>,
}

/// Everything about a variation but its text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VariationSummary {
    /// Where it is.
    pub state: State,
    /// The attempt the state is about.
    pub attempt: Attempt,
    /// The model it asks.
    pub model: String,
    /// Why it waits or how it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// When it came into this state, or was let go on in it by a quota or a queue.
    pub since: Timestamp,
    /// Its place in the queue: the sequence of the request that queued it. Lower goes first.
    pub queued: u64,
    /// When its agent began to work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// How its attempt came to the first token.
    #[serde(default, skip_serializing_if = "Startup::is_empty")]
    pub startup: Startup,
    /// Terminal states: the last sequence of the attempt on `.out` (0: it said nothing). Readers reach it
    /// before they show the state, and never show more of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<u64>,
    /// Tokens, times and cost, once reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The digest of its text, once reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// Which variation is best, by somebody's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pick {
    /// The variation.
    pub variation: Variation,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When.
    pub ts: Timestamp,
}
