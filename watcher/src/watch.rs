//! The watching of runs: messages, processes and the engine between them.

use std::error::Error as StdError;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aideator_bus::{Bus, Consume, Deliveries, Delivery};
use aideator_contract::subject::{Place, REPORTS, RUNS_STREAM, STATES, durable};
use futures::StreamExt as _;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::clearing::leftovers;
use crate::decide::Limits;
use crate::engine::{Engine, LOOK};
use crate::error::Error;
use crate::observe::Observer;
use crate::reports::{bury, screen};

const IN_HAND: i64 = 512;
const ACK_WAIT: Duration = Duration::from_secs(60);
/// How often what old attempts left is looked for: after a start, and what a late launch made.
const ROUND: Duration = Duration::from_secs(20);
/// Before a report that could not be kept aside is delivered again.
const LATER: Duration = Duration::from_secs(1);

/// Watches runs until `shutdown`.
pub(crate) async fn watch<O: Observer>(
    bus: Bus,
    observer: O,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let observer = Arc::new(observer);
    let Some((mut states, mut reports)) = shutdown
        .run_until_cancelled(until_done("beginning to watch", || async {
            Ok((
                consume(&bus, durable::WATCHER_STATE, STATES, IN_HAND).await?,
                consume(&bus, durable::WATCHER_REPORT, REPORTS, IN_HAND).await?,
            ))
        }))
        .await
    else {
        return;
    };
    let mut engine = Engine::new(bus.clone(), Arc::clone(&observer), limits);
    let beginning = until_done("reading the open runs", || async {
        let entries = bus.open_runs().entries().await;
        entries.map_err(Error::bus("reading the open runs"))
    });
    let Some(open) = shutdown.run_until_cancelled(beginning).await else {
        return;
    };
    tracing::info!(runs = open.len(), "watching");
    for (run, _) in open {
        engine.wake(run, None);
    }
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut rounds = interval(ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looking = JoinSet::new();
    loop {
        tokio::select! {
            () = shutdown.cancelled() => break,
            () = engine.settled() => {}
            Some(delivery) = states.next() => changed(&mut engine, delivery),
            Some(delivery) = reports.next() => reported(&bus, &mut engine, delivery).await,
            _ = looks.tick() => engine.tick().await,
            _ = rounds.tick(), if looking.is_empty() => {
                let (bus, observer) = (bus.clone(), Arc::clone(&observer));
                looking.spawn(async move { leftovers(&bus, &*observer).await });
            }
            Some(Ok(over)) = looking.join_next() => match over {
                Ok(over) => engine.clear_later(over),
                Err(error) => tracing::warn!(
                    error = &error as &dyn StdError,
                    "what old attempts left can't be looked for now"
                ),
            },
        }
    }
    engine.stop().await;
}

fn changed<O: Observer>(engine: &mut Engine<O>, delivery: Delivery) {
    // Our filter matches the states of runs and nothing else but odd names, which nobody waits for.
    match Place::parse(&delivery.stored.subject) {
        Some(place) => engine.wake(place.run().clone(), Some(delivery)),
        None => tracing::warn!(subject = %delivery.stored.subject, "a state of no run"),
    }
}

async fn reported<O: Observer>(bus: &Bus, engine: &mut Engine<O>, delivery: Delivery) {
    let reason = match screen(&delivery.stored) {
        Ok(run) => return engine.wake(run, Some(delivery)),
        Err(reason) => reason,
    };
    match bury(bus, &delivery.stored, reason).await {
        Ok(()) => {
            if let Err(error) = delivery.ack().await {
                tracing::debug!(%error, "an ack was lost");
            }
        }
        Err(error) => {
            tracing::warn!(
                error = &error as &dyn StdError,
                "a report could not be kept aside"
            );
            delivery.nak(LATER).await;
        }
    }
}

/// A reader of the stream of runs that goes on where it was.
pub(crate) async fn consume(
    bus: &Bus,
    durable: &str,
    filter: &str,
    in_hand: i64,
) -> Result<Deliveries, Error> {
    let consume = Consume {
        stream: RUNS_STREAM.to_owned(),
        durable: durable.to_owned(),
        filter: filter.to_owned(),
        max_ack_pending: in_hand,
        ack_wait: ACK_WAIT,
    };
    bus.consume(consume)
        .await
        .map_err(Error::bus("making a consumer"))
}

/// Tries until it works: the streams may not be there yet, or NATS away.
pub(crate) async fn until_done<T, F: Future<Output = Result<T, Error>>>(
    doing: &'static str,
    mut work: impl FnMut() -> F,
) -> T {
    let mut pause = Duration::from_millis(50);
    loop {
        match work().await {
            Ok(done) => return done,
            Err(error) => {
                tracing::warn!(
                    doing,
                    error = &error as &dyn StdError,
                    "not yet; trying again"
                );
            }
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
}
