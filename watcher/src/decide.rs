//! What the watcher does next about a run: pure decisions, level-triggered.
//!
//! Read a [`View`], ask [`next`], apply the one [`Effect`] by compare-and-set, read again, until
//! there is none. Order is kept by the decisions alone, so a crash between any two effects is
//! mended by beginning again: `closed` before its terminal state, the last word and the end of the
//! output from after `closed`, the open key last.

mod view;

use std::time::Duration;

use aideator_contract::attempt::{AttemptEvent, Cause, has_a_cause_outside, verdict};
use aideator_contract::limits;
use aideator_contract::report::Report;
use aideator_contract::summary::{Ending, Move};
use aideator_contract::{
    AttemptRecord, AttemptSpec, Code, Reason, State, StateMessage, Status, Timestamp, Variation,
    VariationSummary,
};

use crate::observe::Observation;
pub use view::{VariationView, View};

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The run is open and its key is gone (a retry overlapped with the end): put it.
    KeepOpen,
    /// Append to `.attempt` of the variation, if the last sequence there is `after`.
    Close {
        /// The variation.
        variation: Variation,
        /// The record: closed.
        record: AttemptRecord,
        /// The sequence of the record that opened it.
        after: u64,
    },
    /// Append to `.state`, if the last sequence there is `after`.
    Move {
        /// The message: a variation moved.
        message: Box<StateMessage>,
        /// The sequence of the message it follows.
        after: u64,
    },
    /// Remove the run's open key, if it has this revision.
    DropOpen {
        /// The revision.
        revision: u64,
    },
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the opening of an attempt until its process must be there; from the admission of its pod
    /// until its agent must run.
    pub start_allowance: Duration,
    /// From a cancel until a process that never was there counts as gone.
    pub cancel_grace: Duration,
    /// Past a deadline (or past `cancel_grace`) until an attempt is closed whatever its process does.
    pub deadline_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            start_allowance: limits::START_ALLOWANCE,
            cancel_grace: limits::CANCEL_GRACE,
            deadline_grace: limits::DEADLINE_GRACE,
        }
    }
}

/// The next step, or `None` when everything is as it should be for now.
#[must_use]
pub fn next(view: &View, limits: &Limits) -> Option<Effect> {
    let open = view.summary().status == Status::Open;
    if open && view.open_key.is_none() {
        return Some(Effect::KeepOpen);
    }
    let step = view
        .variations
        .iter()
        .find_map(|seen| of_variation(view, seen, limits));
    if step.is_some() || open {
        return step;
    }
    view.open_key.map(|revision| Effect::DropOpen { revision })
}

fn of_variation(view: &View, seen: &VariationView, limits: &Limits) -> Option<Effect> {
    let now = view.summary().variation(seen.variation).ok()?;
    let (sequence, record) = seen.record.as_ref()?;
    if now.state.is_terminal() || record.attempt != now.attempt {
        return None;
    }
    match &record.event {
        AttemptEvent::Closed { cause } => ended(view, seen, now, cause),
        AttemptEvent::Opened { spec } => {
            let times = Times {
                now: view.now,
                opened: record.ts,
                limits,
            };
            match over(seen, now, spec, &times) {
                Some(cause) => Some(Effect::Close {
                    variation: seen.variation,
                    record: AttemptRecord::closed(now.attempt, cause, view.now),
                    after: *sequence,
                }),
                None => advanced(view, seen, now),
            }
        }
    }
}

struct Times<'a> {
    now: Timestamp,
    opened: Timestamp,
    limits: &'a Limits,
}

impl Times<'_> {
    fn passed(&self, since: Timestamp, allowed: &[Duration]) -> bool {
        let allowed: Duration = allowed.iter().sum();
        u128::from(self.now.since(since)) > allowed.as_millis()
    }
}

/// Why an open attempt is over, if it is.
fn over(
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
        | Observation::Unknown => None,
    }
}

/// The terminal state of a closed attempt.
fn ended(
    view: &View,
    seen: &VariationView,
    now: &VariationSummary,
    cause: &Cause,
) -> Option<Effect> {
    let done = match &seen.report {
        Some(Report::Done(done)) => Some(&**done),
        _ => None,
    };
    let (to, reason) = verdict(cause, done);
    let reason = match to {
        // Who asked for it, and why, was said when it was told to stop.
        State::Cancelled => reason.or_else(|| now.reason.clone()),
        _ => reason,
    };
    let ending = Ending {
        out: seen.out,
        usage: done.and_then(|done| done.usage.clone()),
        digest: done.map(|done| done.digest.clone()),
    };
    moved(
        view,
        seen,
        Move {
            reason,
            ending: Some(ending),
            ..to_state(view, seen, now, to)
        },
    )
}

/// The state an open attempt has reached, if it is a later one, or why it can't begin.
fn advanced(view: &View, seen: &VariationView, now: &VariationSummary) -> Option<Effect> {
    let to = match (&seen.report, &seen.observation) {
        (Some(Report::FirstToken { .. }), _) => State::Running,
        (Some(Report::Ready | Report::Cloned { .. }), _) => State::Starting,
        // Not while `queued`: the submitter is about to write `scheduling`.
        (None, Observation::Running) if now.state == State::Scheduling => State::Starting,
        (None, Observation::Waiting { reason, .. }) if now.state == State::Scheduling => {
            return waits(view, seen, now, reason.as_ref());
        }
        _ => return None,
    };
    if !now.state.may_become(to) {
        return None;
    }
    moved(view, seen, to_state(view, seen, now, to))
}

/// Tells why a launched attempt can't begin; what was told and is true no more is taken back.
fn waits(
    view: &View,
    seen: &VariationView,
    now: &VariationSummary,
    kept_by: Option<&Reason>,
) -> Option<Effect> {
    let reason = match (kept_by, &now.reason) {
        (Some(reason), told) if told.as_ref() != Some(reason) => reason.clone(),
        (None, Some(told)) if told.code != Code::Waiting => {
            Reason::new(Code::Waiting, "its pod is being started")
        }
        _ => return None,
    };
    moved(
        view,
        seen,
        Move {
            reason: Some(reason),
            ..to_state(view, seen, now, now.state)
        },
    )
}

fn to_state(view: &View, seen: &VariationView, now: &VariationSummary, to: State) -> Move {
    Move {
        variation: seen.variation,
        attempt: now.attempt,
        to,
        reason: None,
        ending: None,
        command: None,
        at: view.now,
    }
}

fn moved(view: &View, seen: &VariationView, to: Move) -> Option<Effect> {
    let (summary, change) = view.summary().moved(to).ok()?;
    let summary = summary.begun(seen.variation, seen.startup);
    let message = StateMessage::new(view.run.clone(), view.now, change, summary);
    Some(Effect::Move {
        message: Box::new(message),
        after: view.sequence,
    })
}

#[cfg(test)]
mod tests;
