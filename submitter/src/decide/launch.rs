//! The launch of one attempt whose turn has come: opened, launched, `scheduling`, in this order.

use aideator_contract::attempt::{AttemptEvent, Cause, verdict};
use aideator_contract::report::Done;
use aideator_contract::summary::{Ending, Move};
use aideator_contract::{
    Attempt, AttemptRecord, Code, Reason, RunId, State, Timestamp, Variation, VariationSummary,
};

use super::{Fence, Known, Write, behind};

/// What is known about an attempt that is to be launched.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The run.
    pub run: &'a RunId,
    /// The variation.
    pub variation: Variation,
    /// The attempt whose turn has come. Another is left alone.
    pub attempt: Attempt,
    /// The last message on the run's `.state`, read from the leader.
    pub last: &'a Known,
    /// The last message on the variation's `.attempt`, read from the leader after `last`.
    pub fence: Option<&'a Fence>,
    /// What the launcher said to this process, if it was asked.
    pub launched: Launched<'a>,
    /// What the attempt left behind, if it was looked for after it was closed.
    pub left: Option<&'a Left>,
    /// Now.
    pub at: Timestamp,
}

/// What the launcher said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launched<'a> {
    /// It was not asked yet, or is to be asked again.
    No,
    /// The attempt is launched.
    Yes,
    /// Something outside holds it back; it is to be asked again later.
    Held(&'a Reason),
    /// It can't be launched, or not even opened.
    Never(&'a Reason),
}

/// What a closed attempt left behind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Left {
    /// Its last word.
    pub last_word: Option<Done>,
    /// Its last sequence on `.out`; 0: it said nothing.
    pub out: u64,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Open the attempt on `.attempt`, with its spec.
    Open {
        /// The sequence of the message it follows; 0: there is none.
        after: u64,
    },
    /// Ask the launcher.
    Launch,
    /// Write on `.attempt`: closed.
    Close {
        /// The sequence of the message it follows.
        after: u64,
        /// The record.
        record: AttemptRecord,
    },
    /// Read what the attempt left behind.
    LookBehind,
    /// Write on `.state`.
    Write(Write),
}

/// The next step; `None` when nothing is left to do, or nothing but to ask the launcher later.
#[must_use]
pub fn next(view: &View<'_>) -> Option<Step> {
    let now = waiting(view)?;
    let Some(fence) = view.fence.filter(|f| f.record.attempt >= view.attempt) else {
        let after = behind(view.fence);
        return Some(match view.launched {
            Launched::Never(reason) => not_started(view, after, reason),
            Launched::No | Launched::Yes | Launched::Held(_) => Step::Open { after },
        });
    };
    if fence.record.attempt > view.attempt {
        return None;
    }
    match (&fence.record.event, view.launched) {
        (AttemptEvent::Closed { cause }, _) => match view.left {
            None => Some(Step::LookBehind),
            Some(left) => end(view, cause, left),
        },
        (AttemptEvent::Opened { .. }, Launched::No) => Some(Step::Launch),
        (AttemptEvent::Opened { .. }, Launched::Yes) => moved(view, State::Scheduling, None, None),
        (AttemptEvent::Opened { .. }, Launched::Held(reason)) => held(view, now, reason),
        (AttemptEvent::Opened { .. }, Launched::Never(reason)) => {
            Some(not_started(view, fence.sequence, reason))
        }
    }
}

fn not_started(view: &View<'_>, after: u64, reason: &Reason) -> Step {
    let reason = reason.clone();
    let cause = Cause::NotStarted { reason };
    Step::Close {
        after,
        record: AttemptRecord::closed(view.attempt, cause, view.at),
    }
}

/// The reason of an attempt, or of a retry, of a run whose request has expired.
#[must_use]
pub fn forgotten(run: &RunId) -> Reason {
    Reason::new(
        Code::UnknownRun,
        format!("what run {run} was asked is no longer stored; start a new run"),
    )
}

/// Whether the attempt is still the one that waits: if there is no step, it is stuck.
#[must_use]
pub fn is_waiting(view: &View<'_>) -> bool {
    waiting(view).is_some()
}

fn waiting<'a>(view: &View<'a>) -> Option<&'a VariationSummary> {
    let now = view.last.summary().variation(view.variation).ok()?;
    (now.attempt == view.attempt && now.state == State::Queued).then_some(now)
}

fn held(view: &View<'_>, now: &VariationSummary, reason: &Reason) -> Option<Step> {
    let told = now.reason.as_ref() == Some(reason);
    if told {
        None
    } else {
        moved(view, State::Queued, Some(reason.clone()), None)
    }
}

fn end(view: &View<'_>, cause: &Cause, left: &Left) -> Option<Step> {
    let (state, reason) = verdict(cause, left.last_word.as_ref());
    let ending = Ending {
        out: left.out,
        usage: left.last_word.as_ref().and_then(|done| done.usage.clone()),
        digest: left.last_word.as_ref().map(|done| done.digest.clone()),
    };
    moved(view, state, reason, Some(ending))
}

fn moved(
    view: &View<'_>,
    to: State,
    reason: Option<Reason>,
    ending: Option<Ending>,
) -> Option<Step> {
    let wanted = Move {
        variation: view.variation,
        attempt: view.attempt,
        to,
        reason,
        ending,
        command: None,
        at: view.at,
    };
    let next = view.last.summary().moved(wanted).ok()?;
    Some(Step::Write(Write::new(
        view.run,
        view.last.sequence,
        view.at,
        next,
    )))
}
