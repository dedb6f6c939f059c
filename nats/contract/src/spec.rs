//! What a run and an attempt are to do: requests after validation, trusted from here on.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{Attempt, RunId, Variation};

/// How an agent works on the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Answer about the repository.
    #[default]
    Analyze,
    /// Run the prompt as a shell command in the repository and stream what it prints.
    Exec,
}

/// A repository at one commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// An https address, or, locally, an absolute path.
    pub repo: String,
    /// The branch, tag or commit as it was asked for.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The commit all variations see; absent until the submitter has resolved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The host is allowed by configuration although it is private or speaks plain http.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trusted: bool,
}

/// What makes a variation differ from its sisters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VariationSpec {
    /// The model's name, provider included where it needs one.
    pub model: String,
    /// Sampling temperature, 0–2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Added to the system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

/// A run as accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSpec {
    /// The prompt, byte for byte as it was sent.
    pub prompt: String,
    /// The repository, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// How agents work on it.
    pub mode: Mode,
    /// 1–5 variations.
    pub variations: Vec<VariationSpec>,
    /// Seconds an attempt may take from its own start.
    pub deadline_s: u64,
    /// Who asked, for limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
}

/// What one agent is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttemptSpec {
    /// Its run.
    pub run: RunId,
    /// Its variation.
    pub variation: Variation,
    /// Which try it is.
    pub attempt: Attempt,
    /// The prompt.
    pub prompt: String,
    /// The repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// How to work on it.
    pub mode: Mode,
    /// Model, temperature, instructions.
    #[serde(flatten)]
    pub variation_spec: VariationSpec,
    /// Seconds it may take.
    pub deadline_s: u64,
    /// Bytes it may say.
    pub output_bytes: u64,
}

impl RunSpec {
    /// The spec of one attempt; `None` if the run has no such variation.
    #[must_use]
    pub fn attempt(
        &self,
        run: &RunId,
        variation: Variation,
        attempt: Attempt,
        output_bytes: u64,
    ) -> Option<AttemptSpec> {
        Some(AttemptSpec {
            run: run.clone(),
            variation,
            attempt,
            prompt: self.prompt.clone(),
            source: self.source.clone(),
            mode: self.mode,
            variation_spec: self.variations.get(variation.index())?.clone(),
            deadline_s: self.deadline_s,
            output_bytes,
        })
    }
}
