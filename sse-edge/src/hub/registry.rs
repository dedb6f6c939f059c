//! The hubs of this edge: one per run that somebody watches.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aideator_bus::Bus;
use aideator_contract::RunId;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::driver;
use super::pages::Bulk;
use super::shelf::Shelf;
use super::source::Source;
use super::window::{Bounds, Window};
use crate::position::Position;

/// The hubs of this edge. Cloning is cheap and shares them.
#[derive(Clone)]
pub struct Hubs(Arc<Inner>);

struct Inner {
    live: Bus,
    bulk: Bulk,
    shelf: Arc<Shelf>,
    bounds: Bounds,
    hubs: Mutex<HashMap<RunId, Arc<Hub>>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What the viewers of a run share.
pub(super) struct Hub {
    pub(super) source: Source,
    pub(super) window: Mutex<Window>,
    pub(super) changed: watch::Sender<()>,
    pub(super) viewers: watch::Sender<usize>,
}

/// A viewer's place in a hub; dropping it leaves.
pub struct Member {
    hub: Arc<Hub>,
}

impl Hubs {
    /// No hubs yet.
    #[must_use]
    pub fn new(live: Bus, bulk: Bus, bounds: Bounds) -> Self {
        Self(Arc::new(Inner {
            shelf: Arc::new(Shelf::new(bulk.archives())),
            live,
            bulk: Bulk::new(bulk),
            bounds,
            hubs: Mutex::default(),
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
                });
                let driving = driver::drive(Arc::clone(&hub), wanted, self.clone());
                self.0.tasks.spawn(driving);
                metrics::gauge!("aideator_edge_hubs").increment(1);
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
            metrics::gauge!("aideator_edge_hubs").decrement(1);
        }
        true
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
        metrics::gauge!("aideator_edge_viewers").increment(1);
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

    /// Where the run is read.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.hub.source
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.hub.viewers.send_modify(|viewers| *viewers -= 1);
        metrics::gauge!("aideator_edge_viewers").decrement(1);
    }
}

/// What a panic elsewhere left is still whole: every change is one call.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
