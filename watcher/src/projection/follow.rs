//! Keeping the database up to date: opening it, reading what it missed, following the state log.
//!
//! One task writes, so that what it has written only grows. A message is acked when it is written;
//! those that come close together are written together, the last of a run standing for all.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use aideator_bus::{Bus, Deliveries, Delivery, Stored};
use aideator_contract::subject::{RUNS_STREAM, STATES, durable};
use aideator_contract::{RunId, StateMessage, VERSION};
use futures::StreamExt as _;
use futures::future::join_all;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;

use super::build::build;
use super::folder::{self, Opened};
use super::row::{self, Record};
use super::store::{Meta, Store};
use crate::config::Database;
use crate::error::Error;
use crate::read;
use crate::watch::{consume, until_done};

const IN_HAND: i64 = 512;
/// Messages that come within this time of the first are written with it.
const TOGETHER: Duration = Duration::from_millis(100);
/// Messages written at once.
const BATCH: usize = 512;
/// Before what could not be written is delivered again.
const LATER: Duration = Duration::from_secs(1);

type Asked = oneshot::Sender<Result<u64, Error>>;

pub(super) async fn follow(
    bus: Bus,
    database: Database,
    opened: watch::Sender<Option<Store>>,
    mut rebuilds: mpsc::Receiver<Asked>,
    shutdown: CancellationToken,
) -> Result<(), Error> {
    let Some(open) = shutdown.run_until_cancelled(open(&database)).await else {
        return Ok(());
    };
    let open = open?;
    tracing::info!(
        ms = open.took.as_millis(),
        "the projection's database is open"
    );
    let mut following = Following {
        bus,
        store: open.store.clone(),
        meta: Meta::default(),
    };
    let Some(mut states) = shutdown.run_until_cancelled(following.begin()).await else {
        return Ok(());
    };
    opened.send_replace(Some(open.store.clone()));
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            Some(asked) = rebuilds.recv() => {
                let building = shutdown.run_until_cancelled(following.rebuild());
                if let Some(result) = building.await {
                    let _ = asked.send(result);
                }
            }
            Some(first) = states.next() => following.take(first, &mut states).await,
        }
    }
    opened.send_replace(None);
    Ok(())
}

/// Opens the database. A server that does not answer yet is waited for.
async fn open(database: &Database) -> Result<Opened, Error> {
    match database {
        Database::Embedded(data_dir) => folder::open(data_dir).await,
        Database::Server(server) => {
            let began = Instant::now();
            let opening = || Store::connect(server);
            let store = until_done("opening the projection's database", opening).await;
            Ok(Opened {
                store,
                _lock: None,
                took: began.elapsed(),
            })
        }
    }
}

struct Following {
    bus: Bus,
    store: Store,
    meta: Meta,
}

impl Following {
    /// Brings the database up to where the stream is, from nothing if it is of another stream.
    async fn begin(&mut self) -> Deliveries {
        let (bus, store) = (self.bus.clone(), self.store.clone());
        let (states, meta) = until_done("bringing the projection up to date", || async {
            let states = consume(&bus, durable::PROJECTION, STATES, IN_HAND).await?;
            let meta = catch_up(&bus, &store).await?;
            Ok((states, meta))
        })
        .await;
        self.meta = meta;
        states
    }

    /// Writes `first` and what comes shortly after it.
    async fn take(&mut self, first: Delivery, states: &mut Deliveries) {
        let until = tokio::time::Instant::now() + TOGETHER;
        let mut deliveries = vec![first];
        loop {
            tokio::select! {
                () = sleep_until(until) => break,
                Some(delivery) = states.next() => deliveries.push(delivery),
            }
            if deliveries.len() == BATCH {
                break;
            }
        }
        deliveries.sort_by_key(|delivery| delivery.stored.sequence);
        let last = deliveries
            .last()
            .map_or(0, |delivery| delivery.stored.sequence);
        let meta = Meta {
            sequence: last.max(self.meta.sequence),
            ..self.meta
        };
        let messages = deliveries.iter().map(|delivery| &delivery.stored);
        match write(&self.bus, &self.store, messages, meta, None).await {
            Ok(_) => {
                self.meta = meta;
                for acked in join_all(deliveries.into_iter().map(Delivery::ack)).await {
                    if let Err(error) = acked {
                        tracing::debug!(%error, "an ack was lost");
                    }
                }
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the projection waits"
                );
                join_all(deliveries.into_iter().map(|delivery| delivery.nak(LATER))).await;
            }
        }
    }

    async fn rebuild(&mut self) -> Result<u64, Error> {
        // If it fails, what is followed meanwhile does not make it whole: it is built when it is opened.
        self.meta = Meta::default();
        let (meta, runs) = build(&self.bus, &self.store).await?;
        self.meta = meta;
        Ok(runs)
    }
}

