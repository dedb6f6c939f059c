//! Whose turn it is: the queue in its order, as far as places and storage go.

use std::collections::BTreeMap;

use aideator_contract::summary::Move;
use aideator_contract::{
    Attempt, Code, Reason, RunId, State, Summary, Timestamp, Variation, limits, queue,
};

use super::{Known, Write};

/// However few may run at once, none takes more than a sixteenth of the stream.
const LEAST_SHARES: usize = 8;

/// How much may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Variations in all.
    pub running: usize,
    /// Variations of one requester.
    pub per_requester: usize,
    /// Variations that wait; what would be more is refused.
    pub queued: usize,
}

/// What the stream of runs has to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    /// Bytes held.
    pub used: u64,
    /// Bytes it may hold; `None`: no bound of its own.
    pub most: Option<u64>,
    /// Bytes an attempt may say.
    pub output: u64,
}

impl Storage {
    /// The output limit of an attempt where the stream holds `most` bytes and `running` may run at
    /// once: less than the usual where not all of them would fit into half of the stream.
    #[must_use]
    pub fn output_of(most: Option<u64>, running: usize) -> u64 {
        let share = 2 * running.max(LEAST_SHARES) as u64;
        most.map_or(limits::OUTPUT_BYTES, |most| {
            limits::OUTPUT_BYTES.min(most / share)
        })
    }

    /// Whether one attempt more fits when `running` may each still say all they may.
    fn fits(&self, running: usize) -> bool {
        let reserved = self.output.saturating_mul(running as u64 + 1);
        self.most
            .is_none_or(|most| self.used.saturating_add(reserved) <= most)
    }
}

/// An open run, as the scheduler sees it.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// The run.
    pub run: &'a RunId,
    /// Where it is.
    pub summary: &'a Summary,
    /// Attempts that were opened: queued, they count as launched.
    pub opened: &'a BTreeMap<Variation, Attempt>,
}

impl Entry<'_> {
    fn is_opened(&self, variation: Variation, attempt: Attempt) -> bool {
        self.opened.get(&variation).is_some_and(|a| *a >= attempt)
    }
}

/// What is to be done about a waiting variation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The run.
    pub run: RunId,
    /// The variation.
    pub variation: Variation,
    /// The attempt that waits.
    pub attempt: Attempt,
    /// Why it waits on; `None`: it is launched.
    pub waits: Option<Reason>,
}

/// Decides about every waiting variation, in order. Those that are opened but still `queued` come
/// as turns to be launched too, whatever else runs: a restart launches them again.
#[must_use]
pub fn turns(runs: &[Entry<'_>], limits: &Limits, storage: &Storage) -> Vec<Turn> {
    let opened: BTreeMap<&RunId, &Entry<'_>> = runs.iter().map(|e| (e.run, e)).collect();
    let mut running = 0;
    let mut by_requester: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in runs {
        let all = Variation::first(entry.summary.variations.len()).zip(&entry.summary.variations);
        let active = all
            .filter(|(variation, v)| {
                v.state.is_active()
                    || (v.state == State::Queued && entry.is_opened(*variation, v.attempt))
            })
            .count();
        running += active;
        if let Some(requester) = &entry.summary.requester {
            *by_requester.entry(requester).or_default() += active;
        }
    }
    let mut turns = Vec::new();
    for waiting in queue::order(runs.iter().map(|e| (e.run, e.summary))) {
        let again = opened
            .get(waiting.run)
            .is_some_and(|e| e.is_opened(waiting.variation, waiting.attempt));
        let of_requester = waiting
            .requester
            .map_or(0, |who| by_requester.get(who).copied().unwrap_or(0));
        let waits = if again {
            None
        } else if running >= limits.running {
            Some(all_taken(limits))
        } else if of_requester >= limits.per_requester {
            Some(requester_limit(limits))
        } else if !storage.fits(running) {
            Some(storage_full())
        } else {
            running += 1;
            if let Some(who) = waiting.requester {
                *by_requester.entry(who).or_default() += 1;
            }
            None
        };
        turns.push(Turn {
            run: waiting.run.clone(),
            variation: waiting.variation,
            attempt: waiting.attempt,
            waits,
        });
    }
    turns
}

/// Tells on `.state` what a variation waits for; `None` if it waits no more.
#[must_use]
pub fn told(known: &Known, turn: &Turn, reason: &Reason, at: Timestamp) -> Option<Write> {
    let wanted = Move {
        variation: turn.variation,
        attempt: turn.attempt,
        to: State::Queued,
        reason: Some(reason.clone()),
        ending: None,
        command: None,
        at,
    };
    let next = known.summary().moved(wanted).ok()?;
    Some(Write::new(&turn.run, known.sequence, at, next))
}

/// The reason of a request or retry that finds the queue full.
#[must_use]
pub fn queue_full() -> Reason {
    Reason::new(
        Code::QueueFull,
        "too many variations wait already; try again later",
    )
}

fn all_taken(limits: &Limits) -> Reason {
    Reason::new(
        Code::Waiting,
        format!(
            "waits its turn: {} variations may run at once",
            limits.running
        ),
    )
}

fn requester_limit(limits: &Limits) -> Reason {
    Reason::new(
        Code::RequesterLimit,
        format!(
            "waits its turn: one requester may have {} variations running",
            limits.per_requester
        ),
    )
}

fn storage_full() -> Reason {
    Reason::new(
        Code::StorageFull,
        "storage is full: there is no room for its output until older runs are archived or expire",
    )
}
