//! Commands in hand: each is delivered until its effect is in the world, and only then acknowledged.

mod command;
mod letter;
mod request;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use aideator_bus::{Consume, Deliveries, Delivery, Stored};
use aideator_contract::request::Installation;
use aideator_contract::subject::{Command, REQUESTS_STREAM};
use aideator_contract::{Code, Reason, limits};
use futures::{FutureExt as _, StreamExt as _};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, doing};
use crate::in_hand::InHand;
use crate::ledger::Ledger;
use crate::pause::Pause;
use crate::source::Resolver;

/// A command not heard of for this long is delivered again.
const ACK_WAIT: Duration = Duration::from_secs(6);
const PROGRESS: Duration = Duration::from_millis(1500);
/// Commands other than `run` in hand at once, those that wait for their run included.
const COMMANDS_IN_HAND: i64 = 256;
const WAIT_LEAST: Duration = Duration::from_millis(100);
/// Times the number of deliveries: until what failed comes again.
const AFTER_FAILURE: Duration = Duration::from_millis(500);
const WAIT_MOST: Duration = Duration::from_secs(5);
const STOPPING: Duration = Duration::from_secs(5);

/// What commands are decided with.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) ledger: Ledger,
    pub(crate) installation: Installation,
    pub(crate) resolver: Resolver,
    /// Variations that may wait.
    pub(crate) queued: usize,
    /// Commands being decided, by sequence: where NATS was away it delivers one again.
    pub(crate) in_hand: Arc<InHand<u64>>,
}

/// How a delivery ends.
#[derive(Debug, PartialEq, Eq)]
enum Ending {
    /// Its effect is in the world.
    Settled,
    /// What it is about may still come.
    Later,
}

impl Desk {
    /// Takes the deliveries of one command until `shutdown`.
    pub(crate) async fn serve(self: Arc<Self>, command: Command, shutdown: CancellationToken) {
        let in_hand = match command {
            Command::Run => limits::REQUESTS_IN_HAND,
            Command::Cancel | Command::Retry | Command::Pick => COMMANDS_IN_HAND,
        };
        let consume = Consume {
            stream: REQUESTS_STREAM.to_owned(),
            durable: command.durable().to_owned(),
            filter: command.subject().to_string(),
            max_ack_pending: in_hand,
            ack_wait: ACK_WAIT,
        };
        let Some(mut deliveries) = self.consume(&consume, &shutdown).await else {
            return;
        };
        let mut hands = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.cancelled() => break,
                Some(_) = hands.join_next() => {}
                delivery = deliveries.next() => {
                    let Some(delivery) = delivery else { break };
                    let this = Arc::clone(&self);
                    hands.spawn(this.take(command, delivery, shutdown.clone()));
                }
            }
        }
        drop(deliveries);
        let rest = async { while hands.join_next().await.is_some() {} };
        if timeout(STOPPING, rest).await.is_err() {
            tracing::warn!(%command, "commands in hand were let go");
        }
    }

    async fn consume(&self, consume: &Consume, shutdown: &CancellationToken) -> Option<Deliveries> {
        let mut pause = Pause::default();
        loop {
            let tried = self.ledger.bus().consume(consume.clone()).await;
            match tried.map_err(doing("read the commands")) {
                Ok(deliveries) => return Some(deliveries),
                Err(error) => tokio::select! {
                    () = shutdown.cancelled() => return None,
                    () = pause.after("reading commands", &error) => {}
                },
            }
        }
    }

    async fn take(self: Arc<Self>, command: Command, delivery: Delivery, stop: CancellationToken) {
        let Some(_held) = self.in_hand.take(delivery.stored.sequence) else {
            delivery.nak(ACK_WAIT).await;
            return;
        };
        let stored = delivery.stored.clone();
        let redelivered = delivery.deliveries > 1;
        let work = self.decide(command, &stored, redelivered);
        let work = AssertUnwindSafe(work).catch_unwind();
        tokio::pin!(work);
        let mut progress = interval(PROGRESS);
        progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
        progress.tick().await;
        let ended = loop {
            tokio::select! {
                ended = &mut work => break ended,
                _ = progress.tick() => delivery.progress().await,
                // Dropped, it goes back at once; whoever takes it next goes on where this ended.
                () = stop.cancelled() => return,
            }
        };
        let sequence = stored.sequence;
        match ended {
            Ok(Ok(Ending::Settled)) => settle(delivery).await,
            Ok(Ok(Ending::Later)) => {
                let delay = WAIT_LEAST
                    .saturating_mul(u32::try_from(delivery.deliveries).unwrap_or(u32::MAX));
                delivery.nak(delay.min(WAIT_MOST)).await;
            }
            Ok(Err(error)) => {
                tracing::error!(%command, sequence, %error, "a command can't be decided");
                self.give_up(command, delivery, &error.to_string()).await;
            }
            Err(_) => {
                tracing::error!(%command, sequence, "deciding a command panicked");
                self.give_up(command, delivery, "a fault in AIdeator").await;
            }
        }
    }

    async fn decide(
        &self,
        command: Command,
        stored: &Stored,
        redelivered: bool,
    ) -> Result<Ending, Error> {
        match command {
            Command::Run => request::decide(self, stored, redelivered).await,
            Command::Cancel | Command::Retry | Command::Pick => {
                command::decide(self, command, stored, redelivered).await
            }
        }
    }

    /// What fails for a reason that is not NATS's comes a few times more, then it is kept as it is.
    async fn give_up(&self, command: Command, delivery: Delivery, error: &str) {
        if delivery.deliveries < limits::DELIVERIES {
            let times = u32::try_from(delivery.deliveries).unwrap_or(1);
            delivery.nak(AFTER_FAILURE * times).await;
            return;
        }
        let message = format!(
            "it could not be decided in {} deliveries: {error}",
            delivery.deliveries
        );
        let reason = Reason::new(Code::Internal, message);
        let letter = letter::as_it_is(&delivery.stored, reason);
        match self.ledger.bury(command, &letter).await {
            Ok(()) => settle(delivery).await,
            Err(error) => {
                tracing::error!(%command, %error, "a dead letter can't be stored");
                delivery.nak(WAIT_MOST).await;
            }
        }
    }
}

async fn settle(delivery: Delivery) {
    let sequence = delivery.stored.sequence;
    if let Err(error) = delivery.ack().await {
        tracing::warn!(sequence, %error, "a command can't be acknowledged; it will come again");
    }
}
