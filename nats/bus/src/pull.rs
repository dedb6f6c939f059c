//! The pull loop of a durable consumer: it mends itself.
//!
//! One pull is outstanding at a time, each with an inbox token of its own, so that the last word
//! of an old pull is not taken for the new one's. The server sends a heartbeat every second;
//! three seconds of silence, a reconnect, or an error begin a new pull.

use std::time::Duration;

use async_nats::{Message, Subscriber};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use serde_json::json;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::connect::Bus;
use crate::consume::{Consume, nanos};
use crate::delivery::Delivery;
use crate::error::Error;

const EXPIRES: Duration = Duration::from_secs(30);
const HEARTBEAT: Duration = Duration::from_secs(1);
const SILENCE: Duration = Duration::from_secs(3);
const BATCH: i64 = 256;
const PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What a message in the inbox means.
#[derive(Debug, PartialEq, Eq)]
enum Reply {
    Delivery,
    Heartbeat,
    /// The last word of an earlier pull.
    Stale,
    /// The pull is over, as pulls end.
    Over,
    /// The pull failed; try again after a pause.
    Failed,
    /// The consumer is not there; declare it again.
    Gone,
}

fn classify(status: Option<u16>, description: &str, current: bool) -> Reply {
    let Some(status) = status else {
        return Reply::Delivery;
    };
    let says = |words: &str| description.to_ascii_lowercase().contains(words);
    match status {
        _ if !current => Reply::Stale,
        100 => Reply::Heartbeat,
        404 | 408 => Reply::Over,
        409 if says("batch completed") => Reply::Over,
        409 if says("consumer deleted") => Reply::Gone,
        // Nobody listens for the pull: the consumer, its stream or JetStream is not there (yet).
        503 => Reply::Gone,
        _ => Reply::Failed,
    }
}

/// The loop's state.
pub(crate) struct Pull {
    bus: Bus,
    consume: Consume,
    inbox: String,
    /// Always there, until the loop is dropped.
    replies: Option<Subscriber>,
    reconnects: watch::Receiver<u64>,
    /// Number of the current pull, the last token of its inbox.
    round: u64,
    /// Messages the current pull may still bring; 0: a pull is to be made when due.
    awaited: usize,
    declared: bool,
    pause: Duration,
    /// When to pull, or when to give the current pull up.
    due: Instant,
}

impl Pull {
    pub(crate) async fn begin(bus: Bus, consume: Consume) -> Result<Self, Error> {
        let inbox = bus.client().new_inbox();
        let replies = bus
            .client()
            .subscribe(format!("{inbox}.*"))
            .await
            .map_err(|error| Error::malformed("subscribing", error))?;
        let mut reconnects = bus.reconnects();
        reconnects.mark_unchanged();
        Ok(Self {
            bus,
            consume,
            inbox,
            replies: Some(replies),
            reconnects,
            round: 0,
            awaited: 0,
            declared: true,
            pause: PAUSE,
            due: Instant::now(),
        })
    }

    /// The next delivery; `None` once the connection is closed for good.
    pub(crate) async fn next(&mut self) -> Option<Delivery> {
        loop {
            tokio::select! {
                biased;
                changed = self.reconnects.changed() => {
                    changed.ok()?;
                    self.give_back();
                    self.again(Duration::ZERO);
                }
                message = self.replies.as_mut()?.next() => {
                    if let Some(delivery) = self.take(message?) {
                        return Some(delivery);
                    }
                }
                () = sleep_until(self.due) => self.overdue().await,
            }
        }
    }

