//! Whether an open attempt is over, and why.

use std::time::Duration;

use aideator_contract::attempt::{Cause, has_a_cause_outside};
use aideator_contract::report::Report;
use aideator_contract::{AttemptSpec, Code, Reason, State, Timestamp, VariationSummary};

use super::{Limits, VariationView};
use crate::observe::Observation;

/// What an attempt's age is measured with.
pub(super) struct Times<'a> {
    pub(super) now: Timestamp,
    /// When it was opened.
    pub(super) opened: Timestamp,
    pub(super) limits: &'a Limits,
}

impl Times<'_> {
    fn passed(&self, since: Timestamp, allowed: &[Duration]) -> bool {
        let allowed: Duration = allowed.iter().sum();
        u128::from(self.now.since(since)) > allowed.as_millis()
    }
}

/// Why an open attempt is over, if it is.
pub(super) fn over(
    seen: &VariationView,
    now: &VariationSummary,
    spec: &AttemptSpec,
    times: &Times<'_>,
) -> Option<Cause> {
    if let Some(Report::Done(word)) = &seen.report
        && !has_a_cause_outside(word)
    {
        return Some(Cause::Reported);
    }
    let cancelling = now.state == State::Cancelling;
    match gone(seen, now) {
        Some(_) if cancelling => return Some(Cause::Cancelled),
        Some(cause) => return Some(cause),
        None => {}
    }
    let limits = times.limits;
    let absent = matches!(
        seen.observation,
        Observation::NotStarted | Observation::Absent
    );
    let waiting = matches!(seen.observation, Observation::Waiting { .. });
    if cancelling {
        let patience = if absent || waiting {
            Duration::ZERO
        } else {
            limits.deadline_grace
        };
        return times
            .passed(now.since, &[limits.cancel_grace, patience])
            .then_some(Cause::Cancelled);
    }
    // What has spoken did begin: its Job is about to say how it ended.
    if (absent || waiting) && seen.report.is_none() {
        return late(seen, now, times);
    }
    let deadline = Duration::from_secs(spec.deadline_s);
    // The agent's own deadline begins at its own start, which is not later than either of these.
    let (since, allowance) = match (now.started, now.state) {
        (Some(started), _) => (started, Duration::ZERO),
        (None, State::Starting) => (now.since, Duration::ZERO),
        (None, _) => (times.opened, limits.start_allowance),
    };
    times
        .passed(since, &[allowance, deadline, limits.deadline_grace])
        .then_some(Cause::Deadline)
}

/// Why an attempt that has not begun is given up, if its time is over. Being held by a quota or a
/// queue costs none of it.
fn late(seen: &VariationView, now: &VariationSummary, times: &Times<'_>) -> Option<Cause> {
    let told = now.reason.as_ref();
    if told.is_some_and(|told| told.code == Code::Quota) {
        return None;
    }
    let limits = times.limits;
    let (kept_by, since) = match &seen.observation {
        Observation::Waiting { reason, since } => (reason.as_ref(), (*since)?.max(now.since)),
        // Why Kubernetes refuses the Job is told by the submitter.
        _ => (
            told.filter(|told| told.code == Code::Kubernetes),
            times.opened,
        ),
    };
    times
        .passed(since, &[limits.start_allowance])
        .then(|| never_began(kept_by, limits))
}

/// Why a pod that could not begin in time is given up.
fn never_began(kept_by: Option<&Reason>, limits: &Limits) -> Cause {
    let seconds = limits.start_allowance.as_secs();
    match kept_by {
        Some(reason) => Cause::Failed {
            reason: Reason::new(
                reason.code.clone(),
                format!("the agent did not begin within {seconds} s: {reason}"),
            ),
        },
        None => Cause::StartTimeout,
    }
}

/// How a process or pod that was there ended, as seen from outside.
fn gone(seen: &VariationView, now: &VariationSummary) -> Option<Cause> {
    match &seen.observation {
        Observation::Exited(status) => Some(match (status.code, status.signal) {
            (_, Some(signal)) => Cause::Killed { signal },
            (Some(code), None) => Cause::Exited { code },
            (None, None) => Cause::Vanished,
        }),
        Observation::Failed(reason) => Some(Cause::Failed {
            reason: reason.clone(),
        }),
        Observation::Deadline => Some(Cause::Deadline),
        Observation::Vanished => Some(Cause::Vanished),
        // It has spoken, so it was there; the observation is younger than its word.
        Observation::NotStarted if seen.report.is_some() => Some(Cause::Vanished),
        Observation::Absent if seen.report.is_some() || now.state != State::Queued => {
            Some(Cause::Failed {
                reason: Reason::new(
                    Code::JobDeleted,
                    "the Job of its agent is gone: somebody deleted it, or it ended while nobody watched",
                ),
            })
        }
        Observation::NotStarted
        | Observation::Absent
        | Observation::Waiting { .. }
        | Observation::Running
        | Observation::Unreachable(_)
        | Observation::Unknown => None,
    }
}
