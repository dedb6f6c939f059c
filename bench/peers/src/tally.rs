//! What one viewer has been shown of its run: nothing missing, nothing twice.

/// Counts the messages of one run as one viewer sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    next: u64,
    lost: u64,
    repeated: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            next: 1,
            lost: 0,
            repeated: 0,
        }
    }
}

impl Tally {
    /// Message `n` was shown. One out of order counts as lost, and as repeated when it comes.
    pub fn shown(&mut self, n: u64) {
        if n < self.next {
            self.repeated += 1;
        } else {
            self.lost += n - self.next;
            self.next = n + 1;
        }
    }

    /// Messages missing of the `sent`.
    pub fn lost(&self, sent: u64) -> u64 {
        self.lost + (sent + 1).saturating_sub(self.next)
    }

    /// Messages that came again.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(numbers: &[u64]) -> Tally {
        let mut tally = Tally::default();
        for n in numbers {
            tally.shown(*n);
        }
        tally
    }

    #[test]
    fn what_is_missing_before_between_and_behind_is_lost() {
        let lost = |numbers: &[u64]| seen(numbers).lost(5);
        assert_eq!(lost(&[1, 2, 3, 4, 5]), 0);
        assert_eq!(lost(&[2, 3, 4, 5]), 1);
        assert_eq!(lost(&[1, 5]), 3);
        assert_eq!(lost(&[1, 2]), 3);
        assert_eq!(lost(&[]), 5);
    }

    #[test]
    fn what_comes_again_is_repeated_and_not_lost() {
        let tally = seen(&[1, 2, 2, 1, 3]);
        assert_eq!((tally.lost(3), tally.repeated()), (0, 2));
        let swapped = seen(&[1, 3, 2]);
        assert_eq!((swapped.lost(3), swapped.repeated()), (1, 1));
    }
}
