//! The attempts that have ended and whose folders are not cleared yet, and when to try each again.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::time::Duration;

use aideator_bus::Bus;
use aideator_contract::local::AttemptName;
use tokio::time::Instant;

use crate::error::{Error, Remedy};
use crate::observe::Observer;
use crate::read::is_closed;

/// The pause after a folder could not be cleared, doubling: its process may be there for a moment.
const PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10 * 60);

#[derive(Debug, Default)]
pub(crate) struct Clearing(BTreeMap<AttemptName, Again>);

#[derive(Debug, Default)]
struct Again {
    /// `None`: it was not tried yet.
    at: Option<Instant>,
    failures: u32,
}

impl Clearing {
    /// Takes in attempts that have ended.
    pub(crate) fn add(&mut self, names: impl IntoIterator<Item = AttemptName>) {
        for name in names {
            self.0.entry(name).or_default();
        }
    }

    /// What is to be cleared now.
    pub(crate) fn due(&self, now: Instant) -> impl Iterator<Item = &AttemptName> {
        let due = move |again: &Again| again.at.is_none_or(|at| at <= now);
        self.0
            .iter()
            .filter(move |(_, again)| due(again))
            .map(|(name, _)| name)
    }

    /// Nothing is left of it.
    pub(crate) fn done(&mut self, name: &AttemptName) {
        self.0.remove(name);
    }

    /// Something is left of it.
    pub(crate) fn failed(&mut self, name: &AttemptName, now: Instant) {
        if let Some(again) = self.0.get_mut(name) {
            let pause = PAUSE.saturating_mul(1 << again.failures.min(20));
            again.failures += 1;
            again.at = Some(now + pause.min(LONGEST_PAUSE));
        }
    }
}

/// Finds the attempts that ended before this process began and were not cleared.
pub(crate) async fn leftovers(
    bus: &Bus,
    observer: &impl Observer,
) -> Result<Vec<AttemptName>, Error> {
    let mut over = Vec::new();
    for name in observer.leftovers().await {
        match is_closed(bus, &name).await {
            Ok(true) => over.push(name),
            Ok(false) => {}
            Err(error) if error.remedy() == Remedy::GiveUp => {
                let error = &error as &dyn StdError;
                tracing::warn!(%name, error, "the folder of an old attempt stays");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(over)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> AttemptName {
        text.parse().unwrap()
    }

    #[test]
    fn what_can_t_be_cleared_is_tried_less_and_less_often_and_keeps_no_other_back() {
        let mut clearing = Clearing::default();
        let begin = Instant::now();
        clearing.add([name("a.0.1"), name("b.0.1")]);
        let mut tries = 0;
        for tick in 0..18_000 {
            let now = begin + PAUSE * tick;
            let due: Vec<AttemptName> = clearing.due(now).cloned().collect();
            for due in due {
                if due == name("a.0.1") {
                    tries += 1;
                    clearing.failed(&due, now);
                } else {
                    assert_eq!(tick, 0);
                    clearing.done(&due);
                }
            }
            clearing.add([name("a.0.1")]);
        }
        assert!((10..20).contains(&tries), "{tries} tries in an hour");
    }
}
