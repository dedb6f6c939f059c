use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn run() -> RunId {
    "r".parse().unwrap()
}

/// Stored messages of a run as a replay shows them, one after the other.
#[derive(Debug, Default)]
struct Replay {
    position: Option<Position>,
    sequence: u64,
    next: BTreeMap<(usize, u64), u64>,
    frames: Vec<Frame>,
}

impl Replay {
    fn show(&mut self, track: Track, kind: Kind, body: &Value) {
        self.sequence += 1;
        let mut position = self.position.unwrap_or(Position::origin(7));
        position.shown.set(track, self.sequence);
        self.position = Some(position);
        self.frames.push(Frame {
            kind,
            payload: Bytes::from(body.to_string()),
            ts: self.sequence,
            position,
        });
    }

    fn state(&mut self, change: &str) {
        let body = json!({ "change": { "type": change }, "at": self.sequence });
        self.show(Track::State, Kind::State, &body);
    }

    fn say(&mut self, index: usize, attempt: u64, lost: bool, body: Value) {
        let variation = Variation::at(index).unwrap();
        let n = self.next.entry((index, attempt)).or_default();
        *n += u64::from(lost);
        let mut event = json!({
            "v": 1, "run": "r", "variation": variation, "attempt": attempt,
            "n": *n, "ts": 1000 + self.sequence,
        });
        *n += 1;
        let Value::Object(more) = body else { panic!() };
        event.as_object_mut().unwrap().extend(more);
        self.show(Track::Out(variation), Kind::Out(variation), &event);
    }
}

/// What a reader makes of a variation's events: the text of every part, and everything else with how
/// much of each part was there before it.
#[derive(Debug, Default, PartialEq)]
struct Read {
    texts: BTreeMap<String, String>,
    others: Vec<(Value, Vec<usize>)>,
    /// The number and time of the first and last delta of what was said in one go.
    last: Option<(Value, Value)>,
}

impl Read {
    fn event(&mut self, event: &Event) {
        self.last = Some((event["n"].clone(), event["ts"].clone()));
        let delta = event.get("delta").or(event.get("inputTextDelta"));
        let Some(delta) = delta else {
            let lengths = self.texts.values().map(String::len).collect();
            self.others.push((Value::Object(event.clone()), lengths));
            return;
        };
        let id = event.get("id").or(event.get("toolCallId"));
        let part = format!("{} {} {id:?}", event["attempt"], event["type"]);
        let text = self.texts.entry(part).or_default();
        text.push_str(delta.as_str().unwrap());
    }
}

type Reads = [Read; Variation::MAX];
type Event = serde_json::Map<String, Value>;

/// What is shown in place of these frames, by a snapshot that gathers so many bytes of a variation.
fn snapshot(frames: &[Frame], most: usize) -> Vec<Frame> {
    let mut snapshot = Snapshot::new(run(), Position::origin(7));
    snapshot.most = most;
    let mut shown = Vec::new();
    for frames in frames.chunks(7) {
        shown.extend(snapshot.take(frames.to_vec()));
    }
    shown.extend(snapshot.finish());
    shown
}

fn read<'a>(frames: impl IntoIterator<Item = &'a Frame>) -> (Reads, Vec<Bytes>, Vec<Bytes>) {
    let (mut reads, mut states, mut gaps) = (Reads::default(), Vec::new(), Vec::new());
    for frame in frames {
        match frame.kind {
            Kind::State => states.push(frame.payload.clone()),
            Kind::Gap => gaps.push(frame.payload.clone()),
            Kind::Out(variation) => {
                let event = serde_json::from_slice(&frame.payload).unwrap();
                reads[variation.index()].event(&event);
            }
            Kind::Snapshot(variation) => {
                let data: Value = serde_json::from_slice(&frame.payload).unwrap();
                assert_eq!(data["run_id"], "r");
                assert_eq!(data["variation"], json!(variation));
                for event in data["events"].as_array().unwrap() {
                    reads[variation.index()].event(event.as_object().unwrap());
                }
            }
        }
    }
    (reads, states, gaps)
}

fn replayed() -> impl Strategy<Value = Replay> {
    let delta = ("text|reasoning", "[ab]", ".{0,3}").prop_map(
        |(kind, id, delta)| json!({ "type": format!("{kind}-delta"), "id": id, "delta": delta }),
    );
    let input = ("[ab]", ".{0,3}").prop_map(|(id, text)| {
        json!({ "type": "tool-input-delta", "toolCallId": id, "inputTextDelta": text })
    });
    let other = ("finish|text-end|unheard-of|text-delta", "[ab]").prop_map(
        |(kind, id)| json!({ "type": kind, "id": id, "more": {"b": [1e300], "a": u64::MAX} }),
    );
    let body = prop_oneof![8 => delta, 2 => input, 1 => other];
    let out = (0..3usize, 1..3u64, prop::bool::weighted(0.05), body).prop_map(Some);
    let step = prop_oneof![12 => out, 1 => Just(None)];
    prop::collection::vec(step, 0..80).prop_map(|steps| {
        let mut replay = Replay::default();
        for change in ["rejected", "accepted"] {
            replay.state(change);
        }
        for step in steps {
            match step {
                Some((index, attempt, lost, body)) => replay.say(index, attempt, lost, body),
                None => replay.state("moved"),
            }
        }
        replay
    })
}

