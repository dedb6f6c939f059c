//! Where a run is read: its live tail and tails on one connection, pages on another, so that bulk
//! reading can't starve the live tail. No consumer is ever made.

use std::sync::Arc;

use aideator_bus::{Bus, Error, Live};
use aideator_contract::subject::RUNS_STREAM;
use aideator_contract::{RunId, Subject};

use super::core::{Input, Page, Read};
use super::message::Message;
use super::pages::{Bulk, Pages};
use crate::position::{Sequences, Track};

/// The stream of runs as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// When it was created, in milliseconds.
    pub epoch: u64,
    /// The last sequence it gave.
    pub last: u64,
}

/// Where one reader reads a run.
#[derive(Clone)]
pub struct Source {
    live: Bus,
    pages: Arc<Pages>,
    run: RunId,
}

impl Source {
    /// Reads `run`: what is live from `live`, pages from `bulk`.
    #[must_use]
    pub(super) fn new(live: Bus, bulk: Bulk, run: RunId) -> Self {
        let pages = Arc::new(Pages::new(bulk));
        Self { live, pages, run }
    }

    /// The same for another reader.
    pub(crate) fn apart(&self) -> Self {
        Self {
            pages: Arc::new(self.pages.apart()),
            ..self.clone()
        }
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// The connection of the live tail.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.live
    }

    /// Begins to listen.
    pub(crate) async fn listen(&self) -> Result<Live, Error> {
        self.live.live(&self.run).await
    }

    /// The stream, as its leader sees it.
    pub(crate) async fn stream(&self) -> Result<Stream, Error> {
        let state = self.live.stream_state(RUNS_STREAM).await?;
        Ok(Stream {
            epoch: state.epoch,
            last: state.last,
        })
    }

    /// Does a read and says what came of it.
    pub(crate) async fn read(&self, read: Read) -> Input {
        let done = match read {
            Read::All { from } => self.page(read, &Subject::run_all(&self.run), from).await,
            Read::Track { track, from } => self.page(read, &self.subject(track), from).await,
            Read::Tail(track) => self
                .tail(track)
                .await
                .map(|sequence| Input::Tail { track, sequence }),
        };
        done.unwrap_or_else(|error| {
            tracing::debug!(run_id = %self.run, ?read, %error, "a read failed and is tried again");
            Input::Failed(read)
        })
    }

    /// The last sequence of every track. The state log's is read first, so that the output it speaks
    /// of is covered.
    pub(crate) async fn tails(&self) -> Result<Sequences, Error> {
        let mut tails = Sequences::default();
        for track in Track::all() {
            tails.set(track, self.tail(track).await?);
        }
        Ok(tails)
    }

    async fn tail(&self, track: Track) -> Result<u64, Error> {
        let last = self.live.last_from_leader(&self.subject(track)).await?;
        Ok(last.map_or(0, |stored| stored.sequence))
    }

    async fn page(&self, read: Read, filter: &Subject, from: u64) -> Result<Input, Error> {
        let page = self.pages.read(filter, from).await?;
        let last = page.messages.last().map_or(0, |stored| stored.sequence);
        let messages = page.messages.into_iter().filter_map(Message::read);
        Ok(Input::Page {
            read,
            page: Page {
                messages: messages.collect(),
                last,
                pending: page.pending,
            },
        })
    }

    fn subject(&self, track: Track) -> Subject {
        match track {
            Track::State => Subject::state(&self.run),
            Track::Out(variation) => Subject::out(&self.run, variation),
        }
    }
}
