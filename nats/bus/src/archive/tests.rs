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
    fn a_damaged_object_is_refused_or_read_as_it_was(
        messages in any_messages(), damage in prop::collection::vec(any_damage(), 1..3),
    ) {
        let whole = archived(&messages);
        let mut content = whole.content().to_vec();
        for damage in &damage {
            damage.happen_to(&mut content);
        }
        is_read_or_refused(&whole.metadata(), content.into(), &messages, false)?;
    }

    #[test]
    fn a_damaged_index_is_refused_or_reads_nothing_wrong(
        messages in any_messages(), entry in 0usize..5, damage in any_damage(), number: u64, at: prop::sample::Index,
        is_number: bool,
    ) {
        let whole = archived(&messages);
        let mut metadata = whole.metadata();
        let text = metadata.values_mut().nth(entry).unwrap();
        if is_number {
            let digits = |c: char| c.is_ascii_digit();
            let numbers: Vec<_> = text.split(|c| !digits(c)).filter(|n| !n.is_empty()).collect();
            let at = at.get(&[numbers, vec!["0"]].concat()).to_string();
            *text = text.replacen(&at, &(number >> (number % 64)).to_string(), 1);
        } else {
            let mut bytes = text.clone().into_bytes();
            damage.happen_to(&mut bytes);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        is_read_or_refused(&metadata, whole.content(), &messages, true)?;
    }

    #[test]
    fn any_metadata_is_read_or_refused(
        members in "[\\[\\]0-9,]{0,60}", tails in "[{}\":0-9a-z,]{0,40}", last in "[0-9]{0,22}", length in 0usize..100,
    ) {
        let metadata = [("format", "1"), ("epoch", "1"), ("last", &last), ("tails", &tails), ("members", &members)];
        let metadata = metadata.map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        is_read_or_refused(&metadata, vec![0; length].into(), &[], true)?;
    }
}

/// What may happen to bytes.
#[derive(Debug, Clone)]
enum Damage {
    Cut(prop::sample::Index),
    Flip(prop::sample::Index, u8),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index),
}

fn any_damage() -> impl Strategy<Value = Damage> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        at().prop_map(Damage::Cut),
        (at(), 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, new)| Damage::Insert(at, new)),
        (at(), 1usize..40).prop_map(|(at, count)| Damage::Remove(at, count)),
        at().prop_map(Damage::Repeat),
    ]
}

impl Damage {
    fn happen_to(&self, bytes: &mut Vec<u8>) {
        let length = bytes.len();
        let place = |at: &prop::sample::Index| at.index(length + 1);
        match self {
            Self::Cut(at) => bytes.truncate(place(at)),
            Self::Flip(at, bit) if length > 0 => bytes[at.index(length)] ^= 1 << bit,
            Self::Flip(..) => {}
            Self::Insert(at, new) => drop(bytes.splice(place(at)..place(at), new.clone())),
            Self::Remove(at, count) => {
                let end = length.min(place(at) + count);
                drop(bytes.drain(place(at)..end));
            }
            Self::Repeat(at) => bytes.extend_from_within(place(at)..),
        }
    }
}

/// Reads an archive that was made of `truth`, all of it and each subject, from the beginning and from
/// the middle: whatever is read is what was there, in order, and what is missing is an error. Where the
/// index is damaged, something may be left out; all of it read from the beginning is whole or an error.
fn is_read_or_refused(
    metadata: &BTreeMap<String, String>,
    content: Bytes,
    truth: &[Stored],
    may_be_short: bool,
) -> Result<(), TestCaseError> {
    let Ok(archive) = Archive::open(metadata, content) else {
        return Ok(());
    };
    let middle = truth.get(truth.len() / 2).map_or(7, |m| m.sequence);
    for from in [0, 1, middle, u64::MAX] {
        for subject in std::iter::once(None).chain((0..6).map(subject).map(Some)) {
            let subject = subject.as_deref();
            let wanted = |m: &&Stored| m.sequence >= from && subject.is_none_or(|s| m.subject == s);
            let mut wanted = truth.iter().filter(wanted);
            let mut next = from;
            while let Ok(page) = archive.page(subject, next) {
                for message in &page.messages {
                    let next = wanted.find(|wanted| !may_be_short || *wanted == message);
                    prop_assert_eq!(Some(message), next);
                }
                if page.pending == 0 {
                    let left_out = wanted.next();
                    let from_the_beginning = subject.is_none() && from <= 1;
                    let short = may_be_short && !from_the_beginning;
                    prop_assert!(left_out.is_none() || short, "{left_out:?}");
                    break;
                }
                prop_assert!(page.next > next);
                next = page.next;
            }
        }
    }
    Ok(())
}

