use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::corpus::{corpus, spoil};
use crate::position::Track;

fn shown(run: &str, id: &str) -> Shown {
    Shown {
        run: run.parse().unwrap(),
        id: id.to_owned(),
        over: false,
    }
}

fn position() -> impl Strategy<Value = Position> {
    (any::<u64>(), prop::collection::vec(any::<u32>(), 6)).prop_map(|(epoch, sequences)| {
        let mut position = Position::origin(epoch);
        for (track, sequence) in Track::all().zip(sequences) {
            position.shown.set(track, sequence.into());
        }
        position
    })
}

#[test]
fn every_id_holds_the_place_in_all_runs() {
    let mut runs = [shown("a", ""), shown("b", "5.9"), shown("c", "")];
    let chunk =
        b"event: state\nid: 5.1\ndata: {\"run\":\"a\"}\n\nid: 5.2\ndata: {\"run\":\"a\"}\n\n";
    assert_eq!(
        readdress(&mut runs, 0, chunk),
        "event: state\nid: a:5.1,b:5.9\ndata: {\"run\":\"a\"}\n\n\
         id: a:5.2,b:5.9\ndata: {\"run\":\"a\"}\n\n"
    );
    assert_eq!(
        readdress(&mut runs, 2, b"id: 5.4\ndata: 1\n\n: ping\n\n"),
        "id: a:5.2,b:5.9,c:5.4\ndata: 1\n\n: ping\n\n"
    );
}

#[test]
fn what_is_told_about_a_stream_names_its_run_once() {
    let mut runs = [shown("a", "")];
    let caught_up = b"event: caught-up\nid: 5.1\ndata: {}\n\n";
    assert_eq!(
        readdress(&mut runs, 0, caught_up),
        "event: caught-up\nid: a:5.1\ndata: {\"run_id\":\"a\"}\n\n"
    );
    let error = b"event: error\ndata: {\"status\":404}\n\n";
    assert_eq!(
        readdress(&mut runs, 0, error),
        "event: error\ndata: {\"run_id\":\"a\",\"status\":404}\n\n"
    );
    let end = b"event: end\nid: 5.2\ndata: {\"run_id\":\"a\"}\n\nid: 5.3\ndata: {\"n\":0}\n\n";
    assert_eq!(
        readdress(&mut runs, 0, end),
        "event: end\nid: a:5.2\ndata: {\"run_id\":\"a\"}\n\nid: a:5.3\ndata: {\"n\":0}\n\n"
    );
}

#[test]
fn only_the_last_word_of_a_run_ends_it() {
    for (word, ends) in [
        ("end", true),
        ("error", true),
        ("slow", false),
        ("gap", false),
    ] {
        let mut runs = [shown("a", ""), shown("b", "")];
        let chunk = format!("event: {word}\ndata: {{}}\n\n");
        readdress(&mut runs, 1, chunk.as_bytes());
        assert_eq!((runs[0].over, runs[1].over), (false, ends), "{word}");
    }
}

proptest! {
    #[test]
    fn an_id_reads_back(all in prop::collection::btree_map("[a-z0-9]{1,8}", position(), 1..RUNS)) {
        let runs: Vec<_> = all
            .iter()
            .map(|(run, position)| shown(run, &position.to_string()))
            .collect();
        let mut line = BytesMut::new();
        put_id(&mut line, &runs);
        let text = std::str::from_utf8(&line).unwrap();
        let id = text.strip_prefix("id: ").unwrap().trim_end();
        let read: Positions = id.parse().unwrap();
        for (run, position) in &all {
            prop_assert_eq!(read.get(&run.parse().unwrap()), Some(*position));
        }
        prop_assert_eq!(read.0.len(), all.len());
    }

    #[test]
    fn any_text_is_an_id_or_refused(text in "[a-z0-9:.,~ -]{0,40}|\\PC{0,40}") {
        is_ours_or_refused(&text)?;
    }

    #[test]
    fn a_spoilt_id_is_another_one_or_none(
        known: prop::sample::Index, at: prop::sample::Index, byte: u8, how: u8
    ) {
        let mut text = known.get(&CORPUS).1.clone();
        spoil(&mut text, at, byte, how);
        is_ours_or_refused(&String::from_utf8_lossy(&text))?;
    }
}

/// Each part of an id is a run and its position as they are written, and no run stands there twice.
fn is_ours_or_refused(text: &str) -> Result<(), TestCaseError> {
    let Ok(positions) = text.parse::<Positions>() else {
        return Ok(());
    };
    let parts = positions.0.iter();
    let mut again: Vec<_> = parts
        .map(|(run, position)| format!("{run}:{position}"))
        .collect();
    let mut parts: Vec<_> = text.split(',').collect();
    parts.sort_unstable();
    again.sort_unstable();
    prop_assert_eq!(again, parts);
    Ok(())
}

static CORPUS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| corpus("multiplexed-ids"));

#[test]
fn a_known_id_is_what_its_name_says() {
    for (name, text) in &*CORPUS {
        let text = String::from_utf8_lossy(text);
        is_ours_or_refused(&text).unwrap();
        let is_good = name.starts_with("good-");
        assert_eq!(text.parse::<Positions>().is_ok(), is_good, "{name}");
    }
}
