//! The `.report` subject: the few things an agent says about itself, which the watcher turns into states.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{Attempt, RunId, Variation};
use crate::reason::Reason;
use crate::startup::Startup;
use crate::time::Timestamp;
use crate::usage::{Digest, Usage};

/// A message on `.report`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportMessage {
    /// The contract's version.
    pub v: u32,
    /// The run.
    pub run: RunId,
    /// The variation.
    pub variation: Variation,
    /// The attempt.
    pub attempt: Attempt,
    /// When it was said.
    pub ts: Timestamp,
    /// How far it had come, and when.
    #[serde(default, skip_serializing_if = "Startup::is_empty")]
    pub startup: Startup,
    /// What was said.
    #[serde(flatten)]
    pub report: Report,
}

/// What an agent says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Report {
    /// It has claimed its attempt and its parts work.
    Ready,
    /// It has the repository.
    Cloned {
        /// Milliseconds the clone took.
        took_ms: u64,
    },
    /// Its model (or command) said the first thing.
    FirstToken {
        /// Milliseconds from asking to the first token.
        ttft_ms: u64,
    },
    /// Its last word.
    Done(Box<Done>),
}

/// An agent's last word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// How it ended.
    pub outcome: Outcome,
    /// Tokens, times and cost; absent in modes without a model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What proves its text whole.
    pub digest: Digest,
    /// The highest `n` it stored on `.out`.
    pub out_n: u64,
}

/// How an agent says it ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Outcome {
    /// It did what was asked.
    Succeeded,
    /// It could not.
    Failed {
        /// Why.
        reason: Reason,
    },
    /// It was asked to stop.
    Cancelled,
    /// Its deadline passed.
    TimedOut,
}
