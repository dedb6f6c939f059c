//! The one payload that every server is given: an event of a run, as agents write it.

use std::time::SystemTime;

use aideator_contract::{Attempt, Event, OutMessage, RunId, Variation};
use anyhow::Context as _;

use crate::stamp::Stamp;

/// Makes the messages of one run.
#[derive(Debug, Clone)]
pub(super) struct Message {
    run: RunId,
    variation: Variation,
}

impl Message {
    pub(super) fn of(run: &str) -> anyhow::Result<Self> {
        Ok(Self {
            run: run.parse()?,
            variation: Variation::at(0).context("the first variation")?,
        })
    }

    /// A text delta with a stamp as its text.
    pub(super) fn json(&self, stamp: Stamp) -> Vec<u8> {
        self.text(stamp.n, stamp.text())
    }

    /// The text delta that is the run's message `n`.
    pub(super) fn text(&self, n: u64, delta: String) -> Vec<u8> {
        let id = "t1".into();
        self.event(n, Event::TextDelta { id, delta })
    }

    /// The message that comes before all others, numbered 0.
    pub(super) fn start(&self) -> Vec<u8> {
        let (process, model) = ("bench".into(), "scripted/lorem".into());
        self.event(0, Event::Start { process, model })
    }

    fn event(&self, n: u64, event: Event) -> Vec<u8> {
        let now = SystemTime::now().into();
        let run = self.run.clone();
        let message = OutMessage::new(run, self.variation, Attempt::FIRST, n, now, event);
        serde_json::to_vec(&message).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_message_carries_its_stamp_through_json() {
        let due = Some(Duration::from_micros(77));
        let stamp = Stamp { n: 3, due };
        let json = Message::of("a-run").unwrap().json(stamp);
        assert_eq!(Stamp::find(&json).collect::<Vec<_>>(), [stamp]);
        assert!(Message::of("no run").is_err());
    }
}
