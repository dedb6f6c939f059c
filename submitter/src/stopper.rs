//! Tells agents to stop, each second until they have ended, and has them ended when they do not.

use std::time::Duration;

use aideator_bus::Bus;
use aideator_contract::Subject;
use aideator_contract::control::Control;
use aideator_contract::local::AttemptName;
use bytes::Bytes;
use futures::future::join_all;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::board::{Board, Cancelling};
use crate::decide::stop::{self, Step};
use crate::launcher::{Launcher, Pressure};
use crate::ledger::now;

const AGAIN: Duration = Duration::from_secs(1);

/// Runs until `shutdown`.
pub(crate) async fn stop_what_is_cancelled(
    bus: Bus,
    board: &Board,
    launcher: &impl Launcher,
    shutdown: CancellationToken,
) {
    let mut changes = board.changes();
    let mut ticks = interval(AGAIN);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told: Vec<Cancelling> = Vec::new();
    loop {
        let all = tokio::select! {
            () = shutdown.cancelled() => return,
            _ = ticks.tick() => true,
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                false
            }
        };
        let cancelling = board.cancelling();
        // What is new is told at once, the others when the second is over.
        let due = cancelling.iter().filter(|one| all || !told.contains(one));
        join_all(due.map(|one| press(&bus, launcher, one))).await;
        told = cancelling;
    }
}

async fn press(bus: &Bus, launcher: &impl Launcher, one: &Cancelling) {
    let Cancelling {
        run,
        variation,
        attempt,
        since,
    } = one;
    let word = Control::Cancel { attempt: *attempt };
    let word = serde_json::to_vec(&word).expect("contract types always serialize");
    let subject = Subject::control(run, *variation);
    if let Err(error) = bus.publish(subject.as_str(), Bytes::from(word)).await {
        tracing::debug!(%run, %variation, %error, "a cancel could not be sent");
    }
    let pressure = match stop::next(*since, now()) {
        Step::Tell => return,
        Step::Stop => Pressure::Soft,
        Step::Kill => Pressure::Hard,
    };
    let name = AttemptName {
        run: run.clone(),
        variation: *variation,
        attempt: *attempt,
    };
    tracing::info!(%run, %variation, %attempt, ?pressure, "an attempt does not stop by itself");
    launcher.stop(&name, pressure).await;
}
