//! What the watcher does next about a run: pure decisions, level-triggered.
//!
//! Read a [`View`], ask [`next`], apply the one [`Effect`] by compare-and-set, read again, until
//! there is none. Order is kept by the decisions alone, so a crash between any two effects is
//! mended by beginning again: `closed` before its terminal state, the last word and the end of the
//! output from after `closed`, the open key last.

mod over;
mod view;

use std::time::Duration;

use aideator_contract::attempt::{AttemptEvent, Cause, verdict};
use aideator_contract::limits;
use aideator_contract::report::Report;
use aideator_contract::summary::{Ending, Move};
use aideator_contract::{
    AttemptRecord, Code, Reason, State, StateMessage, Status, Variation, VariationSummary,
};

use self::over::{Times, over};
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

/// The state an open attempt has reached, if it is a later one, or what keeps it in this one.
fn advanced(view: &View, seen: &VariationView, now: &VariationSummary) -> Option<Effect> {
    let to = match (&seen.report, &seen.observation) {
        (Some(Report::FirstToken { .. }), _) => State::Running,
        (Some(Report::Ready | Report::Cloned { .. }), _) => State::Starting,
        // Not while `queued`: the submitter is about to write `scheduling`.
        (None, Observation::Running | Observation::Unreachable(_))
            if now.state == State::Scheduling =>
        {
            State::Starting
        }
        _ => now.state,
    };
    if now.state.may_become(to) {
        return moved(view, seen, to_state(view, seen, now, to));
    }
    let reason = match &seen.observation {
        Observation::Waiting { reason, .. } if now.state == State::Scheduling => {
            kept(reason.as_ref(), now)
        }
        Observation::Unreachable(reason) if may_be_lost(now.state) => Some(reason.clone()),
        Observation::Running if may_be_lost(now.state) => None,
        _ => return None,
    };
    if now.reason == reason {
        return None;
    }
    moved(
        view,
        seen,
        Move {
            reason,
            ..to_state(view, seen, now, now.state)
        },
    )
}

/// Whether it has begun, so that only what can't be seen of it is a reason to tell.
fn may_be_lost(state: State) -> bool {
    matches!(state, State::Starting | State::Running)
}

/// Why a launched attempt can't begin; what was told and is true no more is taken back.
fn kept(by: Option<&Reason>, now: &VariationSummary) -> Option<Reason> {
    match (by, &now.reason) {
        (Some(reason), _) => Some(reason.clone()),
        (None, Some(told)) if told.code != Code::Waiting => {
            Some(Reason::new(Code::Waiting, "its pod is being started"))
        }
        (None, told) => told.clone(),
    }
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
pub(crate) mod tests;
