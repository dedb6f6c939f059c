//! One delivery of a stored message, to be settled exactly once.

use std::time::Duration;

use async_nats::Message;
use async_nats::header::{HeaderValue, NATS_MESSAGE_ID};
use bytes::Bytes;
use serde_json::json;
use tokio::time::Instant;

use crate::connect::Bus;
use crate::consume::nanos;
use crate::error::{Away, Error};
use crate::stored::{self, Stored};

const PAUSE: Duration = Duration::from_millis(50);
const SETTLE: Duration = Duration::from_secs(10);
const TRY: Duration = Duration::from_secs(3);
/// A restarted server may have forgotten the delivery, and then never answers: it delivers again.
const TRY_AFTER_RECONNECT: Duration = Duration::from_secs(1);

/// A delivery. Settle it with [`Delivery::ack`], [`Delivery::nak`] or [`Delivery::term`];
/// one that is dropped is delivered again at once.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub stored: Stored,
    /// How often it was delivered, this time included.
    pub deliveries: u64,
    headers: Option<async_nats::HeaderMap>,
    bus: Bus,
    /// The connection it came by.
    connection: u64,
    /// Where its settling is awaited; `None` once it is settled.
    reply: Option<String>,
}

/// What the server says about a delivery in its reply subject.
#[derive(Debug, PartialEq, Eq)]
struct Origin {
    deliveries: u64,
    sequence: u64,
    ts: u64,
}

/// Reads `$JS.ACK.<stream>.<consumer>.<deliveries>.<sequence>.<consumer sequence>.<nanoseconds>.<pending>`,
/// or the longer form with a domain and an account before the stream.
fn origin(reply: &str) -> Option<Origin> {
    let tokens: Vec<&str> = reply.strip_prefix("$JS.ACK.")?.split('.').collect();
    let from = match tokens.len() {
        7 => 2,
        9.. => 4,
        _ => return None,
    };
    let number = |at: usize| tokens.get(from + at)?.parse::<u64>().ok();
    Some(Origin {
        deliveries: number(0)?,
        sequence: number(1)?,
        ts: number(3)? / 1_000_000,
    })
}

impl Delivery {
    pub(crate) fn new(bus: Bus, message: Message) -> Option<Self> {
        let reply = message.reply?;
        let Origin {
            deliveries,
            sequence,
            ts,
        } = origin(&reply)?;
        let headers = message.headers;
        let msg_id = headers
            .as_ref()
            .and_then(|h| stored::text(h, NATS_MESSAGE_ID))
            .map(str::to_owned);
        let stored = Stored {
            subject: message.subject.as_str().to_owned(),
            sequence,
            ts,
            payload: message.payload,
            msg_id,
        };
        let connection = *bus.reconnects().borrow();
        let reply = Some(reply.as_str().to_owned());
        Some(Self {
            stored,
            deliveries,
            headers,
            bus,
            connection,
            reply,
        })
    }

    /// A header of the message.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.as_ref()?.get(name).map(HeaderValue::as_str)
    }

    /// Settled: its effect is in the world. Returns when the server knows; tried for ten seconds.
    ///
    /// # Errors
    /// The server could not be told: the message will come again.
    pub async fn ack(self) -> Result<(), Error> {
        self.settle(Bytes::from_static(b"+ACK")).await
    }

    /// Settled without effect: never to be delivered again. Returns when the server knows.
    ///
    /// # Errors
    /// The server could not be told: the message will come again.
    pub async fn term(self) -> Result<(), Error> {
        self.settle(Bytes::from_static(b"+TERM")).await
    }

    /// Not settled: to be delivered again after `delay`.
    pub async fn nak(mut self, delay: Duration) {
        let word = Bytes::from(format!("-NAK {}", json!({ "delay": nanos(delay) })));
        if let Some(reply) = self.reply.take() {
            let _ = self.bus.client().publish(reply, word).await;
        }
    }

    /// Still being worked on: `ack_wait` begins anew.
    pub async fn progress(&self) {
        if let Some(reply) = self.reply.clone() {
            let _ = self
                .bus
                .client()
                .publish(reply, Bytes::from_static(b"+WPI"))
                .await;
        }
    }

    async fn settle(mut self, word: Bytes) -> Result<(), Error> {
        let Some(reply) = self.reply.take() else {
            return Ok(());
        };
        let deadline = Instant::now() + SETTLE;
        loop {
            self.bus.connected(deadline).await;
            let same = *self.bus.reconnects().borrow() == self.connection;
            let limit = if same { TRY } else { TRY_AFTER_RECONNECT };
            let lost = match self.bus.exchange(&reply, None, word.clone(), limit).await {
                Ok(_) => return Ok(()),
                Err(lost) => lost.while_doing(&self.bus, "settling a message", &reply),
            };
            match lost {
                Error::Unreachable { away, .. }
                    if settle_again(away, same, Instant::now() < deadline) =>
                {
                    // After a restart the consumer may not be there for a moment.
                    if away == Away::NoResponders {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
                error => return Err(error),
            }
        }
    }
}

fn settle_again(away: Away, same_connection: bool, in_time: bool) -> bool {
    in_time && (same_connection || away != Away::Timeout)
}

impl Drop for Delivery {
    fn drop(&mut self) {
        let (Some(reply), Ok(runtime)) = (self.reply.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        let client = self.bus.client().clone();
        runtime.spawn(async move {
            let _ = client.publish(reply, Bytes::from_static(b"-NAK")).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_may_have_forgotten_the_delivery_is_asked_once() {
        assert!(settle_again(Away::Timeout, true, true));
        assert!(!settle_again(Away::Timeout, false, true));
        assert!(settle_again(Away::NoResponders, false, true));
        assert!(!settle_again(Away::Disconnected, true, false));
    }

    #[test]
    fn both_forms_of_a_reply_subject_tell_the_same() {
        let expected = Origin {
            deliveries: 3,
            sequence: 42,
            ts: 1_795_000_000_123,
        };
        let short = "$JS.ACK.AIDEATOR_REQUESTS.submitter-run.3.42.7.1795000000123456789.5";
        let long =
            "$JS.ACK._.ABCDEF.AIDEATOR_REQUESTS.submitter-run.3.42.7.1795000000123456789.5.rnd";
        assert_eq!(origin(short).as_ref(), Some(&expected));
        assert_eq!(origin(long), Some(expected));
        assert_eq!(origin("_INBOX.a.b"), None);
    }
}
