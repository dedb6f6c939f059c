//! A message as JetStream stores it.

use async_nats::{HeaderMap, Message, header};
use bytes::Bytes;

use crate::time;

/// A stored message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// The subject it is stored under (never the live one).
    pub subject: String,
    /// Its sequence in the stream.
    pub sequence: u64,
    /// When the server stored it, in milliseconds since the Unix epoch.
    pub ts: u64,
    /// What was sent.
    pub payload: Bytes,
    /// The `Nats-Msg-Id` it was sent with.
    pub msg_id: Option<String>,
}

impl Stored {
    /// Reads a message that came by Direct Get or by republish; `None` if it is neither.
    pub(crate) fn from_direct(message: Message) -> Option<Self> {
        let headers = message.headers.as_ref()?;
        Some(Self {
            subject: text(headers, header::NATS_SUBJECT)?.to_owned(),
            sequence: number(headers, header::NATS_SEQUENCE)?,
            ts: time::millis(text(headers, header::NATS_TIME_STAMP)?)?,
            msg_id: text(headers, header::NATS_MESSAGE_ID).map(str::to_owned),
            payload: message.payload,
        })
    }
}

pub(crate) fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).map(header::HeaderValue::as_str)
}

pub(crate) fn number(headers: &HeaderMap, name: header::HeaderName) -> Option<u64> {
    text(headers, name)?.parse().ok()
}
