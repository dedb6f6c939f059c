//! The merge of everything that comes about a run into what viewers are shown. Pure: inputs and the
//! time go in, frames and reads to do come out.
//!
//! Its promises: per track, what is shown is what is stored, in order, once; a terminal state is shown
//! only after the attempt's output has reached its end, and nothing of the attempt behind it; output
//! of an attempt waits for the state log to have come to it; the end is told only when the leader has
//! said that nothing more is there.

mod intake;
mod reading;
mod showing;
mod step;

use aideator_contract::event::OutHead;
use aideator_contract::{Status, Variation};

pub use self::step::{Input, Output, Page, Read};
use super::frame::Frame;
use super::lane::Lane;
use super::message::Knowledge;
use super::retry::Retry;
use crate::position::{Position, Sequences, TRACKS, Track};

pub(crate) const NO_LONGER_KEPT: &str = "some events are no longer kept";

/// The merge. See the module.
#[derive(Debug, Clone)]
pub struct Core {
    epoch: u64,
    lanes: [Lane; TRACKS],
    /// Reading the whole run from its beginning.
    scan: Option<Scan>,
    follows: bool,
    known: Option<Knowledge>,
    /// The state log speaks a newer version: its rules can't be kept, so nothing waits for it.
    blind: bool,
    /// The state log has not been shown from any place yet.
    fresh: bool,
    last: [Option<OutHead>; Variation::MAX],
    variations: usize,
    caught_up: bool,
    restarted: bool,
    behind: [bool; TRACKS],
    counts: Counts,
}

/// What a merge has met so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Times something stored was found missing after all of the past had been shown.
    pub holes: u64,
    /// Of these, those that were filled from the stream.
    pub healed: u64,
    /// Frames about what is no longer kept.
    pub gaps: u64,
}

#[derive(Debug, Clone, Copy)]
struct Scan {
    from: u64,
    reading: bool,
    retry: Retry,
}

impl Core {
    /// Follows a run from `start` on.
    #[must_use]
    pub fn follow(start: Position, now: u64) -> Self {
        let mut core = Self::new(start, None);
        core.lane(Track::State).tail.demand(now);
        core
    }

    /// Reads a run from `start` to `limit`, and is done then.
    #[must_use]
    pub fn until(start: Position, limit: Sequences) -> Self {
        Self::new(start, Some(limit))
    }

    fn new(start: Position, limit: Option<Sequences>) -> Self {
        let lane = |track: Track| {
            Lane::new(
                track,
                start.shown.get(track),
                limit.map(|limit| limit.get(track)),
            )
        };
        let at_origin = start.shown == Sequences::default();
        let mut tracks = Track::all();
        Self {
            epoch: start.epoch,
            lanes: std::array::from_fn(|_| lane(tracks.next().unwrap_or(Track::State))),
            scan: at_origin.then(Scan::begin),
            follows: limit.is_none(),
            known: None,
            blind: false,
            fresh: at_origin,
            last: [None; Variation::MAX],
            variations: if limit.is_some() { Variation::MAX } else { 0 },
            caught_up: false,
            restarted: false,
            behind: [false; TRACKS],
            counts: Counts::default(),
        }
    }

    /// Takes in what happened at `now` (milliseconds of any steady clock).
    pub fn step(&mut self, input: Input, now: u64) -> Output {
        let mut output = Output::default();
        self.take(input, now, &mut output.frames);
        self.count();
        self.show(now, &mut output.frames);
        self.look(now);
        self.ask(now, &mut output.reads);
        output
    }

    /// When [`Input::Tick`] is due next.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        let scan = self.scan.filter(|scan| !scan.reading);
        let scan = scan.map(|scan| scan.retry.at());
        let lanes = self.lanes.iter().flat_map(|lane| {
            let read = lane.read_due().filter(|_| self.scan.is_none());
            read.into_iter().chain(lane.tail.due())
        });
        lanes.chain(scan).min()
    }

    /// Where a viewer is who was shown all frames so far.
    #[must_use]
    pub fn position(&self) -> Position {
        let mut shown = Sequences::default();
        for lane in &self.lanes {
            shown.set(lane.track, lane.shown);
        }
        Position {
            epoch: self.epoch,
            shown,
        }
    }

    /// Up to where everything is shown or dropped: where a reader of its own is to meet this one.
    #[must_use]
    pub fn consumed(&self) -> Sequences {
        let mut consumed = Sequences::default();
        for lane in &self.lanes {
            consumed.set(lane.track, lane.consumed);
        }
        consumed
    }

    /// Whether the run is known to exist.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.known.is_some() || self.blind
    }

    /// Whether the place where it began has been found, or given up.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.lanes.iter().all(Lane::is_verified)
    }

    /// Whether nothing was where it was to begin, so that it began at the beginning.
    #[must_use]
    pub fn has_restarted(&self) -> bool {
        self.restarted
    }

    /// Whether all is shown that was there when this began.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.caught_up
    }

    /// The run is over, all of it is shown, and the leader has said that nothing more is there.
    #[must_use]
    pub fn ended(&self) -> Option<Status> {
        let known = self.known.as_ref().filter(|known| known.is_over())?;
        let quiet = self
            .active()
            .all(|lane| lane.is_quiet() && lane.tail.is_confirmed());
        (self.caught_up && quiet).then_some(known.status)
    }

    /// Whether all up to the limit is shown.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.lanes.iter().all(Lane::is_done)
    }

    /// Raises the limit: there is more to read.
    pub fn raise(&mut self, limit: Sequences) {
        for lane in &mut self.lanes {
            lane.raise(limit.get(lane.track));
        }
    }

    /// What was met so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn lane(&mut self, track: Track) -> &mut Lane {
        &mut self.lanes[track.index()]
    }

    /// The tracks this run has.
    fn active(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().take(1 + self.variations)
    }

    fn gap(&mut self, variation: Option<Variation>, frames: &mut Vec<Frame>) {
        self.counts.gaps += 1;
        frames.push(Frame::gap(NO_LONGER_KEPT, variation, self.position()));
    }

    fn demand_tails(&mut self, now: u64) {
        let count = 1 + self.variations;
        for lane in self.lanes.iter_mut().take(count).filter(|_| self.follows) {
            lane.tail.demand(now);
        }
    }
}

impl Scan {
    fn begin() -> Self {
        Self {
            from: 1,
            reading: false,
            retry: Retry::default(),
        }
    }
}

#[cfg(test)]
mod tests;
