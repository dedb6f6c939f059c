//! Names of runs, variations and attempts.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::canonical;
use crate::time::Timestamp;

/// The shape of a run id, as a regular expression: at once a Kubernetes name part (RFC 1123),
/// a NATS token and a JWT tag.
pub const RUN_ID_PATTERN: &str = "^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$";

/// The name of a run: 1–40 characters of `a-z`, `0-9` and `-`, beginning and ending with a letter or digit.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = RUN_ID_PATTERN))]
pub struct RunId(String);

/// Why a text is no run id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "a run id is 1 to 40 characters of a-z, 0-9 and '-', beginning and ending with a letter or digit; got {0:?}"
)]
pub struct BadRunId(String);

impl RunId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a request that brought a name of its own (`Nats-Msg-Id`, `Idempotency-Key`):
    /// the same key gives the same id for ever.
    #[must_use]
    pub fn from_key(key: &str) -> Self {
        let digest = canonical::sha256_hex(key.as_bytes());
        Self(format!("k-{}", &digest[..20]))
    }

    /// The id of a request without any name: unique by its place in the request stream,
    /// and the same again when that message is delivered again.
    #[must_use]
    pub fn from_sequence(sequence: u64, stored: Timestamp) -> Self {
        Self(format!(
            "{}-{}",
            canonical::base36(stored.millis()),
            canonical::base36(sequence)
        ))
    }
}

impl FromStr for RunId {
    type Err = BadRunId;

    fn from_str(text: &str) -> Result<Self, BadRunId> {
        let bytes = text.as_bytes();
        let plain = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let shaped = (1..=40).contains(&bytes.len())
            && bytes.iter().all(|b| plain(b) || *b == b'-')
            && bytes.first().is_some_and(plain)
            && bytes.last().is_some_and(plain);
        if shaped {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadRunId(text.chars().take(60).collect()))
        }
    }
}

impl TryFrom<String> for RunId {
    type Error = BadRunId;

    fn try_from(text: String) -> Result<Self, BadRunId> {
        text.parse()
    }
}

impl From<RunId> for String {
    fn from(id: RunId) -> Self {
        id.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One of the answers of a run: 0–4 on the wire. People see and type 1–5.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "u8", into = "u8")]
#[schemars(extend("maximum" = 4))]
pub struct Variation(u8);

/// Why a number is no variation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a variation is 0 to 4 (the first is 0); got {0}")]
pub struct BadVariation(String);

impl Variation {
    /// How many variations a run has at most.
    pub const MAX: usize = 5;

    /// The variation at `index`, if there can be one.
    #[must_use]
    pub fn at(index: usize) -> Option<Self> {
        u8::try_from(index)
            .ok()
            .filter(|i| usize::from(*i) < Self::MAX)
            .map(Self)
    }

    /// The place of the variation in lists, from 0.
    #[must_use]
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// All variations of a run with `count` of them.
    pub fn first(count: usize) -> impl Iterator<Item = Self> {
        (0..count).filter_map(Self::at)
    }
}

impl TryFrom<u8> for Variation {
    type Error = BadVariation;

    fn try_from(number: u8) -> Result<Self, BadVariation> {
        Self::at(usize::from(number)).ok_or_else(|| BadVariation(number.to_string()))
    }
}

impl From<Variation> for u8 {
    fn from(v: Variation) -> Self {
        v.0
    }
}

impl FromStr for Variation {
    type Err = BadVariation;

    fn from_str(text: &str) -> Result<Self, BadVariation> {
        text.parse::<u8>()
            .ok()
            .filter(|_| text.len() == 1)
            .and_then(|n| Self::at(usize::from(n)))
            .ok_or_else(|| BadVariation(text.chars().take(60).collect()))
    }
}

impl fmt::Display for Variation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One try at a variation, from 1. A retry is the next attempt.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Attempt(NonZeroU32);

impl Attempt {
    /// The first attempt of a variation.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// The attempt with this number, if it is at least 1.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        NonZeroU32::new(number).map(Self)
    }

    /// The attempt after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The number, from 1.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get()
    }
}

impl FromStr for Attempt {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_of_the_pattern_is_a_run_id_and_round_trips(text in "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?") {
            let id: RunId = text.parse().unwrap();
            prop_assert_eq!(id.as_str(), &text);
            let json = serde_json::to_string(&id).unwrap();
            prop_assert_eq!(serde_json::from_str::<RunId>(&json).unwrap(), id);
        }

        #[test]
        fn no_other_text_is_a_run_id(text in "\\PC{0,50}") {
            let inside = text.len() <= 40
                && !text.is_empty()
                && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                && !text.starts_with('-')
                && !text.ends_with('-');
            prop_assert_eq!(text.parse::<RunId>().is_ok(), inside);
        }

        #[test]
        fn derived_ids_are_run_ids(sequence: u64, ts: u64, key in "\\PC{0,300}") {
            let by_sequence = RunId::from_sequence(sequence, Timestamp::from_millis(ts));
            prop_assert!(by_sequence.as_str().parse::<RunId>().is_ok());
            prop_assert!(RunId::from_key(&key).as_str().parse::<RunId>().is_ok());
        }

        #[test]
        fn only_zero_to_four_are_variations(number: u8) {
            prop_assert_eq!(Variation::try_from(number).is_ok(), number < 5);
            prop_assert_eq!(number.to_string().parse::<Variation>().is_ok(), number < 5);
        }
    }

    #[test]
    fn a_variation_written_oddly_is_refused() {
        for text in ["", "00", "+1", "1 ", "-0", "5", "a"] {
            assert!(text.parse::<Variation>().is_err(), "{text:?}");
        }
    }
}
