//! What the query service and the HTTP API answer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{RunId, Variation};
use crate::spec::{Mode, RunSpec};
use crate::state::State;
use crate::summary::{Pick, Status, Summary, VariationSummary};
use crate::time::Timestamp;

/// Characters of the prompt that a list shows.
pub const PROMPT_SHOWN: usize = 200;

/// What to list: runs that fit all that is given, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListRequest {
    /// At most so many, 1–200; 50 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only runs after this one in the list: the `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Only runs that are so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// Only runs with a variation in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Only runs with a variation of this model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Only runs of this repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// Only runs that are picked (or not).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picked: Option<bool>,
}

/// A page of runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunsPage {
    /// The runs, newest first.
    pub runs: Vec<RunRow>,
    /// `before` of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRow {
    /// The run.
    pub run_id: RunId,
    /// When it was accepted.
    pub created: Timestamp,
    /// When its last variation ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
    /// Where it is.
    pub status: Status,
    /// The beginning of the prompt.
    pub prompt: String,
    /// The repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// The commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The mode.
    pub mode: Mode,
    /// The variations.
    pub variations: Vec<VariationSummary>,
    /// The pick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<Pick>,
}

impl RunRow {
    /// The row of a run.
    #[must_use]
    pub fn of(run_id: RunId, spec: &RunSpec, summary: &Summary) -> Self {
        let source = spec.source.as_ref();
        Self {
            run_id,
            created: summary.created,
            finished: summary.finished,
            status: summary.status,
            prompt: spec.prompt.chars().take(PROMPT_SHOWN).collect(),
            repo: source.map(|s| s.repo.clone()),
            commit: source.and_then(|s| s.commit.clone()),
            mode: spec.mode,
            variations: summary.variations.clone(),
            pick: summary.pick.clone(),
        }
    }
}

/// One run, whole but for its texts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunView {
    /// The run.
    pub run_id: RunId,
    /// What it was asked; absent on a rejected request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<RunSpec>,
    /// Where it is.
    pub summary: Summary,
    /// Where its waiting variations are in the queue, from 1.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queue: Vec<QueuePlace>,
}

/// A waiting variation's place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QueuePlace {
    /// The variation.
    pub variation: Variation,
    /// Its place, from 1.
    pub position: u64,
}

/// The reply to a stored request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunStored {
    /// The run's id.
    pub run_id: RunId,
}

/// Which run is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetRequest {
    /// The run.
    pub run_id: RunId,
}

/// What an installation offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Info {
    /// The program's version.
    pub version: String,
    /// The model of who names none.
    pub default_model: String,
    /// Models that may be asked for: names, or beginnings ending in `*`. Empty: any.
    pub models: Vec<String>,
    /// A word about the default model that people should read before they judge its answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Paths are allowed as repositories.
    pub local: bool,
    /// Mode `exec` is allowed.
    pub allow_exec: bool,
    /// Variations of a run at most.
    pub max_variations: usize,
}
