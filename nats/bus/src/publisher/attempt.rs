//! What an agent reads first: its own attempt, which is its task and its fence in one.

use std::time::Duration;

use aideator_contract::attempt::AttemptEvent;
use aideator_contract::{Attempt, AttemptRecord, AttemptSpec, RunId, Subject, Variation};
use tokio::time::sleep;

use super::Ended;
use crate::{Bus, Error};

const PAUSE: Duration = Duration::from_millis(20);

/// An open attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// What is to be done.
    pub spec: AttemptSpec,
    /// The sequence of the message that says so: nothing is stored once a newer one is there.
    pub fence: u64,
}

/// Reads the attempt, waiting until it is there: a replica may lag, NATS may be away. The caller
/// sets the limit.
///
/// # Errors
/// It is closed, or a newer one is open, or this process may not read it.
pub async fn open(
    bus: &Bus,
    run: &RunId,
    variation: Variation,
    attempt: Attempt,
) -> Result<Opened, Ended> {
    let subject = Subject::attempt(run, variation);
    loop {
        match bus.last(&subject).await {
            Ok(Some(stored)) => {
                let record = serde_json::from_slice(&stored.payload).map_err(|error| {
                    Ended::Impossible(format!("{subject} can't be read: {error}"))
                })?;
                if let Some(spec) = judge(record, attempt)? {
                    return Ok(Opened {
                        spec,
                        fence: stored.sequence,
                    });
                }
            }
            Err(Error::Refused { subject }) => return Err(Ended::Refused(subject)),
            Err(error) => tracing::debug!(%error, "the attempt can't be read yet"),
            Ok(None) => {}
        }
        sleep(PAUSE).await;
    }
}

/// The task if the attempt is open; nothing if what was read is older.
fn judge(record: AttemptRecord, attempt: Attempt) -> Result<Option<AttemptSpec>, Ended> {
    if record.attempt < attempt {
        return Ok(None);
    }
    match record.event {
        AttemptEvent::Opened { spec } if record.attempt == attempt => Ok(Some(*spec)),
        _ => Err(Ended::Superseded),
    }
}
