//! When a read that brought nothing is tried again.

/// The shortest and longest pause, in milliseconds.
const PAUSE: (u64, u64) = (10, 500);

/// When a read may be tried again.
#[derive(Debug, Clone, Copy, Default)]
pub struct Retry {
    at: u64,
    tries: u32,
}

impl Retry {
    /// The read brought something.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The read brought nothing.
    pub fn later(&mut self, now: u64) {
        let (first, longest) = PAUSE;
        self.at = now + (first << self.tries.min(16)).min(longest);
        self.tries += 1;
    }

    /// When the next try is due.
    #[must_use]
    pub fn at(&self) -> u64 {
        self.at
    }
}
