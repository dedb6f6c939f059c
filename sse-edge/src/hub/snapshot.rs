//! A run so far, as one event a variation, for a viewer that wants what was said and not how it came.
//!
//! Nothing a replay would show is left out but this: deltas of one part that follow each other are one
//! delta, and of the state log the first entry (which has the spec) and the last (which has the whole
//! summary) are kept.

use aideator_contract::{RunId, Variation};
use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::frame::{Frame, Kind};
use crate::position::{Position, Track};

type Event = Map<String, Value>;

/// What is gathered of a run.
#[derive(Debug, Default)]
pub struct Snapshot {
    gaps: Vec<Frame>,
    states: Vec<Frame>,
    variations: [Said; Variation::MAX],
    /// Where the reader is who was shown all of it.
    end: Option<Position>,
}

/// What one variation said.
#[derive(Debug, Default)]
struct Said {
    events: Vec<Event>,
    ts: u64,
    sequence: u64,
}

impl Snapshot {
    /// Takes in the next frames of a replay.
    pub fn extend(&mut self, frames: impl IntoIterator<Item = Frame>) {
        for frame in frames {
            self.end = Some(frame.position);
            match frame.kind {
                Kind::Gap => self.gaps.push(frame),
                Kind::State => {
                    self.states.truncate(1);
                    self.states.push(frame);
                }
                Kind::Out(variation) => self.variations[variation.index()].take(&frame, variation),
                Kind::Snapshot(_) => {}
            }
        }
    }

    /// What is sent instead of these frames. Whoever is cut off in between goes on from any of their
    /// positions as from those of a replay.
    #[must_use]
    pub fn frames(self, run: &RunId) -> Vec<Frame> {
        let Some(end) = self.end else {
            return Vec::new();
        };
        let mut position = Position::origin(end.epoch);
        let mut frames = self.gaps;
        for gap in &mut frames {
            gap.position = position;
        }
        let mut states = self.states.into_iter();
        if let Some(mut first) = states.next() {
            let sequence = first.position.shown.get(Track::State);
            position.shown.set(Track::State, sequence);
            first.position = position;
            frames.push(first);
        }
        let all = Variation::first(Variation::MAX).zip(self.variations);
        for (variation, said) in all.filter(|(_, said)| !said.events.is_empty()) {
            position.shown.set(Track::Out(variation), said.sequence);
            let events = said.events;
            let data = json!({ "run_id": run, "variation": variation, "events": events });
            frames.push(Frame {
                kind: Kind::Snapshot(variation),
                payload: Bytes::from(data.to_string()),
                ts: said.ts,
                position,
            });
        }
        frames.extend(states);
        if let Some(last) = frames.last_mut() {
            last.position = end;
        }
        frames
    }
}

impl Said {
    fn take(&mut self, frame: &Frame, variation: Variation) {
        self.sequence = frame.position.shown.get(Track::Out(variation));
        self.ts = frame.ts;
        // What is shown has a head that can be read, so it is an object.
        let Ok(event) = serde_json::from_slice::<Event>(&frame.payload) else {
            return;
        };
        let is_joined = self
            .events
            .last_mut()
            .is_some_and(|last| joined(last, &event));
        if !is_joined {
            self.events.push(event);
        }
    }
}

/// Joins `next` to `last`, if both are deltas of one part and nothing is between them. The joined event
/// is numbered and dated as the last of them; `first` has the number and time of the first.
fn joined(last: &mut Event, next: &Event) -> bool {
    let (id, delta) = match next.get("type").and_then(Value::as_str) {
        Some("text-delta" | "reasoning-delta") => ("id", "delta"),
        Some("tool-input-delta") => ("toolCallId", "inputTextDelta"),
        _ => return false,
    };
    let same = ["type", "attempt", id]
        .iter()
        .all(|key| last.get(*key) == next.get(*key));
    let follows = number(next)
        .zip(number(last))
        .is_some_and(|(b, a)| b == a + 1);
    let Some(more) = next.get(delta).and_then(Value::as_str) else {
        return false;
    };
    if !same || !follows {
        return false;
    }
    let Some(Value::String(text)) = last.get_mut(delta) else {
        return false;
    };
    text.push_str(more);
    let of = |event: &Event, key: &str| event.get(key).cloned().unwrap_or_default();
    if !last.contains_key("first") {
        let first = json!({ "n": of(last, "n"), "ts": of(last, "ts") });
        last.insert("first".to_owned(), first);
    }
    for key in ["n", "ts"] {
        last.insert(key.to_owned(), of(next, key));
    }
    true
}

fn number(event: &Event) -> Option<u64> {
    event.get("n").and_then(Value::as_u64)
}

#[cfg(test)]
mod tests;
