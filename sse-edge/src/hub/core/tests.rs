//! The merge against a model of the stream: messages lost, doubled and swapped on the way, lagging
//! replicas, failing reads, any order of answers.

use std::collections::VecDeque;

use bytes::Bytes;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::*;
use crate::hub::frame::Kind;
use crate::hub::message::{Head, Message};

/// A stream with one run in it, as its leader has it.
#[derive(Clone, Default)]
struct Log(Vec<(Message, u64)>);

impl Log {
    fn append(&mut self, rng: &mut StdRng, track: Track, body: &Value) -> u64 {
        // Other runs take sequences too.
        let last = self.0.last().map_or(0, |(message, _)| message.sequence);
        let sequence = last + rng.random_range(1..4);
        let payload = Bytes::from(body.to_string());
        let previous = self.tail(track, usize::MAX);
        let message = Message {
            track,
            sequence,
            ts: sequence,
            head: Head::read(track, &payload),
            payload,
        };
        assert_ne!(message.head, Head::Unreadable, "{body}");
        self.0.push((message, previous));
        sequence
    }

    fn tail(&self, track: Track, upto: usize) -> u64 {
        let seen = self.0.iter().take(upto);
        seen.filter(|(message, _)| message.track == track)
            .map(|(message, _)| message.sequence)
            .last()
            .unwrap_or(0)
    }

    /// A page as a replica answers it that has the first `upto` messages.
    fn page(&self, read: Read, upto: usize, limit: usize) -> Page {
        let (from, track) = match read {
            Read::All { from } => (from, None),
            Read::Track { track, from } => (from, Some(track)),
            Read::Tail(_) => unreachable!("a tail is no page"),
        };
        let matching: Vec<_> = self
            .0
            .iter()
            .take(upto)
            .map(|(message, _)| message)
            .filter(|m| m.sequence >= from && track.is_none_or(|track| track == m.track))
            .collect();
        let messages: Vec<_> = matching.iter().take(limit).map(|m| (*m).clone()).collect();
        Page {
            last: messages.last().map_or(0, |message| message.sequence),
            pending: (matching.len() - messages.len()) as u64,
            messages,
        }
    }

    /// What is to be shown of a track behind `after`: everything, once.
    fn expected(&self, track: Track, after: u64) -> Vec<u64> {
        let mut last = None;
        let mut shown = Vec::new();
        for (message, _) in self.0.iter().filter(|(message, _)| message.track == track) {
            if let Head::Out(head) = message.head {
                if last.is_some_and(|last| head <= last) {
                    continue;
                }
                last = Some(head);
            }
            if message.sequence > after {
                shown.push(message.sequence);
            }
        }
        shown
    }
}

/// The life of a run, message by message: attempts speak, end, are tried again; messages are stored
/// twice where an ack was lost.
fn life(rng: &mut StdRng) -> Log {
    let count = rng.random_range(1..=3);
    let mut log = Log::default();
    // (state, attempt, n, last of the attempt, end)
    let mut variations = vec![("queued", 1u32, 0u64, 0u64, None::<u64>); count];
    let state = |log: &mut Log,
                 rng: &mut StdRng,
                 kind: &str,
                 v: &[(&str, u32, u64, u64, Option<u64>)]| {
        let is_over = v.iter().all(|v| v.4.is_some());
        let all: Vec<_> = v
            .iter()
            .map(|v| json!({ "state": v.0, "attempt": v.1, "end": v.4 }))
            .collect();
        let status = if is_over { "finished" } else { "open" };
        let body = json!({ "change": { "type": kind }, "summary": { "status": status, "variations": all } });
        log.append(rng, Track::State, &body);
    };
    state(&mut log, rng, "accepted", &variations);
    let mut steps = rng.random_range(5..60);
    while steps > 0 || variations.iter().any(|v| v.4.is_none()) {
        steps -= i32::from(steps > 0);
        let at = rng.random_range(0..count);
        let v = &mut variations[at];
        let track = Track::Out(Variation::at(at).unwrap());
        match (v.4, rng.random_range(0..10)) {
            (None, 0..=6) if steps > 0 => {
                let body = json!({ "attempt": v.1, "n": v.2 });
                v.3 = log.append(rng, track, &body);
                if rng.random_bool(0.1) {
                    v.3 = log.append(rng, track, &body);
                }
                v.2 += 1;
            }
            (None, 7) if v.0 != "running" => {
                v.0 = "running";
                state(&mut log, rng, "moved", &variations);
            }
            (None, 8) | (None, 0..=6) => {
                (v.0, v.4) = ("failed", Some(v.3));
                state(&mut log, rng, "moved", &variations);
            }
            (Some(_), 9) if steps > 0 => {
                *v = ("queued", v.1 + 1, 0, 0, None);
                state(&mut log, rng, "moved", &variations);
            }
            _ => {}
        }
    }
    log
}

