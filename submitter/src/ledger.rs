//! Reading and writing what is stored about runs. Every write is a compare-and-set, and what is read
//! or written is taken in by the [`Board`].

use std::sync::Arc;
use std::time::SystemTime;

use aideator_bus::{Append, AppendError, Batch, Bus, Expect, Stored as Message};
use aideator_contract::event::OutHead;
use aideator_contract::report::{Done, Report};
use aideator_contract::subject::{Command, DEAD_STREAM, RUNS_STREAM};
use aideator_contract::{
    Attempt, AttemptRecord, Change, DeadLetter, ReportMessage, RunId, RunSpec, StateMessage,
    Subject, Timestamp, Variation,
};
use bytes::Bytes;
use futures::StreamExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::board::Board;
use crate::decide::launch::Left;
use crate::decide::{Fence, Known, Write};
use crate::error::{Error, doing};

/// Messages of a state log read at once.
const LOG_PAGE: usize = 256;
const LOG_BYTES: usize = 1024 * 1024;
/// The newest dead letters, among which one that is stored again is looked for.
const LOOKED_THROUGH: u64 = 2048;

#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    bus: Bus,
    board: Arc<Board>,
}

/// What became of a compare-and-set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    Yes,
    /// Another message came first: read again.
    Outrun,
}

pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}

impl Ledger {
    pub(crate) fn new(bus: Bus, board: Arc<Board>) -> Self {
        Self { bus, board }
    }