/// Reads what the database missed while it was closed, or everything if it is of another stream.
async fn catch_up(bus: &Bus, store: &Store) -> Result<Meta, Error> {
    let stream = bus.stream_state(RUNS_STREAM).await;
    let stream = stream.map_err(Error::bus("asking for the stream of runs"))?;
    match store.meta().await? {
        Some(meta) if meta.epoch == stream.epoch && meta.sequence <= stream.last => {
            let next = Meta {
                sequence: stream.last,
                ..meta
            };
            scan(bus, store, meta.sequence + 1, next, None).await?;
            Ok(next)
        }
        Some(_) => Ok(build(bus, store).await?.0),
        // Nothing is known of its records.
        None => {
            store.clear().await?;
            Ok(build(bus, store).await?.0)
        }
    }
}

/// Writes the states from `from` up to where `meta` says, and then `meta` itself; says which runs were
/// written, and up to where each.
pub(super) async fn scan(
    bus: &Bus,
    store: &Store,
    from: u64,
    meta: Meta,
    build: Option<u64>,
) -> Result<BTreeMap<RunId, u64>, Error> {
    let states = bus.scan(RUNS_STREAM, STATES, from, Some(meta.sequence));
    let mut batches = states.chunks(BATCH);
    let mut met = BTreeMap::new();
    while let Some(batch) = batches.next().await {
        let batch: Vec<Stored> = batch
            .into_iter()
            .collect::<Result<_, _>>()
            .map_err(Error::bus("reading states"))?;
        let reached = Meta {
            sequence: batch.last().map_or(from, |stored| stored.sequence),
            ..meta
        };
        met.extend(write(bus, store, &batch, reached, build).await?);
    }
    store.write(&[], meta, build).await?;
    Ok(met)
}

/// Writes messages, in the order of their sequences; says which runs were written, and up to where each.
async fn write<'a>(
    bus: &Bus,
    store: &Store,
    messages: impl IntoIterator<Item = &'a Stored>,
    meta: Meta,
    build: Option<u64>,
) -> Result<Vec<(RunId, u64)>, Error> {
    let mut records = row::records(messages.into_iter().filter_map(parse));
    complete(bus, store, &mut records).await?;
    store.write(&records, meta, build).await?;
    let written = records.into_iter();
    Ok(written
        .map(|record| (record.run, record.sequence))
        .collect())
}

/// Looks up what runs were asked that the database does not know and that these messages do not say; the
/// others go.
async fn complete(bus: &Bus, store: &Store, records: &mut Vec<Record>) -> Result<(), Error> {
    let partial: Vec<&RunId> = records
        .iter()
        .filter(|r| !r.whole)
        .map(|r| &r.run)
        .collect();
    if partial.is_empty() {
        return Ok(());
    }
    let known: BTreeSet<RunId> = store.known(&partial).await?.into_iter().collect();
    for record in records.iter_mut() {
        if record.whole || known.contains(&record.run) {
            continue;
        }
        let spec = read::spec(bus, &record.run).await?;
        let state = read::state(bus, &record.run).await?;
        match (spec, state) {
            (Some(spec), Some((sequence, state))) => *record = row::whole(sequence, &state, spec),
            _ => tracing::debug!(run = %record.run, "a run of which the beginning is gone"),
        }
    }
    records.retain(|record| record.whole || known.contains(&record.run));
    Ok(())
}

pub(super) fn parse(stored: &Stored) -> Option<(u64, StateMessage)> {
    match serde_json::from_slice::<StateMessage>(&stored.payload) {
        Ok(message) if message.v <= VERSION => Some((stored.sequence, message)),
        Ok(_) => {
            tracing::warn!(subject = %stored.subject, "a state of a newer version is not projected");
            None
        }
        Err(error) => {
            tracing::warn!(subject = %stored.subject, %error, "a state can't be read");
            None
        }
    }
}