/// How much goes wrong.
#[derive(Clone, Copy)]
struct Weather {
    lost: f64,
    doubled: f64,
    swapped: f64,
    lagging: f64,
    failing: f64,
}

const CALM: Weather = Weather {
    lost: 0.0,
    doubled: 0.0,
    swapped: 0.0,
    lagging: 0.0,
    failing: 0.0,
};

struct Play<'a> {
    rng: StdRng,
    log: &'a Log,
    core: Core,
    now: u64,
    stored: usize,
    asked_at: usize,
    live: VecDeque<(Message, u64)>,
    reads: Vec<Read>,
    frames: Vec<Frame>,
}

impl<'a> Play<'a> {
    fn new(seed: u64, log: &'a Log, core: Core, stored: usize) -> Self {
        let mut play = Self {
            rng: StdRng::seed_from_u64(seed),
            log,
            core,
            now: 0,
            stored,
            asked_at: 0,
            live: VecDeque::new(),
            reads: Vec::new(),
            frames: Vec::new(),
        };
        play.step(Input::Tick);
        play
    }

    fn step(&mut self, input: Input) {
        let ended = self.core.ended().is_some();
        let Output { frames, reads } = self.core.step(input, self.now);
        assert!(
            ended || self.core.ended().is_none() || self.was_over(),
            "ended too early"
        );
        for frame in frames {
            self.check(&frame);
            self.frames.push(frame);
        }
        for read in &reads {
            assert!(!self.reads.contains(read), "{read:?} is asked twice");
        }
        self.reads.extend(reads);
    }

    /// What must hold of every frame when it is shown.
    fn check(&self, frame: &Frame) {
        let before = self.frames.last().map(|last| last.position.shown);
        let before = before.unwrap_or_default();
        for track in Track::all() {
            assert!(frame.position.shown.get(track) >= before.get(track));
        }
        assert_eq!(frame.position.to_string().parse(), Ok(frame.position));
        assert_ne!(frame.kind, Kind::Gap, "nothing was removed");
        let Head::State(knowledge) = Head::read(Track::State, &frame.payload) else {
            return;
        };
        for (variation, known) in Variation::first(5).zip(&knowledge.variations) {
            let shown = frame.position.shown.get(Track::Out(variation));
            let expected = self.log.expected(Track::Out(variation), shown);
            let first = expected.first().copied().unwrap_or(u64::MAX);
            assert!(
                known.bound().is_none_or(|end| first > end),
                "shown before its end"
            );
        }
    }

    /// One thing happens.
    fn happen(&mut self, weather: Weather) {
        match self.rng.random_range(0..10) {
            0..=2 if self.stored < self.log.0.len() => {
                let message = self.log.0[self.stored].clone();
                self.stored += 1;
                if self.rng.random_bool(1.0 - weather.lost) {
                    self.live.push_back(message.clone());
                    if self.rng.random_bool(weather.doubled) {
                        self.live.push_back(message);
                    }
                }
                if self.rng.random_bool(weather.swapped) {
                    self.live.make_contiguous().shuffle(&mut self.rng);
                }
            }
            3..=5 => {
                if let Some((message, previous)) = self.live.pop_front() {
                    self.step(Input::Live { message, previous });
                }
            }
            6..=8 if !self.reads.is_empty() => {
                let at = self.rng.random_range(0..self.reads.len());
                let read = self.reads.swap_remove(at);
                self.answer(read, weather);
            }
            9 if self.rng.random_bool(0.1) => {
                // The link is lost, and what is on it.
                self.live.clear();
                self.step(Input::Missed);
            }
            _ => {
                self.now += self.rng.random_range(0..400);
                self.step(Input::Tick);
            }
        }
    }

