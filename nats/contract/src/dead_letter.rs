//! What is kept of a command that was refused.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::RunId;
use crate::reason::Reason;
use crate::time::Timestamp;
use crate::{VERSION, canonical, limits};

/// Bytes of a letter as it is stored, at most: well below what a server takes in one message.
pub const LETTER_BYTES: usize = 4 * limits::REQUEST_BYTES;
/// Bytes of what was sent, as it is stored. JSON escapes make up to six bytes of one.
const KEPT_BYTES: usize = 3 * limits::REQUEST_BYTES;
/// Bytes of what is kept of larger ones.
const BEGINNING_BYTES: usize = 4 * 1024;
/// Bytes of the reason's words.
const WORDS_BYTES: usize = 8 * 1024;

/// A message on `aideator.dead.<command>`: the command, and why it was refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// The contract's version.
    pub v: u32,
    /// When it was refused.
    pub ts: Timestamp,
    /// Why.
    pub reason: Reason,
    /// The subject it was sent to.
    pub subject: String,
    /// Its sequence in the stream of requests.
    pub sequence: u64,
    /// The run it names, if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// What was sent.
    #[serde(flatten)]
    pub request: Refused,
}

/// What was sent, as readable as it can be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// It was JSON.
    Request(Value),
    /// It was text.
    Text(String),
    /// It was neither: base64 of its bytes.
    Base64(String),
    /// It is too large to be kept: its length, SHA-256 and beginning.
    Beginning {
        /// Its bytes.
        bytes: u64,
        /// Its SHA-256.
        sha256: String,
        /// How it begins, as text.
        text: String,
    },
}

impl DeadLetter {
    /// The letter about a command that came on `subject` with `sequence`: `sent`, in the form of
    /// `request` if that is not too large. No letter is larger than [`LETTER_BYTES`].
    #[must_use]
    pub fn new(
        mut reason: Reason,
        (subject, sequence): (&str, u64),
        run_id: Option<RunId>,
        (sent, request): (&[u8], Refused),
        ts: Timestamp,
    ) -> Self {
        reason.message.truncate(end(&reason.message, WORDS_BYTES));
        Self {
            v: VERSION,
            ts,
            reason,
            subject: subject.to_owned(),
            sequence,
            run_id,
            request: if request.is_small() {
                request
            } else {
                Refused::beginning(sent)
            },
        }
    }
}

impl Refused {
    /// Whether it may be kept as it is. What counts is its size as it is stored.
    fn is_small(&self) -> bool {
        serde_json::to_vec(self).is_ok_and(|stored| stored.len() <= KEPT_BYTES)
    }

    fn beginning(sent: &[u8]) -> Self {
        let first = &sent[..sent.len().min(BEGINNING_BYTES)];
        Self::Beginning {
            bytes: sent.len() as u64,
            sha256: canonical::sha256_hex(sent),
            text: String::from_utf8_lossy(first).into_owned(),
        }
    }
}

/// Where to cut `text` so that at most `most` bytes stay.
fn end(text: &str, most: usize) -> usize {
    let whole = |at: &usize| text.is_char_boundary(*at);
    (0..=most.min(text.len())).rev().find(whole).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::reason::Code;

    fn letter(sent: &[u8], words: &str, request: Refused) -> DeadLetter {
        let reason = Reason::new(Code::BadJson, words);
        let from = ("aideator.requests.run", 7);
        DeadLetter::new(reason, from, None, (sent, request), Timestamp::default())
    }

    fn text(sent: &[u8]) -> Refused {
        Refused::Text(String::from_utf8_lossy(sent).into_owned())
    }

    #[test]
    fn what_is_small_is_kept_as_it_is() {
        let sent = vec![b'x'; 2 * limits::REQUEST_BYTES];
        assert_eq!(letter(&sent, "no", text(&sent)).request, text(&sent));
    }

    #[test]
    fn what_grows_when_it_is_stored_is_kept_by_its_beginning() {
        let sent = vec![1; 200_000];
        let kept = letter(&sent, "no", text(&sent)).request;
        let Refused::Beginning {
            bytes,
            sha256,
            text,
        } = kept
        else {
            panic!("it is kept whole");
        };
        assert_eq!(bytes, 200_000);
        assert_eq!(sha256, canonical::sha256_hex(&sent));
        assert_eq!(text.len(), BEGINNING_BYTES);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn no_letter_is_larger_than_its_bound(
            unit in prop::collection::vec(any::<u8>(), 1..6),
            size in 1..1024 * 1024_usize,
            words in any::<char>(),
        ) {
            let sent: Vec<u8> = unit.iter().copied().cycle().take(size).collect();
            let words = words.to_string().repeat(size / 4);
            let value = serde_json::Value::from(String::from_utf8_lossy(&sent));
            for form in [text(&sent), Refused::Request(value)] {
                let stored = serde_json::to_vec(&letter(&sent, &words, form)).unwrap();
                prop_assert!(stored.len() <= LETTER_BYTES, "{}", stored.len());
            }
        }
    }
}
