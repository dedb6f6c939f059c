//! What can be seen of an attempt from outside: its process, later its pod.

mod local;

use std::future::Future;

use aideator_contract::local::{AttemptName, ExitStatus};

pub use local::Local;

/// What is seen of an attempt's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// Nobody could look, or what was seen may change in a moment by itself.
    Unknown,
    /// It never began.
    NotStarted,
    /// It is there.
    Running,
    /// It ended, and how is known.
    Exited(ExitStatus),
    /// It was there and is gone, nobody knows how.
    Vanished,
}

/// Somebody who can see attempts.
pub trait Observer: Send + Sync + 'static {
    /// What is true of each attempt now, in the same order.
    fn look(&self, attempts: Vec<AttemptName>) -> impl Future<Output = Vec<Observation>> + Send;

    /// Removes what a closed attempt needs no longer (workspace, credential), once its process is
    /// gone; what tells about it later (status, log) stays. Says whether there is nothing left to remove.
    fn clear(&self, attempt: AttemptName) -> impl Future<Output = bool> + Send;

    /// Attempts that may have something to clear: after a restart nobody remembers which.
    fn leftovers(&self) -> impl Future<Output = Vec<AttemptName>> + Send;
}
