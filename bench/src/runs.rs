//! Runs made by writing to the streams directly, so that a measurement has no agents in it.

use std::time::SystemTime;

use aideator_bus::{Append, Bus};
use aideator_contract::summary::{Ending, Move};
use aideator_contract::{
    Attempt, AttemptRecord, Change, Event, Mode, OutMessage, RunId, RunSpec, State, StateMessage,
    Subject, Summary, Timestamp, Variation, VariationSpec,
};
use anyhow::Context as _;
use bytes::Bytes;

/// A run of one variation.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    pub(crate) id: RunId,
    pub(crate) variation: Variation,
    /// The sequence that opened its attempt.
    pub(crate) fence: u64,
    spec: RunSpec,
    summary: Summary,
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

impl Made {
    /// A run whose one variation is running.
    pub(crate) async fn running(bus: &Bus, id: &str) -> anyhow::Result<Self> {
        let id: RunId = id.parse()?;
        let variation = Variation::at(0).context("the first variation")?;
        let spec = RunSpec {
            prompt: "measure".into(),
            source: None,
            mode: Mode::Analyze,
            variations: vec![VariationSpec {
                model: "scripted/lorem".into(),
                temperature: None,
                instructions: None,
            }],
            deadline_s: 3600,
            requester: None,
        };
        let attempt = spec
            .attempt(&id, variation, Attempt::FIRST, u64::MAX)
            .context("an attempt")?;
        let record = serde_json::to_vec(&AttemptRecord::opened(attempt, now()))?;
        let opened = Subject::attempt(&id, variation);
        let fence = bus
            .append(&opened, record.into(), Append::default())
            .await?
            .sequence;
        let summary = Summary::accepted(&spec, String::new(), 1, now());
        let made = Self {
            id,
            variation,
            fence,
            spec,
            summary,
        };
        let accepted = Change::Accepted {
            spec: Box::new(made.spec.clone()),
        };
        made.say(bus, accepted, &made.summary).await?;
        made.moved(bus, State::Running, None).await
    }

    /// The same run with its variation ended behind sequence `out`.
    pub(crate) async fn finished(self, bus: &Bus, out: u64) -> anyhow::Result<Self> {
        let ending = Ending {
            out,
            ..Ending::default()
        };
        self.moved(bus, State::Succeeded, Some(ending)).await
    }

    async fn moved(mut self, bus: &Bus, to: State, ending: Option<Ending>) -> anyhow::Result<Self> {
        let step = Move {
            variation: self.variation,
            attempt: Attempt::FIRST,
            to,
            reason: None,
            ending,
            command: None,
            at: now(),
        };
        let (summary, change) = self.summary.moved(step)?;
        self.say(bus, change, &summary).await?;
        self.summary = summary;
        Ok(self)
    }

    async fn say(&self, bus: &Bus, change: Change, summary: &Summary) -> anyhow::Result<()> {
        let message = StateMessage::new(self.id.clone(), now(), change, summary.clone());
        let json = serde_json::to_vec(&message)?;
        bus.append(&Subject::state(&self.id), json.into(), Append::default())
            .await?;
        Ok(())
    }

    /// The event `n` of its attempt: `start`, then deltas.
    pub(crate) fn message(&self, n: u64, delta: String) -> Bytes {
        let event = if n == 0 {
            Event::Start {
                process: "bench".into(),
                model: "scripted/lorem".into(),
            }
        } else {
            Event::TextDelta {
                id: "t1".into(),
                delta,
            }
        };
        let message = OutMessage::new(
            self.id.clone(),
            self.variation,
            Attempt::FIRST,
            n,
            now(),
            event,
        );
        serde_json::to_vec(&message).unwrap_or_default().into()
    }

    /// Where its output goes.
    pub(crate) fn out(&self) -> Subject {
        Subject::out(&self.id, self.variation)
    }

    /// Stores `count` events of it, in order, and returns the last sequence.
    pub(crate) async fn fill(&self, bus: &Bus, count: u64) -> anyhow::Result<u64> {
        let subject = self.out();
        let mut last = 0;
        // One after the other: readers drop what comes out of order.
        for n in 0..count {
            let message = self.message(n, format!("word{n} "));
            last = bus
                .append(&subject, message, Append::default())
                .await?
                .sequence;
        }
        Ok(last)
    }
}
