//! Cuts of connections at random places in the bytes of an answer. Pure, but for the count of those left.

use std::fmt;
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::Rng;
use rand::rngs::StdRng;

/// About as long is the head of an answer.
const HEAD: usize = 300;
/// The last byte that may be cut off.
const LAST: usize = 6_000;
/// So many of a hundred cuts are in the head.
const IN_HEAD: u32 = 10;

/// So many cuts are left, for all viewers.
#[derive(Debug)]
pub(crate) struct Cuts(AtomicU64);

/// Where cuts were.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    pub(crate) heads: u64,
    pub(crate) ids: u64,
    pub(crate) characters: u64,
    /// Elsewhere inside an event.
    pub(crate) events: u64,
    /// Behind a whole event.
    pub(crate) between: u64,
}

impl Cuts {
    pub(crate) fn new(cuts: u64) -> Self {
        Self(AtomicU64::new(cuts))
    }

    /// Takes one: how many bytes of the next answer arrive. `None` when none is left.
    pub(crate) fn take(&self, random: &mut StdRng) -> Option<usize> {
        let take = |left: u64| left.checked_sub(1);
        let (order, read) = (Ordering::Relaxed, Ordering::Relaxed);
        self.0.fetch_update(order, read, take).ok()?;
        Some(if random.random_ratio(IN_HEAD, 100) {
            random.random_range(0..HEAD)
        } else {
            random.random_range(HEAD..LAST)
        })
    }

    pub(crate) fn are_left(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Places {
    /// A cut after a head that was whole or not, with `rest` behind the last whole event.
    pub(crate) fn of(head_is_whole: bool, rest: &[u8]) -> Self {
        let line = rest.rsplit(|byte| *byte == b'\n').next().unwrap_or(rest);
        let is_id = !line.is_empty() && (b"id: ".starts_with(line) || line.starts_with(b"id:"));
        let in_character = std::str::from_utf8(rest).is_err_and(|bad| bad.error_len().is_none());
        let mut places = Self::default();
        let place = if !head_is_whole {
            &mut places.heads
        } else if rest.is_empty() {
            &mut places.between
        } else if is_id {
            &mut places.ids
        } else if in_character {
            &mut places.characters
        } else {
            &mut places.events
        };
        *place += 1;
        places
    }

    pub(crate) fn all(self) -> u64 {
        self.heads + self.ids + self.characters + self.events + self.between
    }
}

impl AddAssign for Places {
    fn add_assign(&mut self, other: Self) {
        self.heads += other.heads;
        self.ids += other.ids;
        self.characters += other.characters;
        self.events += other.events;
        self.between += other.between;
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} in the head of an answer, {} in an `id:` line, {} in a character, {} elsewhere in an event, {} between events",
            self.heads, self.ids, self.characters, self.events, self.between
        )
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn as_many_are_taken_as_there_are_and_each_in_range() {
        let (cuts, mut random) = (Cuts::new(500), StdRng::seed_from_u64(1));
        let mut bytes = Vec::new();
        while let Some(at) = cuts.take(&mut random) {
            bytes.push(at);
        }
        assert_eq!(bytes.len(), 500);
        assert!(!cuts.are_left() && bytes.iter().all(|at| *at < LAST));
        let in_head = bytes.iter().filter(|at| **at < HEAD).count();
        assert!((20..100).contains(&in_head), "{in_head}");
    }

    #[test]
    fn a_cut_is_where_the_bytes_end() {
        let ids = Places::of(true, b"event: x\nid: 1.2");
        assert_eq!(
            ids,
            Places {
                ids: 1,
                ..Places::default()
            }
        );
        assert_eq!(Places::of(true, b"i").ids, 1);
        assert_eq!(Places::of(true, "data: ö".as_bytes()).events, 1);
        assert_eq!(Places::of(true, &"data: ö".as_bytes()[..7]).characters, 1);
        assert_eq!(Places::of(true, b"id: 1\n").events, 1);
        assert_eq!(Places::of(true, b"").between, 1);
        assert_eq!(Places::of(false, b"").heads, 1);
        assert_eq!(ids.all(), 1);
    }
}
