//! What a decision is made from.

use aideator_contract::report::Report;
use aideator_contract::{
    Attempt, AttemptRecord, RunId, Startup, StateMessage, Summary, Timestamp, Variation,
};

use crate::observe::Observation;

/// What is known of a run. The fields are read in the order they stand in, sequences and contents
/// from the stream's leader: what is read after something true for ever (`closed`, a finished run)
/// may rely on it. The state is still the last one after everything else was read.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The run.
    pub run: RunId,
    /// The revision of its open key.
    pub open_key: Option<u64>,
    /// The sequence of the last message on `.state`.
    pub sequence: u64,
    /// The last message on `.state`.
    pub state: StateMessage,
    /// The variations that have not ended.
    pub variations: Vec<VariationView>,
    /// When all this was read.
    pub now: Timestamp,
}

/// What is known of a variation that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct VariationView {
    /// The variation.
    pub variation: Variation,
    /// The last record on `.attempt`, with its sequence.
    pub record: Option<(u64, AttemptRecord)>,
    /// The last report, if it is of the attempt the state is about.
    pub report: Option<Report>,
    /// The last sequence on `.out`, if it is of that attempt; else 0. Read once the attempt is closed.
    pub out: u64,
    /// What is seen of its process or pod.
    pub observation: Observation,
    /// How it came to its first token, as it reported and as was seen.
    pub startup: Startup,
}

impl View {
    /// The run as its last state message tells it.
    #[must_use]
    pub fn summary(&self) -> &Summary {
        &self.state.summary
    }

    /// The attempts that are open, with what is seen of them.
    pub fn active(&self) -> impl Iterator<Item = (Variation, Attempt, Observation)> + '_ {
        self.variations.iter().filter_map(|seen| {
            let now = self.summary().variations.get(seen.variation.index())?;
            let (_, record) = seen.record.as_ref()?;
            record.is_open(now.attempt).then_some((
                seen.variation,
                now.attempt,
                seen.observation.clone(),
            ))
        })
    }
}
