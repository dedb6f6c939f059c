//! Durable consumers: every message of a filter is delivered until it is settled.

use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt as _, stream};
use serde_json::{Value, json};

use crate::api::when_ready;
use crate::connect::Bus;
use crate::delivery::Delivery;
use crate::error::{Error, codes};
use crate::pull::Pull;

/// A durable pull consumer with explicit acks that redelivers without end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consume {
    /// The stream.
    pub stream: String,
    /// The consumer's name; whoever uses the same shares its messages.
    pub durable: String,
    /// Which subjects; wildcards allowed.
    pub filter: String,
    /// Messages in hand at once, over all who share the consumer.
    pub max_ack_pending: i64,
    /// A message not settled (or prolonged by `progress`) for this long is delivered again,
    /// also after this process was killed.
    pub ack_wait: Duration,
}

/// The deliveries of a consumer. Never ends while the connection is not closed by us; what goes
/// wrong meanwhile is mended and logged.
pub struct Deliveries(BoxStream<'static, Delivery>);

impl std::fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Deliveries")
    }
}

impl Stream for Deliveries {
    type Item = Delivery;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Delivery>> {
        self.0.poll_next_unpin(cx)
    }
}

impl Bus {
    /// Creates the consumer, or updates it to these properties, and delivers its messages.
    /// JetStream is waited for, 15 seconds at most.
    ///
    /// # Errors
    /// The consumer can't be made: no such stream, no permission, no answer.
    pub async fn consume(&self, consume: Consume) -> Result<Deliveries, Error> {
        when_ready(|| self.declare_consumer(&consume)).await?;
        let pull = Pull::begin(self.clone(), consume).await?;
        let deliveries = stream::unfold(pull, async |mut pull| Some((pull.next().await?, pull)));
        Ok(Deliveries(deliveries.boxed()))
    }

    /// Up to which stream sequence everything the consumer filters is settled: `u64::MAX` when
    /// nothing that is stored is unsettled. A message with a sequence not above it, if the
    /// filter matches it, is settled.
    ///
    /// # Errors
    /// No answer. A consumer that does not exist yet has settled nothing: 0.
    pub async fn consumer_ack_floor(&self, stream: &str, durable: &str) -> Result<u64, Error> {
        let info: Value = match self
            .api(&format!("CONSUMER.INFO.{stream}.{durable}"), &Value::Null)
            .await
        {
            Ok(info) => info,
            Err(Error::Server {
                code: codes::CONSUMER_NOT_FOUND,
                ..
            }) => return Ok(0),
            Err(error) => return Err(error),
        };
        Ok(floor(&info))
    }

    pub(crate) async fn declare_consumer(&self, consume: &Consume) -> Result<(), Error> {
        let Consume {
            stream,
            durable,
            filter,
            max_ack_pending,
            ack_wait,
        } = consume;
        let body = json!({
            "stream_name": stream,
            "config": {
                "durable_name": durable,
                "name": durable,
                "filter_subject": filter,
                "deliver_policy": "all",
                "ack_policy": "explicit",
                "replay_policy": "instant",
                "ack_wait": nanos(*ack_wait),
                "max_ack_pending": max_ack_pending,
                "max_deliver": -1,
            },
        });
        let _: Value = self
            .api(
                &format!("CONSUMER.CREATE.{stream}.{durable}.{filter}"),
                &body,
            )
            .await?;
        Ok(())
    }
}

/// The floor in a consumer's info. Without anything unsettled it is endless: the floor the
/// server gives stays at the last message that matched the filter.
fn floor(info: &Value) -> u64 {
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    match (
        number(&info["num_ack_pending"]),
        number(&info["num_pending"]),
    ) {
        (0, 0) => u64::MAX,
        (0, _) => number(&info["delivered"]["stream_seq"]),
        _ => number(&info["ack_floor"]["stream_seq"]),
    }
}

pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_nothing_unsettled_the_floor_is_endless() {
        let info = |ack_pending: u64, pending: u64| {
            json!({ "num_ack_pending": ack_pending, "num_pending": pending,
                    "delivered": { "stream_seq": 7 }, "ack_floor": { "stream_seq": 5 } })
        };
        assert_eq!(floor(&info(0, 0)), u64::MAX);
        assert_eq!(floor(&info(0, 3)), 7);
        assert_eq!(floor(&info(1, 0)), 5);
    }
}
