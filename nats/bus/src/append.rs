//! Appending to a stream: one message, stored once, behind what its writer expects.

use std::time::Duration;

use aideator_contract::Subject;
use async_nats::header::{
    HeaderName, HeaderValue, NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID,
};
use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use serde::Deserialize;
use thiserror::Error;

use crate::connect::Bus;
use crate::error::{Away, codes};
use crate::exchange::Lost;

const EXPECTED_SUBJECT: HeaderName =
    HeaderName::from_static("Nats-Expected-Last-Subject-Sequence-Subject");

/// How a message is to be appended.
#[derive(Debug, Clone)]
pub struct Append<'a> {
    /// Its name for the server's duplicate window.
    pub msg_id: Option<&'a str>,
    /// What must hold, or nothing is stored.
    pub expect: Expect<'a>,
    /// Further headers.
    pub headers: &'a [(&'static str, &'a str)],
    /// How long to wait for the server's word.
    pub timeout: Duration,
}

impl Default for Append<'_> {
    fn default() -> Self {
        Self {
            msg_id: None,
            expect: Expect::Any,
            headers: &[],
            timeout: Duration::from_secs(5),
        }
    }
}

/// A condition on the stream, checked by the server when it stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect<'a> {
    /// None.
    Any,
    /// The last message on the message's own subject has this sequence; 0: there is none.
    LastOnSubject(u64),
    /// The last message on `filter` (wildcards allowed) has this sequence; 0: there is none.
    LastOn {
        /// Where to look.
        filter: &'a Subject,
        /// The sequence.
        sequence: u64,
    },
}

/// A message is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Its sequence in the stream; that of the first copy if it is a duplicate.
    pub sequence: u64,
    /// It had been stored before: the server knew its `msg_id`.
    pub duplicate: bool,
}

/// Why a message is not known to be stored.
#[derive(Debug, Error)]
pub enum AppendError {
    /// What the writer expected is not so. Nothing is stored.
    #[error("another message came first: {0}")]
    Conflict(String),
    /// The server has not decided about this or an earlier conditional write (clusters only).
    /// Send the same message again after a moment.
    #[error("not decided yet: {0}")]
    Undecided(String),
    /// The stream or the disk is full. Nothing is stored; it may work later.
    #[error("storage is full: {0}")]
    Full(String),
    /// Larger than the server or the stream takes. Nothing is stored.
    #[error("the message is too large: {0}")]
    TooLarge(String),
    /// This connection may not write there. Nothing is stored.
    #[error("NATS does not permit us to write {0}")]
    Refused(String),
    /// No answer: the message may or may not be stored.
    #[error("NATS is unreachable: {0}")]
    Unreachable(#[source] Away),
    /// Any other answer. Nothing is stored.
    #[error("JetStream refuses the message: {text} ({code})")]
    Other {
        /// JetStream's error code.
        code: u16,
        /// Its words.
        text: String,
    },
}

impl AppendError {
    /// Whether the same message, sent again later, may be stored without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Undecided(_) | Self::Full(_) | Self::Unreachable(_) => true,
            Self::Conflict(_) | Self::TooLarge(_) | Self::Refused(_) | Self::Other { .. } => false,
        }
    }
}

impl Bus {
    /// Appends one message and waits until it is stored.
    ///
    /// # Errors
    /// See [`AppendError`]; only after [`AppendError::Unreachable`] is it open whether it is stored.
    pub async fn append(
        &self,
        subject: &Subject,
        payload: Bytes,
        how: Append<'_>,
    ) -> Result<Appended, AppendError> {
        self.append_to(subject.as_str(), payload, how).await
    }

    pub(crate) async fn append_to(
        &self,
        subject: &str,
        payload: Bytes,
        how: Append<'_>,
    ) -> Result<Appended, AppendError> {
        let headers = headers(&how)?;
        match self.exchange(subject, headers, payload, how.timeout).await {
            Ok(message) => decide(&message),
            Err(Lost::Away(away)) => Err(AppendError::Unreachable(away)),
            Err(Lost::Refused) => Err(AppendError::Refused(subject.to_owned())),
            Err(Lost::TooLarge) => Err(AppendError::TooLarge(format!(
                "the server takes {} bytes",
                self.max_payload()
            ))),
            Err(Lost::Other(text)) => Err(AppendError::Other { code: 0, text }),
        }
    }
}

