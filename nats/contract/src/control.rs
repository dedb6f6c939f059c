//! What the submitter tells a running agent (core NATS, not stored; said again until the agent is gone).

use serde::{Deserialize, Serialize};

use crate::ids::Attempt;

/// A message on a variation's control subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Control {
    /// Flush what is in hand, say the last word, exit.
    Cancel {
        /// The attempt that is to stop; others ignore it.
        attempt: Attempt,
    },
}
