//! A run as submitter and watcher write it: its state log, and the attempts of its variations.

use std::time::{Duration, SystemTime};

use aideator_bus::{Append, Bus};
use aideator_contract::summary::{Ending, Move};
use aideator_contract::{
    Attempt, AttemptRecord, Change, Mode, RunId, RunSpec, State, StateMessage, Subject, Summary,
    Timestamp, Variation, VariationSpec,
};
use anyhow::Context as _;
use bytes::Bytes;
use tokio::time::sleep;

/// Between two tries to store what NATS could not take.
const PAUSE: Duration = Duration::from_millis(20);

/// A run's first attempts and their states.
#[derive(Debug)]
pub struct StateLog {
    bus: Bus,
    run: RunId,
    spec: RunSpec,
    summary: Summary,
    /// Messages on it.
    length: u64,
}

impl StateLog {
    /// Accepts a run of so many variations.
    pub async fn accept(bus: Bus, run: RunId, variations: usize) -> anyhow::Result<Self> {
        let spec = spec(variations);
        let mut log = Self {
            summary: Summary::accepted(&spec, String::new(), 1, now()),
            bus,
            run,
            spec: spec.clone(),
            length: 0,
        };
        let spec = Box::new(spec);
        log.say(Change::Accepted { spec }).await?;
        Ok(log)
    }

    /// Opens the first attempt of a variation, which runs from now on. Its fence: the sequence behind which
    /// its words stand.
    pub async fn open(&mut self, variation: Variation) -> anyhow::Result<u64> {
        let attempt = self
            .spec
            .attempt(&self.run, variation, Attempt::FIRST, u64::MAX);
        let record = AttemptRecord::opened(attempt.context("an attempt")?, now());
        let json = serde_json::to_vec(&record)?.into();
        let subject = Subject::attempt(&self.run, variation);
        let opened = self.bus.append(&subject, json, Append::default()).await?;
        self.go(variation, State::Running, None).await?;
        Ok(opened.sequence)
    }

    /// A variation has succeeded, with `out` as the sequence of its last word.
    pub async fn succeed(&mut self, variation: Variation, out: u64) -> anyhow::Result<()> {
        let ending = Ending {
            out,
            ..Ending::default()
        };
        self.go(variation, State::Succeeded, Some(ending)).await
    }

    async fn go(
        &mut self,
        variation: Variation,
        to: State,
        ending: Option<Ending>,
    ) -> anyhow::Result<()> {
        let step = Move {
            variation,
            attempt: Attempt::FIRST,
            to,
            reason: None,
            ending,
            command: None,
            at: now(),
        };
        let (summary, change) = self.summary.moved(step)?;
        self.summary = summary;
        self.say(change).await
    }

    /// Stores a change, however long NATS is away.
    async fn say(&mut self, change: Change) -> anyhow::Result<()> {
        let message = StateMessage::new(self.run.clone(), now(), change, self.summary.clone());
        let json = Bytes::from(serde_json::to_vec(&message)?);
        let subject = Subject::state(&self.run);
        let name = format!("{}.state.{}", self.run, self.length);
        self.length += 1;
        loop {
            let how = Append {
                msg_id: Some(&name),
                ..Append::default()
            };
            match self.bus.append(&subject, json.clone(), how).await {
                Err(error) if error.is_transient() => sleep(PAUSE).await,
                stored => return Ok(stored.map(drop)?),
            }
        }
    }
}

fn now() -> Timestamp {
    SystemTime::now().into()
}

fn spec(variations: usize) -> RunSpec {
    let variation = VariationSpec {
        model: "scripted/lorem".into(),
        temperature: None,
        instructions: None,
    };
    RunSpec {
        prompt: "measure".into(),
        source: None,
        mode: Mode::Analyze,
        variations: vec![variation; variations],
        deadline_s: 3600,
        requester: None,
    }
}