proptest! {
    #[test]
    fn a_snapshot_tells_what_a_replay_tells(
        replay in replayed(),
        cut in any::<prop::sample::Index>(),
        most in prop_oneof![Just(MOST), 0..500usize],
    ) {
        let frames = snapshot(&replay.frames, most);
        let (reads, states, _) = read(&replay.frames);
        let (snapped, kept, _) = read(&frames);
        prop_assert_eq!(&snapped, &reads);
        // The acceptance and the last entry.
        prop_assert_eq!(kept.first(), states.get(1));
        prop_assert_eq!(kept.last(), states.last());
        prop_assert!(kept.len() <= 2);
        prop_assert_eq!(frames.last().map(|frame| frame.position), replay.position);
        // As a rule each variation is one event.
        let of = |kind: Kind| frames.iter().filter(|frame| frame.kind == kind).count();
        for variation in Variation::first(Variation::MAX).filter(|_| most == MOST) {
            prop_assert!(of(Kind::Snapshot(variation)) <= 1);
        }
        // Whoever goes on behind any of them as in a replay has missed nothing, the last state included.
        let upto = cut.index(frames.len());
        let at = frames[upto].position.shown;
        let rest = replay.frames.iter().filter(|frame| {
            let track = match frame.kind {
                Kind::Out(variation) => Track::Out(variation),
                _ => Track::State,
            };
            frame.position.shown.get(track) > at.get(track)
        });
        let (resumed, kept, _) = read(frames[..=upto].iter().chain(rest));
        prop_assert_eq!(&resumed, &reads);
        prop_assert_eq!(kept.last(), states.last());
    }

    #[test]
    fn what_is_no_plain_delta_stays_byte_for_byte(text in "\\PC{0,40}") {
        let odd = format!("{{\"n\":0, \"attempt\":1,\"type\":\"text-delta\",\"x\":{}}}", json!(text));
        let mut replay = Replay::default();
        replay.state("accepted");
        replay.say(0, 1, false, json!({ "type": "start" }));
        replay.frames[1].payload = Bytes::from(odd.clone());
        let frames = snapshot(&replay.frames, MOST);
        let payload = std::str::from_utf8(&frames[1].payload).unwrap();
        prop_assert_eq!(payload, format!("{{\"run_id\":\"r\",\"variation\":0,\"events\":[{odd}]}}"));
    }
}

fn delta(n: u64, id: &str, delta: &str) -> Delta {
    let event = json!({
        "type": "text-delta", "id": id, "v": 1, "run": "r", "variation": 0,
        "attempt": 1, "n": n, "ts": 10 + n % 100, "delta": delta,
    });
    Delta::read(event.to_string().as_bytes()).unwrap()
}

#[test]
fn a_joined_delta_says_where_it_begins_and_where_it_ends() {
    let mut last = delta(3, "t", "a");
    for (n, more) in [(4, "b"), (5, "c")] {
        assert!(last.join(&delta(n, "t", more)));
    }
    let event = json!({
        "type": "text-delta", "id": "t", "v": 1, "run": "r", "variation": 0,
        "attempt": 1, "n": 5, "ts": 15, "delta": "abc", "first": { "n": 3, "ts": 13 },
    });
    assert_eq!(
        serde_json::from_slice::<Value>(&last.write()).unwrap(),
        event
    );
}

#[test]
fn what_does_not_follow_is_not_joined() {
    let mut last = delta(3, "t", "a");
    assert!(!last.join(&delta(5, "t", "b")), "4 is missing");
    assert!(!last.join(&delta(4, "u", "b")), "another part");
    assert!(!delta(u64::MAX, "t", "a").join(&delta(0, "t", "b")));
    assert!(last.join(&delta(4, "t", "b")));
}

#[test]
fn what_is_missing_is_told_first_and_nothing_is_shown_of_nothing() {
    assert_eq!(snapshot(&[], MOST), []);
    let mut replay = Replay::default();
    replay.state("accepted");
    let gap = Frame::gap("gone", Variation::at(0), replay.position.unwrap());
    replay.frames.push(gap);
    replay.say(0, 1, true, json!({ "type": "start" }));
    replay.state("moved");
    let frames = snapshot(&replay.frames, MOST);
    let kinds: Vec<_> = frames.iter().map(|frame| frame.kind).collect();
    let first = Variation::at(0).unwrap();
    let expected = [Kind::State, Kind::Gap, Kind::Snapshot(first), Kind::State];
    assert_eq!(kinds, expected);
}

#[test]
fn an_end_is_told_behind_what_was_said_before_it() {
    let mut replay = Replay::default();
    replay.say(0, 1, false, json!({ "type": "start" }));
    // All that is kept of the state log.
    replay.state("moved");
    let frames = snapshot(&replay.frames, MOST);
    let first = Variation::at(0).unwrap();
    let kinds: Vec<_> = frames.iter().map(|frame| frame.kind).collect();
    assert_eq!(kinds, [Kind::Snapshot(first), Kind::State]);
}

#[test]
fn what_is_held_is_bounded() {
    let mut snapshot = Snapshot::new(run(), Position::origin(7));
    let (mut replay, mut shown) = (Replay::default(), 0);
    for n in 0..200 {
        let delta = "x".repeat(16 * 1024);
        replay.say(
            0,
            1,
            false,
            json!({ "type": "text-delta", "id": "t", "delta": delta }),
        );
        for frame in snapshot.take(replay.frames.pop()) {
            assert!(frame.payload.len() <= 2 * MOST, "{}", frame.payload.len());
            shown += frame.payload.len();
        }
        assert!((n + 1) * 16 * 1024 <= shown + 2 * MOST, "after {n}");
    }
    assert!(shown > MOST);
}
