//! Local mode on disk: the folder of one attempt, shared by the submitter (which launches), the
//! supervisor process (which runs the agent) and the watcher (which observes).
//!
//! `<data>/attempts/<run>.<variation>.<attempt>/` is made exclusively by the supervisor's launcher; the
//! supervisor holds an exclusive `flock` on [`LOCK`] while it lives and leaves [`STATUS`] by rename.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{Attempt, RunId, Variation};
use crate::time::Timestamp;

/// The folder of all attempts, inside the data directory.
pub const ATTEMPTS: &str = "attempts";
/// What the supervisor is to start ([`Launch`] as JSON), written before it is started.
pub const LAUNCH: &str = "launch.json";
/// The agent's NATS credential; only the brain reads it. Gone when the brain is started.
pub const CREDENTIALS: &str = "agent.creds";
/// Held by the supervisor while it lives. Not there: the supervisor never began.
pub const LOCK: &str = "lock";
/// The supervisor's process id in decimal, written as soon as it holds [`LOCK`]. It leads a process
/// group of its own. Means nothing once the lock is free.
pub const PID: &str = "pid";
/// How the agent ended ([`ExitStatus`] as JSON). Appears by rename, before the lock is freed.
pub const STATUS: &str = "status.json";
/// What the agent's processes log.
pub const LOG: &str = "agent.log";
/// The hands' workspace.
pub const WORKSPACE: &str = "workspace";
/// The socket between brain and hands, as a path relative to the attempt's folder.
pub const SOCKET: &str = "hands.sock";

/// The name of an attempt's folder: `<run>.<variation>.<attempt>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AttemptName {
    /// The run.
    pub run: RunId,
    /// The variation.
    pub variation: Variation,
    /// The attempt.
    pub attempt: Attempt,
}

/// The text is no name of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the name of an attempt (<run>.<variation>.<attempt>)")]
pub struct BadAttemptName;

impl fmt::Display for AttemptName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.run, self.variation, self.attempt)
    }
}

impl FromStr for AttemptName {
    type Err = BadAttemptName;

    fn from_str(text: &str) -> Result<Self, BadAttemptName> {
        let mut parts = text.split('.');
        let mut next = || parts.next().ok_or(BadAttemptName);
        let (run, variation, attempt) = (next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(BadAttemptName);
        }
        Ok(Self {
            run: run.parse().map_err(|_| BadAttemptName)?,
            variation: variation.parse().map_err(|_| BadAttemptName)?,
            attempt: attempt.parse().map_err(|_| BadAttemptName)?,
        })
    }
}

/// What the supervisor is to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Which attempt.
    pub name: AttemptName,
    /// Where NATS is.
    pub nats_url: String,
    /// After so many seconds it is killed: it keeps its deadline itself, unless it hangs.
    pub limit_s: u64,
}

/// How an agent's brain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// The exit code, if it exited.
    pub code: Option<i32>,
    /// The signal, if one ended it.
    pub signal: Option<i32>,
    /// When.
    pub at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_name_reads_back() {
        let name: AttemptName = "my-run.3.12".parse().unwrap();
        assert_eq!(name.to_string(), "my-run.3.12");
        for bad in ["", "a.0", "a.9.1", "a.0.0", "a.0.1.2", "A.0.1"] {
            assert!(bad.parse::<AttemptName>().is_err(), "{bad}");
        }
    }
}
