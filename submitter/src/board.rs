//! The open runs as this process knows them: what the scheduler looks at, never what a write relies on.
//!
//! It is filled from the bucket of open runs at the start, and afterwards by every own write and by
//! the `.state` consumer. It may be behind; whoever acts reads from the leader first.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aideator_contract::{Attempt, RunId, State, Status, Summary, Timestamp, Variation};
use tokio::sync::watch;

use crate::decide::schedule::{self, Limits, Storage, Turn};

#[derive(Debug, Default)]
pub(crate) struct Board {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    runs: BTreeMap<RunId, Entry>,
    /// Variations being accepted right now.
    reserved: usize,
}

#[derive(Debug)]
struct Entry {
    sequence: u64,
    summary: Summary,
    opened: BTreeMap<Variation, Attempt>,
}

/// A variation that is told to stop.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cancelling {
    pub(crate) run: RunId,
    pub(crate) variation: Variation,
    pub(crate) attempt: Attempt,
    pub(crate) since: Timestamp,
}

/// Room in the queue, kept until it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation<'a> {
    board: &'a Board,
    count: usize,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.board.lock().reserved -= self.count;
    }
}

impl Board {
    /// Takes in a run's state. What is older than what is known changes nothing.
    pub(crate) fn learn(&self, run: &RunId, sequence: u64, summary: &Summary) {
        {
            let mut inner = self.lock();
            let known = inner.runs.get_mut(run);
            match known {
                Some(entry) if entry.sequence >= sequence => return,
                Some(entry) if summary.status == Status::Open => {
                    entry.sequence = sequence;
                    entry.summary = summary.clone();
                }
                None if summary.status == Status::Open => {
                    let entry = Entry {
                        sequence,
                        summary: summary.clone(),
                        opened: BTreeMap::new(),
                    };
                    inner.runs.insert(run.clone(), entry);
                }
                Some(_) => {
                    inner.runs.remove(run);
                }
                None => return,
            }
        }
        self.changed.send_modify(|n| *n += 1);
    }

    /// Takes in that an attempt was opened.
    pub(crate) fn opened(&self, run: &RunId, variation: Variation, attempt: Attempt) {
        if let Some(entry) = self.lock().runs.get_mut(run) {
            entry.opened.insert(variation, attempt);
        }
    }

    /// Changes whenever something was taken in.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Whose turn it is, and what the others wait for.
    pub(crate) fn turns(&self, limits: &Limits, storage: &Storage) -> Vec<Turn> {
        let inner = self.lock();
        let entries: Vec<_> = inner
            .runs
            .iter()
            .map(|(run, entry)| schedule::Entry {
                run,
                summary: &entry.summary,
                opened: &entry.opened,
            })
            .collect();
        schedule::turns(&entries, limits, storage)
    }

    /// Whether the variation is known to wait for this reason's code already.
    pub(crate) fn waits_for(&self, turn: &Turn) -> bool {
        let inner = self.lock();
        let now = inner
            .runs
            .get(&turn.run)
            .and_then(|e| e.summary.variation(turn.variation).ok());
        now.is_some_and(|v| v.reason == turn.waits)
    }

    /// Whether any variation waits, opened or not.
    pub(crate) fn waits(&self) -> bool {
        let inner = self.lock();
        let mut all = inner.runs.values().flat_map(|e| &e.summary.variations);
        all.any(|v| v.state == State::Queued)
    }

    /// Every variation that waits, opened or not.
    pub(crate) fn queued(&self) -> Vec<(RunId, Variation)> {
        self.in_state(State::Queued)
            .into_iter()
            .map(|c| (c.run, c.variation))
            .collect()
    }

    /// Every variation that is told to stop.
    pub(crate) fn cancelling(&self) -> Vec<Cancelling> {
        self.in_state(State::Cancelling)
    }

    fn in_state(&self, state: State) -> Vec<Cancelling> {
        let inner = self.lock();
        let of_run = |(run, entry): (&RunId, &Entry)| {
            let all = Variation::first(entry.summary.variations.len());
            let found: Vec<_> = all
                .zip(&entry.summary.variations)
                .filter(|(_, v)| v.state == state)
                .map(|(variation, v)| Cancelling {
                    run: run.clone(),
                    variation,
                    attempt: v.attempt,
                    since: v.since,
                })
                .collect();
            found
        };
        inner.runs.iter().flat_map(of_run).collect()
    }

    /// Keeps room for `count` more variations, if no more than `most` wait then.
    pub(crate) fn reserve(&self, count: usize, most: usize) -> Option<Reservation<'_>> {
        let mut inner = self.lock();
        let queued = |entry: &Entry| {
            let of_run = entry.summary.variations.iter();
            of_run.filter(|v| v.state == State::Queued).count()
        };
        let waiting: usize = inner.runs.values().map(queued).sum();
        if waiting + inner.reserved + count > most {
            return None;
        }
        inner.reserved += count;
        Some(Reservation { board: self, count })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
