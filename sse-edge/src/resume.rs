//! Where a viewer goes on. All pure.

use std::str::FromStr;

use aideator_contract::{Status, Summary};
use http::HeaderMap;

use crate::hub::Stream;
use crate::position::{Malformed, Position, Track};

/// What a viewer asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Where it was; `None` where it was shown nothing.
    pub position: Option<Position>,
    /// Where it has to begin at the beginning: in few events, by a
    /// [`Snapshot`](crate::hub::snapshot::Snapshot).
    pub snapshot: bool,
}

/// The `Last-Event-ID` of a request; empty if it has none. What is no text, or more than one id, makes a
/// text that is no position: who was shown something is never taken for somebody new.
#[must_use]
pub fn last_event_id(headers: &HeaderMap) -> String {
    let ids = headers.get_all("last-event-id").iter();
    let ids = ids.map(|id| String::from_utf8_lossy(id.as_bytes()));
    let given: Vec<_> = ids.filter(|id| !id.trim().is_empty()).collect();
    given.join(", ")
}

/// The position (in one run or several) a viewer asks for: the `Last-Event-ID` header, else the query's.
///
/// # Errors
/// The text is no position.
pub fn position<P: FromStr<Err = Malformed>>(
    header: Option<&str>,
    query: Option<&str>,
) -> Result<Option<P>, Malformed> {
    let given = [header, query].into_iter().flatten();
    match given.map(str::trim).find(|text| !text.is_empty()) {
        Some(text) => text.parse().map(Some),
        None => Ok(None),
    }
}

/// What a viewer is told that was shown more than the stream holds.
pub const LOST_END: &str =
    "the stream has lost its end; what is kept of the run follows from its beginning";

/// Where a viewer begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// There.
    At(Position),
    /// There, once this edge knows of it: another one may have heard more. If the stream's leader never
    /// does, the stream has lost its end.
    Ahead(Position),
    /// At the beginning, after it was told why: what it has seen is not what this stream holds.
    Lost(&'static str),
}

/// Where a viewer that asks for `wanted` begins in `stream`.
#[must_use]
pub fn start_at(wanted: Option<Position>, stream: Stream) -> Start {
    match wanted {
        None => Start::At(Position::origin(stream.epoch)),
        Some(position) if position.epoch != stream.epoch => Start::Lost(
            "the stream was made anew; what is kept of the run follows from its beginning",
        ),
        Some(position) if position.shown.largest() > stream.last => Start::Ahead(position),
        Some(position) => Start::At(position),
    }
}

/// Whether a viewer at `position` has been shown a run all of which is over, while the last entry of
/// the state log is `summary` at `sequence`. The end of every output was shown before that entry.
#[must_use]
pub fn covers_end(position: &Position, epoch: u64, sequence: u64, summary: &Summary) -> bool {
    position.epoch == epoch
        && position.shown.get(Track::State) == sequence
        && matches!(summary.status, Status::Finished | Status::Rejected)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u64, sequence: u64) -> Position {
        let mut position = Position::origin(epoch);
        position.shown.set(Track::State, sequence);
        position
    }

    #[test]
    fn the_header_beats_the_query() {
        let (header, query) = (at(1, 5).to_string(), at(1, 7).to_string());
        assert_eq!(position(Some(&header), Some(&query)), Ok(Some(at(1, 5))));
        assert_eq!(position(None, Some(&query)), Ok(Some(at(1, 7))));
        assert_eq!(position(Some(""), Some(&query)), Ok(Some(at(1, 7))));
        assert_eq!(position::<Position>(None, None), Ok(None));
        let nonsense = position::<Position>(Some("nonsense"), Some(&query));
        assert_eq!(nonsense, Err(Malformed));
    }

    #[test]
    fn a_foreign_epoch_is_a_gap_and_more_than_is_known_here_is_not_yet() {
        let stream = Stream { epoch: 1, last: 9 };
        assert_eq!(start_at(None, stream), Start::At(at(1, 0)));
        assert_eq!(start_at(Some(at(1, 9)), stream), Start::At(at(1, 9)));
        assert!(matches!(start_at(Some(at(2, 9)), stream), Start::Lost(_)));
        assert_eq!(start_at(Some(at(1, 10)), stream), Start::Ahead(at(1, 10)));
    }
}
