//! A run so far in few events, for a viewer that wants what was said and not how it came.
//!
//! Nothing a replay would show is left out but this: deltas of one part that follow each other are one
//! delta, and of the state log the acceptance (which has the spec) and the last entry (which has the
//! whole summary) are kept. Each variation is one event, or, where it said very much, a few: so what is
//! held for a viewer is bounded.

mod delta;

use aideator_contract::{RunId, Variation};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use self::delta::Delta;
use super::frame::{Frame, Kind};
use crate::position::{Position, Track};

/// Bytes of a variation that are gathered before they are shown.
const MOST: usize = 1024 * 1024;

/// What is gathered of a run.
#[derive(Debug)]
pub struct Snapshot {
    run: RunId,
    most: usize,
    /// Where the viewer is who was shown what was given out.
    shown: Position,
    /// The last entry of the state log. It may tell the end of what was said before it.
    state: Option<Frame>,
    variations: [Said; Variation::MAX],
}

/// What of one variation was not given out yet.
#[derive(Debug, Default)]
struct Said {
    /// Events as JSON, with commas between them.
    events: Vec<u8>,
    /// The last one, while it may grow.
    delta: Option<Delta>,
    ts: u64,
    sequence: u64,
}

impl Snapshot {
    /// For a viewer that was shown what is before `shown`.
    #[must_use]
    pub fn new(run: RunId, shown: Position) -> Self {
        Self {
            run,
            most: MOST,
            shown,
            state: None,
            variations: Default::default(),
        }
    }

    /// Takes in the next frames of a replay. Returns what can be shown already. Whoever is cut off behind
    /// any of it goes on from its position as in a replay.
    pub fn take(&mut self, frames: impl IntoIterator<Item = Frame>) -> Vec<Frame> {
        let mut ready = Vec::new();
        for frame in frames {
            match frame.kind {
                Kind::Gap => ready.push(Frame {
                    position: self.shown,
                    ..frame
                }),
                Kind::State if is_acceptance(&frame) => {
                    self.state = None;
                    ready.push(self.show_state(frame));
                }
                Kind::State => self.state = Some(frame),
                Kind::Out(variation) => {
                    let said = &mut self.variations[variation.index()];
                    said.take(&frame, variation);
                    if said.events.len() > self.most {
                        ready.extend(self.show(variation));
                    }
                }
                Kind::Snapshot(_) => {}
            }
        }
        ready
    }

    /// The rest.
    #[must_use]
    pub fn finish(mut self) -> Vec<Frame> {
        let all = Variation::first(Variation::MAX);
        let mut rest: Vec<Frame> = all.filter_map(|variation| self.show(variation)).collect();
        if let Some(state) = self.state.take() {
            rest.push(self.show_state(state));
        }
        rest
    }

    fn show_state(&mut self, mut frame: Frame) -> Frame {
        let sequence = frame.position.shown.get(Track::State);
        self.shown.shown.set(Track::State, sequence);
        frame.position = self.shown;
        frame
    }

    fn show(&mut self, variation: Variation) -> Option<Frame> {
        let said = &mut self.variations[variation.index()];
        said.settle();
        if said.events.is_empty() {
            return None;
        }
        self.shown.shown.set(Track::Out(variation), said.sequence);
        let head = json!({ "run_id": self.run, "variation": variation }).to_string();
        let mut payload = head.into_bytes();
        payload.pop();
        payload.extend_from_slice(b",\"events\":[");
        payload.append(&mut said.events);
        payload.extend_from_slice(b"]}");
        Some(Frame {
            kind: Kind::Snapshot(variation),
            payload: Bytes::from(payload),
            ts: said.ts,
            position: self.shown,
        })
    }
}

impl Said {
    fn take(&mut self, frame: &Frame, variation: Variation) {
        self.sequence = frame.position.shown.get(Track::Out(variation));
        self.ts = frame.ts;
        let next = Delta::read(&frame.payload);
        if let (Some(last), Some(next)) = (&mut self.delta, &next)
            && last.join(next)
        {
            return;
        }
        self.settle();
        match next {
            Some(delta) => self.delta = Some(delta),
            None => self.put(&frame.payload),
        }
    }

    /// The last delta grows no more.
    fn settle(&mut self) {
        if let Some(delta) = self.delta.take() {
            self.put(&delta.write());
        }
    }

    fn put(&mut self, event: &[u8]) {
        if !self.events.is_empty() {
            self.events.push(b',');
        }
        self.events.extend_from_slice(event);
    }
}

/// Whether this entry of the state log is the acceptance of the run.
fn is_acceptance(frame: &Frame) -> bool {
    #[derive(Deserialize)]
    struct Entry<'a> {
        #[serde(borrow)]
        change: Change<'a>,
    }
    #[derive(Deserialize)]
    struct Change<'a> {
        r#type: &'a str,
    }
    serde_json::from_slice::<Entry<'_>>(&frame.payload)
        .is_ok_and(|entry| entry.change.r#type == "accepted")
}

#[cfg(test)]
mod tests;
