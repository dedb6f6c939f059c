//! The hubs of this edge: one per run that somebody watches.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aideator_bus::Bus;
use aideator_contract::RunId;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::driver;
use super::pace::{Load, pause};
use super::pages::Bulk;
use super::shelf::Shelf;
use super::source::Source;
use super::window::{Bounds, Window};
use crate::position::Position;
use crate::telemetry::Meters;

/// The hubs of this edge. Cloning is cheap and shares them.
#[derive(Clone)]
pub struct Hubs(Arc<Inner>);

struct Inner {
    live: Bus,
    bulk: Bulk,
    shelf: Arc<Shelf>,
    bounds: Bounds,
    hubs: Mutex<HashMap<RunId, Arc<Hub>>>,
    meters: Arc<Meters>,
    load: Mutex<Load>,
    began: Instant,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What the viewers of a run share.
pub(super) struct Hub {
    pub(super) source: Source,
    pub(super) window: Mutex<Window>,
    pub(super) changed: watch::Sender<()>,
    pub(super) viewers: watch::Sender<usize>,
    /// Those whose sockets take nothing now.
    stalled: AtomicUsize,
    pub(super) meters: Arc<Meters>,
}

/// While it is there a viewer waits for its socket, and not for frames.
pub(crate) struct Stall {
    hub: Arc<Hub>,
}

/// A viewer's place in a hub; dropping it leaves.
pub struct Member {
    hub: Arc<Hub>,
}

impl Hubs {
    /// No hubs yet.
    #[must_use]
    pub fn new(live: Bus, bulk: Bus, bounds: Bounds) -> Self {
        let meters = Arc::new(Meters::new());
        Self(Arc::new(Inner {
            shelf: Arc::new(Shelf::new(bulk.archives())),
            live,
            bulk: Bulk::new(bulk, Arc::clone(&meters)),
            bounds,
            hubs: Mutex::default(),
            meters,
            load: Mutex::default(),
            began: Instant::now(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }))
    }

    /// Joins the hub of a run; the first viewer opens it, where it wants to begin.
    #[must_use]
    pub fn join(&self, run: &RunId, wanted: Option<Position>) -> Member {
        let mut hubs = lock(&self.0.hubs);
        let hub = match hubs.entry(run.clone()) {
            Entry::Occupied(entry) => Arc::clone(entry.get()),
            Entry::Vacant(entry) => {
                let hub = Arc::new(Hub {
                    source: self.source(run),
                    window: Mutex::new(Window::new(self.0.bounds)),
                    changed: watch::channel(()).0,
                    viewers: watch::channel(0).0,
                    stalled: AtomicUsize::new(0),
                    meters: Arc::clone(&self.0.meters),
                });
                let driving = driver::drive(Arc::clone(&hub), wanted, self.clone());
                self.0.tasks.spawn(driving);
                self.0.meters.hubs.increment(1);
                Arc::clone(entry.insert(hub))
            }
        };
        Member::of(hub)
    }

    /// Whether somebody watches the run here and it is not over, as far as is known.
    #[must_use]
    pub fn is_live(&self, run: &RunId) -> bool {
        let hub = lock(&self.0.hubs).get(run).cloned();
        hub.is_some_and(|hub| {
            let window = lock(&hub.window);
            window.caught_up && window.ended.is_none() && !window.closed
        })
    }

    /// Where a run is read.
    #[must_use]
    pub fn source(&self, run: &RunId) -> Source {
        Source::new(
            self.0.live.clone(),
            self.0.bulk.clone(),
            Arc::clone(&self.0.shelf),
            run.clone(),
        )
    }

    /// Wakes all viewers; after a heartbeat each of them shows that its stream is alive.
    pub(crate) fn wake(&self, is_heartbeat: bool) {
        let hubs: Vec<_> = lock(&self.0.hubs).values().cloned().collect();
        for hub in hubs {
            if is_heartbeat {
                let mut window = lock(&hub.window);
                window.beats = window.beats.wrapping_add(1);
            }
            hub.changed.send_replace(());
        }
    }

    /// The measurements of this edge.
    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.0.meters
    }

    /// So many viewers have something to be shown: how long after they were woken they are woken again.
    pub(super) fn pause(&self, viewers: usize) -> Duration {
        let now = self.0.began.elapsed();
        self.0.meters.wakeups.increment(viewers as u64);
        pause(lock(&self.0.load).note(viewers, now))
    }

    /// Ends all hubs and waits for them.
    pub async fn close(&self) {
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    pub(super) fn stopped(&self) -> &CancellationToken {
        &self.0.stop
    }

    /// Forgets a hub if nobody watches it, or in any case if `forced`. True if it is forgotten.
    pub(super) fn forget(&self, hub: &Arc<Hub>, forced: bool) -> bool {
        let mut hubs = lock(&self.0.hubs);
        if !forced && *hub.viewers.borrow() > 0 {
            return false;
        }
        if hubs
            .get(hub.source.run())
            .is_some_and(|known| Arc::ptr_eq(known, hub))
        {
            hubs.remove(hub.source.run());
            self.0.meters.hubs.decrement(1);
        }
        true
    }
}

impl Hub {
    /// How many viewers wait for frames.
    pub(super) fn waiting(&self) -> usize {
        let stalled = self.stalled.load(Ordering::Relaxed);
        self.viewers.borrow().saturating_sub(stalled)
    }
}

impl Member {
    fn of(hub: Arc<Hub>) -> Self {
        {
            // The run may have grown since its end was last told: it is asked about anew.
            let mut window = lock(&hub.window);
            window.joined += 1;
            window.ended = None;
        }
        hub.viewers.send_modify(|viewers| *viewers += 1);
        hub.meters.viewers.increment(1);
        Self { hub }
    }

    /// The frames.
    pub fn window(&self) -> MutexGuard<'_, Window> {
        lock(&self.hub.window)
    }

    /// Changes whenever the window has.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.hub.changed.subscribe()
    }

    /// This viewer was shown more than the hub knows: the hub is to ask what it has missed.
    pub fn doubt(&self) {
        lock(&self.hub.window).doubted += 1;
        self.hub.viewers.send_modify(|_| {});
    }

    /// This viewer's socket takes nothing.
    pub(crate) fn stall(&self) -> Stall {
        self.hub.stalled.fetch_add(1, Ordering::Relaxed);
        let hub = Arc::clone(&self.hub);
        Stall { hub }
    }

    /// Where the run is read.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.hub.source
    }

    pub(crate) fn meters(&self) -> &Arc<Meters> {
        &self.hub.meters
    }
}

impl Drop for Stall {
    fn drop(&mut self) {
        self.hub.stalled.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.hub.viewers.send_modify(|viewers| *viewers -= 1);
        self.hub.meters.viewers.decrement(1);
    }
}

/// What a panic elsewhere left is still whole: every change is one call.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
