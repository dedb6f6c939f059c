//! A message as a line of an archive.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Damaged;
use crate::stored::Stored;

/// A line. What is JSON stands as it is, byte for byte; anything else as base64.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Line<'a> {
    sequence: u64,
    subject: &'a str,
    ts: u64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl<'a> Line<'a> {
    pub(super) fn of(stored: &'a Stored) -> Self {
        let data = as_json(&stored.payload);
        Self {
            sequence: stored.sequence,
            subject: &stored.subject,
            ts: stored.ts,
            data,
            base64: data.is_none().then(|| STANDARD.encode(&stored.payload)),
        }
    }

    pub(super) fn write(&self, lines: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = serde_json::to_writer(&mut *lines, self);
        lines.push(b'\n');
    }

    fn stored(self, line: &Bytes) -> Result<Stored, Damaged> {
        let payload = match (self.data, self.base64) {
            (Some(data), None) => line.slice_ref(data.get().as_bytes()),
            (None, Some(text)) => STANDARD
                .decode(text)
                .map_err(|error| Damaged(error.to_string()))?
                .into(),
            _ => return Err(Damaged("a line has no payload, or two".to_owned())),
        };
        Ok(Stored {
            subject: self.subject.to_owned(),
            sequence: self.sequence,
            ts: self.ts,
            payload,
            msg_id: None,
        })
    }
}

/// The payload, if it is JSON that stays the same within a line.
fn as_json(payload: &[u8]) -> Option<&RawValue> {
    let text = str::from_utf8(payload).ok()?;
    let value: &RawValue = serde_json::from_str(text).ok()?;
    let same = value.get().len() == text.len() && !text.contains(['\n', '\r']);
    same.then_some(value)
}

/// The messages of the lines. Their payloads share the lines' memory.
pub(super) fn read_all(lines: &Bytes) -> Result<Vec<Stored>, Damaged> {
    let mut messages: Vec<Stored> = Vec::new();
    for line in lines
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let parsed: Line<'_> =
            serde_json::from_slice(line).map_err(|error| Damaged(error.to_string()))?;
        let stored = parsed.stored(lines)?;
        if messages
            .last()
            .is_some_and(|last| last.sequence >= stored.sequence)
        {
            return Err(Damaged("its messages are not in order".to_owned()));
        }
        messages.push(stored);
    }
    Ok(messages)
}
