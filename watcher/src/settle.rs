//! The loop around the decisions: read, decide, do one thing, read again, until nothing is left to do.

use std::time::Duration;

use aideator_bus::{Append, AppendError, Bus, Expect};
use aideator_contract::local::AttemptName;
use aideator_contract::{Attempt, RunId, State, Status, Subject, Variation};
use bytes::Bytes;
use serde::Serialize;
use tokio::time::sleep;

use crate::decide::{self, Effect, Limits, View};
use crate::error::Error;
use crate::observe::{Observation, Observer};
use crate::read;

/// More effects than a run can need at once; beyond it somebody else keeps changing what we read.
const STEPS: usize = 64;
/// Before what the server has not decided is read again (clusters only).
const UNDECIDED: Duration = Duration::from_millis(20);

/// A run when nothing is left to do for now.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Settled {
    /// The sequence of its last state.
    pub(crate) sequence: u64,
    /// The run has not finished.
    pub(crate) open: bool,
    /// Its open attempts, as last seen.
    pub(crate) active: Vec<(AttemptName, Observation)>,
    /// The attempts that came to their end.
    pub(crate) ended: Vec<AttemptName>,
}

/// Does everything there is to do about a run now.
pub(crate) async fn settle(
    bus: &Bus,
    observer: &impl Observer,
    limits: &Limits,
    run: &RunId,
) -> Result<Settled, Error> {
    let mut ended = Vec::new();
    for _ in 0..STEPS {
        let Some(view) = read::view(bus, observer, run).await? else {
            return Ok(Settled::default());
        };
        let Some(effect) = decide::next(&view, limits) else {
            return Ok(settled(&view, ended));
        };
        let end = end_of(&view, &effect);
        if apply(bus, run, effect).await? {
            ended.extend(end);
        }
    }
    Err(Error::Unsettled { run: run.clone() })
}

fn settled(view: &View, ended: Vec<AttemptName>) -> Settled {
    let active = view
        .active()
        .map(|(variation, attempt, seen)| (name(&view.run, variation, attempt), seen));
    Settled {
        sequence: view.sequence,
        open: view.summary().status == Status::Open,
        active: active.collect(),
        ended,
    }
}

fn name(run: &RunId, variation: Variation, attempt: Attempt) -> AttemptName {
    AttemptName {
        run: run.clone(),
        variation,
        attempt,
    }
}

/// The attempt that the effect ends, if it ends one.
fn end_of(view: &View, effect: &Effect) -> Option<AttemptName> {
    use aideator_contract::Change::Moved;
    let Effect::Move { message, .. } = effect else {
        return None;
    };
    match &message.change {
        Moved {
            variation,
            attempt,
            to,
            ..
        } if to.is_terminal() => Some(name(&view.run, *variation, *attempt)),
        _ => None,
    }
}

/// Applies one effect. False: somebody else was first, and what is true must be read again.
pub(crate) async fn apply(bus: &Bus, run: &RunId, effect: Effect) -> Result<bool, Error> {
    match effect {
        Effect::KeepOpen => {
            tracing::info!(%run, "the open key of an open run is put again");
            let put = bus.open_runs().put(run).await;
            put.map_err(Error::append("putting a run's open key"))?;
            Ok(true)
        }
        Effect::Close {
            variation,
            record,
            after,
        } => {
            let subject = Subject::attempt(run, variation);
            let applied = append(bus, &subject, &record, after, "closing an attempt").await?;
            if applied {
                tracing::info!(%run, %variation, attempt = %record.attempt, event = ?record.event, "an attempt is over");
            }
            Ok(applied)
        }
        Effect::Move { message, after } => {
            let subject = Subject::state(run);
            let applied = append(bus, &subject, &*message, after, "moving a variation").await?;
            if applied {
                log(run, &message.change);
            }
            Ok(applied)
        }
        Effect::DropOpen { revision } => bus
            .open_runs()
            .delete(run, revision)
            .await
            .map_err(Error::bus("removing a run's open key")),
    }
}

fn log(run: &RunId, change: &aideator_contract::Change) {
    use aideator_contract::Change::Moved;
    if let Moved {
        variation,
        attempt,
        from,
        to,
    } = change
    {
        if *to == State::Failed {
            tracing::warn!(%run, %variation, %attempt, %from, %to, "a variation moves");
        } else {
            tracing::info!(%run, %variation, %attempt, %from, %to, "a variation moves");
        }
    }
}

async fn append(
    bus: &Bus,
    subject: &Subject,
    message: &impl Serialize,
    after: u64,
    doing: &'static str,
) -> Result<bool, Error> {
    let payload = serde_json::to_vec(message).map_err(|source| Error::Unreadable {
        subject: subject.to_string(),
        sequence: after,
        source,
    })?;
    let how = Append {
        expect: Expect::LastOnSubject(after),
        ..Append::default()
    };
    match bus.append(subject, Bytes::from(payload), how).await {
        Ok(_) => Ok(true),
        Err(AppendError::Conflict(_)) => Ok(false),
        Err(AppendError::Undecided(_)) => {
            sleep(UNDECIDED).await;
            Ok(false)
        }
        Err(error) => Err(Error::append(doing)(error)),
    }
}

#[cfg(test)]
mod tests;
