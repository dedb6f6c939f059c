use std::collections::BTreeMap;

use proptest::prelude::*;

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

    fn state(&mut self) {
        let body = json!({ "change": self.sequence });
        self.show(Track::State, Kind::State, &body);
    }

    fn say(&mut self, index: usize, attempt: u64, lost: bool, body: Value) {
        let variation = Variation::at(index).unwrap();
        let n = self.next.entry((index, attempt)).or_default();
        *n += u64::from(lost);
        let mut event = json!({ "attempt": attempt, "n": *n, "ts": 1000 + self.sequence });
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
    let other = ("finish|text-end|unheard-of", "[ab]")
        .prop_map(|(kind, id)| json!({ "type": kind, "id": id }));
    let body = prop_oneof![8 => delta, 2 => input, 1 => other];
    let out = (0..3usize, 1..3u64, prop::bool::weighted(0.05), body).prop_map(Some);
    let step = prop_oneof![12 => out, 1 => Just(None)];
    prop::collection::vec(step, 0..80).prop_map(|steps| {
        let mut replay = Replay::default();
        replay.state();
        for step in steps {
            match step {
                Some((index, attempt, lost, body)) => replay.say(index, attempt, lost, body),
                None => replay.state(),
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
    ) {
        let mut snapshot = Snapshot::default();
        snapshot.extend(replay.frames.clone());
        let frames = snapshot.frames(&run());
        let (reads, states, _) = read(&replay.frames);
        let (snapped, kept, _) = read(&frames);
        prop_assert_eq!(&snapped, &reads);
        prop_assert_eq!(kept.first(), states.first());
        prop_assert_eq!(kept.last(), states.last());
        prop_assert!(kept.len() <= 2);
        prop_assert_eq!(frames.last().map(|frame| frame.position), replay.position);
        // Each variation is one event, and whoever goes on behind any of them has missed nothing.
        let of = |kind: Kind| frames.iter().filter(|frame| frame.kind == kind).count();
        for variation in Variation::first(Variation::MAX) {
            prop_assert!(of(Kind::Snapshot(variation)) <= 1);
        }
        let upto = cut.index(frames.len());
        let at = frames[upto].position.shown;
        let rest = replay.frames.iter().filter(|frame| match frame.kind {
            Kind::Out(variation) => {
                frame.position.shown.get(Track::Out(variation)) > at.get(Track::Out(variation))
            }
            _ => false,
        });
        let (resumed, ..) = read(frames[..=upto].iter().chain(rest));
        prop_assert_eq!(&resumed, &reads);
    }
}

fn text(n: u64, delta: &str) -> Event {
    let event = json!({ "type": "text-delta", "id": "t", "attempt": 1, "n": n, "ts": 10 + n, "delta": delta });
    event.as_object().unwrap().clone()
}

#[test]
fn a_joined_delta_says_where_it_begins_and_where_it_ends() {
    let mut last = text(3, "a");
    for (n, delta) in [(4, "b"), (5, "c")] {
        assert!(joined(&mut last, &text(n, delta)));
    }
    let event = json!({
        "type": "text-delta", "id": "t", "attempt": 1, "n": 5, "ts": 15, "delta": "abc",
        "first": { "n": 3, "ts": 13 },
    });
    assert_eq!(Value::Object(last), event);
}

#[test]
fn what_does_not_follow_is_not_joined() {
    let mut last = text(3, "a");
    assert!(!joined(&mut last, &text(5, "b")), "4 is missing");
    let mut other = text(4, "b");
    other.insert("id".to_owned(), json!("u"));
    assert!(!joined(&mut last, &other));
    assert_eq!(last, text(3, "a"));
}

#[test]
fn what_is_missing_is_told_first_and_nothing_is_shown_of_nothing() {
    assert_eq!(Snapshot::default().frames(&run()), []);
    let mut replay = Replay::default();
    replay.state();
    let gap = Frame::gap("gone", Variation::at(0), replay.position.unwrap());
    replay.frames.push(gap);
    replay.say(0, 1, true, json!({ "type": "start" }));
    let mut snapshot = Snapshot::default();
    snapshot.extend(replay.frames);
    let frames = snapshot.frames(&run());
    let kinds: Vec<_> = frames.iter().map(|frame| frame.kind).collect();
    let first = Variation::at(0).unwrap();
    assert_eq!(kinds, [Kind::Gap, Kind::State, Kind::Snapshot(first)]);
    assert_eq!(frames[0].position, Position::origin(7));
}
