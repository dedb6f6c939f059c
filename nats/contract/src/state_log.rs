//! The `.state` subject: a run's log of changes. The last message is enough to go on from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::VERSION;
use crate::ids::{Attempt, RunId, Variation};
use crate::reason::Reason;
use crate::spec::RunSpec;
use crate::state::State;
use crate::summary::Summary;
use crate::time::Timestamp;

/// A message on `.state`: what changed, and everything as it is then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StateMessage {
    /// The contract's version.
    pub v: u32,
    /// The run.
    pub run: RunId,
    /// When it changed.
    pub ts: Timestamp,
    /// What changed.
    pub change: Change,
    /// The whole run after the change.
    pub summary: Summary,
}

impl StateMessage {
    /// `change`, which led to `summary`.
    #[must_use]
    pub fn new(run: RunId, ts: Timestamp, change: Change, summary: Summary) -> Self {
        Self {
            v: VERSION,
            run,
            ts,
            change,
            summary,
        }
    }
}

/// What can change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Change {
    /// The run exists; all its variations are queued.
    Accepted {
        /// What it is to do.
        spec: Box<RunSpec>,
    },
    /// The request can't be used; the id may be used again.
    Rejected {
        /// Why.
        error: Reason,
    },
    /// A variation moved, or waits for another reason.
    Moved {
        /// The variation.
        variation: Variation,
        /// Its attempt.
        attempt: Attempt,
        /// From this state.
        from: State,
        /// To this state.
        to: State,
    },
    /// Somebody said which variation is best.
    Picked {
        /// The variation.
        variation: Variation,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A command was looked at and changed nothing (a cancel after all had ended in between).
    Noted,
}
