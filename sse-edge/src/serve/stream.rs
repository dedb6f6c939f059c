//! A stream on a bare socket: the same answer as from the HTTP library, without it. Its end is the end of
//! the connection, so frames travel as they are and the same bytes serve all viewers.

use std::time::{Duration, SystemTime};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::future::BoxFuture;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Server;
use super::head::Asked;
use crate::api::stream::{self, Answer};
use crate::api::{STREAM, STREAMS};
use crate::guard::seal;
use crate::viewer::RETRY;

/// How long a short answer may take to be sent.
const SENT_WITHIN: Duration = Duration::from_secs(5);
/// No answer but a stream is longer.
const SHORT: usize = 64 * 1024;

/// Answers a request for a stream; returns what sends it, if there is one.
pub(super) async fn answer(
    server: &Server,
    mut socket: TcpStream,
    asked: Asked,
) -> Option<BoxFuture<'static, ()>> {
    let response = match decide(server, asked).await {
        Ok(Answer::Follow(viewer)) => return Some(Box::pin(viewer.send(socket, opening()))),
        Ok(Answer::FollowAll(viewers)) => return Some(Box::pin(viewers.send(socket, opening()))),
        Ok(Answer::Complete) => Answer::Complete.into_response(),
        Err(response) => response,
    };
    // Whoever does not take it has gone.
    let _ = timeout(SENT_WITHIN, respond(&mut socket, response)).await;
    None
}

async fn decide(server: &Server, asked: Asked) -> Result<Answer, Response> {
    let Asked { run, head } = asked;
    let route = if run.is_some() { STREAM } else { STREAMS };
    let pass = server.gate.admit(&head, Some(route)).await?;
    let answer = match run {
        Some(run) => stream::answer(&server.app, &pass, &run, &head).await,
        None => stream::answer_all(&server.app, &pass, &head).await,
    };
    answer.map_err(IntoResponse::into_response)
}

/// What a stream begins with.
fn opening() -> Bytes {
    let headers = stream::HEADERS.map(|(name, value)| {
        let name = HeaderName::from_static(name);
        (name, HeaderValue::from_static(value))
    });
    let mut opening = head(StatusCode::OK, headers.into_iter().collect());
    opening.push_str(RETRY);
    Bytes::from(opening)
}

async fn respond(socket: &mut TcpStream, response: Response) -> std::io::Result<()> {
    let (mut parts, body) = response.into_parts();
    let body = axum::body::to_bytes(body, SHORT).await.unwrap_or_default();
    if parts.status != StatusCode::NO_CONTENT {
        parts.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    let mut answer = head(parts.status, parts.headers).into_bytes();
    answer.extend_from_slice(&body);
    socket.write_all(&answer).await?;
    socket.shutdown().await
}

/// The head of an answer that is the last one of its connection.
fn head(status: StatusCode, mut headers: HeaderMap) -> String {
    seal(&mut headers);
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let date = httpdate::fmt_http_date(SystemTime::now());
    headers.insert(DATE, date.parse().expect("a date is visible ASCII"));
    let mut head = format!("HTTP/1.1 {status}\r\n");
    for (name, value) in &headers {
        // All of them are ours: what an answer says is text.
        let value = value.to_str().unwrap_or_default();
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head
}
