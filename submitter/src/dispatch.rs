//! Gives turns to what waits, and sees each launch through.

mod launch;

use std::sync::Arc;
use std::time::Duration;

use aideator_contract::Reason;
use aideator_contract::local::AttemptName;
use aideator_contract::subject::RUNS_STREAM;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

pub(crate) use self::launch::Pad;
use crate::decide::schedule::{self, Limits, Storage, Turn};
use crate::error::{Error, doing};
use crate::in_hand::InHand;
use crate::launcher::Launcher;
use crate::ledger::now;
use crate::pause::Pause;

/// How long what waits for storage, or is held back from outside, waits before it is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long a look at the stream's size is good for.
const SIZE_AGE: Duration = Duration::from_secs(1);
/// Reasons of waiting told in one go.
const TOLD_AT_ONCE: usize = 64;

pub(crate) struct Dispatcher<L> {
    pad: Arc<Pad<L>>,
    limits: Limits,
    in_hand: Arc<InHand<AttemptName>>,
    launches: JoinSet<()>,
    size: Option<(Instant, Storage)>,
}

impl<L: Launcher> Dispatcher<L> {
    pub(crate) fn new(pad: Pad<L>, limits: Limits) -> Self {
        Self {
            pad: Arc::new(pad),
            limits,
            in_hand: Arc::default(),
            launches: JoinSet::new(),
            size: None,
        }
    }

    /// Runs until `shutdown`. A launch that is cut off is taken up by the next start.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = self.dispatch() => {}
        }
    }

    async fn dispatch(&mut self) {
        let mut changes = self.pad.ledger.board().changes();
        let mut pause = Pause::default();
        loop {
            changes.mark_unchanged();
            match self.pass().await {
                Ok(true) => {}
                Ok(false) => {
                    tokio::select! {
                        _ = changes.changed() => {}
                        Some(_) = self.launches.join_next() => {}
                        () = sleep(LOOK_AGAIN) => {}
                    }
                    pause.reset();
                }
                Err(error) => pause.after("giving turns", &error).await,
            }
        }
    }

    /// One look at all that waits; true if there is more to tell.
    async fn pass(&mut self) -> Result<bool, Error> {
        let pad = Arc::clone(&self.pad);
        let board = pad.ledger.board();
        if !board.waits() {
            return Ok(false);
        }
        let storage = self.storage().await?;
        let mut told = 0;
        for turn in board.turns(&self.limits, &storage) {
            let Some(reason) = &turn.waits else {
                self.give(&turn, storage.output);
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

    async fn storage(&mut self) -> Result<Storage, Error> {
        if let Some((at, storage)) = self.size
            && at.elapsed() < SIZE_AGE
        {
            return Ok(storage);
        }
        let state = self.pad.ledger.bus().stream_state(RUNS_STREAM).await;
        let state = state.map_err(doing("look at the size of the stream of runs"))?;
        let most = u64::try_from(state.max_bytes).ok().filter(|most| *most > 0);
        let storage = Storage {
            used: state.bytes,
            most,
            output: Storage::output_of(most, self.limits.running),
        };
        self.size = Some((Instant::now(), storage));
        Ok(storage)
    }

    fn give(&mut self, turn: &Turn, output: u64) {
        let name = AttemptName {
            run: turn.run.clone(),
            variation: turn.variation,
            attempt: turn.attempt,
        };
        let Some(held) = self.in_hand.take(name.clone()) else {
            return;
        };
        // From here on it has a place, whatever the next look sees.
        let board = self.pad.ledger.board();
        board.opened(&turn.run, turn.variation, turn.attempt);
        let pad = Arc::clone(&self.pad);
        self.launches.spawn(async move {
            pad.launch(&name, output).await;
            drop(held);
        });
    }

    async fn tell(&self, turn: &Turn, reason: &Reason) -> Result<(), Error> {
        let known = match self.pad.ledger.state(&turn.run).await {
            Ok(Some(known)) => known,
            Ok(None) => return Ok(()),
            Err(Error::Malformed { subject, source }) => {
                tracing::error!(subject, %source, "a run's state can't be read; the others go on");
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let Some(write) = schedule::told(&known, turn, reason, now()) else {
            return Ok(());
        };
        self.pad.ledger.write(&write).await.map(|_| ())
    }
}
