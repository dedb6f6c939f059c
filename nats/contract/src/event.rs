//! The `.out` subject: everything an agent says and does, in order.
//!
//! Names follow the Vercel AI SDK's UI message chunks where they exist. Unknown events are kept and
//! passed on, never fatal.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::VERSION;
use crate::ids::{Attempt, RunId, Variation};
use crate::time::Timestamp;
use crate::usage::Usage;

/// A message on `.out`: one event with its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutMessage {
    /// The contract's version.
    pub v: u32,
    /// The run.
    pub run: RunId,
    /// The variation.
    pub variation: Variation,
    /// The attempt.
    pub attempt: Attempt,
    /// Counts the attempt's messages from 0 (`start`). A reader drops what is not above its last `(attempt, n)`.
    pub n: u64,
    /// When it was said.
    pub ts: Timestamp,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}

/// What a reader must know of an event before it passes it on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct OutHead {
    /// The attempt.
    pub attempt: Attempt,
    /// Its place in the attempt.
    pub n: u64,
}

impl OutMessage {
    /// `event` at its place.
    #[must_use]
    pub fn new(
        run: RunId,
        variation: Variation,
        attempt: Attempt,
        n: u64,
        ts: Timestamp,
        event: Event,
    ) -> Self {
        Self {
            v: VERSION,
            run,
            variation,
            attempt,
            n,
            ts,
            event,
        }
    }
}

/// The whole value at the end of a part, or, above 256 KiB, what proves it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Whole {
    /// The value itself.
    Text {
        /// All deltas of the part, joined.
        text: String,
    },
    /// Its length and digest.
    Proof {
        /// Length in bytes of UTF-8.
        length: u64,
        /// SHA-256, lower-case hexadecimal.
        sha256: String,
    },
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good to know.
    Info,
    /// Something is not as it should be; the work goes on.
    Warn,
    /// Something failed.
    Error,
}

/// Something an agent says or does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
pub enum Event {
    /// The attempt is claimed by one process. Always the first, with `n` 0.
    Start {
        /// The process instance that claimed it.
        process: String,
        /// The model it works with.
        model: String,
    },
    /// The model is asked (again).
    StartStep,
    /// What this step said so far is void: it begins again.
    ResetStep {
        /// Why.
        reason: String,
    },
    /// A part of reasoning begins.
    ReasoningStart {
        /// The part.
        id: String,
    },
    /// More reasoning.
    ReasoningDelta {
        /// The part.
        id: String,
        /// The text.
        delta: String,
    },
    /// A part of reasoning is complete.
    ReasoningEnd {
        /// The part.
        id: String,
        /// All of it.
        #[serde(flatten)]
        whole: Whole,
    },
    /// A part of the answer begins.
    TextStart {
        /// The part.
        id: String,
    },
    /// More of the answer.
    TextDelta {
        /// The part.
        id: String,
        /// The text.
        delta: String,
    },
    /// A part of the answer is complete.
    TextEnd {
        /// The part.
        id: String,
        /// All of it.
        #[serde(flatten)]
        whole: Whole,
    },
    /// A tool call begins.
    ToolInputStart {
        /// The call.
        tool_call_id: String,
        /// The tool.
        tool_name: String,
    },
    /// More of the call's input.
    ToolInputDelta {
        /// The call.
        tool_call_id: String,
        /// The text of the input so far unsaid.
        input_text_delta: String,
    },
    /// The call's input is complete.
    ToolInputAvailable {
        /// The call.
        tool_call_id: String,
        /// The tool.
        tool_name: String,
        /// The input.
        input: Value,
    },
    /// The tool answered.
    ToolOutputAvailable {
        /// The call.
        tool_call_id: String,
        /// The answer.
        output: Value,
        /// More will follow.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        preliminary: bool,
    },
    /// The tool failed.
    ToolOutputError {
        /// The call.
        tool_call_id: String,
        /// Why.
        error_text: String,
    },
    /// A plan, or a change to it.
    DataPlan {
        /// The plan.
        data: Value,
    },
    /// A diff of the workspace.
    DataDiff {
        /// The diff or a part of it.
        data: Value,
    },
    /// Tokens, times and cost so far.
    DataUsage {
        /// The counts of the attempt so far.
        data: Usage,
    },
    /// What the repository's own checks said.
    DataVerify {
        /// The result.
        data: Value,
    },
    /// A line about the work, not part of the answer.
    Log {
        /// How much it matters.
        level: Level,
        /// The line.
        message: String,
    },
    /// The answer is complete.
    Finish {
        /// Why the model stopped: `stop`, `length`, `exit-0`, …
        finish_reason: String,
    },
    /// The answer ends here on request or at a limit.
    Abort {
        /// Why.
        reason: String,
    },
    /// The answer ends here by a fault.
    Error {
        /// The reason's code.
        code: String,
        /// What happened and what to do.
        error_text: String,
    },
    /// An event of a newer version: all its fields, `type` included.
    #[serde(untagged)]
    Unknown(serde_json::Map<String, Value>),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(event: Event) -> OutMessage {
        OutMessage::new(
            "r1".parse().unwrap(),
            Variation::at(0).unwrap(),
            Attempt::FIRST,
            7,
            Timestamp::from_millis(5),
            event,
        )
    }

    fn round(m: &OutMessage) -> OutMessage {
        serde_json::from_slice(&serde_json::to_vec(m).unwrap()).unwrap()
    }

    #[test]
    fn a_delta_reads_as_scripts_expect_it() {
        let json = serde_json::to_string(&message(Event::TextDelta {
            id: "t1".into(),
            delta: "Hi".into(),
        }));
        assert_eq!(
            json.unwrap(),
            r#"{"v":1,"run":"r1","variation":0,"attempt":1,"n":7,"ts":5,"type":"text-delta","id":"t1","delta":"Hi"}"#
        );
    }

    #[test]
    fn an_event_of_a_newer_version_is_kept_whole() {
        let text = r#"{"v":2,"run":"r1","variation":0,"attempt":1,"n":7,"ts":5,"type":"text-hologram","id":"t1","depth":3}"#;
        let m: OutMessage = serde_json::from_str(text).unwrap();
        let Event::Unknown(fields) = &m.event else {
            panic!("{m:?}")
        };
        assert_eq!(fields["type"], "text-hologram");
        let again: Value = serde_json::to_value(&m).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(text).unwrap());
    }

    proptest! {
        #[test]
        fn any_text_round_trips(delta in "\\PC*", id in "[a-z0-9]{1,8}", reason in any::<String>()) {
            for event in [
                Event::TextDelta { id: id.clone(), delta: delta.clone() },
                Event::TextEnd { id: id.clone(), whole: Whole::Text { text: delta.clone() } },
                Event::ReasoningEnd { id, whole: Whole::Proof { length: 3, sha256: delta.clone() } },
                Event::ToolInputAvailable { tool_call_id: "c".into(), tool_name: "shell".into(), input: Value::String(delta) },
                Event::Abort { reason },
            ] {
                let m = message(event);
                prop_assert_eq!(round(&m), m);
            }
        }
    }
}
