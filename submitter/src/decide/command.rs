//! Commands about a run that exists: cancel, retry, pick. Each is applied once, by its sequence.

use aideator_contract::attempt::{AttemptEvent, Cause};
use aideator_contract::request::{CancelRequest, PickRequest, RetryRequest};
use aideator_contract::summary::{Ending, Move, Unmoved};
use aideator_contract::{
    AttemptRecord, Change, Code, Reason, RunId, State, Status, Summary, Timestamp, Variation,
    VariationSummary,
};

use super::{Fence, Known, Write, behind};

/// A command about a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Stop it.
    Cancel(CancelRequest),
    /// Try a variation again.
    Retry(RetryRequest),
    /// This variation is best.
    Pick(PickRequest),
}

impl Command {
    /// The run it is about.
    #[must_use]
    pub fn run(&self) -> &RunId {
        match self {
            Self::Cancel(cancel) => &cancel.run_id,
            Self::Retry(retry) => &retry.run_id,
            Self::Pick(pick) => &pick.run_id,
        }
    }
}

/// What is known about a command.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The command.
    pub command: &'a Command,
    /// Its sequence in the stream of requests.
    pub sequence: u64,
    /// It may have been in hand before, or an answer to a write was lost.
    pub again: bool,
    /// Something was written for it while it was in hand.
    pub acted: bool,
    /// Every run request that was stored before it is decided. To be read before `last`.
    pub settled: bool,
    /// Every retry that was stored before it is decided. To be read before `last`; only a cancel
    /// needs it.
    pub retried: bool,
    /// The last message on the run's `.state`, read from the leader.
    pub last: Option<&'a Known>,
    /// The last message on `.attempt` of each variation, read from the leader after `last`.
    /// Only a cancel needs them.
    pub fences: &'a [Option<Fence>],
    /// The open key was put while this command was in hand, and nothing was written since.
    pub opened: bool,
    /// What the run was asked is still stored. Only a retry needs it.
    pub spec: bool,
    /// The queue has room for one more.
    pub room: bool,
    /// Its dead letter is stored: now, or when it was in hand before.
    pub buried: bool,
    /// Now.
    pub at: Timestamp,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The run, or an attempt that a cancel is to stop, may still come: look again later.
    Wait,
    /// Put the run's open key.
    Open,
    /// Write on a variation's `.attempt`: the attempt that nobody opened is closed, so that nobody will.
    Close {
        /// The variation.
        variation: Variation,
        /// The sequence of the message it follows; 0: there is none.
        after: u64,
        /// The record.
        record: AttemptRecord,
    },
    /// Write on `.state`.
    Write(Write),
    /// Store the dead letter.
    Bury(Reason),
    /// Nothing is left to do: acknowledge.
    Done,
}

/// The next step.
#[must_use]
pub fn next(view: &View<'_>) -> Step {
    if view.buried {
        return Step::Done;
    }
    let run = view.command.run();
    let accepted = |known: &&Known| known.summary().status != Status::Rejected;
    let Some(known) = view.last.filter(accepted) else {
        return if view.settled {
            Step::Bury(unknown(run))
        } else {
            Step::Wait
        };
    };
    if known.lost {
        return Step::Bury(cut_off(run));
    }
    let summary = known.summary();
    if summary.has_applied(view.sequence) {
        return applied(view, summary);
    }
    match view.command {
        Command::Cancel(request) => cancel(view, known, request),
        Command::Retry(request) => retry(view, known, request),
        Command::Pick(request) => {
            let reason = request.reason.clone();
            match summary.picked(request.variation, reason, view.sequence, view.at) {
                Ok(next) => write(view, known, next),
                Err(unmoved) => Step::Bury(refusal(run, &unmoved)),
            }
        }
    }
}

/// A retry puts the open key again behind its write: the watcher may have removed it in between.
fn applied(view: &View<'_>, summary: &Summary) -> Step {
    let opens = matches!(view.command, Command::Retry(_)) && summary.status == Status::Open;
    if opens && !view.opened {
        Step::Open
    } else {
        Step::Done
    }
}

fn retry(view: &View<'_>, known: &Known, request: &RetryRequest) -> Step {
    match known
        .summary()
        .retried(request.variation, view.sequence, view.at)
    {
        Err(unmoved) => Step::Bury(refusal(&request.run_id, &unmoved)),
        Ok(_) if !view.spec => Step::Bury(super::launch::forgotten(&request.run_id)),
        Ok(_) if !view.room => Step::Bury(super::schedule::queue_full()),
        Ok(_) if !view.opened => Step::Open,
        Ok(next) => write(view, known, next),
    }
}

