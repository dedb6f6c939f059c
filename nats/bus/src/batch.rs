//! Batched Direct Get: many messages of a stream with one request and no consumer.

use std::time::Duration;

use async_nats::header::{HeaderName, NATS_LAST_SEQUENCE};
use async_nats::{Message, StatusCode};
use bytes::Bytes;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::connect::Bus;
use crate::error::{Away, Error};
use crate::last::{NOT_FOUND, status_error, stored_of};
use crate::stored::{self, Stored};

const NUM_PENDING: HeaderName = HeaderName::from_static("Nats-Num-Pending");
const NO_CONTENT: u16 = 204;
/// How long the next message of a page may take.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);

/// What to read in one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch<'a> {
    /// The stream.
    pub stream: &'a str,
    /// Which subjects; wildcards allowed.
    pub filter: &'a str,
    /// The first sequence that may be read; 0 is as good as 1.
    pub from: u64,
    /// The most messages; below the client's subscription capacity (65,536).
    pub limit: usize,
    /// Bytes after which the server stops; at least one message is read.
    pub max_bytes: usize,
}

/// One batch of a stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// The messages, in order.
    pub messages: Vec<Stored>,
    /// Matching messages behind the last one, as the server that answered knows.
    pub pending: u64,
    /// Where to read on: behind the last message, or where this page began if it is empty.
    pub next: u64,
}

impl Bus {
    /// One batch of messages, from any replica.
    ///
    /// # Errors
    /// No answer within five seconds from one message to the next, or the connection was lost.
    pub async fn batch(&self, batch: Batch<'_>) -> Result<Page, Error> {
        let mut ask = json!({
            "seq": batch.from.max(1), "next_by_subj": batch.filter, "batch": batch.limit,
        });
        if batch.max_bytes > 0 {
            ask["max_bytes"] = Value::from(batch.max_bytes);
        }
        let mut page = Page {
            next: batch.from,
            ..Page::default()
        };
        let doing = "reading a batch";
        let mut connections = self.reconnects();
        connections.mark_unchanged();
        let inbox = self.client().new_inbox();
        let away = |away| Error::Unreachable {
            doing: doing.to_owned(),
            away,
        };
        let closed = |_| away(Away::Disconnected);
        let mut replies = self
            .client()
            .subscribe(inbox.clone())
            .await
            .map_err(|error| Error::malformed(doing, error))?;
        let subject = format!("$JS.API.DIRECT.GET.{}", batch.stream);
        self.client()
            .publish_with_reply(subject, inbox, Bytes::from(ask.to_string()))
            .await
            .map_err(closed)?;
        loop {
            let message = tokio::select! {
                biased;
                reply = timeout(MESSAGE_TIMEOUT, replies.next()) => match reply {
                    Ok(Some(message)) => message,
                    Ok(None) => return Err(away(Away::Disconnected)),
                    Err(_) => return Err(away(Away::Timeout)),
                },
                _ = connections.changed() => return Err(away(Away::Disconnected)),
            };
            match message.status.map(|status| status.as_u16()) {
                None => page.take(message)?,
                Some(NO_CONTENT) => return page.end(&message),
                Some(NOT_FOUND) => return Ok(page),
                Some(_) if message.status == Some(StatusCode::NO_RESPONDERS) => {
                    return Err(away(Away::NoResponders));
                }
                Some(_) => return Err(status_error(&message)),
            }
        }
    }
}

impl Page {
    /// Takes the next message; each one names its predecessor in the batch, so a dropped one shows.
    fn take(&mut self, message: Message) -> Result<(), Error> {
        let previous = message
            .headers
            .as_ref()
            .and_then(|h| stored::number(h, NATS_LAST_SEQUENCE));
        let stored = stored_of(message)?;
        let expected = self.messages.last().map(|last| last.sequence);
        if let (Some(expected), Some(previous)) = (expected, previous)
            && expected != previous
        {
            return Err(dropped());
        }
        self.next = stored.sequence + 1;
        self.messages.push(stored);
        Ok(())
    }

    fn end(mut self, message: &Message) -> Result<Self, Error> {
        let headers = message.headers.as_ref();
        let number = |name| headers.and_then(|headers| stored::number(headers, name));
        let last = self.messages.last().map_or(0, |last| last.sequence);
        if number(NATS_LAST_SEQUENCE).is_some_and(|sent| sent != 0 && sent != last) {
            return Err(dropped());
        }
        self.pending = number(NUM_PENDING).unwrap_or(0);
        Ok(self)
    }
}

fn dropped() -> Error {
    Error::Unreachable {
        doing: "reading a batch: a message was dropped".to_owned(),
        away: Away::Timeout,
    }
}
