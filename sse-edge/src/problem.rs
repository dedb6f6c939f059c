//! What went wrong, for whoever asked: problem documents (RFC 9457), and the one place where a fault
//! becomes an HTTP status.

mod status;

use std::time::Duration;

use aideator_bus::{AppendError, Error as BusError};
use aideator_contract::{Code, Reason, RunId};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;

use self::status::status_of;
use crate::scope::Scope;
use crate::token::Refused;

/// The media type of a problem document.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request is not answered as its sender hoped.
#[derive(Debug, Error)]
pub enum Problem {
    /// The request can't be used, in the contract's words.
    #[error("{0}")]
    Reason(#[from] Reason),
    /// The position is none.
    #[error("{0}")]
    Position(#[from] crate::position::Malformed),
    /// The body is larger than the limit.
    #[error("the body has more than {0} bytes")]
    TooLarge(usize),
    /// The body did not arrive whole.
    #[error("the body did not arrive whole")]
    Unread,
    /// The body is not JSON by its own account.
    #[error("send the body as application/json")]
    MediaType,
    /// There is nothing at this address.
    #[error("there is nothing at this address")]
    NotFound,
    /// The address does not do that.
    #[error("this address does not do that")]
    Method,
    /// A foreign host or origin on a loopback edge.
    #[error("{0}")]
    Forbidden(&'static str),
    /// A token is needed, or the one that is shown is not accepted.
    #[error("{0}")]
    Unauthorized(#[from] Refused),
    /// The token may not do this.
    #[error("this needs a token with the scope `{needed}`; the one shown has {}", words(*.has))]
    Scope {
        /// What is needed.
        needed: Scope,
        /// The most that the token may do.
        has: Option<Scope>,
    },
    /// Somebody behind the edge is away.
    #[error("{0}")]
    Away(&'static str),
    /// Too many streams are asked for at once; there is room again after this.
    #[error("too many streams are asked for at once; come back in {} s", retry_after(*.0))]
    Busy(Duration),
    /// NATS is away or has no room.
    #[error("{0}")]
    Storage(String),
    /// Something that should not be.
    #[error("the edge can't answer this; its log says why")]
    Internal,
}

impl Problem {
    /// There is no such run.
    #[must_use]
    pub fn unknown_run(run: &RunId) -> Self {
        let words = format!("there is no run {run}; it may never have been, or is no longer kept");
        Self::Reason(Reason::new(Code::UnknownRun, words))
    }

    /// The status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Reason(reason) => status_of(&reason.code),
            Self::Position(_) | Self::Unread => StatusCode::BAD_REQUEST,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forbidden(_) | Self::Scope { .. } => StatusCode::FORBIDDEN,
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Away(_) | Self::Busy(_) | Self::Storage(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Its code, for programs.
    #[must_use]
    pub fn code(&self) -> String {
        match self {
            Self::Reason(reason) => reason.code.wire(),
            Self::Position(_) => "bad-position".into(),
            Self::TooLarge(_) => Code::TooLarge.wire(),
            Self::Unread => "unread".into(),
            Self::MediaType => "media-type".into(),
            Self::NotFound => "not-found".into(),
            Self::Method => "method".into(),
            Self::Forbidden(_) => "forbidden".into(),
            Self::Unauthorized(refused) => code_of(refused).into(),
            Self::Scope { .. } => "scope".into(),
            Self::Away(_) | Self::Storage(_) => "unavailable".into(),
            Self::Busy(_) => "busy".into(),
            Self::Internal => Code::Internal.wire(),
        }
    }

    /// What a service answered instead of what it was asked for.
    #[must_use]
    pub fn service(code: u16, text: &str, away: &'static str) -> Self {
        let own = serde_json::from_str::<Reason>(text);
        let said = |code: Code| Reason::new(code, text);
        match code {
            400 | 422 => Self::Reason(own.unwrap_or_else(|_| said(Code::BadValue))),
            404 => Self::Reason(own.unwrap_or_else(|_| said(Code::UnknownRun))),
            503 => Self::Away(away),
            _ => {
                tracing::error!(code, text, "a service failed");
                Self::Internal
            }
        }
    }

    /// The problem document.
    #[must_use]
    pub fn document(&self) -> Document {
        let status = self.status();
        Document {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.to_string(),
            code: self.code(),
            scope: match self {
                Self::Scope { needed, .. } => Some(needed.name()),
                _ => None,
            },
        }
    }

    /// What the client of a token is told in its own header (RFC 6750).
    fn challenge(&self) -> Option<String> {
        match self {
            Self::Unauthorized(Refused::Missing) => Some("Bearer".into()),
            Self::Unauthorized(_) => Some(r#"Bearer error="invalid_token""#.into()),
            Self::Scope { needed, .. } => Some(format!(
                r#"Bearer error="insufficient_scope", scope="{needed}""#
            )),
            _ => None,
        }
    }
}

/// Whole seconds, as the header has it.
fn retry_after(wait: Duration) -> u64 {
    wait.as_millis()
        .div_ceil(1000)
        .try_into()
        .unwrap_or(u64::MAX)
}

fn words(has: Option<Scope>) -> String {
    has.map_or("none that is known here".into(), |scope| {
        format!("`{scope}`")
    })
}

fn code_of(refused: &Refused) -> &'static str {
    match refused {
        Refused::Missing => "unauthorized",
        Refused::Expired(_) => "token-expired",
        Refused::Revoked => "token-revoked",
        Refused::Unknown
        | Refused::Malformed(_)
        | Refused::Algorithm
        | Refused::Signature
        | Refused::Lifetime => "bad-token",
    }
}

/// A problem document (RFC 9457).
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct Document {
    /// Always `about:blank`: the code tells kinds apart.
    r#type: &'static str,
    /// What the status means.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What happened and, where it can be said, what to do.
    detail: String,
    /// The kind of the problem, for programs.
    code: String,
    /// The scope a token needs for this, where that is the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
}

impl Document {
    /// The document as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and a number always serialize")
    }
}

impl From<BusError> for Problem {
    fn from(error: BusError) -> Self {
        tracing::warn!(%error, "NATS did not answer a request's read");
        if error.is_transient() {
            Self::Away("NATS does not answer; try again in a moment")
        } else {
            Self::Internal
        }
    }
}

impl From<AppendError> for Problem {
    fn from(error: AppendError) -> Self {
        tracing::warn!(%error, "a command could not be stored");
        match error {
            AppendError::Full(_) => {
                Self::Storage("the storage of requests is full; try later".into())
            }
            AppendError::TooLarge(_) => Self::TooLarge(aideator_contract::limits::REQUEST_BYTES),
            AppendError::Undecided(_) | AppendError::Unreachable(_) => {
                Self::Away("NATS does not answer; try again in a moment")
            }
            AppendError::Conflict(_) | AppendError::Refused(_) | AppendError::Other { .. } => {
                Self::Internal
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.document().to_json()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Self::Busy(wait) = &self {
            headers.insert(header::RETRY_AFTER, retry_after(*wait).into());
        }
        if let Some(challenge) = self.challenge().and_then(|text| text.parse().ok()) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
