//! A run's log: all it has said so far, one JSON object a line, in the order viewers see it.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::stream;
use http::header;

use super::{App, run_id};
use crate::hub::Past;
use crate::hub::frame::{Frame, Kind};
use crate::position::{Position, Track};
use crate::problem::Problem;

/// A run's log up to now.
pub(super) async fn log(
    State(app): State<App>,
    Path(run): Path<String>,
) -> Result<Response, Problem> {
    let run = run_id(&run)?;
    let source = app.hubs.source(&run);
    let tails = source.tails().await?;
    if tails.get(Track::State) == 0 {
        return Err(Problem::unknown_run(&run));
    }
    let past = Past::new(source, Position::origin(0), tails);
    let lines = stream::unfold(past, |mut past| async move {
        let frames = past.next().await?;
        Some((Ok::<_, Infallible>(lines(&frames)), past))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// A line for each stored message. A line break in JSON can only be white space between tokens.
fn lines(frames: &[Frame]) -> Bytes {
    let mut lines = BytesMut::new();
    let stored = |frame: &&Frame| matches!(frame.kind, Kind::State | Kind::Out(_));
    for frame in frames.iter().filter(stored) {
        let begin = lines.len();
        lines.put_slice(&frame.payload);
        for byte in &mut lines[begin..] {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        lines.put_u8(b'\n');
    }
    lines.freeze()
}