    pub(crate) fn bus(&self) -> &Bus {
        &self.bus
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    /// The last message on a run's `.state`. Where all of a run has left the stream, the archive has
    /// it, and what is written next is the first message there.
    pub(crate) async fn state(&self, run: &RunId) -> Result<Option<Known>, Error> {
        let subject = Subject::state(run);
        if let Some((sequence, message)) = self.read::<StateMessage>(&subject).await? {
            self.board.learn(run, sequence, &message.summary);
            return Ok(Some(Known::new(sequence, message)));
        }
        let archive = self.bus.archives().get(run).await;
        let Some(archive) = archive.map_err(doing("read an archived run"))? else {
            return Ok(None);
        };
        let stream = self.bus.stream_state(RUNS_STREAM).await;
        let stream = stream.map_err(doing("ask for the stream of runs"))?;
        let states = archive
            .all(subject.as_str())
            .map_err(aideator_bus::Error::from);
        let last = states.map_err(doing("read an archived run"))?.pop();
        let known = |message| Known {
            lost: archive.reach().epoch != stream.epoch,
            ..Known::new(0, message)
        };
        last.map(|stored| parse(subject.as_str(), &stored.payload).map(known))
            .transpose()
    }

    async fn archived(&self, run: &RunId, subject: &Subject) -> Result<Vec<Message>, Error> {
        let messages = self.bus.archives().messages(run, subject).await;
        messages.map_err(doing("read an archived run"))
    }

    /// The last message on a variation's `.attempt`.
    pub(crate) async fn fence(
        &self,
        run: &RunId,
        variation: Variation,
    ) -> Result<Option<Fence>, Error> {
        let last = self.read(&Subject::attempt(run, variation)).await?;
        Ok(last.map(|(sequence, record)| Fence { sequence, record }))
    }

    /// What an attempt left behind on `.report` and `.out`.
    pub(crate) async fn left(
        &self,
        run: &RunId,
        variation: Variation,
        attempt: Attempt,
    ) -> Result<Left, Error> {
        let report = self
            .read::<ReportMessage>(&Subject::report(run, variation))
            .await?;
        let last_word: Option<Done> = match report {
            Some((_, report)) if report.attempt == attempt => match report.report {
                Report::Done(done) => Some(*done),
                _ => None,
            },
            _ => None,
        };
        let out = self.read::<OutHead>(&Subject::out(run, variation)).await?;
        let out = out
            .filter(|(_, head)| head.attempt == attempt)
            .map_or(0, |(sequence, _)| sequence);
        Ok(Left { last_word, out })
    }

    /// The spec a run was accepted with: on its state log, behind any rejection. `None`: that
    /// message is gone, as the last one known shows.
    pub(crate) async fn spec(&self, run: &RunId, known: &Known) -> Result<Option<RunSpec>, Error> {
        let subject = Subject::state(run);
        let (mut from, mut seen) = (1, 0);
        loop {
            let page = self
                .bus
                .batch(Batch {
                    stream: RUNS_STREAM,
                    filter: subject.as_str(),
                    from,
                    limit: LOG_PAGE,
                    max_bytes: LOG_BYTES,
                })
                .await
                .map_err(doing("read a run's state log"))?;
            if let Some(spec) = accepted(&page.messages)? {
                return Ok(Some(spec));
            }
            seen = page.messages.last().map_or(seen, |last| last.sequence);
            if seen >= known.sequence {
                return accepted(&self.archived(run, &subject).await?);
            }
            if page.pending == 0 || page.messages.is_empty() {
                return Err(Error::Lags(run.clone()));
            }
            from = page.next;
        }
    }

    /// Puts a run's open key.
    pub(crate) async fn open(&self, run: &RunId) -> Result<(), Error> {
        let put = self.bus.open_runs().put(run).await;
        put.map(|_| ()).map_err(|source| Error::Append {
            what: "the key of an open run",
            source,
        })
    }

    /// Writes on `.state`.
    pub(crate) async fn write(&self, write: &Write) -> Result<Stored, Error> {
        let run = &write.message.run;
        let subject = Subject::state(run);
        let written = self
            .compare_and_set(&subject, write.after, &*write.message, "a run's state")
            .await?;
        let Some(sequence) = written else {
            return Ok(Stored::Outrun);
        };
        self.board.learn(run, sequence, &write.message.summary);
        Ok(Stored::Yes)
    }

    /// Writes on `.attempt`.
    pub(crate) async fn record(
        &self,
        run: &RunId,
        variation: Variation,
        after: u64,
        record: &AttemptRecord,
    ) -> Result<Stored, Error> {
        let subject = Subject::attempt(run, variation);
        let written = self
            .compare_and_set(&subject, after, record, "an attempt")
            .await?;
        if written.is_none() {
            return Ok(Stored::Outrun);
        }
        if record.is_open(record.attempt) {
            self.board.opened(run, variation, record.attempt);
        }
        Ok(Stored::Yes)
    }

    /// Stores a dead letter. While the server remembers its id, once more adds none.
    pub(crate) async fn bury(&self, command: Command, letter: &DeadLetter) -> Result<(), Error> {
        let id = letter.sequence.to_string();
        let append = Append {
            msg_id: Some(&id),
            ..Append::default()
        };
        let stored = self
            .bus
            .append(&command.dead(), payload(letter), append)
            .await;
        stored.map(|_| ()).map_err(|source| Error::Append {
            what: "a dead letter",
            source,
        })
    }

    /// Whether the dead letter of a command is among the newest: for one that is delivered again.
    pub(crate) async fn is_buried(&self, command: Command, sequence: u64) -> Result<bool, Error> {
        let state = self.bus.stream_state(DEAD_STREAM).await;
        let state = state.map_err(doing("look at the dead letters"))?;
        let from = state.last.saturating_sub(LOOKED_THROUGH);
        let subject = command.dead();
        let mut letters = self
            .bus
            .scan(DEAD_STREAM, subject.as_str(), from, Some(state.last));
        let id = sequence.to_string();
        while let Some(letter) = letters.next().await {
            let letter = letter.map_err(doing("look through the dead letters"))?;
            if letter.msg_id.as_deref() == Some(&id) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn read<T: DeserializeOwned>(
        &self,
        subject: &Subject,
    ) -> Result<Option<(u64, T)>, Error> {
        let last = self
            .bus
            .last_from_leader(subject)
            .await
            .map_err(doing("read the last message of a subject"))?;
        last.map(|stored| Ok((stored.sequence, parse(subject.as_str(), &stored.payload)?)))
            .transpose()
    }

    async fn compare_and_set(
        &self,
        subject: &Subject,
        after: u64,
        message: &impl Serialize,
        what: &'static str,
    ) -> Result<Option<u64>, Error> {
        let append = Append {
            expect: Expect::LastOnSubject(after),
            ..Append::default()
        };
        match self.bus.append(subject, payload(message), append).await {
            Ok(appended) => Ok(Some(appended.sequence)),
            Err(AppendError::Conflict(_)) => Ok(None),
            Err(source) => Err(Error::Append { what, source }),
        }
    }
}

/// What a run was accepted with, if one of these messages says so.
fn accepted(log: &[Message]) -> Result<Option<RunSpec>, Error> {
    for stored in log {
        let message: StateMessage = parse(&stored.subject, &stored.payload)?;
        if let Change::Accepted { spec } = message.change {
            return Ok(Some(*spec));
        }
    }
    Ok(None)
}

fn payload(message: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(message).expect("contract types always serialize"))
}

pub(crate) fn parse<T: DeserializeOwned>(subject: &str, payload: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(payload).map_err(|source| Error::Malformed {
        subject: subject.to_owned(),
        source,
    })
}
