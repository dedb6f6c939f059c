//! Whatever a client says where it was: it is refused, or it is a place, and only who says nothing is
//! new.

use http::{HeaderValue, Request, Uri};
use proptest::prelude::*;

use super::*;
use crate::corpus::{corpus, spoil};
use crate::hub::Stream;
use crate::resume::{Start, start_at};

const STREAM: Stream = Stream { epoch: 1, last: 9 };

/// The requests that can say this.
fn requests(value: &[u8]) -> Vec<Parts> {
    let encoded: String = value.iter().map(|byte| format!("%{byte:02x}")).collect();
    let at = |query: String| format!("/api/v1/runs/r/stream{query}");
    let of = |uri: String, header: Option<HeaderValue>| {
        // The longest addresses are none.
        let (mut head, ()) = Request::new(()).into_parts();
        head.uri = uri.parse::<Uri>().ok()?;
        head.headers
            .extend(header.map(|value| (LAST_EVENT_ID, value)));
        Some(head)
    };
    let header = HeaderValue::from_bytes(value).ok();
    let heads = [
        header
            .clone()
            .and_then(|header| of(at(String::new()), Some(header))),
        header.and_then(|header| of(at("?lastEventId=&x=1".into()), Some(header))),
        of(at(format!("?last_event_id={encoded}")), None),
        of(
            at(format!("?lastEventId={encoded}")),
            Some(HeaderValue::from_static("")),
        ),
    ];
    heads.into_iter().flatten().collect()
}

fn wanted(head: &Parts) -> Result<Option<Position>, Problem> {
    asked(head).map(|(position, _)| position)
}

const LAST_EVENT_ID: http::HeaderName = http::HeaderName::from_static("last-event-id");

/// Checks what comes of a value; `None` if nothing can be asked for with it.
fn comes_to(value: &[u8]) -> Result<Option<Start>, TestCaseError> {
    let said = String::from_utf8_lossy(value);
    let said = said.trim();
    let mut place = None;
    for head in requests(value) {
        let start = match wanted(&head) {
            Err(problem) => {
                prop_assert_eq!(problem.status(), StatusCode::BAD_REQUEST);
                None
            }
            Ok(None) => {
                prop_assert!(said.is_empty(), "{:?} is taken for nothing", said);
                Some(start_at(None, STREAM))
            }
            Ok(Some(position)) => {
                prop_assert_eq!(position.to_string(), said);
                Some(start_at(Some(position), STREAM))
            }
        };
        // At the beginning without a word is only who was shown nothing of this stream.
        if start == Some(Start::At(Position::origin(STREAM.epoch))) {
            prop_assert!(said.is_empty() || said == "1.0", "{said:?}");
        }
        place = start;
    }
    Ok(place)
}

#[test]
fn a_known_value_comes_to_what_its_name_says() {
    for (name, value) in corpus("last-event-id") {
        let start = comes_to(&value).unwrap();
        let fits = match name.split_once('-').map_or(name.as_str(), |(kind, _)| kind) {
            "none" => start == Some(Start::At(Position::origin(1))),
            "good" => start.is_some(),
            _ => start.is_none(),
        };
        assert!(fits, "{name}: {start:?}");
    }
}

#[test]
fn two_ids_are_none_and_an_empty_one_hides_no_other() {
    let ask = |ids: &[&'static str]| {
        let (mut head, ()) = Request::new(()).into_parts();
        for id in ids {
            head.headers
                .append(LAST_EVENT_ID, HeaderValue::from_static(id));
        }
        wanted(&head).map_err(|problem| problem.status())
    };
    assert_eq!(ask(&["", "1.5.0"]), Ok("1.5.0".parse().ok()));
    assert_eq!(ask(&["1.5.0", "1.6.0"]), Err(StatusCode::BAD_REQUEST));
    assert_eq!(ask(&["", " "]), Ok(None));
}

proptest! {
    #[test]
    fn any_value_comes_to_something(value in prop::collection::vec(any::<u8>(), 0..60)) {
        comes_to(&value)?;
    }

    #[test]
    fn a_spoilt_id_comes_to_something(
        epoch in 0u64..4, tracks in prop::array::uniform6(0u64..20),
        at: prop::sample::Index, byte: u8, how: u8,
    ) {
        let mut position = Position::origin(epoch);
        for (track, sequence) in crate::position::Track::all().zip(tracks) {
            position.shown.set(track, sequence);
        }
        let mut value = position.to_string().into_bytes();
        let start = comes_to(&value)?;
        let expected = Some(start_at(Some(position), STREAM));
        prop_assert_eq!(start, expected);
        spoil(&mut value, at, byte, how);
        comes_to(&value)?;
    }

    #[test]
    fn any_query_is_read_or_refused(query in "[ -~&&[^#]]{0,80}") {
        let (mut head, ()) = Request::new(()).into_parts();
        if let Ok(uri) = format!("/stream?{query}").parse() {
            head.uri = uri;
            if let Ok(wanted) = wanted(&head) {
                let says_something = wanted.is_some();
                let names = ["last_event_id=", "lastEventId="];
                prop_assert!(!says_something || names.iter().any(|name| query.contains(name)) || query.contains('%'));
            }
        }
    }
}
