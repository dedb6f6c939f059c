//! When a track's tail is asked of the stream's leader.
//!
//! A lost live message shows on the next one of its track; the last one of a track has no next, so
//! its tail is asked a while after it, ever more seldom, and at once after the link was lost.

/// The first check comes this long after a track's last event, in milliseconds.
pub const FIRST: u64 = 1_000;
/// The longest pause between two checks.
pub const LONGEST: u64 = 15_000;
/// The pause after a check that failed.
const AGAIN: u64 = 250;

/// The checks of one track.
#[derive(Debug, Clone, Default)]
pub struct TailCheck {
    due: Option<u64>,
    /// No check before this time: the last one failed.
    pause: u64,
    period: u64,
    /// Something demanded it; what comes meanwhile does not put it off.
    urgent: bool,
    asked: bool,
    /// What is asked now was asked before something that makes its answer worthless.
    stale: bool,
    /// The leader has said that nothing is behind what we have, and nothing came since.
    confirmed: bool,
    /// The first answer: what there was when we came.
    first: Option<u64>,
}

impl TailCheck {
    /// Something came on the track.
    pub fn event(&mut self, now: u64) {
        self.confirmed = false;
        self.period = FIRST;
        if !self.urgent {
            self.due = Some(now + FIRST);
        }
    }

    /// The tail must be asked now, and an answer to an earlier question will not do.
    pub fn demand(&mut self, now: u64) {
        self.confirmed = false;
        self.stale = self.asked;
        self.urgent = true;
        self.period = FIRST;
        self.due = Some(now);
    }

    /// The tail may be asked now; an answer on its way will do.
    pub fn hasten(&mut self, now: u64) {
        if !self.asked {
            self.due = Some(self.due.map_or(now, |due| due.min(now)));
        }
    }

    /// The tail is to be asked soon, whatever was answered before.
    pub fn watch(&mut self, now: u64) {
        let soon = now + FIRST;
        self.due = Some(self.due.map_or(soon, |due| due.min(soon)));
    }

    /// No more checks.
    pub fn rest(&mut self) {
        self.due = None;
    }

    /// Whether to ask now; if so, it is noted as asked.
    pub fn ask(&mut self, now: u64) -> bool {
        let ask = self.due().is_some_and(|due| due <= now);
        if ask {
            self.asked = true;
            self.urgent = false;
            self.due = None;
        }
        ask
    }

    /// The leader answered: its last sequence (0: none), while we have all up to `through`.
    /// False if the answer is worth nothing.
    pub fn answered(&mut self, tail: u64, through: u64, now: u64) -> bool {
        self.asked = false;
        if std::mem::take(&mut self.stale) {
            self.due = Some(now);
            return false;
        }
        self.first.get_or_insert(tail);
        self.confirmed = tail <= through;
        self.due = Some(now + self.period.max(FIRST));
        self.period = (self.period.max(FIRST) * 2).min(LONGEST);
        true
    }

    /// No answer came.
    pub fn failed(&mut self, now: u64) {
        self.asked = false;
        self.stale = false;
        self.pause = now + AGAIN;
        self.due = Some(self.pause);
    }

    /// When the next check is due, unless one is under way.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        self.due
            .map(|due| due.max(self.pause))
            .filter(|_| !self.asked)
    }

    /// The leader has said that nothing is behind what we have, and nothing came since.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// The leader's first answer.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_double_up_to_fifteen_seconds() {
        let mut check = TailCheck::default();
        check.event(0);
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let due = check.due().unwrap();
            pauses.push(due - now);
            now = due;
            assert!(check.ask(now));
            assert!(check.answered(5, 5, now));
        }
        assert_eq!(pauses, [1000, 1000, 2000, 4000, 8000, 15000]);
    }

    #[test]
    fn what_comes_meanwhile_does_not_put_off_a_check_that_is_demanded() {
        let mut check = TailCheck::default();
        check.demand(5);
        check.event(5);
        assert!(check.ask(5));
    }

    #[test]
    fn a_check_that_failed_is_not_repeated_at_once() {
        let mut check = TailCheck::default();
        check.demand(0);
        assert!(check.ask(0));
        check.failed(0);
        check.hasten(0);
        check.demand(0);
        assert_eq!(check.due(), Some(AGAIN));
        assert!(!check.ask(AGAIN - 1));
        assert!(check.ask(AGAIN));
    }

    #[test]
    fn an_answer_from_before_a_demand_is_worth_nothing() {
        let mut check = TailCheck::default();
        check.demand(0);
        assert!(check.ask(0));
        check.demand(5);
        assert!(!check.ask(5));
        assert!(!check.answered(0, 0, 6));
        assert!(!check.is_confirmed());
        assert!(check.ask(6));
        assert!(check.answered(0, 0, 7));
        assert!(check.is_confirmed());
    }
}
