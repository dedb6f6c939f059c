//! Deltas, which are joined.

use aideator_contract::{Attempt, RunId, Timestamp, Variation};
use serde::{Deserialize, Serialize};

/// A joined delta grows up to this many bytes.
const MOST: usize = 512 * 1024;

/// More of a part. What has other fields, too, is none and stays as it came.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Delta {
    v: u32,
    run: RunId,
    variation: Variation,
    attempt: Attempt,
    /// The number of the last of them.
    n: u64,
    /// The time of the last of them.
    ts: Timestamp,
    /// The first of them, where several were joined.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    first: Option<First>,
    r#type: Type,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_text_delta: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct First {
    n: u64,
    ts: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Type {
    #[serde(rename = "text-delta")]
    Text,
    #[serde(rename = "reasoning-delta")]
    Reasoning,
    #[serde(rename = "tool-input-delta")]
    ToolInput,
}

impl Delta {
    /// The event, if it is a delta.
    pub(super) fn read(event: &[u8]) -> Option<Self> {
        serde_json::from_slice(event).ok()
    }

    /// Takes in the next event, if it is more of the same part and nothing is missing between them.
    pub(super) fn join(&mut self, next: &Self) -> bool {
        let part = |delta: &Self| (delta.attempt, delta.r#type, delta.v);
        let is_same = part(self) == part(next)
            && (&self.id, &self.tool_call_id) == (&next.id, &next.tool_call_id);
        if !is_same || self.n.checked_add(1) != Some(next.n) {
            return false;
        }
        let Some((text, more)) = self.text().zip(next.said()) else {
            return false;
        };
        if text.len() > MOST {
            return false;
        }
        text.push_str(more);
        self.first.get_or_insert(First {
            n: self.n,
            ts: self.ts,
        });
        (self.n, self.ts) = (next.n, next.ts);
        true
    }

    fn said(&self) -> Option<&str> {
        match (&self.delta, &self.input_text_delta) {
            (Some(text), None) | (None, Some(text)) => Some(text),
            _ => None,
        }
    }

    fn text(&mut self) -> Option<&mut String> {
        match (&mut self.delta, &mut self.input_text_delta) {
            (Some(text), None) | (None, Some(text)) => Some(text),
            _ => None,
        }
    }

    /// The event.
    pub(super) fn write(&self) -> Vec<u8> {
        // Writing to memory does not fail.
        serde_json::to_vec(self).unwrap_or_default()
    }
}
