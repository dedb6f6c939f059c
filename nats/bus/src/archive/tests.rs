//! What goes in comes out, wherever one begins; what is damaged is refused.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use proptest::prelude::*;

use super::*;

fn subject(track: u8) -> String {
    match track {
        0 => "aideator.runs.r.state".to_owned(),
        track => format!("aideator.runs.r.{}.out", track - 1),
    }
}

fn stored(sequence: u64, track: u8, payload: impl Into<Bytes>) -> Stored {
    Stored {
        subject: subject(track),
        sequence,
        ts: 1_700_000_000_000 + sequence,
        payload: payload.into(),
        msg_id: None,
    }
}

fn any_messages() -> impl Strategy<Value = Vec<Stored>> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "[ -~]{0,40}".prop_map(String::into_bytes),
        "[\\PC\n\"]{0,40}".prop_map(|text| serde_json::to_vec(&text).unwrap()),
        Just(br#" {"spaces": "around"} "#.to_vec()),
        Just(b"{\n\"a\": 1}".to_vec()),
    ];
    let message = (1u64..50, 0u8..6, payload);
    prop::collection::vec(message, 0..3000).prop_map(|messages| {
        let mut sequence = 0;
        let place = |(step, track, payload): (u64, u8, Vec<u8>)| {
            sequence += step;
            stored(sequence, track, payload)
        };
        messages.into_iter().map(place).collect()
    })
}

fn archived(messages: &[Stored]) -> Archive {
    let mut archiver = Archiver::new(7);
    for message in messages {
        archiver.push(message);
    }
    let archive = archiver.finish();
    Archive::open(&archive.metadata(), archive.content()).unwrap()
}

/// Reads all from `from` on.
fn read(archive: &Archive, subject: Option<&str>, from: u64) -> Vec<Stored> {
    let (mut all, mut from) = (Vec::new(), from);
    loop {
        let page = archive.page(subject, from).unwrap();
        all.extend(page.messages);
        if page.pending == 0 {
            return all;
        }
        assert!(page.next > from);
        from = page.next;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn all_that_went_in_is_read_from_any_place(messages in any_messages(), from in 0u64..80_000, track in 0u8..6) {
        let archive = archived(&messages);
        let last = messages.last().map_or(0, |m| m.sequence);
        prop_assert_eq!(archive.reach(), Reach { epoch: 7, last });
        let from = from % (last + 2);
        let behind = |subject: Option<&str>| -> Vec<Stored> {
            let wanted = |m: &&Stored| m.sequence >= from && subject.is_none_or(|s| m.subject == s);
            messages.iter().filter(wanted).cloned().collect()
        };
        prop_assert_eq!(read(&archive, None, from), behind(None));
        let subject = subject(track);
        prop_assert_eq!(read(&archive, Some(&subject), from), behind(Some(&subject)));
        let tail = messages.iter().rfind(|m| m.subject == subject).map_or(0, |m| m.sequence);
        prop_assert_eq!(archive.last_of(&subject), tail);
    }

    #[test]
    fn a_damaged_archive_is_refused_and_never_read_wrongly(
        messages in any_messages(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let whole = archived(&messages);
        let mut content = whole.content().to_vec();
        prop_assume!(!content.is_empty());
        let at = at.index(content.len());
        if cut { content.truncate(at) } else { content[at] = byte }
        let Ok(damaged) = Archive::open(&whole.metadata(), content.into()) else { return Ok(()) };
        let mut from = 1;
        while let Ok(page) = damaged.page(None, from) {
            for read in &page.messages {
                prop_assert!(messages.contains(read));
            }
            if page.pending == 0 { break }
            from = page.next;
        }
    }

    #[test]
    fn any_metadata_is_read_or_refused(
        members in "[\\[\\]0-9,]{0,60}", tails in "[{}\":0-9a-z,]{0,40}", last in "[0-9]{0,22}", length in 0usize..100,
    ) {
        let metadata = [("format", "1"), ("epoch", "1"), ("last", &last), ("tails", &tails), ("members", &members)];
        let metadata = metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        if let Ok(archive) = Archive::open(&metadata, vec![0; length].into()) {
            let _ = archive.page(None, 1);
        }
    }
}

#[test]
fn anybody_can_unpack_it() {
    let messages: Vec<Stored> = (1..=2500)
        .map(|n| stored(n, 1, format!(r#"{{"n":{n}}}"#)))
        .collect();
    let archive = archived(&messages);
    let mut text = String::new();
    MultiGzDecoder::new(&*archive.content())
        .read_to_string(&mut text)
        .unwrap();
    let first =
        r#"{"sequence":1,"subject":"aideator.runs.r.0.out","ts":1700000000001,"data":{"n":1}}"#;
    assert_eq!(text.lines().next(), Some(first));
    assert_eq!(text.lines().count(), 2500);
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let mut metadata = archived(&[]).metadata();
    metadata.insert("format".to_owned(), "2".to_owned());
    let refused = Archive::open(&metadata, Bytes::new()).unwrap_err();
    assert!(refused.to_string().contains("\"2\""), "{refused}");
}
