//! How many streams are let in: as fast as an edge can begin them well, and what comes at once beyond
//! that, as after the end of another edge, waits its turn or is asked to come back.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Streams begun a second in the long run, and at once after a quiet second.
pub(crate) const RATE: u32 = 2_000;
/// Who would have to wait longer is sent away.
const PATIENCE: Duration = Duration::from_secs(4);

/// What becomes of a stream that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is begun after this; zero if at once.
    In(Duration),
    /// It is not begun; it may be asked for again after this.
    Away(Duration),
}

/// The door of an edge.
#[derive(Debug)]
pub struct Door {
    rate: u32,
    began: Instant,
    lately: Mutex<Admission>,
}

impl Door {
    /// A door through which `rate` streams a second get.
    #[must_use]
    pub fn new(rate: u32) -> Self {
        Self {
            rate,
            began: Instant::now(),
            lately: Mutex::default(),
        }
    }

    /// A stream is asked for now.
    pub(crate) fn ask(&self) -> Turn {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately.ask(self.rate, self.began.elapsed())
    }
}

/// How many streams were let in lately. Pure.
#[derive(Debug, Clone, Copy, Default)]
struct Admission {
    /// When all that were let in have had their turn, at the steady rate.
    served: Duration,
}

impl Admission {
    /// A stream is asked for at `now`, of any steady clock, where `rate` are begun a second.
    fn ask(&mut self, rate: u32, now: Duration) -> Turn {
        let second = Duration::from_secs(1);
        let served = self.served.max(now) + second / rate.max(1);
        let wait = served.saturating_sub(now + second);
        if wait > PATIENCE {
            return Turn::Away(wait);
        }
        self.served = served;
        Turn::In(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ask(admission: &mut Admission, times: u32, now: Duration) -> Vec<Turn> {
        (0..times).map(|_| admission.ask(RATE, now)).collect()
    }

    #[test]
    fn a_few_come_in_at_once() {
        let turns = ask(&mut Admission::default(), RATE, Duration::ZERO);
        assert!(turns.iter().all(|turn| *turn == Turn::In(Duration::ZERO)));
    }

    #[test]
    fn thousands_wait_their_turn_and_more_are_sent_away_until_there_is_room() {
        let mut admission = Admission::default();
        let turns = ask(&mut admission, RATE * 5, Duration::ZERO);
        assert_eq!(turns.last(), Some(&Turn::In(PATIENCE)));
        let Turn::Away(wait) = admission.ask(RATE, Duration::ZERO) else {
            panic!("there is no room");
        };
        assert!(wait > PATIENCE && wait < PATIENCE * 2, "{wait:?}");
        // A second later there is room for as many as are begun in one.
        let turns = ask(&mut admission, RATE + 1, Duration::from_secs(1));
        let sent = turns.iter().filter(|turn| matches!(turn, Turn::Away(_)));
        assert_eq!(sent.count(), 1);
    }

    proptest! {
        #[test]
        fn no_more_are_begun_in_any_second_than_two_seconds_worth(
            arrivals in prop::collection::vec((0u64..300, 1u32..4_000), 1..30)
        ) {
            let mut admission = Admission::default();
            let mut begun = Vec::new();
            let mut now = Duration::ZERO;
            for (passed, times) in arrivals {
                now += Duration::from_millis(passed);
                let turns = ask(&mut admission, times, now);
                begun.extend(turns.into_iter().filter_map(|turn| match turn {
                    Turn::In(wait) => Some(now + wait),
                    Turn::Away(_) => None,
                }));
            }
            begun.sort();
            let most = 2 * RATE as usize + 1;
            for (at, first) in begun.iter().enumerate() {
                let second = *first + Duration::from_secs(1);
                let within = begun[at..].partition_point(|time| *time < second);
                prop_assert!(within <= most, "{within}");
            }
        }
    }
}
