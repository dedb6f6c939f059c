//! Why something waits, failed or was refused: a code for programs, words for people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A reason: a stable code and a sentence that says what happened and, where it can, what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Error)]
#[error("{message}")]
pub struct Reason {
    /// The code, for programs.
    pub code: Code,
    /// The sentence, for people.
    pub message: String,
}

impl Reason {
    /// A reason of `code` in the words of `message`.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

/// The codes of all reasons. New ones may be added; a reader keeps what it does not know as [`Code::Other`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    // Waiting.
    /// Other variations run; this one has a place in the queue.
    Waiting,
    /// The requester has as many variations running as one may have.
    RequesterLimit,
    /// The stream of runs has no room for another variation's output.
    StorageFull,
    /// A quota or a queue outside AIdeator holds it back.
    Quota,

    // Refused.
    /// The message is not JSON, or not a JSON object of the right shape.
    BadJson,
    /// A field that does not exist, named in the message.
    UnknownField,
    /// A value that is not allowed.
    BadValue,
    /// Larger than the limit named in the message.
    TooLarge,
    /// Not a run id.
    BadRunId,
    /// The run id exists with another request.
    Conflict,
    /// No such run.
    UnknownRun,
    /// The run has no such variation.
    UnknownVariation,
    /// It has ended already.
    AlreadyFinished,
    /// It has not ended yet.
    NotFinished,
    /// The repository's address is of a kind that is not allowed.
    RepositoryAddress,
    /// The repository's host is private, local or reserved.
    PrivateAddress,
    /// There is no repository there, or it can't be read without a login.
    RepositoryNotFound,
    /// The repository's host did not answer.
    RepositoryUnreachable,
    /// The repository has no such branch, tag or commit.
    RefNotFound,
    /// This installation does not run commands.
    ExecNotAllowed,
    /// No model of that name here.
    UnknownModel,
    /// Too many variations wait already.
    QueueFull,
    /// The message is of a newer version than this program knows.
    NewerVersion,

    // Failed.
    /// The process or pod is gone without a last word.
    Vanished,
    /// The agent ended with an exit code and no last word.
    Exited,
    /// The agent was ended by a signal.
    Killed,
    /// The agent could not be started.
    LaunchFailed,
    /// The agent did not begin within the start allowance.
    StartTimeout,
    /// The deadline passed.
    Deadline,
    /// A newer attempt took over.
    Superseded,
    /// No key for the model's provider is configured.
    NoModelKey,
    /// The provider refused the key.
    WrongModelKey,
    /// The provider's rate limit held after all retries.
    RateLimited,
    /// Prompt and repository digest are longer than the model's context.
    ContextTooLong,
    /// The model's server can't be reached.
    ModelUnreachable,
    /// The model's server answered with an error.
    ModelError,
    /// The script of a scripted model said so, or is faulty.
    ScriptError,
    /// The repository could not be cloned.
    CloneFailed,
    /// The repository is larger than the limit.
    RepositoryTooLarge,
    /// The process that holds the workspace failed.
    HandsFailed,
    /// The command ended with an exit code other than 0.
    CommandFailed,
    /// No node of the cluster has room for its pod.
    Unschedulable,
    /// The image of its pod can't be pulled.
    ImagePull,
    /// Something of its pod can't be created or started.
    PodStart,
    /// Brain, hands or a command used more memory than allowed.
    OutOfMemory,
    /// Its pod used more disk than allowed.
    OutOfDisk,
    /// Kubernetes took its pod away: drain, preemption, pressure on the node.
    Evicted,
    /// Somebody deleted its pod.
    PodDeleted,
    /// Somebody deleted its Job.
    JobDeleted,
    /// The node of its pod is gone or does not answer.
    NodeLost,
    /// It was told to end from outside, and no cancel had asked for it.
    Terminated,
    /// Kubernetes refused its Job or can't be asked.
    Kubernetes,
    /// Stopped on request.
    Requested,
    /// A fault of AIdeator itself.
    Internal,

    /// A code of a newer version.
    #[serde(untagged)]
    Other(String),
}

impl Code {
    /// The code as it stands on the wire.
    #[must_use]
    pub fn wire(&self) -> String {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::String(code)) => code,
            _ => String::from("internal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_newer_ones_are_kept() {
        assert_eq!(Code::UnknownField.wire(), "unknown-field");
        let newer: Code = serde_json::from_str("\"out-of-luck\"").unwrap();
        assert_eq!(newer, Code::Other("out-of-luck".into()));
        assert_eq!(newer.wire(), "out-of-luck");
    }
}
