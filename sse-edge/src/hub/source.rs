//! Where a run is read: its live tail and tails on one connection, pages on another, so that bulk
//! reading can't starve the live tail. No consumer is ever made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aideator_bus::archive::Reach;
use aideator_bus::{Bus, Error, Live, Stored};
use aideator_contract::subject::RUNS_STREAM;
use aideator_contract::{RunId, Subject};

use super::core::{Input, Page, Read};
use super::message::Message;
use super::pages::{Bulk, Pages};
use super::shelf::Shelf;
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
    shelf: Arc<Shelf>,
    run: RunId,
    /// Where the next page is found is to be counted.
    counts: Arc<AtomicBool>,
}

impl Source {
    /// Reads `run`: what is live from `live`, pages from `bulk`.
    #[must_use]
    pub(super) fn new(live: Bus, bulk: Bulk, shelf: Arc<Shelf>, run: RunId) -> Self {
        let pages = Arc::new(Pages::new(bulk));
        Self {
            live,
            pages,
            shelf,
            run,
            counts: Arc::default(),
        }
    }

    /// The same for another reader.
    pub(crate) fn apart(&self) -> Self {
        Self {
            pages: Arc::new(self.pages.apart()),
            ..self.clone()
        }
    }

    /// The same for a viewer that reads alone: where it begins is counted.
    pub(crate) fn alone(&self) -> Self {
        Self {
            counts: Arc::new(true.into()),
            ..self.apart()
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

    /// The stream, as its leader sees it; of a run that is archived from one that was there before,
    /// that one.
    pub(crate) async fn stream(&self) -> Result<Stream, Error> {
        let state = self.live.stream_state(RUNS_STREAM).await?;
        let archived = self.shelf.get(&self.run).await?;
        let archived = archived.map(|archive| archive.reach());
        Ok(match archived.filter(|reach| reach.epoch != state.epoch) {
            Some(Reach { epoch, last }) => Stream { epoch, last },
            None => Stream {
                epoch: state.epoch,
                last: state.last,
            },
        })
    }

    /// Whether all of the run is archived, from a stream that was there before this one: nothing can
    /// follow it.
    pub(crate) async fn is_lost(&self) -> Result<bool, Error> {
        let state = Subject::state(&self.run);
        if self.live.last_from_leader(&state).await?.is_some() {
            return Ok(false);
        }
        let stream = self.live.stream_state(RUNS_STREAM).await?;
        let reach = self.shelf.reach(&self.run).await?;
        Ok(reach.is_some_and(|reach| reach.epoch != stream.epoch))
    }

    /// The last entry of the run's state log: the leader's, else the archive's.
    pub(crate) async fn last_state(&self) -> Result<Option<Stored>, Error> {
        let subject = Subject::state(&self.run);
        if let Some(last) = self.live.last_from_leader(&subject).await? {
            return Ok(Some(last));
        }
        Ok(self.archived(&subject).await?.pop())
    }

    /// What the archive has of a subject.
    pub(crate) async fn archived(&self, subject: &Subject) -> Result<Vec<Stored>, Error> {
        match self.shelf.get(&self.run).await? {
            Some(archive) => Ok(archive.all(subject.as_str())?),
            None => Ok(Vec::new()),
        }
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
        let subject = self.subject(track);
        if let Some(last) = self.live.last_from_leader(&subject).await? {
            return Ok(last.sequence);
        }
        let archived = self.shelf.get(&self.run).await?;
        Ok(archived.map_or(0, |archive| archive.last_of(subject.as_str())))
    }

    /// A page of the archive as far as that goes, and then of the stream.
    async fn page(&self, read: Read, filter: &Subject, from: u64) -> Result<Input, Error> {
        let meters = self.pages.meters();
        let (page, found) = match self.archived_page(read, from).await? {
            Some(page) => (page, &meters.from_archive),
            None => (self.pages.read(filter, from).await?, &meters.from_stream),
        };
        if self.counts.swap(false, Ordering::Relaxed) {
            found.increment(1);
        }
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

    async fn archived_page(
        &self,
        read: Read,
        from: u64,
    ) -> Result<Option<aideator_bus::Page>, Error> {
        let archive = match self.shelf.at_hand(&self.run, from) {
            Some(archive) => archive,
            None => match self.shelf.get(&self.run).await? {
                Some(archive) => archive,
                None => return Ok(None),
            },
        };
        let subject = match read {
            Read::All { .. } | Read::Tail(_) => None,
            Read::Track { track, .. } => Some(self.subject(track)),
        };
        let page = archive.page(subject.as_ref().map(Subject::as_str), from)?;
        if page.messages.is_empty() {
            return Ok(None);
        }
        // What the stream has beyond it is asked for next.
        Ok(Some(aideator_bus::Page { pending: 1, ..page }))
    }

    fn subject(&self, track: Track) -> Subject {
        match track {
            Track::State => Subject::state(&self.run),
            Track::Out(variation) => Subject::out(&self.run, variation),
        }
    }
}
