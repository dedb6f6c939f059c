//! The `.attempt` subject: one message opens an attempt, one closes it, and between the two its agent may write.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::VERSION;
use crate::ids::Attempt;
use crate::reason::{Code, Reason};
use crate::report::{Done, Outcome};
use crate::spec::AttemptSpec;
use crate::state::State;
use crate::time::Timestamp;

/// A message on `.attempt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptRecord {
    /// The contract's version.
    pub v: u32,
    /// When it was written.
    pub ts: Timestamp,
    /// Which attempt it is about.
    pub attempt: Attempt,
    /// What happened to it.
    #[serde(flatten)]
    pub event: AttemptEvent,
}

/// What happens to an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum AttemptEvent {
    /// Its agent may claim it.
    Opened {
        /// What the agent is to do.
        spec: Box<AttemptSpec>,
    },
    /// Nothing its agent sends from here on is stored.
    Closed {
        /// Why.
        cause: Cause,
    },
}

impl AttemptRecord {
    /// The message that opens an attempt.
    #[must_use]
    pub fn opened(spec: AttemptSpec, ts: Timestamp) -> Self {
        let attempt = spec.attempt;
        Self {
            v: VERSION,
            ts,
            attempt,
            event: AttemptEvent::Opened {
                spec: Box::new(spec),
            },
        }
    }

    /// The message that closes an attempt.
    #[must_use]
    pub fn closed(attempt: Attempt, cause: Cause, ts: Timestamp) -> Self {
        Self {
            v: VERSION,
            ts,
            attempt,
            event: AttemptEvent::Closed { cause },
        }
    }

    /// Whether `attempt` may be written to: it is the newest and open.
    #[must_use]
    pub fn is_open(&self, attempt: Attempt) -> bool {
        self.attempt == attempt && matches!(self.event, AttemptEvent::Opened { .. })
    }
}

/// Why an attempt was closed, as the watcher saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Cause {
    /// The agent gave its last word.
    Reported,
    /// It was asked to stop and is gone, or was made to go.
    Cancelled,
    /// The process or container ended with a code.
    Exited {
        /// The exit code.
        code: i32,
    },
    /// The process or container was ended by a signal.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// It is gone, nobody knows how.
    Vanished,
    /// It could not be started.
    NotStarted {
        /// Why.
        reason: Reason,
    },
    /// It ended badly for a reason that is known.
    Failed {
        /// Why.
        reason: Reason,
    },
    /// It did not begin within the start allowance.
    StartTimeout,
    /// It did not stop at its deadline.
    Deadline,
}

/// Whether a last word tells a consequence of which somebody outside may see the cause: hands that
/// are gone, a word to end from outside.
#[must_use]
pub fn has_a_cause_outside(last_word: &Done) -> bool {
    matches!(&last_word.outcome, Outcome::Failed { reason }
        if matches!(reason.code, Code::HandsFailed | Code::Terminated))
}

/// How an attempt ended: a pure function of why it was closed and of its last word, if it gave one.
/// The last word counts above what was seen from outside, unless it tells a consequence only and
/// what was seen is its cause.
#[must_use]
pub fn verdict(cause: &Cause, last_word: Option<&Done>) -> (State, Option<Reason>) {
    let seen = match cause {
        Cause::Cancelled | Cause::Deadline | Cause::Failed { .. } => true,
        Cause::Reported
        | Cause::Exited { .. }
        | Cause::Killed { .. }
        | Cause::Vanished
        | Cause::NotStarted { .. }
        | Cause::StartTimeout => false,
    };
    let last_word = last_word.filter(|word| !(seen && has_a_cause_outside(word)));
    if let Some(done) = last_word {
        return match &done.outcome {
            Outcome::Succeeded => (State::Succeeded, None),
            Outcome::Failed { reason } => (State::Failed, Some(reason.clone())),
            Outcome::Cancelled => (State::Cancelled, None),
            Outcome::TimedOut => (State::TimedOut, Some(deadline())),
        };
    }
    let failed = |code, message: String| (State::Failed, Some(Reason::new(code, message)));
    match cause {
        Cause::Cancelled => (State::Cancelled, None),
        Cause::Deadline => (State::TimedOut, Some(deadline())),
        Cause::Exited { code } => failed(
            Code::Exited,
            format!("the agent exited with code {code} before it gave its last word"),
        ),
        Cause::Killed { signal } => failed(
            Code::Killed,
            format!("the agent was killed by signal {signal}{}", name(*signal)),
        ),
        Cause::Vanished | Cause::Reported => failed(
            Code::Vanished,
            "the agent is gone without a last word".into(),
        ),
        Cause::NotStarted { reason } | Cause::Failed { reason } => {
            (State::Failed, Some(reason.clone()))
        }
        Cause::StartTimeout => failed(
            Code::StartTimeout,
            "the agent did not begin within the start allowance".into(),
        ),
    }
}

fn deadline() -> Reason {
    Reason::new(Code::Deadline, "the deadline passed")
}

fn name(signal: i32) -> &'static str {
    match signal {
        2 => " (SIGINT)",
        6 => " (SIGABRT)",
        9 => " (SIGKILL: by hand, or out of memory)",
        11 => " (SIGSEGV)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(outcome: Outcome) -> Done {
        Done {
            outcome,
            usage: None,
            digest: crate::usage::Digest {
                sha256: String::new(),
                bytes: 0,
            },
            out_n: 0,
        }
    }

    fn failed(code: Code) -> Outcome {
        let reason = Reason::new(code, "said by the agent");
        Outcome::Failed { reason }
    }

    #[test]
    fn a_cause_seen_outside_counts_above_a_consequence_and_nothing_else() {
        let memory = Reason::new(Code::OutOfMemory, "seen outside");
        let cause = Cause::Failed {
            reason: memory.clone(),
        };
        for consequence in [Code::HandsFailed, Code::Terminated] {
            let word = word(failed(consequence));
            let seen = verdict(&cause, Some(&word));
            assert_eq!(seen, (State::Failed, Some(memory.clone())));
            assert_eq!(verdict(&Cause::Cancelled, Some(&word)).0, State::Cancelled);
            let (_, told) = verdict(&Cause::Exited { code: 0 }, Some(&word));
            assert_eq!(told.unwrap().message, "said by the agent");
        }
        let other = word(failed(Code::ModelError));
        let (_, told) = verdict(&cause, Some(&other));
        assert_eq!(told.unwrap().code, Code::ModelError);
        let well = word(Outcome::Succeeded);
        assert_eq!(verdict(&cause, Some(&well)), (State::Succeeded, None));
    }
}
