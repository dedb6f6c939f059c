//! The projection: every run as a record in SurrealDB, to be listed and filtered.
//!
//! It is a copy. The stream and the archive are the truth, and it can be built again from them at any time.

mod build;
mod folder;
mod follow;
mod row;
mod store;

use std::time::Duration;

use aideator_bus::Bus;
use aideator_contract::subject::{RUNS_STREAM, durable};
use aideator_contract::view::{ListRequest, QueuePlace, RunView, RunsPage};
use aideator_contract::{Code, Reason, RunId, State, Status, queue};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::config::Database;
use crate::error::Error;
use crate::read;
use store::Store;

/// Runs on a page at most, and where nothing is said.
const LIMITS: (u32, u32) = (200, 50);
/// How long a question waits for the database to be opened.
const OPENING: Duration = Duration::from_secs(5);
/// How long a question waits for the database to know what was stored before it.
const CATCHING_UP: Duration = Duration::from_millis(500);
const STEP: Duration = Duration::from_millis(5);
/// Requests to build it again that wait.
const REBUILDS: usize = 8;

/// Answers questions about runs.
#[derive(Clone)]
pub(crate) struct Projection {
    bus: Bus,
    store: watch::Receiver<Option<Store>>,
    rebuild: mpsc::Sender<oneshot::Sender<Result<u64, Error>>>,
}

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// The question is wrong.
    Bad(Reason),
    /// The database is not open yet.
    NotOpen,
    /// Something failed.
    Failed(Error),
}

impl From<Error> for Unanswered {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Projection {
    /// The projection in `database`, and the work that opens it and keeps it up to date until `shutdown`.
    pub(crate) fn new(
        bus: Bus,
        database: Database,
        shutdown: CancellationToken,
    ) -> (Self, impl Future<Output = Result<(), Error>> + Send) {
        let (opened, store) = watch::channel(None);
        let (rebuild, rebuilds) = mpsc::channel(REBUILDS);
        let work = follow::follow(bus.clone(), database, opened, rebuilds, shutdown);
        let projection = Self {
            bus,
            store,
            rebuild,
        };
        (projection, work)
    }

    /// A page of runs, newest first.
    pub(crate) async fn list(&self, wanted: &ListRequest) -> Result<RunsPage, Unanswered> {
        let limit = wanted.limit.unwrap_or(LIMITS.1);
        let bad = |message: String| Unanswered::Bad(Reason::new(Code::BadValue, message));
        if !(1..=LIMITS.0).contains(&limit) {
            return Err(bad(format!("limit is 1 to {}; got {limit}", LIMITS.0)));
        }
        if wanted
            .before
            .as_deref()
            .is_some_and(|before| !row::is_place(before))
        {
            return Err(bad("before is not the next of a page".to_owned()));
        }
        let store = self.store().await?;
        self.catch_up().await;
        Ok(store.list(wanted, limit).await?)
    }

    /// Waits until the database knows what was stored before the question; not for long.
    async fn catch_up(&self) {
        let caught_up = async {
            let Ok(stream) = self.bus.stream_state(RUNS_STREAM).await else {
                return;
            };
            let floor = || {
                self.bus
                    .consumer_ack_floor(RUNS_STREAM, durable::PROJECTION)
            };
            while floor().await.is_ok_and(|floor| floor < stream.last) {
                sleep(STEP).await;
            }
        };
        if timeout(CATCHING_UP, caught_up).await.is_err() {
            tracing::debug!("the list of runs is behind");
        }
    }

    /// One run: its state as the stream has it, else, where that was removed, as it was last.
    pub(crate) async fn get(&self, run: &RunId) -> Result<RunView, Unanswered> {
        let store = self.store().await?;
        let known = store.get(run).await?;
        let current = read::state(&self.bus, run).await?;
        let (spec, summary) = match (known, current) {
            (Some((Some(spec), _)), Some((_, state))) => (Some(spec), state.summary),
            (_, Some((_, state))) => (read::spec(&self.bus, run).await?, state.summary),
            (Some(known), None) => known,
            (None, None) => {
                let message = format!("there is no run {run}");
                return Err(Unanswered::Bad(Reason::new(Code::UnknownRun, message)));
            }
        };
        let waits = summary.status == Status::Open
            && summary.variations.iter().any(|v| v.state == State::Queued);
        let queue = if waits {
            places(&store, run, &summary).await?
        } else {
            Vec::new()
        };
        Ok(RunView {
            run_id: run.clone(),
            spec,
            summary,
            queue,
        })
    }

    /// Builds the database again from the archive and the stream; says how many runs there are.
    pub(crate) async fn rebuild(&self) -> Result<u64, Unanswered> {
        let (done, result) = oneshot::channel();
        self.rebuild
            .send(done)
            .await
            .map_err(|_| Unanswered::NotOpen)?;
        Ok(result.await.map_err(|_| Unanswered::NotOpen)??)
    }

    async fn store(&self) -> Result<Store, Unanswered> {
        let mut opened = self.store.clone();
        let open = timeout(OPENING, opened.wait_for(Option::is_some));
        match open.await {
            Ok(Ok(store)) => store.clone().ok_or(Unanswered::NotOpen),
            Ok(Err(_)) | Err(_) => Err(Unanswered::NotOpen),
        }
    }
}

/// The places in the queue of the run's waiting variations. The others are as the database knows
/// them, which may be a moment behind.
async fn places(
    store: &Store,
    run: &RunId,
    summary: &aideator_contract::Summary,
) -> Result<Vec<QueuePlace>, Error> {
    let waiting = store.waiting().await?;
    let others = waiting.iter().filter(|(other, _)| other != run);
    let all = others
        .map(|(run, summary)| (run, summary))
        .chain([(run, summary)]);
    Ok(queue::places(all).remove(run).unwrap_or_default())
}
