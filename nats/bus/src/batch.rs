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
    /// Takes the next message. Each names its predecessor in the batch, so a dropped one shows.
    fn take(&mut self, message: Message) -> Result<(), Error> {
        let predecessor = number(&message, NATS_LAST_SEQUENCE)?;
        let stored = stored_of(message)?;
        if self
            .messages
            .last()
            .is_some_and(|last| last.sequence != predecessor)
        {
            return Err(dropped());
        }
        self.next = stored.sequence + 1;
        self.messages.push(stored);
        Ok(())
    }

    /// Takes the end of the batch, which names the last message sent.
    fn end(mut self, message: &Message) -> Result<Self, Error> {
        let sent = number(message, NATS_LAST_SEQUENCE)?;
        self.pending = number(message, NUM_PENDING)?;
        match self.messages.last() {
            Some(last) if last.sequence != sent => Err(dropped()),
            _ => Ok(self),
        }
    }
}

fn number(message: &Message, name: HeaderName) -> Result<u64, Error> {
    let found = message
        .headers
        .as_ref()
        .and_then(|headers| stored::number(headers, name));
    found.ok_or_else(|| Error::malformed("reading a batch", "a header is missing"))
}

fn dropped() -> Error {
    Error::Unreachable {
        doing: "reading a batch: a message was dropped".to_owned(),
        away: Away::Timeout,
    }
}

#[cfg(test)]
mod tests {
    use async_nats::HeaderMap;
    use async_nats::header::{NATS_SEQUENCE, NATS_SUBJECT, NATS_TIME_STAMP};

    use super::*;

    fn message(sequence: u64, predecessor: u64) -> Message {
        let mut headers = HeaderMap::new();
        headers.insert(NATS_SUBJECT, "aideator.runs.a.0.out");
        headers.insert(NATS_TIME_STAMP, "2026-11-23T16:00:00Z");
        headers.insert(NATS_SEQUENCE, sequence.to_string().as_str());
        headers.insert(NATS_LAST_SEQUENCE, predecessor.to_string().as_str());
        headers.insert(NUM_PENDING, "7");
        Message {
            subject: "inbox".into(),
            reply: None,
            payload: Bytes::new(),
            headers: Some(headers),
            status: None,
            description: None,
            length: 0,
        }
    }

    #[test]
    fn messages_that_follow_each_other_make_a_page() {
        let mut page = Page::default();
        page.take(message(3, 0)).unwrap();
        page.take(message(9, 3)).unwrap();
        let page = page.end(&message(0, 9)).unwrap();
        assert_eq!((page.messages.len(), page.next, page.pending), (2, 10, 7));
    }

    #[test]
    fn a_message_dropped_in_the_middle_or_at_the_end_shows() {
        let mut page = Page::default();
        page.take(message(3, 0)).unwrap();
        assert!(page.take(message(9, 5)).unwrap_err().is_transient());
        assert!(page.end(&message(0, 5)).unwrap_err().is_transient());
    }
}
