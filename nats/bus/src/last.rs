//! The last message of a subject, as any replica or as the leader has it.

use aideator_contract::Subject;
use aideator_contract::subject::{
    DEAD_ALL, DEAD_STREAM, REQUESTS_ALL, REQUESTS_STREAM, RUNS_ALL, RUNS_STREAM,
};
use async_nats::Message;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::API_TIMEOUT;
use crate::connect::Bus;
use crate::error::{Error, codes};
use crate::stored::Stored;
use crate::time;

pub(crate) const NOT_FOUND: u16 = 404;

impl Bus {
    /// The last message of a subject, from any replica: it may be behind the leader.
    ///
    /// # Errors
    /// No answer, or no permission.
    pub async fn last(&self, subject: &Subject) -> Result<Option<Stored>, Error> {
        self.last_in(stream_of(subject)?, subject.as_str()).await
    }

    /// The last message of a subject as the stream's leader has it.
    ///
    /// # Errors
    /// No answer, or no permission.
    pub async fn last_from_leader(&self, subject: &Subject) -> Result<Option<Stored>, Error> {
        self.last_of(stream_of(subject)?, subject.as_str()).await
    }

    /// The same in any stream.
    pub(crate) async fn last_of(
        &self,
        stream: &str,
        subject: &str,
    ) -> Result<Option<Stored>, Error> {
        self.ask_leader(stream, &json!({ "last_by_subj": subject }))
            .await
    }

    /// The first message of `filter` from sequence `from` on, as the stream's leader has it.
    pub(crate) async fn next_from_leader(
        &self,
        stream: &str,
        filter: &str,
        from: u64,
    ) -> Result<Option<Stored>, Error> {
        self.ask_leader(stream, &json!({ "seq": from, "next_by_subj": filter }))
            .await
    }

    async fn ask_leader(&self, stream: &str, which: &Value) -> Result<Option<Stored>, Error> {
        let what = format!("STREAM.MSG.GET.{stream}");
        match self.api::<Got>(&what, which).await {
            Ok(got) => got.message.stored(&what).map(Some),
            Err(Error::Server {
                code: codes::NO_MESSAGE_FOUND,
                ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn last_in(
        &self,
        stream: &str,
        subject: &str,
    ) -> Result<Option<Stored>, Error> {
        let ask = format!("$JS.API.DIRECT.GET.{stream}.{subject}");
        let message = self
            .exchange(&ask, None, Bytes::new(), API_TIMEOUT)
            .await
            .map_err(|lost| lost.while_doing(self, "reading the last message", &ask))?;
        match message.status.map(|status| status.as_u16()) {
            None => stored_of(message).map(Some),
            Some(NOT_FOUND) => Ok(None),
            Some(_) => Err(status_error(&message)),
        }
    }
}

pub(crate) fn stored_of(message: Message) -> Result<Stored, Error> {
    Stored::from_direct(message)
        .ok_or_else(|| Error::malformed("reading a message", "headers are missing"))
}

pub(crate) fn status_error(message: &Message) -> Error {
    Error::Server {
        doing: "reading directly".to_owned(),
        code: message.status.map_or(0, |status| status.as_u16()),
        text: message.description.clone().unwrap_or_default(),
    }
}

/// The stream a subject of ours is stored in.
fn stream_of(subject: &Subject) -> Result<&'static str, Error> {
    [
        (RUNS_ALL, RUNS_STREAM),
        (REQUESTS_ALL, REQUESTS_STREAM),
        (DEAD_ALL, DEAD_STREAM),
    ]
    .into_iter()
    .find(|(all, _)| subject.as_str().starts_with(all.trim_end_matches('>')))
    .map(|(_, stream)| stream)
    .ok_or_else(|| Error::malformed("choosing a stream", format!("{subject} is stored nowhere")))
}

#[derive(Deserialize)]
struct Got {
    message: Raw,
}

#[derive(Deserialize)]
struct Raw {
    subject: String,
    seq: u64,
    time: String,
    #[serde(default)]
    data: String,
    #[serde(default)]
    hdrs: String,
}

impl Raw {
    fn stored(self, doing: &str) -> Result<Stored, Error> {
        let decode = |text: &str| {
            STANDARD
                .decode(text)
                .map_err(|error| Error::malformed(doing, error))
        };
        let headers = decode(&self.hdrs)?;
        Ok(Stored {
            subject: self.subject,
            sequence: self.seq,
            ts: time::millis(&self.time).ok_or_else(|| Error::malformed(doing, &self.time))?,
            payload: Bytes::from(decode(&self.data)?),
            msg_id: msg_id(&String::from_utf8_lossy(&headers)),
        })
    }
}

/// The `Nats-Msg-Id` of raw headers (`NATS/1.0\r\nName: value\r\n…`).
fn msg_id(headers: &str) -> Option<String> {
    headers.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("Nats-Msg-Id")
            .then(|| value.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_found_among_raw_headers() {
        let headers = "NATS/1.0\r\nA: b\r\nNats-Msg-Id: run:0 1\r\n\r\n";
        assert_eq!(msg_id(headers).as_deref(), Some("run:0 1"));
        assert_eq!(msg_id("NATS/1.0\r\n\r\n"), None);
    }
}
