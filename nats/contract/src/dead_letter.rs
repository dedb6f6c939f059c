//! What is kept of a command that was refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::VERSION;
use crate::ids::RunId;
use crate::reason::Reason;
use crate::time::Timestamp;

/// A message on `aideator.dead.<command>`: the command, and why it was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// The contract's version.
    pub v: u32,
    /// When it was refused.
    pub ts: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The subject it was sent to.
    pub subject: String,
    /// Its sequence in the stream of requests.
    pub sequence: u64,
    /// The run it names, if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// What was sent.
    #[serde(flatten)]
    pub request: Refused,
}

/// What was sent, as readable as it can be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// It was JSON.
    Request(Value),
    /// It was text.
    Text(String),
    /// It was neither: base64 of its bytes.
    Base64(String),
    /// It is too large to be kept: its length, SHA-256 and beginning.
    Beginning {
        /// Its bytes.
        bytes: u64,
        /// Its SHA-256.
        sha256: String,
        /// How it begins, as text.
        text: String,
    },
}

impl DeadLetter {
    /// The letter about a command that came on `subject` with `sequence`.
    #[must_use]
    pub fn new(
        reason: Reason,
        (subject, sequence): (&str, u64),
        run_id: Option<RunId>,
        request: Refused,
        ts: Timestamp,
    ) -> Self {
        Self {
            v: VERSION,
            ts,
            reason,
            subject: subject.to_owned(),
            sequence,
            run_id,
            request,
        }
    }
}
