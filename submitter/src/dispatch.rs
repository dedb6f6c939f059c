//! Gives turns to what waits, and sees each launch through.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use aideator_bus::credentials::Minter;
use aideator_contract::local::AttemptName;
use aideator_contract::subject::RUNS_STREAM;
use aideator_contract::{AttemptRecord, AttemptSpec, Reason, Timestamp, limits};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::decide::launch::{self, Launched, Left, Step};
use crate::decide::schedule::{self, Limits, Storage, Turn};
use crate::decide::{Fence, Known};
use crate::error::{Error, doing};
use crate::launcher::{LaunchError, Launcher, Order};
use crate::ledger::{Ledger, now};
use crate::pause::Pause;

/// How long what waits for storage, or is held back from outside, waits before it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long a look at the stream's size is good for.
const SIZE_AGE: Duration = Duration::from_secs(1);
/// Reasons of waiting told in one go.
const TOLD_AT_ONCE: usize = 64;

pub(crate) struct Dispatcher<L> {
    pub(crate) ledger: Ledger,
    pub(crate) launcher: Arc<L>,
    pub(crate) minter: Arc<Minter>,
    pub(crate) limits: Limits,
}

impl<L: Launcher> Dispatcher<L> {
    /// Runs until `shutdown`. A launch that is cut off is taken up by the next start.
    pub(crate) async fn run(self, shutdown: CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = Arc::new(self).dispatch() => {}
        }
    }

    async fn dispatch(self: Arc<Self>) {
        let mut changes = self.ledger.board().changes();
        let mut launches: JoinSet<AttemptName> = JoinSet::new();
        let mut in_hand: HashSet<AttemptName> = HashSet::new();
        let mut size: Option<(Instant, Storage)> = None;
        let mut pause = Pause::default();
        loop {
            changes.mark_unchanged();
            while let Some(ended) = launches.try_join_next() {
                if let Ok(name) = ended {
                    in_hand.remove(&name);
                }
            }
            match self.pass(&mut size, &mut launches, &mut in_hand).await {
                Ok(true) => {}
                Ok(false) => {
                    tokio::select! {
                        _ = changes.changed() => {}
                        Some(ended) = launches.join_next(), if !launches.is_empty() => {
                            if let Ok(name) = ended {
                                in_hand.remove(&name);
                            }
                        }
                        () = sleep(LOOK_AGAIN) => {}
                    }
                    pause.reset();
                }
                Err(error) => pause.after("giving turns", &error).await,
            }
        }
    }

    /// One look at all that waits; true if there is more to tell.
    async fn pass(
        self: &Arc<Self>,
        size: &mut Option<(Instant, Storage)>,
        launches: &mut JoinSet<AttemptName>,
        in_hand: &mut HashSet<AttemptName>,
    ) -> Result<bool, Error> {
        let board = self.ledger.board();
        if !board.waits() {
            return Ok(false);
        }
        let storage = self.storage(size).await?;
        let mut told = 0;
        for turn in board.turns(&self.limits, &storage) {
            let Some(reason) = &turn.waits else {
                self.give(&turn, storage.output, launches, in_hand);
                continue;
            };
            if board.waits_for(&turn) {
                continue;
            }
            if told == TOLD_AT_ONCE {
                return Ok(true);
            }
            told += 1;
            self.tell(&turn, reason).await?;
        }
        Ok(false)
    }

    async fn storage(&self, size: &mut Option<(Instant, Storage)>) -> Result<Storage, Error> {
        if let Some((at, storage)) = size
            && at.elapsed() < SIZE_AGE
        {
            return Ok(*storage);
        }
        let state = self.ledger.bus().stream_state(RUNS_STREAM).await;
        let state = state.map_err(doing("look at the size of the stream of runs"))?;
        let most = u64::try_from(state.max_bytes).ok().filter(|most| *most > 0);
        let storage = Storage {
            used: state.bytes,
            most,
            output: Storage::output_of(most),
        };
        *size = Some((Instant::now(), storage));
        Ok(storage)
    }

    fn give(
        self: &Arc<Self>,
        turn: &Turn,
        output: u64,
        launches: &mut JoinSet<AttemptName>,
        in_hand: &mut HashSet<AttemptName>,
    ) {
        let name = AttemptName {
            run: turn.run.clone(),
            variation: turn.variation,
            attempt: turn.attempt,
        };
        if !in_hand.insert(name.clone()) {
            return;
        }
        // From here on it has a place, whatever the next look sees.
        self.ledger
            .board()
            .opened(&turn.run, turn.variation, turn.attempt);
        let this = Arc::clone(self);
        launches.spawn(async move {
            this.launch(&name, output).await;
            name
        });
    }

    async fn tell(&self, turn: &Turn, reason: &Reason) -> Result<(), Error> {
        let Some(known) = self.ledger.state(&turn.run).await? else {
            return Ok(());
        };
        let Some(write) = schedule::told(&known, turn, reason, now()) else {
            return Ok(());
        };
        self.ledger.write(&write).await.map(|_| ())
    }

    /// Sees one launch through, however often NATS or the launcher is away.
    async fn launch(&self, name: &AttemptName, output: u64) {
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
            Step::Open { after } => self.open(name, &last, output, after).await?,
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

    async fn open(
        &self,
        name: &AttemptName,
        last: &Known,
        output: u64,
        after: u64,
    ) -> Result<(), Error> {
        let run = &name.run;
        let spec = self.ledger.spec(run).await?;
        let spec = spec.attempt(run, name.variation, name.attempt, output);
        let Some(spec) = spec else {
            tracing::error!(%run, sequence = last.sequence, "the summary has more variations than the spec");
            return Err(Error::NoSpec(run.clone()));
        };
        let record = AttemptRecord::opened(spec, now());
        let stored = self.ledger.record(run, name.variation, after, &record);
        stored.await.map(|_| ())
    }

    async fn ask(&self, name: &AttemptName, fence: &Fence) -> Result<Said, Error> {
        let aideator_contract::attempt::AttemptEvent::Opened { spec } = &fence.record.event else {
            return Ok(Said::Nothing);
        };
        let AttemptName {
            run,
            variation,
            attempt,
        } = name;
        let expires = expiry(spec, now());
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

/// When an agent's credential ends: a minute after it must be gone, at the latest.
fn expiry(spec: &AttemptSpec, now: Timestamp) -> Timestamp {
    let allowed = limits::START_ALLOWANCE + limits::DEADLINE_GRACE + limits::CREDENTIAL_GRACE;
    let allowed = u64::try_from(allowed.as_millis()).unwrap_or(u64::MAX);
    now.plus(allowed).plus(spec.deadline_s.saturating_mul(1000))
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
