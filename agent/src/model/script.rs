//! Script files for the scripted model: JSON lines, played in order.
//!
//! ```text
//! {"reasoning":"Let me look."}
//! {"text":"Hello "}
//! {"delay_ms":50}
//! {"tool":{"id":"c1","name":"shell","input":{"command":"ls"}}}
//! {"error":{"code":"rate-limited","message":"slow down"}}
//! {"usage":{"input_tokens":10,"output_tokens":2}}
//! {"finish":"stop"}
//! ```
//!
//! An error ends the call; the next call of the same model goes on after it, so a retry can be scripted.

use std::time::Duration;

use aideator_contract::{Code, Reason};
use serde::Deserialize;

use super::{ModelEvent, Tokens};

/// Bytes of a script file at most.
pub(crate) const SCRIPT_BYTES: u64 = 16 * 1024 * 1024;

/// One line of a script.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Line {
    /// A chunk of the answer.
    Text(String),
    /// A chunk of reasoning.
    Reasoning(String),
    /// Wait this many milliseconds.
    DelayMs(u64),
    /// A tool call, whole.
    Tool(ToolLine),
    /// The call fails.
    Error(ErrorLine),
    /// What the model says it used.
    Usage(UsageLine),
    /// Why the model stopped.
    Finish(String),
}

/// A tool call in a script.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolLine {
    /// The call's id.
    pub(crate) id: String,
    /// The tool's name.
    pub(crate) name: String,
    /// Its input.
    pub(crate) input: serde_json::Value,
}

/// A failure in a script.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ErrorLine {
    /// One of the failure codes, for example `rate-limited`.
    pub(crate) code: Code,
    /// What is told.
    pub(crate) message: String,
}

/// Usage in a script.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UsageLine {
    /// Tokens read.
    pub(crate) input_tokens: u64,
    /// Tokens written.
    pub(crate) output_tokens: u64,
}

/// A parsed script.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Script(Vec<Line>);

impl Script {
    /// Reads a script; empty lines are skipped. A bad line is told by its number only: the file may be
    /// anything, and its content is nobody's business.
    pub(crate) fn parse(text: &str) -> Result<Self, Reason> {
        let mut lines = Vec::new();
        for (number, line) in text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim().is_empty())
        {
            let line = serde_json::from_str(line).map_err(|_| {
                Reason::new(
                    Code::ScriptError,
                    format!("line {} of the script is not understood", number + 1),
                )
            })?;
            lines.push(line);
        }
        Ok(Self(lines))
    }

    /// What call number `call` (from 0) plays: what follows the error that ended the call before.
    pub(crate) fn call(&self, call: usize) -> Vec<Step> {
        let mut calls = self
            .0
            .split_inclusive(|line| matches!(line, Line::Error(_)));
        calls
            .nth(call)
            .unwrap_or_default()
            .iter()
            .map(Step::from)
            .collect()
    }

    /// The text of all chunks.
    pub(crate) fn text(&self) -> String {
        let texts = self.0.iter().filter_map(|line| match line {
            Line::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }
}

/// What a line does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step {
    /// Nothing, for a while.
    Wait(Duration),
    /// Says something.
    Say(ModelEvent),
    /// Ends the call.
    Fail(Reason),
}

impl From<&Line> for Step {
    fn from(line: &Line) -> Self {
        match line.clone() {
            Line::Text(text) => Self::Say(ModelEvent::TextDelta(text)),
            Line::Reasoning(text) => Self::Say(ModelEvent::ReasoningDelta(text)),
            Line::DelayMs(millis) => Self::Wait(Duration::from_millis(millis)),
            Line::Tool(ToolLine { id, name, input }) => Self::Say(ModelEvent::ToolCall {
                id,
                name,
                input: input.to_string(),
            }),
            Line::Error(ErrorLine { code, message }) => Self::Fail(Reason::new(code, message)),
            Line::Usage(UsageLine {
                input_tokens,
                output_tokens,
            }) => Self::Say(ModelEvent::Usage(Tokens {
                input: input_tokens,
                output: output_tokens,
                ..Tokens::default()
            })),
            Line::Finish(reason) => Self::Say(ModelEvent::Finish(reason)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = r#"
        {"reasoning":"hm"}
        {"text":"a"}
        {"error":{"code":"rate-limited","message":"slow down"}}
        {"text":"b"}
        {"delay_ms":5}
    "#;

    #[test]
    fn each_call_goes_on_after_the_error_before() {
        let script = Script::parse(SCRIPT).unwrap();
        assert!(matches!(script.call(0).last(), Some(Step::Fail(_))));
        assert_eq!(
            script.call(1),
            vec![
                Step::Say(ModelEvent::TextDelta("b".into())),
                Step::Wait(Duration::from_millis(5))
            ]
        );
        assert_eq!(script.call(2), vec![]);
    }

    #[test]
    fn a_bad_line_is_told_by_its_number_and_not_by_its_content() {
        let failure = Script::parse("{\"text\":\"a\"}\nroot:x:0:0").unwrap_err();
        assert!(failure.message.contains("line 2"));
        assert!(!failure.message.contains("root"));
    }
}
