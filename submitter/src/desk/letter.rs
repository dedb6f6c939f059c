//! Dead letters: a refused command with the reason, as readable as it can be.

use aideator_bus::Stored;
use aideator_contract::dead_letter::Refused;
use aideator_contract::{DeadLetter, Reason, RunId};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::ledger::now;

/// The letter about a command that names `run`.
pub(super) fn about(stored: &Stored, reason: Reason, run: Option<RunId>) -> DeadLetter {
    let request = refused(&stored.payload, |bytes| serde_json::from_slice(bytes).ok());
    letter(stored, reason, run, request)
}

/// The letter about a command that nobody looked into.
pub(super) fn as_it_is(stored: &Stored, reason: Reason) -> DeadLetter {
    letter(stored, reason, None, refused(&stored.payload, |_| None))
}

fn letter(stored: &Stored, reason: Reason, run: Option<RunId>, request: Refused) -> DeadLetter {
    let from = (stored.subject.as_str(), stored.sequence);
    DeadLetter::new(reason, from, run, (&stored.payload, request), now())
}

fn refused(bytes: &[u8], parse: impl FnOnce(&[u8]) -> Option<Value>) -> Refused {
    if let Some(value) = parse(bytes) {
        return Refused::Request(value);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Refused::Text(text.to_owned()),
        Err(_) => Refused::Base64(STANDARD.encode(bytes)),
    }
}
