//! The body of a request.

use aideator_contract::limits::REQUEST_BYTES;
use aideator_contract::request;
use axum::extract::rejection::BytesRejection;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// A body as it arrived, or why it did not.
pub(super) type Arrived = Result<Bytes, BytesRejection>;

/// Reads a JSON body. An empty one is `{}`, for addresses that need nothing to be said.
pub(super) fn read<T: DeserializeOwned>(headers: &HeaderMap, body: Arrived) -> Result<T, Problem> {
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::TooLarge(REQUEST_BYTES),
        _ => Problem::Unread,
    })?;
    if body.is_empty() {
        return Ok(request::parse(b"{}")?);
    }
    // A form of another page can send any text, but not this media type.
    if !is_json(headers) {
        return Err(Problem::MediaType);
    }
    Ok(request::parse(&body)?)
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE);
    let media = media.and_then(|value| value.to_str().ok()).unwrap_or("");
    let essence = media.split(';').next().unwrap_or("").trim();
    essence.eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use aideator_contract::request::RunRequest;

    use super::*;

    fn headers(media: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, media.parse().unwrap());
        headers
    }

    #[test]
    fn json_is_named_as_json() {
        let body = || Ok(Bytes::from_static(b"{\"prompt\":\"p\"}"));
        for media in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(read::<RunRequest>(&headers(media), body()).is_ok());
        }
        for media in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let read = read::<RunRequest>(&headers(media), body());
            assert!(matches!(read, Err(Problem::MediaType)), "{media}");
        }
    }
}
