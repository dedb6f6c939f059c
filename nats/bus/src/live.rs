//! The live tail of a run: what was just stored, as the server republishes it, at most once.

use aideator_contract::{RunId, Subject};
use async_nats::header::NATS_LAST_SEQUENCE;
use async_nats::{Message, Subscriber};
use futures::StreamExt as _;

use crate::connect::Bus;
use crate::error::Error;
use crate::stored::{self, Stored};

/// The live tail of one run. Messages may be missing (a lost connection, a slow reader): each
/// names its predecessor on the same subject, the rest is read from the stream. Dropping it
/// ends the subscription.
#[derive(Debug)]
pub struct Live(Subscriber);

/// A message just stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveMessage {
    /// The message under its stored subject.
    pub stored: Stored,
    /// The sequence of the message before it on the same subject; 0 if it is the first
    /// or its predecessor was purged.
    pub previous: u64,
}

impl Bus {
    /// Listens to what is stored for `run` from now on: when this returns, the server has the
    /// subscription, so that a read begun afterwards misses nothing the tail does not bring.
    ///
    /// # Errors
    /// No answer from the server.
    pub async fn live(&self, run: &RunId) -> Result<Live, Error> {
        let subject = Subject::live(run);
        let subscriber = self
            .client()
            .subscribe(subject.as_str().to_owned())
            .await
            .map_err(|error| Error::malformed("subscribing", error))?;
        let live = Live(subscriber);
        // Any answered request will do: it is handled behind the subscription.
        self.last(&Subject::state(run)).await?;
        Ok(live)
    }
}

impl Live {
    /// The next message; `None` once the connection is closed for good. Cancelling loses nothing.
    pub async fn next(&mut self) -> Option<LiveMessage> {
        loop {
            if let Some(message) = read(self.0.next().await?) {
                return Some(message);
            }
        }
    }
}

fn read(message: Message) -> Option<LiveMessage> {
    let previous = stored::number(message.headers.as_ref()?, NATS_LAST_SEQUENCE)?;
    Some(LiveMessage {
        stored: Stored::from_direct(message)?,
        previous,
    })
}
