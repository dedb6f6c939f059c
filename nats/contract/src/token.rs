//! Names of signed tokens, and what is kept of those that are revoked.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::time::Timestamp;

/// The shape of a token's id, as a regular expression: at once a NATS token and part of a URL.
pub const TOKEN_ID_PATTERN: &str = "^[A-Za-z0-9_-]{1,64}$";

/// The name of a signed token (`jti`): 1–64 characters of `A-Z`, `a-z`, `0-9`, `-` and `_`.
#[derive(
    Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
#[schemars(extend("pattern" = TOKEN_ID_PATTERN))]
pub struct TokenId(String);

/// Why a text is no token's id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a token's id is 1 to 64 characters of A-Z, a-z, 0-9, '-' and '_'; got {0:?}")]
pub struct BadTokenId(String);

impl TokenId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenId {
    type Err = BadTokenId;

    fn from_str(text: &str) -> Result<Self, BadTokenId> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if (1..=64).contains(&text.len()) && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadTokenId(text.chars().take(80).collect()))
        }
    }
}

impl TryFrom<String> for TokenId {
    type Error = BadTokenId;

    fn try_from(text: String) -> Result<Self, BadTokenId> {
        text.parse()
    }
}

impl From<TokenId> for String {
    fn from(id: TokenId) -> Self {
        id.0
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is kept of a revoked token, until it would have expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// When the token expires, in seconds since the Unix epoch (its `exp`).
    pub expires: u64,
    /// When it was revoked.
    pub revoked: Timestamp,
    /// The name of who revoked it, for people.
    pub by: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_token_of_a_subject() {
        for good in ["a", "A-9_z", &"x".repeat(64)] {
            assert_eq!(good.parse::<TokenId>().unwrap().as_str(), good);
        }
        for bad in ["", "a.b", "a b", ">", "*", "ä", &"x".repeat(65)] {
            assert!(bad.parse::<TokenId>().is_err(), "{bad}");
        }
    }
}
