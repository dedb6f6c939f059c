//! What is sent to viewers: frames of an event stream, encoded once.

use aideator_contract::Variation;
use bytes::{BufMut as _, Bytes, BytesMut};
use serde_json::json;

use crate::position::Position;

/// Something to show, with the position of who has been shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// The JSON to show.
    pub payload: Bytes,
    /// When it was stored, in milliseconds since the Unix epoch; 0 for what is not stored.
    pub ts: u64,
    /// Where the viewer is then.
    pub position: Position,
}

/// What a frame shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A stored message of the state log.
    State,
    /// A stored event of a variation.
    Out(Variation),
    /// All stored events of a variation so far.
    Snapshot(Variation),
    /// Something that was asked for is no longer kept.
    Gap,
}

impl Frame {
    /// A word about what is missing.
    #[must_use]
    pub fn gap(reason: &str, variation: Option<Variation>, position: Position) -> Self {
        let data = match variation {
            Some(variation) => json!({ "reason": reason, "variation": variation }),
            None => json!({ "reason": reason }),
        };
        Self {
            kind: Kind::Gap,
            payload: Bytes::from(data.to_string()),
            ts: 0,
            position,
        }
    }

    /// The frame as it travels.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let event = match self.kind {
            Kind::State => Some("state"),
            Kind::Out(_) => None,
            Kind::Snapshot(_) => Some("snapshot"),
            Kind::Gap => Some("gap"),
        };
        encode(event, Some(&self.position), &self.payload)
    }
}

/// An event of an event stream. A line break in `data` (JSON allows them between tokens) begins
/// another `data:` line, as the format demands.
#[must_use]
pub fn encode(event: Option<&str>, id: Option<&Position>, data: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(data.len() + 96);
    if let Some(event) = event {
        frame.put_slice(b"event: ");
        frame.put_slice(event.as_bytes());
        frame.put_u8(b'\n');
    }
    if let Some(id) = id {
        frame.put_slice(b"id: ");
        frame.put_slice(id.to_string().as_bytes());
        frame.put_u8(b'\n');
    }
    for line in data.split(|byte| matches!(byte, b'\n' | b'\r')) {
        frame.put_slice(b"data: ");
        frame.put_slice(line);
        frame.put_u8(b'\n');
    }
    frame.put_u8(b'\n');
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_an_unnamed_message_with_an_id() {
        let frame = Frame {
            kind: Kind::Out(Variation::at(0).unwrap()),
            payload: Bytes::from_static(b"{\"n\":1}"),
            ts: 0,
            position: Position::origin(36),
        };
        assert_eq!(frame.encode(), "id: 10.0\ndata: {\"n\":1}\n\n");
    }

    #[test]
    fn a_payload_of_several_lines_stays_one_event() {
        let frame = encode(Some("state"), None, b"{\n\"a\": 1\r\n}");
        assert_eq!(
            frame,
            "event: state\ndata: {\ndata: \"a\": 1\ndata: \ndata: }\n\n"
        );
    }

    #[test]
    fn a_gap_names_its_variation_if_it_is_about_one() {
        let at = Position::origin(1);
        let gap = Frame::gap("gone", Variation::at(2), at);
        assert_eq!(
            gap.encode(),
            "event: gap\nid: 1.0\ndata: {\"reason\":\"gone\",\"variation\":2}\n\n"
        );
        assert_eq!(
            Frame::gap("gone", None, at).payload,
            "{\"reason\":\"gone\"}"
        );
    }
}
