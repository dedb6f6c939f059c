//! What came is taken in: into the lanes, and into what is known of the run.

use aideator_contract::Variation;

use super::showing::ends;
use super::{Core, Input, Page, Read, Scan};
use crate::hub::frame::Frame;
use crate::hub::lane::Paged;
use crate::hub::message::{Head, Knowledge, Message};
use crate::position::{TRACKS, Track};

impl Core {
    pub(super) fn take(&mut self, input: Input, now: u64, frames: &mut Vec<Frame>) {
        match input {
            Input::Live { message, previous } => {
                self.learn(&message, now);
                let lane = self.lane(message.track);
                if lane.live(message, previous) {
                    lane.tail.event(now);
                }
            }
            Input::Page { read, page } => self.take_page(read, page, now, frames),
            Input::Tail { track, sequence } => {
                if self.lane(track).tail_is(sequence, now) {
                    self.lost(track, frames);
                }
            }
            Input::Failed(Read::All { from }) => {
                if let Some(scan) = self.scan.as_mut().filter(|scan| scan.from == from) {
                    scan.reading = false;
                    scan.retry.later(now);
                }
            }
            Input::Failed(Read::Track { track, from }) => self.lane(track).failed(from, now),
            Input::Failed(Read::Tail(track)) => self.lane(track).tail.failed(now),
            Input::Missed => self.demand_tails(now),
            Input::Joined => {
                if self.known.as_ref().is_some_and(Knowledge::is_over) {
                    self.demand_tails(now);
                }
            }
            Input::Tick => {}
        }
    }

    fn take_page(&mut self, read: Read, page: Page, now: u64, frames: &mut Vec<Frame>) {
        for message in &page.messages {
            self.learn(message, now);
        }
        match read {
            Read::All { from } => self.take_scan(from, page, now),
            Read::Track { track, from } => {
                match self
                    .lane(track)
                    .page(from, page.messages, page.pending, now)
                {
                    Paged::Taken => {}
                    Paged::Verified(message) => self.verified(*message),
                    Paged::Gone => self.lost(track, frames),
                }
            }
            Read::Tail(_) => {}
        }
    }

    fn take_scan(&mut self, from: u64, page: Page, now: u64) {
        let Some(scan) = self.scan.as_mut().filter(|scan| scan.from == from) else {
            return;
        };
        let upto = page.last;
        let done = page.pending == 0 || upto == 0;
        *scan = Scan {
            from: upto + 1,
            ..Scan::begin()
        };
        let mut of: [Vec<Message>; TRACKS] = Default::default();
        for message in page.messages {
            of[message.track.index()].push(message);
        }
        for (lane, messages) in self.lanes.iter_mut().zip(of) {
            if !messages.is_empty() && self.follows {
                lane.tail.event(now);
            }
            lane.extend(from, messages, upto);
        }
        if done || self.is_done() {
            self.scan = None;
        }
    }

    /// What a message says about other tracks, whenever it will be shown.
    fn learn(&mut self, message: &Message, now: u64) {
        let Head::State(knowledge) = &message.head else {
            return;
        };
        let count = knowledge.variations.len().min(Variation::MAX);
        for track in Variation::first(count).map(Track::Out) {
            let Track::Out(variation) = track else {
                continue;
            };
            if let Some(end) = knowledge.variations[variation.index()].bound() {
                self.lane(track).exists(end);
            }
            if variation.index() >= self.variations && self.follows {
                self.lane(track).tail.demand(now);
            }
        }
        self.variations = self.variations.max(count);
    }

    /// The message a viewer says it was shown last is there: what it says is known again.
    fn verified(&mut self, message: Message) {
        for (variation, end) in ends(&message.head) {
            self.lane(Track::Out(variation)).tell(end);
        }
        match (message.track, message.head) {
            (Track::State, Head::State(knowledge)) => self.known = Some(knowledge),
            (Track::State, _) => self.blind = true,
            (Track::Out(variation), Head::Out(head)) => self.last[variation.index()] = Some(head),
            (Track::Out(_), _) => {}
        }
    }

    /// What is missing on a track is gone for good.
    fn lost(&mut self, track: Track, frames: &mut Vec<Frame>) {
        if self.lane(track).is_verified() {
            self.lane(track).skip();
            let variation = match track {
                Track::State => None,
                Track::Out(variation) => Some(variation),
            };
            self.gap(variation, frames);
            return;
        }
        // Where the viewer says it was shown something, nothing is: all that is still there is shown
        // again, and viewers drop what they have.
        for lane in &mut self.lanes {
            lane.restart();
        }
        self.scan = Some(Scan::begin());
        self.known = None;
        self.last = [None; Variation::MAX];
        self.fresh = false;
        self.restarted = true;
        self.gap(None, frames);
    }
}
