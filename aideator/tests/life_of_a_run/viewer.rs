//! A viewer behind the real hub: it joins, is cut, resumes from its last position, and must see exactly
//! what is stored.

use std::collections::BTreeMap;
use std::rc::Rc;

use aideator_contract::event::OutHead;
use aideator_contract::{Attempt, Event, OutMessage, RunId, StateMessage, Subject, Variation};
use aideator_edge::hub::core::{Core, Input, Page, Read};
use aideator_edge::hub::frame::{Frame, Kind};
use aideator_edge::hub::message::Message;
use aideator_edge::position::{Position, Track};

use crate::world::{Tail, World};

/// What a browser keeps between connections.
#[derive(Debug)]
struct Browser {
    run: RunId,
    position: Position,
    last: BTreeMap<Variation, OutHead>,
    texts: BTreeMap<(Variation, Attempt), String>,
    ended: BTreeMap<(Variation, Attempt), String>,
}

/// Watches a run until the model's time is over, through cuts.
pub(crate) async fn watch(world: Rc<World>, id: usize, run: RunId) {
    let mut browser = Browser {
        run: run.clone(),
        position: Position::origin(7),
        last: BTreeMap::new(),
        texts: BTreeMap::new(),
        ended: BTreeMap::new(),
    };
    loop {
        connect(&world, id, &mut browser).await;
        let done = world
            .truth
            .borrow()
            .summaries()
            .any(|(r, s)| *r == run && s.finished.is_some());
        if world.calm.get() && done {
            browser.is_complete(&world);
            world.tails.borrow_mut().remove(&id);
            return;
        }
        for _ in 0..world.below(40) {
            world.pause().await;
        }
    }
}

/// One connection: to the end of the run, or to a cut.
async fn connect(world: &World, id: usize, browser: &mut Browser) {
    let tail = Tail {
        run: browser.run.clone(),
        waiting: Default::default(),
    };
    world.tails.borrow_mut().insert(id, tail);
    world.pause().await;
    let mut core = Core::follow(browser.position, world.now().millis());
    let mut reads: Vec<Read> = Vec::new();
    let mut input = Input::Tick;
    loop {
        let output = core.step(input, world.now().millis());
        reads.extend(output.reads);
        for frame in output.frames {
            browser.show(world, &frame);
        }
        if core.ended().is_some() || world.fault(1.0) {
            return;
        }
        world.pause().await;
        let live = world
            .tails
            .borrow_mut()
            .get_mut(&id)
            .and_then(|tail| tail.waiting.pop_front());
        input = match live {
            Some((stored, previous)) => match Message::read(stored) {
                Some(message) => Input::Live { message, previous },
                None => Input::Tick,
            },
            None if !reads.is_empty() => {
                let which = world.below(reads.len());
                answer(world, &browser.run, reads.swap_remove(which)).await
            }
            None if world.fault(2.0) => Input::Missed,
            None => Input::Tick,
        };
    }
}

async fn answer(world: &World, run: &RunId, read: Read) -> Input {
    if world.fault(5.0) {
        return Input::Failed(read);
    }
    let subject = |track| match track {
        Track::State => Subject::state(run),
        Track::Out(variation) => Subject::out(run, variation),
    };
    let (filter, from) = match read {
        Read::All { from } => (Subject::run_all(run), from),
        Read::Track { track, from } => (subject(track), from),
        Read::Tail(track) => {
            let last = world.leader::<serde_json::Value>(&subject(track)).await;
            return Input::Tail {
                track,
                sequence: last.map_or(0, |(sequence, _)| sequence),
            };
        }
    };
    let limit = 1 + world.below(12);
    let (stored, pending) = world.page(filter.as_str(), from, limit).await;
    let last = stored.last().map_or(0, |stored| stored.sequence);
    let messages = stored.into_iter().filter_map(Message::read).collect();
    Input::Page {
        read,
        page: Page {
            messages,
            last,
            pending,
        },
    }
}

impl Browser {
    fn show(&mut self, world: &World, frame: &Frame) {
        for track in Track::all() {
            let (was, is) = (
                self.position.shown.get(track),
                frame.position.shown.get(track),
            );
            assert!(is >= was, "{}: the position went back", self.run);
        }
        self.position = frame.position.to_string().parse().unwrap();
        match frame.kind {
            Kind::Gap => panic!("{}: a gap, and nothing was removed", self.run),
            Kind::Snapshot(_) => panic!("{}: a snapshot, and nobody asked for it", self.run),
            Kind::State => self.state(world, &serde_json::from_slice(&frame.payload).unwrap()),
            Kind::Out(_) => self.out(serde_json::from_slice(&frame.payload).unwrap()),
        }
    }

    fn out(&mut self, message: OutMessage) {
        let head = OutHead {
            attempt: message.attempt,
            n: message.n,
        };
        let key = (message.variation, message.attempt);
        if self
            .last
            .get(&message.variation)
            .is_some_and(|last| *last >= head)
        {
            return;
        }
        assert!(
            !self.ended.contains_key(&key),
            "{key:?}: shown behind the end"
        );
        self.last.insert(message.variation, head);
        if let Event::TextDelta { delta, .. } = message.event {
            self.texts.entry(key).or_default().push_str(&delta);
        }
    }

    fn state(&mut self, world: &World, message: &StateMessage) {
        let all = Variation::first(message.summary.variations.len());
        for (variation, now) in all.zip(&message.summary.variations) {
            let key = (variation, now.attempt);
            if now.state.is_terminal() && !self.ended.contains_key(&key) {
                let shown = self.texts.get(&key).cloned().unwrap_or_default();
                let truth = world
                    .truth
                    .borrow()
                    .output(&self.run, variation, now.attempt);
                assert_eq!(
                    shown, truth.text,
                    "{}{key:?}: ended before its text",
                    self.run
                );
                self.ended.insert(key, shown);
            }
        }
    }

    /// P1: at the end every attempt's text is the stored one.
    fn is_complete(&self, world: &World) {
        let truth = world.truth.borrow();
        let (_, summary) = truth
            .summaries()
            .find(|(run, _)| **run == self.run)
            .unwrap();
        for (variation, now) in Variation::first(summary.variations.len()).zip(&summary.variations)
        {
            let mut attempt = Attempt::FIRST;
            while attempt <= now.attempt {
                let shown = self
                    .texts
                    .get(&(variation, attempt))
                    .cloned()
                    .unwrap_or_default();
                let stored = truth.output(&self.run, variation, attempt).text;
                assert_eq!(
                    shown, stored,
                    "{}.{variation}.{attempt}: another text",
                    self.run
                );
                attempt = attempt.next();
            }
            assert!(
                self.ended.contains_key(&(variation, now.attempt)),
                "its end was not shown"
            );
        }
    }
}
