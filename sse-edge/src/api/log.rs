//! A run's log: what it has said up to a place, one JSON object a line, in the order viewers see it.
//!
//! Up to a place it never changes, so the place is its strong entity tag (RFC 9110): it can be kept
//! for ever, asked for in parts, and asked whether it has grown.

use std::convert::Infallible;
use std::ops::RangeInclusive;

use aideator_contract::{Code, Reason, RunId};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::{BufMut as _, Bytes, BytesMut};
use futures::{Stream, StreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use http_range_header::parse_range_header;
use serde::Deserialize;

use super::{App, run_id};
use crate::hub::frame::{Frame, Kind};
use crate::hub::{Past, Source};
use crate::position::{Position, Track};
use crate::problem::Problem;

const GROWS: &str = "no-cache";
const FOR_EVER: &str = "private, max-age=31536000, immutable";

/// Which part of the log is asked for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Part {
    to: Option<String>,
}

/// A run's log up to a place, or up to now.
pub(super) async fn log(
    State(app): State<App>,
    Path(run): Path<String>,
    Query(part): Query<Part>,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let run = run_id(&run)?;
    let source = app.hubs.source(&run);
    let end = end(&source, &run, part.to.as_deref()).await?;
    let tag = format!("\"{end}\"");
    let caching = if part.to.is_some() { FOR_EVER } else { GROWS };
    let about = [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, caching),
        (header::ACCEPT_RANGES, "bytes"),
        (header::CONTENT_TYPE, "application/x-ndjson"),
    ];
    if names(&asked, header::IF_NONE_MATCH, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, about).into_response());
    }
    let same = !asked.contains_key(header::IF_RANGE) || names(&asked, header::IF_RANGE, &tag);
    let range = asked
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok());
    let Some(range) = range.filter(|_| same) else {
        let all = lines(&source, end).map(Ok::<_, Infallible>);
        return Ok((about, Body::from_stream(all)).into_response());
    };
    let length = lines(&source, end)
        .fold(0, |sum, chunk| async move { sum + chunk.len() as u64 })
        .await;
    Ok(match wanted(range, length) {
        Wanted::Whole => {
            let all = lines(&source, end).map(Ok::<_, Infallible>);
            (about, Body::from_stream(all)).into_response()
        }
        Wanted::Part(part) => {
            let range = format!("bytes {}-{}/{length}", part.start(), part.end());
            let size = part.end() - part.start() + 1;
            let more = [
                (header::CONTENT_RANGE, range),
                (header::CONTENT_LENGTH, size.to_string()),
            ];
            let body = cut(lines(&source, end), part).map(Ok::<_, Infallible>);
            let body = Body::from_stream(body);
            (StatusCode::PARTIAL_CONTENT, about, more, body).into_response()
        }
        Wanted::Nothing => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
            (StatusCode::RANGE_NOT_SATISFIABLE, range).into_response()
        }
    })
}

/// Up to where the log goes: to the place that is asked for, else to the end there is now.
async fn end(source: &Source, run: &RunId, to: Option<&str>) -> Result<Position, Problem> {
    let stream = source.stream().await?;
    let tails = source.tails().await?;
    if tails.get(Track::State) == 0 {
        return Err(Problem::unknown_run(run));
    }
    let now = Position {
        epoch: stream.epoch,
        shown: tails,
    };
    let Some(to) = to else {
        return Ok(now);
    };
    let to: Position = to.parse()?;
    if to.epoch != now.epoch || !now.shown.covers(&to.shown) {
        let words = "the run has no such place: it is of another stream, or not reached yet";
        return Err(Reason::new(Code::BadValue, words).into());
    }
    Ok(to)
}

/// The log up to `end`, in pieces.
fn lines(source: &Source, end: Position) -> impl Stream<Item = Bytes> + Send + use<> {
    let past = Past::new(source.apart(), Position::origin(end.epoch), end.shown);
    stream::unfold(past, |mut past| async move {
        let frames = past.next().await?;
        Some((written(&frames), past))
    })
}

/// A line for each stored message, and for each gap. A line break in JSON can only be white space
/// between tokens.
fn written(frames: &[Frame]) -> Bytes {
    let mut lines = BytesMut::new();
    for frame in frames {
        let begin = lines.len();
        if frame.kind == Kind::Gap {
            lines.put_slice(b"{\"gap\":");
        }
        lines.put_slice(&frame.payload);
        if frame.kind == Kind::Gap {
            lines.put_u8(b'}');
        }
        for byte in &mut lines[begin..] {
            if matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
        lines.put_u8(b'\n');
    }
    lines.freeze()
}

/// Whether a header names this entity tag, or any.
fn names(asked: &HeaderMap, header: header::HeaderName, tag: &str) -> bool {
    let values = asked.get_all(header).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| one.trim() == tag || one.trim() == "*")
}

#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// Also where several parts, or another unit, are asked for.
    Whole,
    Part(RangeInclusive<u64>),
    Nothing,
}

/// Which of `length` bytes a `Range` header asks for.
fn wanted(range: &str, length: u64) -> Wanted {
    let Ok(parsed) = parse_range_header(range) else {
        return Wanted::Whole;
    };
    match parsed.validate(length).as_deref() {
        Ok([part]) => Wanted::Part(part.clone()),
        Ok(_) => Wanted::Whole,
        Err(_) => Wanted::Nothing,
    }
}

/// These bytes of a body.
fn cut(
    body: impl Stream<Item = Bytes> + Send,
    part: RangeInclusive<u64>,
) -> impl Stream<Item = Bytes> + Send {
    let (mut at, end) = (0, part.end() + 1);
    let pieces = body.map(move |piece| {
        let begin = part.start().saturating_sub(at).min(piece.len() as u64);
        let stop = end.saturating_sub(at).min(piece.len() as u64);
        at += piece.len() as u64;
        let bytes = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        (piece.slice(bytes(begin)..bytes(stop.max(begin))), at >= end)
    });
    let mut over = false;
    pieces
        .take_while(move |(_, last)| {
            let goes_on = !std::mem::replace(&mut over, *last);
            std::future::ready(goes_on)
        })
        .map(|(piece, _)| piece)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_is_a_part_or_the_whole_or_nothing() {
        assert_eq!(wanted("bytes=0-9", 100), Wanted::Part(0..=9));
        assert_eq!(wanted("bytes=90-", 100), Wanted::Part(90..=99));
        assert_eq!(wanted("bytes=90-200", 100), Wanted::Part(90..=99));
        assert_eq!(wanted("bytes=-10", 100), Wanted::Part(90..=99));
        assert_eq!(wanted("bytes=0-1,5-6", 100), Wanted::Whole);
        assert_eq!(wanted("lines=0-1", 100), Wanted::Whole);
        assert_eq!(wanted("bytes=100-", 100), Wanted::Nothing);
    }

    proptest! {
        #[test]
        fn a_part_is_cut_out_wherever_the_pieces_end(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6), 1..20),
            a in any::<prop::sample::Index>(), b in any::<prop::sample::Index>(),
        ) {
            let whole = pieces.concat();
            prop_assume!(!whole.is_empty());
            let (a, b) = (a.index(whole.len()), b.index(whole.len()));
            let (a, b) = (a.min(b), a.max(b));
            let body = stream::iter(pieces.into_iter().map(Bytes::from));
            let part: Vec<Bytes> = futures::executor::block_on(cut(body, a as u64..=b as u64).collect());
            prop_assert_eq!(part.concat(), &whole[a..=b]);
        }
    }
}
