//! A request to start a run: accepted once, or refused, whatever is delivered again.

use aideator_contract::{Change, Code, Reason, RunId, RunSpec, Status, Summary, Timestamp};

use super::{Known, Write};

/// A request in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The run it is about: by its own word, its message id or its place in the stream.
    pub run: RunId,
    /// Somebody may know the run's id and look at it: a refusal is told there too.
    pub named: bool,
    /// Its sequence in the stream of requests.
    pub sequence: u64,
    /// The digest that tells a repetition from another request.
    pub sha256: String,
}

/// What is known about a request.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The request.
    pub request: &'a Request,
    /// The last message on the run's `.state`, read from the leader.
    pub last: Option<&'a Known>,
    /// What judging it came to, once it is judged.
    pub verdict: Option<&'a Result<RunSpec, Reason>>,
    /// The open key was put while this request was in hand.
    pub opened: bool,
    /// Its dead letter is stored: now, or when it was in hand before.
    pub buried: bool,
    /// Now.
    pub at: Timestamp,
}

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Judge it: validate, resolve the repository, look for room in the queue.
    Judge,
    /// Put the run's open key.
    Open,
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
    let request = view.request;
    if view.buried {
        return Step::Done;
    }
    if let Some(known) = view.last {
        let summary = known.summary();
        if summary.status != Status::Rejected {
            // Its own acceptance, in a hand before this one: the key may have been taken for left over.
            let unsure = summary.has_applied(request.sequence) && !view.opened;
            return match view.verdict {
                _ if summary.request_sha256 == request.sha256 => match summary.status {
                    Status::Open if unsure => Step::Open,
                    _ => Step::Done,
                },
                Some(Err(reason)) => Step::Bury(reason.clone()),
                _ => Step::Bury(conflict(&request.run)),
            };
        }
        if summary.has_applied(request.sequence)
            && let Change::Rejected { error } = &known.message.change
        {
            return Step::Bury(error.clone());
        }
    }
    match view.verdict {
        None => Step::Judge,
        Some(Ok(_)) if !view.opened => Step::Open,
        Some(Ok(spec)) => accept(view, spec),
        Some(Err(reason)) if request.named => reject(view, reason),
        Some(Err(reason)) => Step::Bury(reason.clone()),
    }
}

fn accept(view: &View<'_>, spec: &RunSpec) -> Step {
    let request = view.request;
    let summary = Summary::accepted(spec, request.sha256.clone(), request.sequence, view.at);
    let spec = Box::new(spec.clone());
    write(view, (summary, Change::Accepted { spec }))
}

fn reject(view: &View<'_>, reason: &Reason) -> Step {
    let request = view.request;
    let summary = Summary::rejected(request.sha256.clone(), request.sequence, view.at);
    let error = reason.clone();
    write(view, (summary, Change::Rejected { error }))
}

fn write(view: &View<'_>, next: (Summary, Change)) -> Step {
    let after = view.last.map_or(0, |known| known.sequence);
    Step::Write(Write::new(&view.request.run, after, view.at, next))
}

fn conflict(run: &RunId) -> Reason {
    Reason::new(
        Code::Conflict,
        format!("the run {run} exists with another request; give another run_id, or none"),
    )
}
