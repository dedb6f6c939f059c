//! Turns what a model or a command says into events: splits reasoning from text, redacts, opens and
//! closes parts and counts against the output limit. Pure: no clock, no client.

use aideator_contract::event::{Event, Level};
use aideator_contract::limits::EVENT_BYTES;

use super::part::{Kind, Part, bites, escaped_bytes};
use crate::model::{ModelEvent, Piece, ThinkSplitter};
use crate::redact::{Redactor, Secrets};

/// The state of one attempt's telling.
pub(super) struct Narrator {
    secrets: Secrets,
    think: ThinkSplitter,
    text: Redactor,
    reasoning: Redactor,
    part: Option<Part>,
    parts: u32,
    limit: u64,
    /// Bytes told, as they will be stored at least.
    told: u64,
    truncated: bool,
}

impl Narrator {
    /// A narrator that says `limit` bytes at most, counted as stored.
    pub(super) fn new(secrets: Secrets, limit: u64) -> Self {
        Self {
            think: ThinkSplitter::default(),
            text: secrets.redactor(),
            reasoning: secrets.redactor(),
            secrets,
            part: None,
            parts: 0,
            limit,
            told: 0,
            truncated: false,
        }
    }

    /// Whether the output limit was reached: nothing more will be told.
    pub(super) fn truncated(&self) -> bool {
        self.truncated
    }

    /// So many bytes are stored, envelopes included.
    pub(super) fn stored(&mut self, bytes: u64) {
        self.told = self.told.max(bytes);
    }

    /// Tells what a model said.
    pub(super) fn model(&mut self, said: ModelEvent) -> Vec<Event> {
        let mut events = Vec::new();
        match said {
            ModelEvent::TextDelta(delta) => {
                let pieces = self.think.push(&delta);
                self.pieces(pieces, &mut events);
            }
            ModelEvent::ReasoningDelta(delta) => self.push(Kind::Reasoning, &delta, &mut events),
            ModelEvent::ToolCall { id, name, input } => {
                self.tool_call(id, name, &input, &mut events);
            }
            ModelEvent::Retrying(line) => events.push(self.log(Level::Warn, &line)),
            ModelEvent::Reset(reason) => {
                self.think = ThinkSplitter::default();
                self.text = self.secrets.redactor();
                self.reasoning = self.secrets.redactor();
                self.part = None;
                events.push(Event::ResetStep {
                    reason: self.secrets.clean(&reason),
                });
            }
            ModelEvent::Usage(_) | ModelEvent::Finish(_) => {}
        }
        events
    }

    /// Tells what a command printed.
    pub(super) fn output(&mut self, text: &str) -> Vec<Event> {
        let mut events = Vec::new();
        self.push(Kind::Text, text, &mut events);
        events
    }

    /// A line about the work.
    pub(super) fn log(&self, level: Level, message: &str) -> Event {
        Event::Log {
            level,
            message: self.secrets.clean(message),
        }
    }

    /// Tells what is still held and closes the open part.
    pub(super) fn finish(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        let pieces = self.think.finish();
        self.pieces(pieces, &mut events);
        self.release(Kind::Reasoning, &mut events);
        self.release(Kind::Text, &mut events);
        self.close(&mut events);
        events
    }

    fn pieces(&mut self, pieces: Vec<Piece>, events: &mut Vec<Event>) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.push(Kind::Text, &text, events),
                Piece::Reasoning(text) => self.push(Kind::Reasoning, &text, events),
            }
        }
    }

    fn push(&mut self, kind: Kind, delta: &str, events: &mut Vec<Event>) {
        // What the other kind holds back belongs before this.
        let other = if kind == Kind::Text {
            Kind::Reasoning
        } else {
            Kind::Text
        };
        self.release(other, events);
        let clean = self.redactor(kind).push(delta);
        self.tell(kind, &clean, events);
    }

    /// Tells what a redactor holds, now that its kind of text is interrupted.
    fn release(&mut self, kind: Kind, events: &mut Vec<Event>) {
        let held = self.redactor(kind).finish();
        self.tell(kind, &held, events);
    }

    fn redactor(&mut self, kind: Kind) -> &mut Redactor {
        match kind {
            Kind::Text => &mut self.text,
            Kind::Reasoning => &mut self.reasoning,
        }
    }

    fn tell(&mut self, kind: Kind, text: &str, events: &mut Vec<Event>) {
        for delta in bites(text) {
            if self.truncated {
                return;
            }
            let cost = escaped_bytes(delta) as u64;
            if self.told + cost > self.limit {
                self.truncated = true;
                self.close(events);
                events.push(self.log(
                    Level::Warn,
                    "the output limit is reached: what follows is not kept",
                ));
                return;
            }
            self.told += cost;
            if self.part.as_ref().is_none_or(|part| part.kind != kind) {
                self.close(events);
                self.open(kind, events);
            }
            let Some(part) = &mut self.part else { return };
            part.take(delta);
            let id = part.id.clone();
            let delta = delta.to_owned();
            events.push(match kind {
                Kind::Text => Event::TextDelta { id, delta },
                Kind::Reasoning => Event::ReasoningDelta { id, delta },
            });
        }
    }

    fn open(&mut self, kind: Kind, events: &mut Vec<Event>) {
        self.parts += 1;
        let (id, event): (String, fn(String) -> Event) = match kind {
            Kind::Text => (format!("t{}", self.parts), |id| Event::TextStart { id }),
            Kind::Reasoning => (format!("r{}", self.parts), |id| Event::ReasoningStart {
                id,
            }),
        };
        events.push(event(id.clone()));
        self.part = Some(Part::new(kind, id));
    }

    fn close(&mut self, events: &mut Vec<Event>) {
        let Some(part) = self.part.take() else { return };
        let (kind, id, whole) = part.end();
        events.push(match kind {
            Kind::Text => Event::TextEnd { id, whole },
            Kind::Reasoning => Event::ReasoningEnd { id, whole },
        });
    }

    /// Nobody offered the model a tool in these modes; that it called one is told, with an error as
    /// the answer.
    fn tool_call(&mut self, id: String, name: String, input: &str, events: &mut Vec<Event>) {
        events.extend(self.finish());
        if self.truncated {
            return;
        }
        let input = self.secrets.clean(input);
        let cost = escaped_bytes(&input) as u64;
        if input.len() > EVENT_BYTES / 8 || self.told + cost > self.limit {
            events.push(self.log(
                Level::Warn,
                "a tool call is left out: its input is too large",
            ));
            return;
        }
        self.told += cost;
        let input = serde_json::from_str(&input).unwrap_or(serde_json::Value::String(input));
        events.extend([
            Event::ToolInputStart {
                tool_call_id: id.clone(),
                tool_name: name.clone(),
            },
            Event::ToolInputAvailable {
                tool_call_id: id.clone(),
                tool_name: name,
                input,
            },
            Event::ToolOutputError {
                tool_call_id: id,
                error_text: "there are no tools in this mode".to_owned(),
            },
        ]);
    }
}

#[cfg(test)]
mod tests;