    fn answer(&mut self, read: Read, weather: Weather) {
        if self.rng.random_bool(weather.failing) {
            return self.step(Input::Failed(read));
        }
        if let Read::Tail(track) = read {
            let sequence = self.log.tail(track, self.stored);
            if track == Track::State {
                self.asked_at = self.stored;
            }
            return self.step(Input::Tail { track, sequence });
        }
        let lag = if self.rng.random_bool(weather.lagging) {
            self.rng.random_range(0..=self.stored.min(8))
        } else {
            0
        };
        let limit = self.rng.random_range(1..7);
        let page = self.log.page(read, self.stored - lag, limit);
        self.step(Input::Page { read, page });
    }

    /// The weather clears: all is answered until nothing more happens.
    fn settle(&mut self, done: impl Fn(&Core) -> bool) {
        for _ in 0..20_000 {
            if done(&self.core) {
                return;
            }
            if let Some(read) = self.reads.pop() {
                self.answer(read, CALM);
            } else {
                let due = self.core.due().expect("something is due until all is done");
                self.now = self.now.max(due);
                self.step(Input::Tick);
            }
        }
        panic!("it never ends: {:#?}", self.core);
    }

    fn shown(&self, track: Track) -> Vec<u64> {
        let of = |frame: &&Frame| match frame.kind {
            Kind::State => track == Track::State,
            Kind::Out(variation) => track == Track::Out(variation),
            Kind::Gap | Kind::Snapshot(_) => false,
        };
        let frames = self.frames.iter().filter(of);
        frames
            .map(|frame| frame.position.shown.get(track))
            .collect()
    }

    fn follow_to_the_end(&mut self, weather: Weather) {
        while self.stored < self.log.0.len() {
            self.happen(weather);
        }
        for _ in 0..self.rng.random_range(0..50) {
            self.happen(weather);
        }
        // The run may have grown after its end was told: who joins now is told anew.
        self.step(Input::Joined);
        self.settle(|core| core.ended().is_some());
        assert!(self.core.is_caught_up());
    }

    /// Whether the run was over when the leader last told the end of its state log.
    fn was_over(&self) -> bool {
        let mut states = self.log.0[..self.asked_at].iter().rev();
        let last = states.find_map(|(message, _)| match &message.head {
            Head::State(knowledge) => Some(knowledge.is_over()),
            _ => None,
        });
        last == Some(true)
    }
}

fn any_weather() -> impl Strategy<Value = Weather> {
    let chance = || prop_oneof![Just(0.0), Just(0.05), Just(0.3), Just(0.9)];
    (chance(), chance(), chance(), chance(), chance()).prop_map(
        |(lost, doubled, swapped, lagging, failing)| Weather {
            lost,
            doubled,
            swapped,
            lagging,
            failing: f64::min(failing, 0.3),
        },
    )
}

impl std::fmt::Debug for Weather {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            lost,
            doubled,
            swapped,
            lagging,
            failing,
        } = self;
        write!(
            f,
            "lost {lost} doubled {doubled} swapped {swapped} lagging {lagging} failing {failing}"
        )
    }
}

