//! What people and scripts send: commands as JSON, judged here once.

mod validate;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::ids::{RunId, Variation};
use crate::limits;
use crate::reason::{Code, Reason};
use crate::spec::Mode;

pub use validate::{Installation, ValidRun, fits};

/// A request to start a run. Only `prompt` is needed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// The run's name; without it one is derived. The same name with the same request is the same run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// What the agents are asked: 1 byte to 32 KiB. In mode `exec` a shell command.
    #[schemars(length(min = 1, max = 32768))]
    pub prompt: String,
    /// An https address, or, in local mode, an absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<String>,
    /// A branch, tag or commit; the repository's default branch without it.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// `analyze` without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The model of every variation that names none; the installation's default without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The temperature of every variation that names none, 0–2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Added to the system prompt of every variation that brings none of its own; up to 8 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// How many (1–5), or a list of 1–5 that differ. 1 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variations: Option<Variations>,
    /// Seconds an attempt may take, 1–14400; 1800 without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 14400))]
    pub deadline_s: Option<u64>,
    /// Who asks, for limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requester: Option<String>,
}

/// How many variations, or which.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Variations {
    /// So many alike.
    Count(#[schemars(range(min = 1, max = 5))] u64),
    /// These.
    List(#[schemars(length(min = 1, max = 5))] Vec<VariationRequest>),
}

// By hand and not `untagged`: an unknown field inside a variation must be named.
impl<'de> Deserialize<'de> for Variations {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Variations;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of variations (1 to 5) or a list of them")
            }

            fn visit_u64<E>(self, count: u64) -> Result<Variations, E> {
                Ok(Variations::Count(count))
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(
                self,
                mut list: A,
            ) -> Result<Variations, A::Error> {
                let mut variations = Vec::new();
                while let Some(variation) = list.next_element()? {
                    variations.push(variation);
                }
                Ok(Variations::List(variations))
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// One variation of a request. What it leaves out comes from the request.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VariationRequest {
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The temperature, 0–2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Added to the system prompt; up to 8 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
}

/// A request to stop a run, or one variation of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// The run.
    pub run_id: RunId,
    /// The variation; all that have not ended without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variation: Option<Variation>,
    /// Why, for those who read it later; up to 2 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A request to try an ended variation again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryRequest {
    /// The run.
    pub run_id: RunId,
    /// The variation.
    pub variation: Variation,
}

/// A request to note which variation is best. The last one counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PickRequest {
    /// The run.
    pub run_id: RunId,
    /// The variation.
    pub variation: Variation,
    /// Why; up to 2 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
/// Reads a command. Errors name the field and the place.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Reason> {
    if bytes.len() > limits::REQUEST_BYTES {
        return Err(Reason::new(
            Code::TooLarge,
            format!(
                "the request has {} bytes; at most {} are allowed",
                bytes.len(),
                limits::REQUEST_BYTES
            ),
        ));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let text = error.to_string();
        if error.is_data() && text.starts_with("unknown field") {
            Reason::new(Code::UnknownField, text)
        } else if error.is_data() && text.contains("run id") {
            Reason::new(Code::BadRunId, text)
        } else if error.is_data() && text.contains("a variation is 0 to 4") {
            Reason::new(Code::UnknownVariation, text)
        } else if error.is_data() {
            Reason::new(Code::BadValue, text)
        } else {
            Reason::new(Code::BadJson, format!("not JSON: {text}"))
        }
    })
}
