//! A part of text or reasoning: its deltas and the whole at its end.

use aideator_contract::event::Whole;
use aideator_contract::limits::{EVENT_BYTES, JOINED_TEXT_BYTES};
use sha2::{Digest as _, Sha256};

use super::hex;

/// Bytes of an event besides the text in it.
const ENVELOPE_BYTES: usize = 512;

/// The part of text or reasoning that is open.
pub(super) struct Part {
    pub(super) kind: Kind,
    pub(super) id: String,
    /// All of it, until it is too long to be repeated at its end.
    whole: Option<String>,
    digest: Sha256,
    length: u64,
}

/// What a part is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Reasoning,
}

impl Part {
    /// An empty part.
    pub(super) fn new(kind: Kind, id: String) -> Self {
        Self {
            kind,
            id,
            whole: Some(String::new()),
            digest: Sha256::new(),
            length: 0,
        }
    }

    /// Takes a delta.
    pub(super) fn take(&mut self, delta: &str) {
        self.digest.update(delta.as_bytes());
        self.length += delta.len() as u64;
        if let Some(whole) = &mut self.whole {
            whole.push_str(delta);
            if whole.len() + ENVELOPE_BYTES > EVENT_BYTES {
                self.whole = None;
            }
        }
    }

    /// What its end event says.
    pub(super) fn end(self) -> (Kind, String, Whole) {
        let whole = match self
            .whole
            .filter(|whole| escaped_bytes(whole) + ENVELOPE_BYTES <= EVENT_BYTES)
        {
            Some(text) => Whole::Text { text },
            None => Whole::Proof {
                length: self.length,
                sha256: hex(&self.digest.finalize()),
            },
        };
        (self.kind, self.id, whole)
    }
}

/// The text in pieces of what one message may hold.
pub(super) fn bites(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = (0..=JOINED_TEXT_BYTES.min(rest.len()))
            .rev()
            .find(|&end| rest.is_char_boundary(end))?;
        let (bite, after) = rest.split_at(end);
        rest = after;
        (!bite.is_empty()).then_some(bite)
    })
}

/// Bytes of a text as a JSON string.
pub(super) fn escaped_bytes(text: &str) -> usize {
    let more = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 1,
        0..0x20 => 5,
        _ => 0,
    };
    text.len() + 2 + text.bytes().map(more).sum::<usize>()
}
