//! What can be seen of an attempt from outside: its process, or its Job and pod.

mod cluster;
mod local;

use std::future::Future;

use aideator_contract::local::{AttemptName, ExitStatus};
use aideator_contract::{Reason, Startup, Timestamp};

pub use cluster::Cluster;
pub use local::Local;

/// What is seen of an attempt's process or pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// Nobody could look, or what was seen may change in a moment by itself.
    Unknown,
    /// It never began, and may in a moment.
    NotStarted,
    /// There is nothing of it. Once it was launched, that is its end.
    Absent,
    /// It was launched and can't begin yet.
    Waiting {
        /// What keeps it, if anything does.
        reason: Option<Reason>,
        /// Since when its start allowance runs; `None` while a quota or a queue holds it back.
        since: Option<Timestamp>,
    },
    /// It is there.
    Running,
    /// It was there, and nobody can say whether it is: what would tell does not answer.
    Unreachable(Reason),
    /// It ended, and how is known.
    Exited(ExitStatus),
    /// It ended badly, and why is known.
    Failed(Reason),
    /// It was ended at its deadline.
    Deadline,
    /// It was there and is gone, nobody knows how.
    Vanished,
}

/// Somebody who can see attempts.
pub trait Observer: Send + Sync + 'static {
    /// What is true of each attempt now, in the same order.
    fn look(&self, attempts: Vec<AttemptName>) -> impl Future<Output = Vec<Observation>> + Send;

    /// The same from what is at hand, without asking anybody: what differs from what was seen is a
    /// reason to look.
    fn glance(&self, attempts: Vec<AttemptName>) -> impl Future<Output = Vec<Observation>> + Send {
        self.look(attempts)
    }

    /// How it came to its first token, as far as that is seen from outside.
    fn startup(&self, _attempt: &AttemptName) -> Startup {
        Startup::default()
    }

    /// Removes what a closed attempt needs no longer (workspace, credential; a pod that never began),
    /// once its process is gone; what tells about it later (status, log) stays. Says whether there is
    /// nothing left to remove.
    fn clear(&self, attempt: AttemptName) -> impl Future<Output = bool> + Send;

    /// Attempts that may have something to clear: after a restart nobody remembers which, and a late
    /// launch may leave what nobody waits for.
    fn leftovers(&self) -> impl Future<Output = Vec<AttemptName>> + Send;
}
