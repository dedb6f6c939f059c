//! When to look at which run: on its messages, when its processes change, and once in a while.
//!
//! One run is settled by one task at a time. A message is acked when its run has been settled after
//! it came; one that comes meanwhile makes the run be settled again.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use aideator_bus::{Bus, Delivery};
use aideator_contract::RunId;
use aideator_contract::local::AttemptName;
use aideator_contract::subject::Place;
use futures::future::join_all;
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, timeout};

use crate::clearing::Clearing;
use crate::decide::Limits;
use crate::error::{Error, Remedy};
use crate::observe::{Observation, Observer};
use crate::settle::{Settled, settle};

/// Runs settled at once.
const AT_ONCE: usize = 16;
/// How often the processes of open attempts are looked at.
pub(crate) const LOOK: Duration = Duration::from_millis(200);
/// A run with an open attempt is settled this often without a reason, for deadlines.
const ACTIVE: Duration = Duration::from_secs(2);
/// An open run without an open attempt is settled this often without a reason.
const WAITING: Duration = Duration::from_secs(60);
/// The pause after a failure, doubling.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const STOPPING: Duration = Duration::from_secs(5);

pub(crate) struct Engine<O> {
    bus: Bus,
    observer: Arc<O>,
    limits: Limits,
    runs: HashMap<RunId, Tracked>,
    /// Runs to be settled, in the order in which they asked for it.
    due: VecDeque<RunId>,
    settling: JoinSet<Done>,
    settlers: HashMap<task::Id, RunId>,
    clearing: Clearing,
}

/// A run that was settled, or was not: then its messages are still in hand.
struct Done {
    run: RunId,
    /// `None`: there was nothing new.
    result: Option<Result<Settled, Error>>,
    in_hand: Vec<Delivery>,
}

#[derive(Default)]
struct Tracked {
    /// Messages that came since the run was last begun to be settled.
    waiting: Vec<Delivery>,
    /// There is a reason to look at it besides messages.
    look: bool,
    queued: bool,
    busy: bool,
    active: Vec<(AttemptName, Observation)>,
    /// The sequence of the state it was last settled with.
    sequence: u64,
    again: Option<Instant>,
    failures: u32,
}

impl Tracked {
    /// Whether what is waiting is nothing but states that have been taken into account, above all
    /// the ones we wrote ourselves.
    fn knows_all(&self) -> bool {
        let known = |delivery: &Delivery| {
            delivery.stored.sequence <= self.sequence
                && matches!(
                    Place::parse(&delivery.stored.subject),
                    Some(Place::State(_))
                )
        };
        !self.waiting.is_empty() && self.waiting.iter().all(known)
    }
}

impl<O: Observer> Engine<O> {
    pub(crate) fn new(bus: Bus, observer: Arc<O>, limits: Limits) -> Self {
        Self {
            bus,
            observer,
            limits,
            runs: HashMap::new(),
            due: VecDeque::new(),
            settling: JoinSet::new(),
            settlers: HashMap::new(),
            clearing: Clearing::default(),
        }
    }

    /// Takes note of a message of the run, or, without one, of a reason to look at it.
    pub(crate) fn wake(&mut self, run: RunId, delivery: Option<Delivery>) {
        let tracked = self.runs.entry(run.clone()).or_default();
        tracked.look |= delivery.is_none();
        tracked.waiting.extend(delivery);
        if !tracked.queued {
            tracked.queued = true;
            self.due.push_back(run);
        }
        self.begin();
    }

    /// Waits until a run has been settled, and takes what follows from it. Never returns while
    /// none is being settled. Cancelling it loses nothing.
    pub(crate) async fn settled(&mut self) {
        match self.settling.join_next_with_id().await {
            None => std::future::pending().await,
            Some(joined) => self.joined(joined),
        }
        self.begin();
    }

    /// Looks at all processes, clears what is over, and wakes the runs whose time has come.
    pub(crate) async fn tick(&mut self) {
        let names: Vec<AttemptName> = self.names().collect();
        let seen = self.observer.glance(names.clone()).await;
        let now = Instant::now();
        let mut changed: BTreeSet<RunId> = BTreeSet::new();
        for (name, seen) in names.into_iter().zip(seen) {
            let tracked = self.runs.get(&name.run);
            let known = tracked.and_then(|t| t.active.iter().find(|(n, _)| *n == name));
            if seen != Observation::Unknown && known.is_some_and(|(_, known)| *known != seen) {
                changed.insert(name.run);
            }
        }
        for (run, tracked) in &self.runs {
            if tracked.again.is_some_and(|again| again <= now) {
                changed.insert(run.clone());
            }
        }
        for run in changed {
            self.wake(run, None);
        }
        self.clear().await;
    }

