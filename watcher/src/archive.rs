//! Every finished run as one object, and room in the stream of runs for those to come.
//!
//! It follows the state log with a consumer of its own. A message that says that its run is finished
//! is acked once the run is archived at least so far, so what was missed is done after a restart. A
//! run that goes on afterwards (a retry, another pick) is archived again.

use std::error::Error as StdError;
use std::time::Duration;

use aideator_bus::archive::Archiver;
use aideator_bus::{Bus, Delivery};
use aideator_contract::subject::{Place, RUNS_STREAM, STATES, durable};
use aideator_contract::{RunId, StateMessage, Status, Subject};
use futures::StreamExt as _;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Remedy};
use crate::watch::{consume, until_done};

const IN_HAND: i64 = 64;
/// Before a run that could not be archived is tried again.
const LATER: Duration = Duration::from_secs(2);
/// How often the stream's size is looked at.
const LOOK: Duration = Duration::from_secs(30);
/// The part of its bounds, in percent, from which on archived runs are removed from the stream.
const FULL_PERCENT: u128 = 80;

/// Archives what is finished, until `shutdown`.
pub(crate) async fn archive(bus: Bus, shutdown: CancellationToken) {
    let beginning = until_done("beginning to archive", || {
        consume(&bus, durable::ARCHIVE, STATES, IN_HAND)
    });
    let Some(mut states) = shutdown.run_until_cancelled(beginning).await else {
        return;
    };
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            Some(delivery) = states.next() => {
                if !take(&bus, delivery).await {
                    continue;
                }
            }
            _ = looks.tick() => {}
        }
        if let Err(error) = make_room(&bus).await {
            tracing::warn!(
                error = &error as &dyn StdError,
                "archived runs can't be removed from the stream now"
            );
        }
    }
}

/// Archives the run that a message says is finished; says whether it stored anything.
async fn take(bus: &Bus, delivery: Delivery) -> bool {
    let kept = match finished(&delivery) {
        Some(run) => keep(bus, &run).await,
        None => Ok(false),
    };
    match &kept {
        Err(error) if error.remedy() == Remedy::Retry => {
            tracing::warn!(error = error as &dyn StdError, "a run is not archived yet");
            delivery.nak(LATER).await;
            return false;
        }
        Err(error) => {
            let subject = &delivery.stored.subject;
            tracing::error!(%subject, error = error as &dyn StdError, "a run can't be archived");
        }
        Ok(_) => {}
    }
    if let Err(error) = delivery.ack().await {
        tracing::debug!(%error, "an ack was lost");
    }
    kept.unwrap_or(false)
}

/// The run, if the message says that it is finished.
fn finished(delivery: &Delivery) -> Option<RunId> {
    let state: StateMessage = serde_json::from_slice(&delivery.stored.payload).ok()?;
    let place = Place::parse(&delivery.stored.subject)?;
    (state.summary.status == Status::Finished).then(|| place.run().clone())
}

/// Archives a run as far as it is stored now; says whether there was anything new.
async fn keep(bus: &Bus, run: &RunId) -> Result<bool, Error> {
    let all = Subject::run_all(run);
    let stream = bus.stream_state(RUNS_STREAM).await;
    let stream = stream.map_err(Error::bus("asking for the stream of runs"))?;
    let last = bus.last_from_leader(&all).await;
    let Some(last) = last.map_err(Error::bus("asking for a run's end"))? else {
        return Ok(false);
    };
    let archives = bus.archives();
    let before = archives
        .get(run)
        .await
        .map_err(Error::bus("reading an archive"))?;
    let mut archiver = match before {
        Some(before) if before.reach().epoch != stream.epoch => {
            return Err(Error::OtherStream { run: run.clone() });
        }
        Some(before) if before.reach().last >= last.sequence => return Ok(false),
        Some(before) => Archiver::behind(before),
        None => Archiver::new(stream.epoch),
    };
    let from = archiver.last() + 1;
    let mut messages = bus.scan(RUNS_STREAM, all.as_str(), from, Some(last.sequence));
    while let Some(stored) = messages.next().await {
        archiver.push(&stored.map_err(Error::bus("reading a run"))?);
    }
    if archiver.last() < last.sequence {
        // The replica that answered does not have all of it yet.
        return Err(Error::Unsettled { run: run.clone() });
    }
    let archive = archiver.finish();
    let stored = archives.put(run, &archive).await;
    stored.map_err(Error::append("storing an archive"))?;
    tracing::info!(%run, bytes = archive.content().len(), "archived");
    Ok(true)
}

/// Removes archived runs from the stream, the oldest first, where it is nearly full. What the list of
/// runs has not been told of stays.
async fn make_room(bus: &Bus) -> Result<(), Error> {
    let asking = Error::bus("asking for the stream of runs");
    let mut stream = bus.stream_state(RUNS_STREAM).await.map_err(asking)?;
    if !is_full(stream.bytes, stream.max_bytes) {
        return Ok(());
    }
    let told = bus
        .consumer_ack_floor(RUNS_STREAM, durable::PROJECTION)
        .await;
    let told = told.map_err(Error::bus("asking how far the list of runs is"))?;
    let archived = bus.archives().all().await;
    let mut archived = archived.map_err(Error::bus("listing archives"))?;
    archived.retain(|(_, reach)| reach.epoch == stream.epoch && reach.last <= told);
    archived.sort_by_key(|(_, reach)| reach.last);
    for (run, reach) in archived {
        if !is_full(stream.bytes, stream.max_bytes) {
            break;
        }
        let open = bus.open_runs().get(&run).await;
        if open
            .map_err(Error::bus("reading a run's open key"))?
            .is_some()
        {
            continue;
        }
        let purged = bus.purge_run(&run, reach.last).await;
        let purged = purged.map_err(Error::bus("removing an archived run"))?;
        if purged > 0 {
            tracing::info!(%run, purged, "removed from the stream; the archive has it");
            let asking = Error::bus("asking for the stream of runs");
            stream = bus.stream_state(RUNS_STREAM).await.map_err(asking)?;
        }
    }
    Ok(())
}

fn is_full(bytes: u64, most: i64) -> bool {
    u128::try_from(most).is_ok_and(|most| most > 0 && u128::from(bytes) * 100 > most * FULL_PERCENT)
}
