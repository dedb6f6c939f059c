//! The tokens that are refused before they expire: one key each in a key-value bucket. A key goes with
//! its token's own expiry, and is never deleted before: whatever stands under it, the token is refused.

use std::time::Duration;

use aideator_contract::subject::REVOKED_BUCKET;
use aideator_contract::{Revocation, TokenId, limits};
use bytes::Bytes;
use futures::TryStreamExt as _;

use crate::append::{Append, AppendError, Expect};
use crate::connect::Bus;
use crate::error::{Away, Error};
use crate::stored::Stored;

/// The header after which time the server removes a message.
const TTL: &str = "Nats-TTL";
/// Tries of an entry that others write at the same time.
const TRIES: u32 = 5;

/// The bucket of revoked tokens.
#[derive(Debug, Clone)]
pub struct RevokedTokens(Bus);

/// How far the bucket was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadUpTo {
    epoch: u64,
    sequence: u64,
}

impl Bus {
    /// The bucket of revoked tokens.
    #[must_use]
    pub fn revoked_tokens(&self) -> RevokedTokens {
        RevokedTokens(self.clone())
    }
}

fn stream() -> String {
    format!("KV_{REVOKED_BUCKET}")
}

fn key(token: &str) -> String {
    format!("$KV.{REVOKED_BUCKET}.{token}")
}

impl RevokedTokens {
    /// Revokes a token until it expires, and returns until when: an entry that reaches further stays as
    /// it is. The server keeps the entry for so long (whole seconds, one at least).
    ///
    /// # Errors
    /// As of an append.
    pub async fn put(
        &self,
        token: &TokenId,
        revocation: &Revocation,
        keep: Duration,
    ) -> Result<u64, AppendError> {
        let key = key(token.as_str());
        let payload = serde_json::to_vec(revocation).map_err(|error| AppendError::Other {
            code: 0,
            text: error.to_string(),
        })?;
        let ttl = format!("{}s", keep.as_secs().max(1));
        let mut tries = 0;
        loop {
            let before = self.0.last_of(&stream(), &key).await.map_err(unread)?;
            if let Some(until) = before.as_ref().map(expires)
                && until >= revocation.expires
            {
                return Ok(until);
            }
            let how = Append {
                expect: Expect::LastOnSubject(before.map_or(0, |stored| stored.sequence)),
                headers: &[(TTL, &ttl)],
                ..Append::default()
            };
            tries += 1;
            let payload = Bytes::from(payload.clone());
            match self.0.append_to(&key, payload, how).await {
                Ok(_) => return Ok(revocation.expires),
                Err(AppendError::Conflict(_)) if tries < TRIES => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The tokens revoked since the bucket was read up to `before`, each with its expiry in seconds since
    /// the Unix epoch, and how far it is read now. Nothing the leader has stored is missing.
    ///
    /// # Errors
    /// No answer, or there is no such bucket.
    pub async fn since(&self, before: ReadUpTo) -> Result<(Vec<(TokenId, u64)>, ReadUpTo), Error> {
        let (stream, all) = (stream(), key("*"));
        let state = self.0.stream_state(&stream).await?;
        let goes_on = state.epoch == before.epoch && state.last >= before.sequence;
        let mut next = if goes_on { before.sequence + 1 } else { 1 };
        let mut found = Vec::new();
        if next <= state.last {
            // Many at once from any replica; what one that lags has not got yet, the leader has.
            found = self.0.scan(&stream, &all, next, None).try_collect().await?;
            next = found
                .last()
                .map_or(next, |stored: &Stored| stored.sequence + 1);
        }
        while next <= state.last
            && let Some(stored) = self.0.next_from_leader(&stream, &all, next).await?
        {
            next = stored.sequence + 1;
            found.push(stored);
        }
        let named = |stored: &Stored| {
            Some((
                stored.subject.rsplit('.').next()?.parse().ok()?,
                expires(stored),
            ))
        };
        let read = ReadUpTo {
            epoch: state.epoch,
            sequence: state.last.max(next - 1),
        };
        Ok((found.iter().filter_map(named).collect(), read))
    }
}

/// What can't be read (an entry put by hand) holds as long as any token may live.
fn expires(stored: &Stored) -> u64 {
    match serde_json::from_slice::<Revocation>(&stored.payload) {
        Ok(revocation) => revocation.expires,
        Err(_) => stored.ts / 1000 + limits::TOKEN_LIFETIME.as_secs(),
    }
}

fn unread(error: Error) -> AppendError {
    match error {
        Error::Unreachable { away, .. } => AppendError::Unreachable(away),
        Error::Refused { subject } => AppendError::Refused(subject),
        error if error.is_transient() => AppendError::Unreachable(Away::NoResponders),
        error => AppendError::Other {
            code: 0,
            text: error.to_string(),
        },
    }
}