fn origin() -> Position {
    Position::origin(7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn whatever_the_weather_all_is_shown_once_and_in_order(seed: u64, weather in any_weather()) {
        let mut rng = StdRng::seed_from_u64(seed);
        let log = life(&mut rng);
        let stored = rng.random_range(0..=log.0.len());
        let mut play = Play::new(seed, &log, Core::follow(origin(), 0), stored);
        play.follow_to_the_end(weather);
        for track in Track::all() {
            prop_assert_eq!(play.shown(track), log.expected(track, 0));
        }
    }

    #[test]
    fn who_resumes_at_any_frame_goes_on_exactly_behind_it(seed: u64, weather in any_weather()) {
        let mut rng = StdRng::seed_from_u64(seed);
        let log = life(&mut rng);
        let mut first = Play::new(seed, &log, Core::follow(origin(), 0), 0);
        first.follow_to_the_end(weather);
        let frame = &first.frames[rng.random_range(0..first.frames.len())];
        let at: Position = frame.position.to_string().parse().unwrap();
        let reached = log.0.iter().position(|(m, _)| m.sequence == at.shown.largest());
        let stored = rng.random_range(reached.unwrap() + 1..=log.0.len());
        let mut play = Play::new(!seed, &log, Core::follow(at, 0), stored);
        play.follow_to_the_end(weather);
        for track in Track::all() {
            prop_assert_eq!(play.shown(track), log.expected(track, at.shown.get(track)));
        }
    }

    #[test]
    fn a_reader_of_its_own_meets_the_hub_where_it_is(seed: u64, weather in any_weather()) {
        let mut rng = StdRng::seed_from_u64(seed);
        let log = life(&mut rng);
        let mut hub = Play::new(seed, &log, Core::follow(origin(), 0), 0);
        for _ in 0..rng.random_range(0..300) {
            hub.happen(weather);
        }
        let from = hub.frames.get(rng.random_range(0..50)).map_or(origin(), |frame| frame.position);
        let limit = hub.core.consumed();
        let mut own = Play::new(!seed, &log, Core::until(from, limit), hub.stored);
        for _ in 0..rng.random_range(0..50) {
            let at = own.stored;
            own.live.clear();
            own.happen(Weather { lost: 1.0, ..weather });
            own.stored = own.stored.max(at);
        }
        own.settle(Core::is_done);
        prop_assert_eq!(own.core.consumed(), limit);
        for track in Track::all() {
            let mut expected = log.expected(track, from.shown.get(track));
            expected.retain(|sequence| *sequence <= limit.get(track));
            prop_assert_eq!(own.shown(track), expected);
        }
        prop_assert_eq!(own.core.position(), hub.core.position());
    }
}

#[test]
fn what_was_purged_is_told_and_the_rest_is_shown() {
    let mut rng = StdRng::seed_from_u64(5);
    let mut log = Log::default();
    let running = json!({ "change": { "type": "moved" }, "summary": { "status": "open", "variations": [{ "state": "running", "attempt": 1 }] } });
    log.append(&mut rng, Track::State, &running);
    let out = Track::Out(Variation::at(0).unwrap());
    for n in 3..6 {
        log.append(&mut rng, out, &json!({ "attempt": 1, "n": n }));
    }
    let mut core = Core::follow(origin(), 0);
    let read = core.step(Input::Tick, 0).reads[0];
    let page = log.page(read, 9, 9);
    let frames = core.step(Input::Page { read, page }, 0).frames;
    let kinds: Vec<_> = frames.iter().map(|frame| frame.kind).collect();
    let said = Kind::Out(Variation::at(0).unwrap());
    assert_eq!(kinds, [Kind::Gap, Kind::State, Kind::Gap, said, said, said]);
    assert_eq!(core.counts().gaps, 2);
}

#[test]
fn a_place_that_is_no_longer_kept_begins_anew_after_a_gap() {
    let mut rng = StdRng::seed_from_u64(6);
    let log = life(&mut rng);
    let mut at = origin();
    at.shown.set(Track::State, 1_000_000);
    let mut core = Core::follow(at, 0);
    let mut reads = core.step(Input::Tick, 0).reads;
    let mut frames = Vec::new();
    let mut now = 0;
    while core.ended().is_none() {
        let output = match reads.pop() {
            Some(Read::Tail(track)) => {
                let sequence = log.tail(track, usize::MAX);
                core.step(Input::Tail { track, sequence }, now)
            }
            Some(read) => {
                let page = log.page(read, usize::MAX, 100);
                core.step(Input::Page { read, page }, now)
            }
            None => {
                now = core.due().unwrap().max(now);
                core.step(Input::Tick, now)
            }
        };
        frames.extend(output.frames);
        reads.extend(output.reads);
    }
    let gaps = frames.iter().filter(|frame| frame.kind == Kind::Gap);
    assert_eq!(gaps.count(), 1);
    assert_eq!(frames[0].kind, Kind::Gap);
    assert_eq!(frames[0].position, origin());
    assert!(now < 15_000, "it took {now} ms to find out");
    let states = frames.iter().filter(|frame| frame.kind == Kind::State);
    assert_eq!(states.count(), log.expected(Track::State, 0).len());
}