fn headers(how: &Append<'_>) -> Result<Option<HeaderMap>, AppendError> {
    let mut headers = HeaderMap::new();
    if let Some(id) = how.msg_id {
        headers.insert(NATS_MESSAGE_ID, value(id)?);
    }
    match how.expect {
        Expect::Any => {}
        Expect::LastOnSubject(sequence) => {
            headers.insert(
                NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
                HeaderValue::from(sequence),
            );
        }
        Expect::LastOn { filter, sequence } => {
            headers.insert(
                NATS_EXPECTED_LAST_SUBJECT_SEQUENCE,
                HeaderValue::from(sequence),
            );
            headers.insert(EXPECTED_SUBJECT, value(filter.as_str())?);
        }
    }
    for (name, text) in how.headers {
        headers.insert(HeaderName::from_static(name), value(text)?);
    }
    Ok((!headers.is_empty()).then_some(headers))
}

fn value(text: &str) -> Result<HeaderValue, AppendError> {
    text.parse().map_err(|_| AppendError::Other {
        code: 0,
        text: format!("{text:?} can't be a header"),
    })
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    error: Option<Complaint>,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(default)]
    err_code: u16,
    #[serde(default)]
    description: String,
}

fn decide(message: &Message) -> Result<Appended, AppendError> {
    let answer: Answer = serde_json::from_slice(&message.payload).map_err(|_| {
        // Something else than a stream listens on the subject.
        AppendError::Other {
            code: 0,
            text: "the answer is not a stream's".to_owned(),
        }
    })?;
    match answer.error {
        Some(Complaint {
            err_code,
            description,
        }) => Err(complaint(err_code, description)),
        None if answer.seq == 0 => Err(AppendError::Other {
            code: 0,
            text: "the answer is not a stream's".to_owned(),
        }),
        None => Ok(Appended {
            sequence: answer.seq,
            duplicate: answer.duplicate,
        }),
    }
}

fn complaint(code: u16, text: String) -> AppendError {
    match code {
        codes::WRONG_LAST_SEQUENCE => AppendError::Conflict(text),
        codes::UNDECIDED | codes::DUPLICATE_IN_PROCESS | codes::TOO_MANY_REQUESTS => {
            AppendError::Undecided(text)
        }
        codes::STORE_FAILED | codes::STORAGE_EXCEEDED | codes::INSUFFICIENT_RESOURCES => {
            AppendError::Full(text)
        }
        codes::MESSAGE_TOO_LARGE => AppendError::TooLarge(text),
        codes::CLUSTER_NOT_AVAILABLE | codes::NOT_ENABLED => {
            AppendError::Unreachable(Away::NoResponders)
        }
        code => AppendError::Other { code, text },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_the_protocol_are_told_apart() {
        let is = |code| complaint(code, String::new());
        assert!(matches!(is(10071), AppendError::Conflict(_)));
        assert!(matches!(is(10164), AppendError::Undecided(_)));
        assert!(matches!(is(10158), AppendError::Undecided(_)));
        assert!(matches!(is(10077), AppendError::Full(_)));
        assert!(matches!(is(10054), AppendError::TooLarge(_)));
        assert!(matches!(is(10008), AppendError::Unreachable(_)));
        assert!(matches!(is(10060), AppendError::Other { code: 10060, .. }));
    }

    #[test]
    fn a_line_break_never_becomes_a_header() {
        let how = Append {
            msg_id: Some("a\r\nNats-TTL: 1"),
            ..Append::default()
        };
        assert!(headers(&how).is_err());
    }

    #[test]
    fn a_plain_message_carries_no_headers() {
        assert!(headers(&Append::default()).unwrap().is_none());
    }
}