    fn take(&mut self, message: Message) -> Option<Delivery> {
        let current = message
            .subject
            .rsplit('.')
            .next()
            .and_then(|n| n.parse().ok())
            == Some(self.round);
        let description = message.description.as_deref().unwrap_or_default();
        let reply = classify(
            message.status.map(|status| status.as_u16()),
            description,
            current,
        );
        match reply {
            Reply::Delivery => {
                self.pause = PAUSE;
                self.due = Instant::now() + SILENCE;
                self.awaited = self.awaited.saturating_sub(1);
                if self.awaited == 0 {
                    self.again(Duration::ZERO);
                }
                let delivery = Delivery::new(self.bus.clone(), message);
                if delivery.is_none() {
                    tracing::warn!(durable = %self.consume.durable, "a delivery can't be read");
                }
                return delivery;
            }
            Reply::Heartbeat => self.due = Instant::now() + SILENCE,
            Reply::Stale => {}
            Reply::Over => self.again(Duration::ZERO),
            Reply::Failed | Reply::Gone => {
                tracing::debug!(durable = %self.consume.durable, description, "a pull failed");
                self.declared &= reply != Reply::Gone;
                self.later();
            }
        }
        None
    }

    async fn overdue(&mut self) {
        if self.awaited > 0 {
            tracing::debug!(durable = %self.consume.durable, "a pull fell silent");
        }
        if !self.declared {
            if let Err(error) = self.bus.declare_consumer(&self.consume).await {
                tracing::warn!(durable = %self.consume.durable, %error, "the consumer can't be declared");
                self.later();
                return;
            }
            self.declared = true;
        }
        let batch = self.consume.max_ack_pending.clamp(1, BATCH);
        let ask = json!({ "batch": batch, "expires": nanos(EXPIRES), "idle_heartbeat": nanos(HEARTBEAT) });
        self.round += 1;
        let subject = format!(
            "$JS.API.CONSUMER.MSG.NEXT.{}.{}",
            self.consume.stream, self.consume.durable
        );
        let inbox = format!("{}.{}", self.inbox, self.round);
        let sent = self
            .bus
            .client()
            .publish_with_reply(subject, inbox, Bytes::from(ask.to_string()))
            .await;
        if sent.is_err() {
            self.later();
            return;
        }
        self.awaited = usize::try_from(batch).unwrap_or(1);
        self.due = Instant::now() + SILENCE;
    }

    /// Refuses what was delivered and not yet taken, so that it comes again at once, not after
    /// `ack_wait`: a restarted server may have forgotten that it delivered it.
    fn give_back(&mut self) {
        let replies = self.replies.as_mut();
        for message in replies.into_iter().flat_map(ready) {
            refuse(&self.bus, message);
        }
    }

    fn again(&mut self, pause: Duration) {
        self.awaited = 0;
        self.due = Instant::now() + pause;
    }

    fn later(&mut self) {
        self.again(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}

/// What has come already.
fn ready(replies: &mut Subscriber) -> impl Iterator<Item = Message> {
    std::iter::from_fn(|| replies.next().now_or_never().flatten())
}

fn refuse(bus: &Bus, message: Message) {
    if message.status.is_none() {
        drop(Delivery::new(bus.clone(), message));
    }
}

impl Drop for Pull {
    /// Refuses also what is still on its way to us.
    fn drop(&mut self) {
        let bus = self.bus.clone();
        if let (Some(mut replies), Ok(runtime)) = (self.replies.take(), Handle::try_current()) {
            runtime.spawn(async move {
                let _ = replies.drain().await;
                while let Some(message) = replies.next().await {
                    refuse(&bus, message);
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_an_old_pull_is_not_taken_for_the_current_ones() {
        assert_eq!(classify(Some(408), "Request Timeout", true), Reply::Over);
        assert_eq!(classify(Some(408), "Request Timeout", false), Reply::Stale);
        assert_eq!(classify(None, "", false), Reply::Delivery);
    }

    #[test]
    fn a_missing_consumer_is_declared_again() {
        assert_eq!(classify(Some(409), "Consumer Deleted", true), Reply::Gone);
        assert_eq!(classify(Some(503), "", true), Reply::Gone);
        assert_eq!(
            classify(Some(409), "Leadership Change", true),
            Reply::Failed
        );
    }
}
