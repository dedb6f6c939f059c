//! When each message is due, whatever became of the one before.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use crate::stamp::Stamp;

/// Messages at a steady rate, dealt out to runs in turn.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    pub runs: u64,
    /// Of all runs together.
    pub per_second: u64,
    /// So many at first only warm up.
    pub warm: u64,
    pub messages: u64,
}

/// One message to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// When it is due after the schedule begins.
    pub after: Duration,
    pub run: usize,
    /// Counts from 1 within its run.
    pub n: u64,
    pub warm: bool,
}

impl Schedule {
    /// All messages in order.
    pub fn turns(self) -> impl Iterator<Item = Turn> {
        (0..self.all()).map(move |turn| Turn {
            after: Duration::from_micros(turn * 1_000_000 / self.per_second),
            run: usize::try_from(turn % self.runs).unwrap_or_default(),
            n: turn / self.runs + 1,
            warm: turn < self.warm,
        })
    }

    /// How many messages there are.
    pub fn all(self) -> u64 {
        self.warm + self.messages
    }

    /// How many messages a run gets.
    pub fn of_run(self, run: u64) -> u64 {
        self.all() / self.runs + u64::from(run < self.all() % self.runs)
    }

    /// Until the last one is due.
    pub fn lasts(self) -> Duration {
        Duration::from_micros(self.all() * 1_000_000 / self.per_second)
    }
}

/// Tells each run's publisher of its messages when they are due. Their times count from `begin`; the first
/// is due now. By a thread of its own: the runtime's timers are as coarse as what is measured.
#[expect(clippy::disallowed_methods, reason = "a pace is nothing but time")]
pub fn tell(schedule: Schedule, begin: Instant, runs: Vec<UnboundedSender<Stamp>>) {
    std::thread::spawn(move || {
        let first = begin.elapsed();
        for turn in schedule.turns() {
            let due = first + turn.after;
            std::thread::sleep((begin + due).saturating_duration_since(Instant::now()));
            let stamp = Stamp {
                n: turn.n,
                due: (!turn.warm).then_some(due),
            };
            if runs[turn.run].send(stamp).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_due_at_a_steady_rate_and_dealt_out_in_turn() {
        let schedule = Schedule {
            runs: 2,
            per_second: 4,
            warm: 1,
            messages: 4,
        };
        let turns: Vec<_> = schedule
            .turns()
            .map(|turn| (turn.after.as_millis(), turn.run, turn.n, turn.warm))
            .collect();
        assert_eq!(
            turns,
            [
                (0, 0, 1, true),
                (250, 1, 1, false),
                (500, 0, 2, false),
                (750, 1, 2, false),
                (1000, 0, 3, false)
            ]
        );
        assert_eq!((schedule.of_run(0), schedule.of_run(1)), (3, 2));
    }
}