fn cancel(view: &View<'_>, known: &Known, request: &CancelRequest) -> Step {
    let summary = known.summary();
    let targets: Vec<(Variation, &VariationSummary)> = match request.variation {
        Some(one) => match summary.variation(one) {
            Ok(variation) => vec![(one, variation)],
            Err(unmoved) => return Step::Bury(refusal(&request.run_id, &unmoved)),
        },
        None => Variation::first(summary.variations.len())
            .zip(&summary.variations)
            .collect(),
    };
    // What a later command queued is not what this one was about.
    let live = |(_, v): &&(Variation, &VariationSummary)| {
        !v.state.is_terminal() && v.queued < view.sequence
    };
    if targets.iter().filter(live).count() == 0 {
        if !view.retried {
            return Step::Wait;
        }
        let cancelled = targets.iter().any(|(_, v)| v.state == State::Cancelled);
        return if view.acted || (view.again && cancelled) {
            Step::Done
        } else {
            Step::Bury(over(&request.run_id, request.variation))
        };
    }
    let why = request.reason.as_deref().unwrap_or("stopped on request");
    let mut steps = targets
        .iter()
        .filter(live)
        .filter_map(|(variation, now)| stop(view, *variation, now, why));
    let Some(step) = steps.next() else {
        if !view.retried {
            return Step::Wait;
        }
        return match summary.noted(view.sequence, view.at) {
            Ok(next) => write(view, known, next),
            Err(_) => Step::Done,
        };
    };
    let last = steps.next().is_none() && view.retried;
    match step {
        Stop::Close(variation, record) => Step::Close {
            variation,
            after: behind(fence(view, variation)),
            record,
        },
        Stop::Move(wanted) => {
            // The last move says that the whole command is applied.
            let command = last.then_some(view.sequence);
            match summary.moved(Move { command, ..wanted }) {
                Ok(next) => write(view, known, next),
                Err(unmoved) => Step::Bury(refusal(&request.run_id, &unmoved)),
            }
        }
    }
}

enum Stop {
    Close(Variation, AttemptRecord),
    Move(Move),
}

/// What brings one variation nearer to its end; `None` if it is on its way already.
fn stop(view: &View<'_>, variation: Variation, now: &VariationSummary, why: &str) -> Option<Stop> {
    let to = |to, ending| {
        Stop::Move(Move {
            variation,
            attempt: now.attempt,
            to,
            reason: Some(Reason::new(Code::Requested, why)),
            ending,
            command: None,
            at: view.at,
        })
    };
    match now.state {
        State::Queued => {
            let of_this = |fence: &&Fence| fence.record.attempt == now.attempt;
            match fence(view, variation)
                .filter(of_this)
                .map(|f| &f.record.event)
            {
                None => Some(Stop::Close(
                    variation,
                    AttemptRecord::closed(now.attempt, Cause::Cancelled, view.at),
                )),
                Some(AttemptEvent::Opened { .. }) => Some(to(State::Cancelling, None)),
                Some(AttemptEvent::Closed {
                    cause: Cause::Cancelled,
                }) => Some(to(State::Cancelled, Some(Ending::default()))),
                // It could not be launched; its end is being written.
                Some(AttemptEvent::Closed { .. }) => None,
            }
        }
        State::Scheduling | State::Starting | State::Running => Some(to(State::Cancelling, None)),
        State::Cancelling
        | State::Succeeded
        | State::Failed
        | State::Cancelled
        | State::TimedOut => None,
    }
}

fn fence<'a>(view: &View<'a>, variation: Variation) -> Option<&'a Fence> {
    view.fences.get(variation.index())?.as_ref()
}

fn write(view: &View<'_>, known: &Known, next: (Summary, Change)) -> Step {
    Step::Write(Write::new(
        view.command.run(),
        known.sequence,
        view.at,
        next,
    ))
}

fn unknown(run: &RunId) -> Reason {
    Reason::new(Code::UnknownRun, format!("there is no run {run}"))
}

fn over(run: &RunId, variation: Option<Variation>) -> Reason {
    let what = variation.map_or(String::new(), |v| format!("variation {v} of "));
    Reason::new(
        Code::AlreadyFinished,
        format!("{what}run {run} has ended; there is nothing to cancel"),
    )
}

fn cut_off(run: &RunId) -> Reason {
    Reason::new(
        Code::AlreadyFinished,
        format!(
            "run {run} can be read and not go on: the stream it was in is lost; send its prompt as a new run"
        ),
    )
}

fn refusal(run: &RunId, unmoved: &Unmoved) -> Reason {
    let code = match unmoved {
        Unmoved::NoSuchVariation(..) => Code::UnknownVariation,
        Unmoved::NotEnded(_) => Code::NotFinished,
        Unmoved::Applied | Unmoved::OtherAttempt(_) | Unmoved::NotAllowed { .. } => Code::Internal,
    };
    Reason::new(code, format!("run {run}: {unmoved}"))
}
