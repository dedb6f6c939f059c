//! One launch, seen through: opened, launched, `scheduling`, however often NATS or the launcher is away.

use std::sync::Arc;
use std::time::Duration;

use aideator_bus::credentials::Minter;
use aideator_contract::attempt::AttemptEvent;
use aideator_contract::local::AttemptName;
use aideator_contract::{AttemptRecord, Reason};
use tokio::time::sleep;

use super::LOOK_AGAIN;
use crate::decide::launch::{self, Launched, Left, Step};
use crate::decide::{Fence, Known};
use crate::error::Error;
use crate::launcher::{LaunchError, Launcher, Order, credential_life};
use crate::ledger::{Ledger, now};
use crate::pause::Pause;

/// What launches are made with.
pub(crate) struct Pad<L> {
    pub(crate) ledger: Ledger,
    pub(crate) launcher: Arc<L>,
    pub(crate) minter: Minter,
    pub(crate) start_allowance: Duration,
}

impl<L: Launcher> Pad<L> {
    /// Sees one launch through; its attempt may say `output` bytes.
    pub(super) async fn launch(&self, name: &AttemptName, output: u64) {
        let mut progress = Progress::default();
        let mut pause = Pause::default();
        loop {
            match self.step(name, output, &mut progress).await {
                Ok(Stepped::On) => pause.reset(),
                Ok(Stepped::Stuck) => {
                    sleep(LOOK_AGAIN).await;
                    progress.said = Said::Nothing;
                }
                Ok(Stepped::Over) => return,
                Err(error) => pause.after("launching an attempt", &error).await,
            }
        }
    }

    /// One step of a launch.
    async fn step(
        &self,
        name: &AttemptName,
        output: u64,
        progress: &mut Progress,
    ) -> Result<Stepped, Error> {
        let AttemptName {
            run,
            variation,
            attempt,
        } = name;
        let Some(last) = self.ledger.state(run).await? else {
            tracing::error!(%run, "an open run has no state");
            return Ok(Stepped::Stuck);
        };
        let fence = self.ledger.fence(run, *variation).await?;
        let view = launch::View {
            run,
            variation: *variation,
            attempt: *attempt,
            last: &last,
            fence: fence.as_ref(),
            launched: progress.said.launched(),
            left: progress.left.as_ref(),
            at: now(),
        };
        let Some(step) = launch::next(&view) else {
            let waits = launch::is_waiting(&view);
            return Ok(if waits { Stepped::Stuck } else { Stepped::Over });
        };
        match step {
            Step::Open { after } => {
                if let Err(never) = self.open(name, &last, output, after).await? {
                    progress.said = Said::Never(never);
                }
            }
            Step::Launch => {
                if let Some(fence) = &fence {
                    progress.said = self.ask(name, fence).await?;
                }
            }
            Step::Close { after, record } => {
                self.ledger.record(run, *variation, after, &record).await?;
            }
            Step::LookBehind => {
                progress.left = Some(self.ledger.left(run, *variation, *attempt).await?);
            }
            Step::Write(write) => {
                self.ledger.write(&write).await?;
            }
        }
        Ok(Stepped::On)
    }

    /// Opens the attempt with its spec, or says why there is none.
    async fn open(
        &self,
        name: &AttemptName,
        last: &Known,
        output: u64,
        after: u64,
    ) -> Result<Result<(), Reason>, Error> {
        let run = &name.run;
        let spec = self.ledger.spec(run, last).await?;
        let spec = spec.and_then(|s| s.attempt(run, name.variation, name.attempt, output));
        let Some(spec) = spec else {
            let reason = launch::forgotten(run);
            tracing::warn!(%run, %reason, "an attempt can't be opened");
            return Ok(Err(reason));
        };
        let record = AttemptRecord::opened(spec, now());
        let stored = self.ledger.record(run, name.variation, after, &record);
        stored.await.map(|_| Ok(()))
    }

    async fn ask(&self, name: &AttemptName, fence: &Fence) -> Result<Said, Error> {
        let AttemptEvent::Opened { spec } = &fence.record.event else {
            return Ok(Said::Nothing);
        };
        let AttemptName {
            run,
            variation,
            attempt,
        } = name;
        let life = credential_life(spec, self.start_allowance).as_millis();
        let expires = now().plus(u64::try_from(life).unwrap_or(u64::MAX));
        let credentials = self.minter.agent(run, *variation, *attempt, expires)?;
        let order = Order {
            name: name.clone(),
            spec: (**spec).clone(),
            credentials,
        };
        Ok(match self.launcher.launch(order).await {
            Ok(()) => {
                tracing::info!(%run, %variation, %attempt, "launched");
                Said::Launched
            }
            Err(LaunchError::Held(reason)) => {
                tracing::info!(%run, %variation, %attempt, %reason, "a launch is held back");
                Said::Held(reason)
            }
            Err(LaunchError::Never(reason)) => {
                tracing::warn!(%run, %variation, %attempt, %reason, "an attempt can't be launched");
                Said::Never(reason)
            }
        })
    }
}

enum Stepped {
    On,
    /// It waits for something outside.
    Stuck,
    /// Nothing is left to do.
    Over,
}

/// How far a launch has come in this process.
#[derive(Default)]
struct Progress {
    said: Said,
    left: Option<Left>,
}

#[derive(Default)]
enum Said {
    #[default]
    Nothing,
    Launched,
    Held(Reason),
    Never(Reason),
}

impl Said {
    fn launched(&self) -> Launched<'_> {
        match self {
            Self::Nothing => Launched::No,
            Self::Launched => Launched::Yes,
            Self::Held(reason) => Launched::Held(reason),
            Self::Never(reason) => Launched::Never(reason),
        }
    }
}
