//! Reading a stream without a consumer: the last message of a subject, and batched Direct Get.

use std::collections::VecDeque;
use std::time::Duration;

use aideator_contract::Subject;
use aideator_contract::subject::{
    DEAD_ALL, DEAD_STREAM, REQUESTS_ALL, REQUESTS_STREAM, RUNS_ALL, RUNS_STREAM,
};
use async_nats::header::{HeaderName, NATS_LAST_SEQUENCE};
use async_nats::{Message, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::api::API_TIMEOUT;
use crate::connect::Bus;
use crate::error::{Away, Error, codes};
use crate::stored::{self, Stored};
use crate::time;

const NUM_PENDING: HeaderName = HeaderName::from_static("Nats-Num-Pending");
const NO_CONTENT: u16 = 204;
const NOT_FOUND: u16 = 404;
/// How long the next message of a page may take.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// A scan's pages.
const SCAN_MESSAGES: usize = 1024;
const SCAN_BYTES: usize = 2 * 1024 * 1024;

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

/// A stream as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamState {
    /// When the stream was created, in milliseconds since the Unix epoch. Sequences mean nothing
    /// in a stream of another epoch.
    pub epoch: u64,
    /// The first sequence that is still there.
    pub first: u64,
    /// The last sequence given.
    pub last: u64,
    /// Messages held.
    pub messages: u64,
    /// Bytes held.
    pub bytes: u64,
    /// The most bytes it may hold; -1 for no bound of its own.
    pub max_bytes: i64,
}

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
        let what = format!("STREAM.MSG.GET.{}", stream_of(subject)?);
        match self
            .api::<Got>(&what, &json!({ "last_by_subj": subject.as_str() }))
            .await
        {
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

    /// Every message of `filter` from sequence `from` on, in pages, until nothing is pending or
    /// `up_to` (inclusive) is passed. Ends after its first error; go on behind the last message.
    pub fn scan(
        &self,
        stream: &str,
        filter: &str,
        from: u64,
        up_to: Option<u64>,
    ) -> impl Stream<Item = Result<Stored, Error>> + Send + Unpin + use<> {
        let scan = Scan {
            bus: self.clone(),
            stream: stream.to_owned(),
            filter: filter.to_owned(),
            next: from,
            up_to: up_to.unwrap_or(u64::MAX),
            page: VecDeque::new(),
            done: false,
        };
        stream::unfold(
            scan,
            |mut scan| async move { Some((scan.step().await?, scan)) },
        )
        .boxed()
    }

    /// What the leader says about a stream.
    ///
    /// # Errors
    /// No such stream, or no answer.
    pub async fn stream_state(&self, stream: &str) -> Result<StreamState, Error> {
        let what = format!("STREAM.INFO.{stream}");
        let info: Value = self.api(&what, &Value::Null).await?;
        let count = |name: &str| info["state"][name].as_u64().unwrap_or(0);
        Ok(StreamState {
            epoch: info["created"]
                .as_str()
                .and_then(time::millis)
                .ok_or_else(|| Error::malformed(&what, "no creation time"))?,
            first: count("first_seq"),
            last: count("last_seq"),
            messages: count("messages"),
            bytes: count("bytes"),
            max_bytes: info["config"]["max_bytes"].as_i64().unwrap_or(-1),
        })
    }
}

struct Scan {
    bus: Bus,
    stream: String,
    filter: String,
    next: u64,
    up_to: u64,
    page: VecDeque<Stored>,
    done: bool,
}

impl Scan {
    async fn step(&mut self) -> Option<Result<Stored, Error>> {
        if self.page.is_empty() && !self.done {
            let batch = Batch {
                stream: &self.stream,
                filter: &self.filter,
                from: self.next,
                limit: SCAN_MESSAGES,
                max_bytes: SCAN_BYTES,
            };
            match self.bus.batch(batch).await {
                Ok(page) => {
                    self.done =
                        page.pending == 0 || page.messages.is_empty() || page.next > self.up_to;
                    self.next = page.next;
                    self.page = page.messages.into();
                }
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
        self.page
            .pop_front()
            .filter(|stored| stored.sequence <= self.up_to)
            .map(Ok)
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

fn stored_of(message: Message) -> Result<Stored, Error> {
    Stored::from_direct(message)
        .ok_or_else(|| Error::malformed("reading a message", "headers are missing"))
}

fn status_error(message: &Message) -> Error {
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