/// Objects and their metadata, by name.
fn corpus() -> Vec<(String, BTreeMap<String, String>, Bytes)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus/archive");
    let files = std::fs::read_dir(folder).unwrap();
    let objects = files.filter_map(|file| {
        let object = file.unwrap().path();
        let name = object
            .file_name()?
            .to_str()?
            .strip_suffix(".gz")?
            .to_owned();
        let metadata = std::fs::read(object.with_extension("json")).unwrap();
        let content = std::fs::read(&object).unwrap();
        Some((
            name,
            serde_json::from_slice(&metadata).unwrap(),
            content.into(),
        ))
    });
    objects.collect()
}

#[test]
fn a_known_object_is_what_its_name_says() {
    let objects = corpus();
    let is_whole = |(name, ..): &&(String, _, _)| name == "good-whole";
    let (_, metadata, whole) = objects.iter().find(is_whole).unwrap();
    let truth = read(&Archive::open(metadata, whole.clone()).unwrap(), None, 0);
    assert_eq!(truth.len(), 9);
    for (name, metadata, content) in &objects {
        let all = || {
            let archive = Archive::open(metadata, content.clone())?;
            let mut page = archive.page(None, 0)?;
            while page.pending > 0 {
                page = archive.page(None, page.next)?;
            }
            Ok::<_, Damaged>(())
        };
        let read = all();
        assert_eq!(read.is_ok(), name.starts_with("good-"), "{name}: {read:?}");
        if content == whole {
            is_read_or_refused(metadata, content.clone(), &truth, true).unwrap();
        }
    }
}

#[test]
fn an_archive_is_of_one_run() {
    let whole = archived(&[stored(1, 0, "1"), stored(2, 1, "2")]);
    assert!(whole.is_of(&"r".parse().unwrap()));
    assert!(!whole.is_of(&"x".parse().unwrap()));
    let other = Stored {
        subject: "somewhere.else".to_owned(),
        ..stored(3, 1, "3")
    };
    assert!(!archived(&[stored(1, 0, "1"), other]).is_of(&"r".parse().unwrap()));
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
fn a_page_is_one_member_and_begins_where_it_is_asked_for() {
    let messages: Vec<Stored> = (1..=2500).map(|n| stored(2 * n, 1, "1")).collect();
    let archive = archived(&messages);
    let numbers = |from| {
        let page = archive.page(None, from).unwrap();
        let ends = [page.messages.first(), page.messages.last()];
        (
            ends.map(|stored| stored.unwrap().sequence),
            page.next,
            page.pending,
        )
    };
    assert_eq!(numbers(0), ([2, 2048], 2049, 1));
    assert_eq!(numbers(2047), ([2048, 2048], 2049, 1));
    assert_eq!(numbers(2048), ([2048, 2048], 2049, 1));
    assert_eq!(numbers(2049), ([2050, 4096], 4097, 1));
    assert_eq!(numbers(4098), ([4098, 5000], 5001, 0));
    // Large messages fill one earlier.
    let large: Vec<Stored> = (1..=5).map(|n| stored(n, 1, vec![0xff; 100_000])).collect();
    let page = archived(&large).page(None, 0).unwrap();
    assert_eq!((page.messages.len(), page.pending), (2, 1));
}

#[test]
fn what_is_archived_already_is_left_out() {
    let messages: Vec<Stored> = (1..=5).map(|n| stored(n, 1, n.to_string())).collect();
    let mut archiver = Archiver::behind(archived(&messages[..3]));
    for message in messages.iter().chain(&messages) {
        archiver.push(message);
    }
    let archive = archiver.finish();
    let archive = Archive::open(&archive.metadata(), archive.content()).unwrap();
    assert_eq!(read(&archive, None, 0), messages);
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let mut metadata = archived(&[]).metadata();
    metadata.insert("format".to_owned(), "2".to_owned());
    let refused = Archive::open(&metadata, Bytes::new()).unwrap_err();
    assert!(refused.to_string().contains("\"2\""), "{refused}");
}
