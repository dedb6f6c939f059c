//! What all streams of this edge have in common: one heartbeat, and the end when the edge stops.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// Proxies cut what is silent for a minute or less; a comment keeps the line open.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// The heartbeat and the drain of an edge.
#[derive(Debug)]
pub struct Pulse {
    beats: watch::Sender<u64>,
    drain: Duration,
    draining: watch::Sender<Option<Instant>>,
}

impl Pulse {
    /// A pulse whose streams end within `drain` once it stops.
    #[must_use]
    pub fn new(drain: Duration) -> Self {
        Self {
            beats: watch::channel(0).0,
            drain,
            draining: watch::channel(None).0,
        }
    }

    /// Changes with every heartbeat.
    #[must_use]
    pub fn beats(&self) -> watch::Receiver<u64> {
        self.beats.subscribe()
    }

    /// From now on streams end.
    pub fn stop(&self) {
        self.draining.send_replace(Some(Instant::now()));
    }

    /// Whether the edge is stopping.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.draining.borrow().is_some()
    }

    /// Ready when a stream is to end: at `share` (0–1) of the drain, so that viewers do not all come
    /// back at once.
    pub async fn drained(&self, share: f64) {
        let mut draining = self.draining.subscribe();
        let began = match draining.wait_for(Option::is_some).await {
            Ok(began) => began.unwrap_or_else(Instant::now),
            Err(_) => Instant::now(),
        };
        sleep_until(began + self.drain.mul_f64(share)).await;
    }

    /// Beats for ever, and calls `also` each time.
    pub async fn beat(&self, every: Duration, also: impl Fn()) {
        let mut timer = interval(every);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            timer.tick().await;
            self.beats.send_modify(|beats| *beats += 1);
            also();
        }
    }
}
