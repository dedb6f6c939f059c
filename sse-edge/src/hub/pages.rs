//! Pages of the stream, read on a connection of their own. While a page is shown, the next one is
//! already on its way.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};

use aideator_bus::{Batch, Bus, Error, Page};
use aideator_contract::Subject;
use aideator_contract::subject::RUNS_STREAM;
use tokio::sync::Semaphore;
use tokio_util::task::AbortOnDropHandle;

use super::registry::lock;
use crate::telemetry::Meters;

/// A page's bounds.
const PAGE_MESSAGES: usize = 1024;
const PAGE_BYTES: usize = 256 * 1024;
/// Pages on their way at once, of all runs and viewers. Batches have no flow control: when many viewers
/// came at once, pages would wait behind each other until all are given up, and be asked for again.
const PAGES_AT_ONCE: usize = 4;

/// Where pages are read, by all readers.
#[derive(Clone)]
pub(super) struct Bulk {
    bus: Bus,
    turns: Arc<Semaphore>,
    meters: Arc<Meters>,
}

/// The pages of one reader.
pub(super) struct Pages {
    bulk: Bulk,
    ahead: Mutex<Option<Ahead>>,
}

/// A page nobody has asked for yet. Its task ends by itself, so that a reader who stalls holds no turn.
#[derive(Debug)]
struct Ahead {
    filter: Subject,
    from: u64,
    page: AbortOnDropHandle<Result<Page, Error>>,
}

impl Bulk {
    pub(super) fn new(bus: Bus, meters: Arc<Meters>) -> Self {
        Self {
            bus,
            meters,
            turns: Arc::new(Semaphore::new(PAGES_AT_ONCE)),
        }
    }

    async fn page(self, filter: Subject, from: u64) -> Result<Page, Error> {
        // Never closed, so there always is a turn.
        let _turn = self.turns.acquire().await;
        self.meters.reads.increment(1);
        let batch = Batch {
            stream: RUNS_STREAM,
            filter: filter.as_str(),
            from,
            limit: PAGE_MESSAGES,
            max_bytes: PAGE_BYTES,
        };
        self.bus.batch(batch).await
    }
}

impl Pages {
    pub(super) fn new(bulk: Bulk) -> Self {
        Self {
            bulk,
            ahead: Mutex::new(None),
        }
    }

    /// The pages of another reader.
    pub(super) fn apart(&self) -> Self {
        Self::new(self.bulk.clone())
    }

    /// The measurements of this edge.
    pub(super) fn meters(&self) -> &Meters {
        &self.bulk.meters
    }

    /// The page of `filter` that begins at `from`.
    pub(super) async fn read(&self, filter: &Subject, from: u64) -> Result<Page, Error> {
        let page = self.begin(filter, from).await;
        let page = page.unwrap_or_else(|ended| resume_unwind(ended.into_panic()))?;
        if page.pending > 0 && page.next > from {
            let begun = self.begin(filter, page.next);
            let ahead = Ahead {
                filter: filter.clone(),
                from: page.next,
                page: begun,
            };
            *lock(&self.ahead) = Some(ahead);
        }
        Ok(page)
    }

    fn begin(&self, filter: &Subject, from: u64) -> AbortOnDropHandle<Result<Page, Error>> {
        match lock(&self.ahead).take() {
            Some(ahead) if ahead.from == from && ahead.filter == *filter => ahead.page,
            _ => {
                let page = self.bulk.clone().page(filter.clone(), from);
                AbortOnDropHandle::new(tokio::spawn(page))
            }
        }
    }
}
