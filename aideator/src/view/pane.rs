//! One variation as a viewer knows it.

use aideator_contract::event::Level;
use aideator_contract::{Attempt, Event, OutMessage, State, Usage, VariationSummary};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// A variation on screen: its newest attempt.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pane {
    /// What the state log says of it.
    pub(crate) summary: Option<VariationSummary>,
    /// What its agent said, in order.
    pub(crate) blocks: Vec<Block>,
    /// Usage as the agent last gave it.
    pub(crate) usage: Option<Usage>,
    last: Option<(Attempt, u64)>,
    step_from: usize,
    said: Sha256,
}

/// A piece of what an agent said or did.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Block {
    /// A part of the answer or of its reasoning.
    Said {
        /// Which of the two.
        voice: Voice,
        /// The part.
        id: String,
        /// Its text so far.
        text: String,
    },
    /// A tool call.
    Tool {
        /// The call.
        id: String,
        /// The tool.
        name: String,
        /// The input so far, as JSON.
        input: String,
        /// The output so far, or the error.
        output: Option<Result<String, String>>,
    },
    /// A word about the work, not of it.
    Note(Level, String),
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Voice {
    /// The answer.
    Answer,
    /// Reasoning on the way to it.
    Reasoning,
}

impl Pane {
    /// Takes in an event; false if it was there before.
    pub(super) fn out(&mut self, out: &OutMessage) -> bool {
        let place = (out.attempt, out.n);
        if self.last.is_some_and(|last| place <= last) {
            return false;
        }
        if self.last.is_none_or(|(attempt, _)| attempt < out.attempt) {
            self.begin_again();
        }
        self.last = Some(place);
        self.event(&out.event);
        true
    }

    /// Takes in what the state log says.
    pub(super) fn state_is(&mut self, summary: &VariationSummary) {
        let newer = self
            .last
            .is_some_and(|(attempt, _)| attempt < summary.attempt);
        if newer {
            self.begin_again();
            self.last = None;
        }
        if summary.usage.is_some() {
            self.usage.clone_from(&summary.usage);
        }
        self.summary = Some(summary.clone());
    }

    /// Where it is, once known.
    pub(crate) fn state(&self) -> Option<State> {
        self.summary.as_ref().map(|summary| summary.state)
    }

    /// The answer: its text parts, joined.
    pub(crate) fn answer(&self) -> String {
        let texts = self.blocks.iter().filter_map(|block| match block {
            Block::Said {
                voice: Voice::Answer,
                text,
                ..
            } => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Whether the text told is the text the agent proved; `None` before it gave its proof.
    pub(crate) fn is_whole(&self) -> Option<bool> {
        let summary = self.summary.as_ref()?;
        let digest = summary
            .digest
            .as_ref()
            .filter(|_| summary.state.is_terminal())?;
        let said: String = self
            .said
            .clone()
            .finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Some(said == digest.sha256)
    }

    fn begin_again(&mut self) {
        self.blocks.clear();
        self.usage = None;
        self.step_from = 0;
        self.said = Sha256::new();
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::StartStep => self.step_from = self.blocks.len(),
            Event::ResetStep { reason } => {
                self.blocks.truncate(self.step_from);
                self.note(Level::Warn, format!("began again: {reason}"));
                self.step_from = self.blocks.len();
            }
            Event::TextDelta { id, delta } => {
                self.said.update(delta);
                self.say(Voice::Answer, id, delta);
            }
            Event::ReasoningDelta { id, delta } => self.say(Voice::Reasoning, id, delta),
            Event::ToolInputStart {
                tool_call_id,
                tool_name,
            } => {
                self.tool(tool_call_id, |name, _, _| name.clone_from(tool_name));
            }
            Event::ToolInputDelta {
                tool_call_id,
                input_text_delta,
            } => {
                self.tool(tool_call_id, |_, input, _| input.push_str(input_text_delta));
            }
            Event::ToolInputAvailable {
                tool_call_id,
                tool_name,
                input: whole,
            } => {
                self.tool(tool_call_id, |name, input, _| {
                    name.clone_from(tool_name);
                    *input = plain(whole);
                });
            }
            Event::ToolOutputAvailable {
                tool_call_id,
                output: whole,
                ..
            } => {
                self.tool(tool_call_id, |_, _, output| {
                    *output = Some(Ok(plain(whole)));
                });
            }
            Event::ToolOutputError {
                tool_call_id,
                error_text,
            } => {
                self.tool(tool_call_id, |_, _, output| {
                    *output = Some(Err(error_text.clone()));
                });
            }
            Event::DataUsage { data } => self.usage = Some(data.clone()),
            Event::Log { level, message } => self.note(*level, message.clone()),
            Event::Abort { reason } => self.note(Level::Warn, format!("stopped: {reason}")),
            Event::Error { error_text, .. } => self.note(Level::Error, error_text.clone()),
            // Whole values repeat what the deltas said; the rest has no place in a terminal.
            _ => {}
        }
    }

    fn note(&mut self, level: Level, message: String) {
        self.blocks.push(Block::Note(level, message));
    }

    fn say(&mut self, wanted: Voice, part: &str, delta: &str) {
        let at = self.part(
            |block| matches!(block, Block::Said { voice, id, .. } if *voice == wanted && id == part),
            || Block::Said { voice: wanted, id: part.to_owned(), text: String::new() },
        );
        if let Block::Said { text, .. } = &mut self.blocks[at] {
            text.push_str(delta);
        }
    }

    fn tool(
        &mut self,
        wanted: &str,
        change: impl FnOnce(&mut String, &mut String, &mut Option<Result<String, String>>),
    ) {
        let at = self.part(
            |block| matches!(block, Block::Tool { id, .. } if id == wanted),
            || Block::Tool {
                id: wanted.to_owned(),
                name: String::from("tool"),
                input: String::new(),
                output: None,
            },
        );
        if let Block::Tool {
            name,
            input,
            output,
            ..
        } = &mut self.blocks[at]
        {
            change(name, input, output);
        }
    }

    /// Where the part is, made at the end if this step has none.
    fn part(&mut self, is_it: impl Fn(&Block) -> bool, make: impl FnOnce() -> Block) -> usize {
        let from = self.step_from.min(self.blocks.len());
        match self.blocks[from..].iter().rposition(is_it) {
            Some(at) => from + at,
            None => {
                self.blocks.push(make());
                self.blocks.len() - 1
            }
        }
    }
}

/// A JSON value as people read it: a text without its quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) if fields.len() == 1 => fields.values().map(plain).collect(),
        other => other.to_string(),
    }
}
