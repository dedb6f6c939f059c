//! What went wrong with a model's server, in words that say what to do.

use std::time::Duration;

use aideator_contract::{Code, Reason};
use serde_json::Value;

use super::Fault;

/// Bytes of a server's own words that are passed on.
const QUOTED: usize = 300;

/// Who was asked, for the words.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) model: String,
    /// The provider's name, or the address of the server.
    pub(super) server: String,
    /// The variable the key came from, if one is used.
    pub(super) key: Option<String>,
}

/// An HTTP answer that is not a success.
pub(super) fn status(asked: &Asked, status: u16, body: &str, retry_after: Option<&str>) -> Fault {
    let Asked { model, server, .. } = asked;
    let says = words(body);
    let reason = match status {
        400 | 413 | 422 if is_context(&says) => too_long(asked, &says),
        401 | 403 => Reason::new(Code::WrongModelKey, wrong_key(asked, &says)),
        404 => Reason::new(
            Code::UnknownModel,
            format!("{server} does not know the model {model:?}: {says}"),
        ),
        400 if is_unknown_model(&says) => Reason::new(
            Code::UnknownModel,
            format!("{server} does not know the model {model:?}: {says}"),
        ),
        429 => Reason::new(
            Code::RateLimited,
            format!("{server} limits the rate of requests: {says}"),
        ),
        500..=599 => Reason::new(
            Code::ModelUnreachable,
            format!("{server} is down or overloaded (HTTP {status}): {says}"),
        ),
        _ => Reason::new(
            Code::ModelError,
            format!("{server} answered HTTP {status}: {says}"),
        ),
    };
    let after = retry_after
        .and_then(|value| value.trim().parse().ok())
        .map(Duration::from_secs);
    Fault { reason, after }
}

/// An error that the server put into the stream of an answer.
pub(super) fn in_stream(asked: &Asked, body: &Value) -> Fault {
    let says = words(&body.to_string());
    let reason = if is_context(&says) {
        too_long(asked, &says)
    } else if says.to_ascii_lowercase().contains("overloaded") {
        Reason::new(
            Code::ModelUnreachable,
            format!("{} is overloaded: {says}", asked.server),
        )
    } else {
        Reason::new(
            Code::ModelError,
            format!("{} reported an error: {says}", asked.server),
        )
    };
    reason.into()
}

/// No HTTP answer at all, or one that broke off.
pub(super) fn unreachable(asked: &Asked, cause: &str) -> Fault {
    Reason::new(
        Code::ModelUnreachable,
        format!("{} can't be reached: {}", asked.server, cut(cause)),
    )
    .into()
}

/// A stream that ended before the model had finished.
pub(super) fn broken_off(asked: &Asked) -> Fault {
    Reason::new(
        Code::ModelUnreachable,
        format!(
            "{} closed the connection in the middle of the answer",
            asked.server
        ),
    )
    .into()
}

/// Anything else the client library says.
pub(super) fn other(asked: &Asked, cause: &str) -> Fault {
    Reason::new(
        Code::ModelError,
        format!("{}: {}", asked.server, cut(cause)),
    )
    .into()
}

fn too_long(asked: &Asked, says: &str) -> Reason {
    Reason::new(
        Code::ContextTooLong,
        format!(
            "the prompt and the repository digest are too long for {:?}: {says}",
            asked.model
        ),
    )
}

fn wrong_key(asked: &Asked, says: &str) -> String {
    match &asked.key {
        Some(key) => format!("{} refused the key in {key}: {says}", asked.server),
        None => format!(
            "{} wants a key, and none is configured (set OPENAI_API_KEY): {says}",
            asked.server
        ),
    }
}

fn is_context(says: &str) -> bool {
    let says = says.to_ascii_lowercase();
    [
        "context length",
        "context_length",
        "context size",
        "context window",
        "too long",
        "maximum context",
        "exceed_context",
    ]
    .iter()
    .any(|words| says.contains(words))
}

fn is_unknown_model(says: &str) -> bool {
    let says = says.to_ascii_lowercase();
    says.contains("model")
        && [
            "not found",
            "does not exist",
            "invalid model",
            "unknown model",
        ]
        .iter()
        .any(|words| says.contains(words))
}

/// The server's own words: the message within the usual JSON shapes, else the body.
fn words(body: &str) -> String {
    let json: Option<Value> = serde_json::from_str(body).ok();
    let message = json.as_ref().and_then(|json| {
        [
            json.pointer("/error/message"),
            json.pointer("/message"),
            json.pointer("/detail"),
            json.pointer("/error"),
        ]
        .into_iter()
        .flatten()
        .find_map(Value::as_str)
    });
    cut(message.unwrap_or(body).trim())
}

fn cut(text: &str) -> String {
    if text.len() <= QUOTED {
        return text.to_owned();
    }
    let end = (0..=QUOTED)
        .rev()
        .find(|&end| text.is_char_boundary(end))
        .unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        Asked {
            model: "m1".into(),
            server: "OpenAI".into(),
            key: Some("OPENAI_API_KEY".into()),
        }
    }

    #[test]
    fn each_status_has_its_reason() {
        let cases = [
            (
                401,
                r#"{"error":{"message":"bad key"}}"#,
                Code::WrongModelKey,
                "OPENAI_API_KEY",
            ),
            (
                404,
                r#"{"error":{"message":"no such"}}"#,
                Code::UnknownModel,
                "\"m1\"",
            ),
            (
                400,
                r#"{"error":"model 'm1' not found"}"#,
                Code::UnknownModel,
                "not found",
            ),
            (429, "slow down", Code::RateLimited, "slow down"),
            (
                400,
                r#"{"error":{"message":"the request exceeds the available context size"}}"#,
                Code::ContextTooLong,
                "too long",
            ),
            (503, "", Code::ModelUnreachable, "503"),
            (418, "teapot", Code::ModelError, "418"),
        ];
        for (code, body, expected, word) in cases {
            let fault = status(&asked(), code, body, None);
            assert_eq!(fault.reason.code, expected, "{code} {body}");
            assert!(
                fault.reason.message.contains(word),
                "{}",
                fault.reason.message
            );
        }
    }

    #[test]
    fn a_retry_after_in_seconds_is_taken_and_a_date_is_not() {
        assert_eq!(
            status(&asked(), 429, "", Some("7")).after,
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            status(&asked(), 429, "", Some("Wed, 21 Oct 2026")).after,
            None
        );
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let fault = status(&asked(), 500, &"é".repeat(1000), None);
        assert!(fault.reason.message.len() < 400);
    }
}
