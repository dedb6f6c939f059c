//! What the brain orders and what the hands answer. One order at a time; `Cancel` ends the one in hand.

use aideator_contract::{Reason, Source};
use serde::{Deserialize, Serialize};

/// An order of the brain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Order {
    /// Fetch the repository.
    Clone(CloneOrder),
    /// Describe the repository.
    Digest(DigestOrder),
    /// Run a command.
    Exec(ExecOrder),
    /// End the order in hand.
    Cancel,
}

/// Fetch one commit of a repository into the workspace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CloneOrder {
    /// The repository, its commit resolved.
    pub source: Source,
    /// Without a commit, take the tip of the default branch: for an agent without sisters.
    #[serde(default)]
    pub tip: bool,
    /// Write the files out as well; a digest needs none.
    pub checkout: bool,
    /// Bytes it may have, as fetched and as written out.
    pub limit_bytes: u64,
    /// Milliseconds it may take.
    pub limit_ms: u64,
}

/// Describe the repository within a budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct DigestOrder {
    /// The commit.
    pub commit: String,
    /// The prompt: its words rank the files.
    pub prompt: String,
    /// Bytes the digest may have.
    pub budget_bytes: usize,
}

/// Run a shell command in the workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExecOrder {
    /// The command, for `sh -c`.
    pub command: String,
}

/// An answer of the hands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Answer {
    /// The repository is here.
    Cloned(Cloned),
    /// The digest.
    Digest {
        /// Its text.
        text: String,
    },
    /// The command printed this. Bytes that are not UTF-8 are replaced.
    Output {
        /// The text.
        text: String,
    },
    /// The command has ended, and all it printed was sent.
    Exited {
        /// Its exit code; 128 and the signal's number when a signal ended it, as shells say it.
        code: i32,
    },
    /// The order could not be carried out.
    Failed {
        /// Why.
        reason: Reason,
    },
    /// The order was cancelled and everything it started is gone.
    Cancelled,
}

/// A repository that is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cloned {
    /// The commit that was fetched.
    pub commit: String,
    /// Milliseconds it took.
    pub took_ms: u64,
    /// Bytes fetched.
    pub bytes: u64,
}
