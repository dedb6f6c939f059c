//! The open runs as this process knows them: what the scheduler looks at, never what a write relies on.
//!
//! It is filled from the bucket of open runs at the start, and afterwards by every own write and by
//! the `.state` consumer. It may be behind; whoever acts reads from the leader first.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aideator_contract::{Attempt, RunId, State, Status, Summary, Timestamp, Variation};
use tokio::sync::watch;

use crate::decide::schedule::{self, Limits, Storage, Turn};

/// Runs that ended whose last sequence is remembered. What was read before a run ended and is taken
/// in after it is seconds old, not thousands of runs.
const ENDED: usize = 4096;

#[derive(Debug, Default)]
pub(crate) struct Board {
    inner: Mutex<Inner>,
    changed: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Inner {
    runs: BTreeMap<RunId, Entry>,
    /// The sequences with which the latest runs ended.
    ended: BTreeMap<RunId, u64>,
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
            if inner.sequence(run).is_some_and(|known| known >= sequence) {
                return;
            }
            if summary.status == Status::Open {
                inner.ended.remove(run);
                let opened = inner.runs.remove(run).map(|known| known.opened);
                let entry = Entry {
                    sequence,
                    summary: summary.clone(),
                    opened: opened.unwrap_or_default(),
                };
                inner.runs.insert(run.clone(), entry);
            } else {
                inner.runs.remove(run);
                inner.end(run.clone(), sequence);
            }
        }
        self.changed.send_modify(|n| *n += 1);
    }

    /// Whether the run is known to be open.
    pub(crate) fn holds(&self, run: &RunId) -> bool {
        self.lock().runs.contains_key(run)
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

impl Inner {
    /// The sequence of the newest state that was taken in.
    fn sequence(&self, run: &RunId) -> Option<u64> {
        let open = self.runs.get(run).map(|entry| entry.sequence);
        open.or_else(|| self.ended.get(run).copied())
    }

    fn end(&mut self, run: RunId, sequence: u64) {
        self.ended.insert(run, sequence);
        if self.ended.len() > ENDED {
            let oldest = self.ended.iter().min_by_key(|(_, sequence)| **sequence);
            if let Some(run) = oldest.map(|(run, _)| run.clone()) {
                self.ended.remove(&run);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(n: usize) -> RunId {
        format!("r{n}").parse().unwrap()
    }

    fn summary(status: Status) -> Summary {
        let mut summary = Summary::rejected("sha".into(), 1, Timestamp::default());
        summary.status = status;
        summary
    }

    #[test]
    fn what_is_older_than_the_end_of_a_run_does_not_open_it_again() {
        let board = Board::default();
        board.learn(&run(0), 5, &summary(Status::Open));
        board.learn(&run(0), 9, &summary(Status::Finished));
        for older in [5, 8, 9] {
            board.learn(&run(0), older, &summary(Status::Open));
            assert!(!board.holds(&run(0)));
        }
        board.learn(&run(0), 10, &summary(Status::Open));
        assert!(board.holds(&run(0)));
        board.learn(&run(0), 9, &summary(Status::Finished));
        assert!(board.holds(&run(0)));
    }

    #[test]
    fn the_ends_of_the_latest_runs_alone_are_remembered() {
        let board = Board::default();
        for n in 0..ENDED + 2 {
            board.learn(&run(n), n as u64 + 10, &summary(Status::Finished));
        }
        assert_eq!(board.lock().ended.len(), ENDED);
        assert!(board.lock().ended.contains_key(&run(ENDED + 1)));
        assert!(!board.lock().ended.contains_key(&run(1)));
    }
}
