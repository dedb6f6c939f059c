//! Revoking a signed token, on all edges.

use std::sync::Arc;
use std::time::SystemTime;

use aideator_contract::limits::TOKEN_LIFETIME;
use aideator_contract::{Code, Reason, Timestamp, TokenId};
use axum::extract::State;
use axum::{Extension, Json};
use http::HeaderMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::App;
use super::body::{self, Arrived};
use crate::pass::Pass;
use crate::problem::Problem;
use crate::revocations::Revocations;

/// Which token is refused from now on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoke {
    /// Its id (`jti`).
    token_id: TokenId,
    /// When it expires (`exp`), in seconds since the Unix epoch: then the list forgets it. Without it, as
    /// late as any token may.
    expires: Option<u64>,
}

/// A token is refused.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Revoked {
    /// Its id.
    token_id: TokenId,
    /// Until when it is remembered, in seconds since the Unix epoch.
    expires: u64,
}

/// Revokes a token: every edge refuses it within ten seconds.
pub(super) async fn revoke(
    State(app): State<App>,
    Extension(pass): Extension<Pass>,
    headers: HeaderMap,
    body: Arrived,
) -> Result<Json<Revoked>, Problem> {
    let Revoke { token_id, expires } = body::read(&headers, body)?;
    let now = Timestamp::from(SystemTime::now());
    let expires = until(expires, now)?;
    let list = list(&app)?;
    let kept = list.revoke(&token_id, expires, now, pass.name()).await?;
    tracing::info!(%token_id, by = pass.name(), "a token is revoked");
    Ok(Json(Revoked {
        token_id,
        expires: kept.millis() / 1000,
    }))
}

fn list(app: &App) -> Result<&Arc<Revocations>, Reason> {
    let words = "this edge has no secret (--secret), so there are no signed tokens it could revoke";
    let none = || Reason::new(Code::BadValue, words);
    app.revocations.as_ref().ok_or_else(none)
}

/// Until when a token is to be refused. What would not revoke it is no wish of anybody: a time that is
/// past, or milliseconds.
fn until(expires: Option<u64>, now: Timestamp) -> Result<Timestamp, Reason> {
    let latest = now.plus(TOKEN_LIFETIME.as_secs() * 1000);
    let Some(seconds) = expires else {
        return Ok(latest);
    };
    let expires = Timestamp::from_millis(seconds.saturating_mul(1000));
    if expires > now && expires <= latest {
        return Ok(expires);
    }
    let words = format!(
        "`expires` is in seconds since 1970, later than now ({}) and not later than {}",
        now.millis() / 1000,
        latest.millis() / 1000
    );
    Err(Reason::new(Code::BadValue, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_revoked_until_it_expires_or_for_as_long_as_any_may_live() {
        let now = Timestamp::from_millis(1_795_449_600_123);
        let seconds = |expires| until(expires, now).map(|until| until.millis() / 1000);
        assert_eq!(seconds(Some(1_795_449_601)), Ok(1_795_449_601));
        let latest = 1_795_449_600 + TOKEN_LIFETIME.as_secs();
        assert_eq!(seconds(None), Ok(latest));
        assert_eq!(seconds(Some(latest)), Ok(latest));
        for bad in [0, 1_795_449_600, latest + 1, 1_795_449_601_000, u64::MAX] {
            assert!(seconds(Some(bad)).is_err(), "{bad}");
        }
    }
}