    /// Ends what is in hand, with a limit. Messages that were not acked come again.
    pub(crate) async fn stop(mut self) {
        self.due.clear();
        let all = async {
            while let Some(joined) = self.settling.join_next_with_id().await {
                self.joined(joined);
            }
        };
        if timeout(STOPPING, all).await.is_err() {
            tracing::warn!("runs were still being settled when the watcher stopped");
        }
    }

    /// Takes note of attempts whose folders are to be cleared.
    pub(crate) fn clear_later(&mut self, names: Vec<AttemptName>) {
        self.clearing.add(names);
    }

    fn names(&self) -> impl Iterator<Item = AttemptName> + '_ {
        let idle = self.runs.values().filter(|tracked| !tracked.busy);
        idle.flat_map(|tracked| tracked.active.iter().map(|(name, _)| name.clone()))
    }

    fn begin(&mut self) {
        let mut busy = Vec::new();
        while self.settling.len() < AT_ONCE {
            let Some(run) = self.due.pop_front() else {
                break;
            };
            let Some(tracked) = self.runs.get_mut(&run) else {
                continue;
            };
            if tracked.busy {
                busy.push(run);
                continue;
            }
            tracked.busy = true;
            tracked.queued = false;
            let nothing_new = !tracked.look && tracked.knows_all();
            if !nothing_new {
                (tracked.look, tracked.again) = (false, None);
            }
            let mut in_hand = std::mem::take(&mut tracked.waiting);
            let (bus, observer, limits) =
                (self.bus.clone(), Arc::clone(&self.observer), self.limits);
            let settler = run.clone();
            let task = self.settling.spawn(async move {
                let result = if nothing_new {
                    None
                } else {
                    Some(settle(&bus, &*observer, &limits, &run).await)
                };
                if !matches!(&result, Some(Err(error)) if error.remedy() == Remedy::Retry) {
                    ack(std::mem::take(&mut in_hand)).await;
                }
                Done {
                    run,
                    result,
                    in_hand,
                }
            });
            self.settlers.insert(task.id(), settler);
        }
        self.due.extend(busy);
    }

    fn joined(&mut self, joined: Result<(task::Id, Done), JoinError>) {
        match joined {
            Ok((id, done)) => {
                self.settlers.remove(&id);
                self.take(done);
            }
            Err(error) => {
                // A panic, a fault of ours. The run's messages, dropped with the task, come again.
                tracing::error!(%error, "settling a run broke down");
                if let Some(run) = self.settlers.remove(&error.id()) {
                    self.take(Done {
                        result: Some(Err(Error::Unsettled { run: run.clone() })),
                        run,
                        in_hand: Vec::new(),
                    });
                }
            }
        }
    }

    fn take(&mut self, done: Done) {
        let Done {
            run,
            result,
            in_hand,
        } = done;
        let Some(tracked) = self.runs.get_mut(&run) else {
            return;
        };
        tracked.busy = false;
        tracked.waiting.extend(in_hand);
        match result {
            None => {}
            Some(Ok(settled)) => {
                tracked.sequence = settled.sequence;
                self.clearing.add(settled.ended);
                let idle = settled.active.is_empty();
                let rest = if idle { WAITING } else { ACTIVE };
                tracked.failures = 0;
                tracked.active = settled.active;
                tracked.again = settled.open.then(|| Instant::now() + rest);
            }
            Some(Err(error)) if error.remedy() == Remedy::GiveUp => {
                tracing::error!(%run, error = &error as &dyn StdError, "a run can't be watched");
                tracked.active.clear();
                tracked.again = None;
            }
            Some(Err(error)) => {
                tracing::warn!(%run, error = &error as &dyn StdError, "a run can't be settled yet");
                let pause = PAUSE.saturating_mul(1 << tracked.failures.min(10));
                tracked.failures += 1;
                tracked.again = Some(Instant::now() + pause.min(LONGEST_PAUSE));
            }
        }
        if tracked.again.is_none() && !tracked.queued {
            self.runs.remove(&run);
        }
    }

    async fn clear(&mut self) {
        let active: BTreeSet<AttemptName> = self.names().collect();
        let over = self.clearing.due(Instant::now()).filter(|name| {
            let tracked = self.runs.get(&name.run);
            !active.contains(name) && tracked.is_none_or(|t| !t.busy && !t.queued)
        });
        let names: Vec<AttemptName> = over.cloned().collect();
        for name in names {
            if self.observer.clear(name.clone()).await {
                self.clearing.done(&name);
            } else {
                self.clearing.failed(&name, Instant::now());
            }
        }
    }
}

/// Settling is idempotent: a message whose ack is lost comes again.
async fn ack(deliveries: Vec<Delivery>) {
    for result in join_all(deliveries.into_iter().map(Delivery::ack)).await {
        if let Err(error) = result {
            tracing::debug!(%error, "an ack was lost");
        }
    }
}
