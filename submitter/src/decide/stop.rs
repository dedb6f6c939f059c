//! The end of an attempt on request: first it is told, then it is made to go.

use aideator_contract::{Timestamp, limits};

/// Time between the launcher's polite stop and its hard one, in milliseconds.
const HARD_AFTER_MS: u64 = 5_000;

/// What is to be done about a variation that is `cancelling`, each second until it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Tell it on its control subject.
    Tell,
    /// Tell it, and let the launcher end it.
    Stop,
    /// Tell it, and let the launcher end it without asking.
    Kill,
}

/// The step at `now` for what is `cancelling` since `since`.
#[must_use]
pub fn next(since: Timestamp, now: Timestamp) -> Step {
    let grace = u64::try_from(limits::CANCEL_GRACE.as_millis()).unwrap_or(u64::MAX);
    match now.since(since) {
        waited if waited < grace => Step::Tell,
        waited if waited < grace + HARD_AFTER_MS => Step::Stop,
        _ => Step::Kill,
    }
}
