//! What is being worked on, so that nothing is taken up twice at once by one process.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The names of what is being worked on.
#[derive(Debug)]
pub(crate) struct InHand<T: Ord>(Mutex<BTreeSet<T>>);

/// Something in hand, until it is dropped: also by a panic.
#[derive(Debug)]
pub(crate) struct Held<T: Ord> {
    all: Arc<InHand<T>>,
    one: T,
}

impl<T: Ord> Default for InHand<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Ord + Clone> InHand<T> {
    /// Takes `one` in hand, unless it is.
    pub(crate) fn take(self: &Arc<Self>, one: T) -> Option<Held<T>> {
        // Two steps: a hold that is dropped takes the lock itself.
        let new = self.lock().insert(one.clone());
        new.then(|| Held {
            all: Arc::clone(self),
            one,
        })
    }
}

impl<T: Ord> InHand<T> {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Ord> Drop for Held<T> {
    fn drop(&mut self) {
        self.all.lock().remove(&self.one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_in_one_hand() {
        let all = Arc::<InHand<u64>>::default();
        let held = all.take(1).unwrap();
        assert!(all.take(1).is_none());
        assert!(all.take(2).is_some());
        drop(held);
        assert!(all.take(1).is_some());
    }
}
