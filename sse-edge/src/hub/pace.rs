//! When viewers are woken: at rest at once; under load what comes is joined for a moment, so that each
//! viewer costs one write for several events. Pure: the time goes in.

use std::time::Duration;

/// So many wake-ups of viewers a second cost about a tenth of a core: nobody waits.
const CALM: f64 = 10_000.0;
/// From so many on frames are joined for [`LONGEST`].
const BUSY: f64 = 20_000.0;
/// No frame waits longer.
pub const LONGEST: Duration = Duration::from_millis(25);
/// Over so many seconds the load is measured.
const MEMORY: f64 = 0.5;

/// How long after viewers were woken they are woken again, where `load` wake-ups a second are asked for.
#[must_use]
pub fn pause(load: f64) -> Duration {
    LONGEST.mul_f64(((load - CALM) / (BUSY - CALM)).clamp(0.0, 1.0))
}

/// How many wake-ups of viewers are asked for on this edge, whether they are joined or not: else joining
/// would end what it is for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Load {
    rate: f64,
    at: Duration,
}

impl Load {
    /// At `now`, of any steady clock, `viewers` have something to be shown. Returns how many wake-ups a
    /// second that makes lately.
    pub fn note(&mut self, viewers: usize, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.rate *= (-passed / MEMORY).exp();
        self.rate += viewers as f64 / MEMORY;
        self.at = self.at.max(now);
        self.rate
    }
}

/// When the viewers of one hub are woken next.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    woken: Option<Duration>,
    due: Option<Duration>,
}

impl Pace {
    /// There is something to show at `now`; viewers are not woken within `pause` of the last time.
    pub fn ask(&mut self, pause: Duration, now: Duration) {
        let at = self.woken.map_or(now, |woken| now.max(woken + pause));
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// When viewers are to be woken; `None` while there is nothing for them.
    #[must_use]
    pub fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Whether to wake them now; if so, that is noted.
    pub fn wake(&mut self, now: Duration) -> bool {
        let wake = self.due.is_some_and(|due| due <= now);
        if wake {
            *self = Self {
                woken: Some(now),
                due: None,
            };
        }
        wake
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The load of `viewers` who are shown an event every `every` for ten seconds.
    fn load(viewers: usize, every: Duration) -> f64 {
        let mut load = Load::default();
        let ten = u32::try_from(ms(10_000).as_nanos() / every.as_nanos()).unwrap();
        (1..=ten).fold(0.0, |_, n| load.note(viewers, every * n))
    }

    #[test]
    fn many_runs_of_one_viewer_each_never_wait() {
        // 200 runs, 300 events a second together.
        let load = load(1, ms(1000) / 300);
        assert!((295.0..310.0).contains(&load), "{load}");
        assert_eq!(pause(load), Duration::ZERO);
    }

    #[test]
    fn one_event_wakes_thousands_at_rest_and_the_next_does_not_wait_for_it() {
        let mut load = Load::default();
        load.note(2_000, ms(0));
        assert_eq!(pause(load.note(2_000, ms(2_000))), Duration::ZERO);
    }

    #[test]
    fn hundreds_of_viewers_of_a_fast_run_get_what_25_ms_bring() {
        assert_eq!(pause(load(500, ms(10))), LONGEST);
        let mut pace = Pace::default();
        let mut woken = Vec::new();
        for now in 0..100 {
            if now % 10 == 0 {
                pace.ask(LONGEST, ms(now));
            }
            if pace.wake(ms(now)) {
                woken.push(now);
            }
        }
        assert_eq!(woken, [0, 25, 50, 75]);
    }

    #[test]
    fn the_pause_grows_with_the_load() {
        let pauses = [0.0, CALM, 15_000.0, BUSY, 1e9].map(pause);
        let half = LONGEST / 2;
        assert_eq!(
            pauses,
            [Duration::ZERO, Duration::ZERO, half, LONGEST, LONGEST]
        );
    }

    proptest! {
        #[test]
        fn nothing_is_forgotten_and_nothing_waits_longer_than_the_longest(
            steps in prop::collection::vec((0u64..40, any::<bool>(), 0.0f64..40_000.0), 1..200)
        ) {
            let mut pace = Pace::default();
            let (mut now, mut asked) = (0, None);
            for (passed, asks, load) in steps {
                // The driver sleeps until viewers are due.
                let end = now + passed;
                while let Some(due) = pace.due().filter(|due| *due <= ms(end)) {
                    prop_assert!(due <= ms(asked.expect("only what was asked for")) + LONGEST);
                    prop_assert!(pace.wake(due));
                    asked = None;
                }
                now = end;
                if asks {
                    pace.ask(pause(load), ms(now));
                    asked = asked.or(Some(now));
                }
                prop_assert_eq!(pace.due().is_some(), asked.is_some());
            }
        }
    }
}
