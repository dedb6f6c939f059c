//! What all streams of this edge have in common: one heartbeat, and the end when the edge stops.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// Proxies cut what is silent for a minute or less; a comment keeps the line open.
pub const HEARTBEAT: Duration = Duration::from_secs(15);
/// In this part of the drain streams end: before it the word that this edge is not ready gets round,
/// after it what is left is written.
const ENDS: (f32, f32) = (0.1, 0.8);
/// In so many steps of the drain streams are woken to see whether they are to end.
const STEPS: u32 = 100;

/// The heartbeat and the drain of an edge.
#[derive(Debug)]
pub struct Pulse {
    beats: watch::Sender<u64>,
    drain: Duration,
    draining: watch::Sender<Option<Instant>>,
    /// The same, for those who ask often.
    stopping: AtomicBool,
}

impl Pulse {
    /// A pulse whose streams end within `drain` once it stops.
    #[must_use]
    pub fn new(drain: Duration) -> Self {
        Self {
            beats: watch::channel(0).0,
            drain,
            draining: watch::channel(None).0,
            stopping: AtomicBool::new(false),
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
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether the edge is stopping.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// The share of the drain at which a stream is to end that begins now; `chance` (0–1) spreads them, so
    /// that viewers do not all come back at once.
    #[must_use]
    pub fn share(&self, chance: f32) -> f32 {
        let began = *self.draining.borrow();
        let passed = began.map_or(0.0, |began| {
            began.elapsed().as_secs_f32() / self.drain.as_secs_f32().max(f32::EPSILON)
        });
        spread(chance, passed)
    }

    /// Whether a stream is to end now.
    #[must_use]
    pub fn is_over(&self, share: f32) -> bool {
        self.is_stopping()
            && self
                .draining
                .borrow()
                .is_some_and(|began| began.elapsed() >= self.drain.mul_f32(share))
    }

    /// Ready when a stream is to end.
    pub async fn drained(&self, share: f32) {
        let mut draining = self.draining.subscribe();
        let began = match draining.wait_for(Option::is_some).await {
            Ok(began) => began.unwrap_or_else(Instant::now),
            Err(_) => Instant::now(),
        };
        sleep_until(began + self.drain.mul_f32(share)).await;
    }

    /// Lasts as long as the drain, and calls `wake` again and again meanwhile.
    pub async fn drain(&self, wake: impl Fn()) {
        let began = Instant::now();
        for step in 1..=STEPS {
            wake();
            sleep_until(began + self.drain * step / STEPS).await;
        }
        wake();
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

/// Where a stream ends that begins when the share `passed` of the drain is over.
fn spread(chance: f32, passed: f32) -> f32 {
    let (first, last) = ENDS;
    let first = first.max(passed);
    first + (last - first).max(0.0) * chance
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_end_one_after_the_other_and_none_at_once() {
        let percent = |chance, passed| (spread(chance, passed) * 100.0).round();
        let ends = [0.0, 0.5, 1.0].map(|chance| percent(chance, 0.0));
        assert_eq!(ends, [10.0, 45.0, 80.0]);
        // One that comes in between still has its time.
        assert_eq!([0.0, 1.0].map(|chance| percent(chance, 0.5)), [50.0, 80.0]);
        // One that comes too late has none.
        assert_eq!(percent(1.0, 0.9), 90.0);
    }
}
