//! The merge of everything that comes about a run into what viewers are shown. Pure: inputs and the
//! time go in, frames and reads to do come out.
//!
//! Its promises: per track, what is shown is what is stored, in order, once; a terminal state is shown
//! only after the attempt's output has reached its end, and nothing of the attempt behind it; output
//! of an attempt waits for the state log to have come to it; the end is told only when the leader has
//! said that nothing more is there.

use aideator_contract::event::OutHead;
use aideator_contract::{Status, Variation};

use super::frame::{Frame, Kind};
use super::lane::{Lane, Paged, Retry};
use super::message::{Head, Knowledge, Known, Message};
use super::visible::{self, Verdict};
use crate::position::{Position, Sequences, TRACKS, Track};

const NO_LONGER_KEPT: &str = "some events are no longer kept";

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Input {
    /// A message was heard as it was stored.
    Live {
        /// The message.
        message: Message,
        /// The sequence of its predecessor on the track; 0 if there is none.
        previous: u64,
    },
    /// A page was read.
    Page {
        /// What was asked.
        read: Read,
        /// What came.
        page: Page,
    },
    /// The leader said what a track's last sequence is; 0 if it has none.
    Tail {
        /// The track.
        track: Track,
        /// The sequence.
        sequence: u64,
    },
    /// A read failed.
    Failed(Read),
    /// Live messages may have been missed: the link was lost, or they came too fast.
    Missed,
    /// Somebody joined who must not be told an end that is no longer true.
    Joined,
    /// Time passed.
    Tick,
}

/// What came of a read.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The messages viewers may see, in order.
    pub messages: Vec<Message>,
    /// The last sequence in the page, of any subject; 0 if it is empty.
    pub last: u64,
    /// How many more there are.
    pub pending: u64,
}

/// Something to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Read {
    /// A page of all subjects of the run.
    All {
        /// The first sequence.
        from: u64,
    },
    /// A page of one track.
    Track {
        /// The track.
        track: Track,
        /// The first sequence.
        from: u64,
    },
    /// A track's last sequence, from the leader.
    Tail(Track),
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Output {
    /// To be shown, in this order.
    pub frames: Vec<Frame>,
    /// To be read; each is answered by a page, a tail, or a failure.
    pub reads: Vec<Read>,
}

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

    fn take(&mut self, input: Input, now: u64, frames: &mut Vec<Frame>) {
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
        self.gap(None, frames);
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

    /// Shows all that may be shown, lowest sequence first.
    fn show(&mut self, now: u64, frames: &mut Vec<Frame>) {
        if !self.lanes.iter().all(Lane::is_verified) {
            return;
        }
        loop {
            let next = self
                .lanes
                .iter()
                .filter_map(|lane| Some((lane.head()?, self.verdict(lane.head()?))))
                .filter(|(_, verdict)| *verdict != Verdict::Wait)
                .min_by_key(|(head, _)| head.sequence);
            let Some((track, verdict)) = next.map(|(head, verdict)| (head.track, verdict)) else {
                break;
            };
            let Some(message) = self.lane(track).consume() else {
                break;
            };
            if verdict == Verdict::Show {
                self.shown(message, now, frames);
            }
        }
    }

    fn verdict(&self, message: &Message) -> Verdict {
        match (message.track, &message.head) {
            (Track::State, Head::State(knowledge)) => {
                if self.blocking(knowledge).next().is_some() {
                    Verdict::Wait
                } else {
                    Verdict::Show
                }
            }
            (Track::State, _) => Verdict::Show,
            (Track::Out(variation), Head::Out(head)) => {
                self.verdict_of_event(variation, *head, message.sequence)
            }
            (Track::Out(_), _) => Verdict::Drop,
        }
    }

    /// The variations whose end the state waits for.
    fn blocking(&self, knowledge: &Knowledge) -> impl Iterator<Item = Variation> {
        Variation::first(knowledge.variations.len().min(Variation::MAX)).filter(|variation| {
            let end = knowledge.variations[variation.index()].bound();
            let lane = &self.lanes[Track::Out(*variation).index()];
            end.is_some_and(|end| !lane.has_reached(end))
        })
    }

    fn verdict_of_event(&self, variation: Variation, head: OutHead, sequence: u64) -> Verdict {
        let at = variation.index();
        let of = |knowledge: &Knowledge| knowledge.variations.get(at).copied();
        let known = self.known.as_ref().and_then(of);
        let states = &self.lanes[Track::State.index()];
        let coming = || {
            states.waiting().filter_map(|message| match &message.head {
                Head::State(knowledge) => of(knowledge),
                _ => None,
            })
        };
        let verdict = visible::judge(head, sequence, self.last[at], known.as_ref(), coming());
        if verdict != Verdict::Wait {
            return verdict;
        }
        // The state that knows the attempt itself waits for this output (entries before it are no
        // longer kept), or there is no more of the state log to wait for.
        let waits_for_this = coming().next().is_some_and(|next: Known| {
            next.attempt >= head.attempt && next.bound().is_some_and(|end| sequence <= end)
        });
        if self.blind || states.is_done() || waits_for_this {
            Verdict::Show
        } else {
            Verdict::Wait
        }
    }

    fn shown(&mut self, message: Message, now: u64, frames: &mut Vec<Frame>) {
        let kind = match (message.track, message.head) {
            (Track::State, head) => {
                if std::mem::take(&mut self.fresh) && !is_beginning(&message.payload) {
                    self.gap(None, frames);
                }
                self.know(head, now);
                Kind::State
            }
            (Track::Out(variation), head) => {
                if let Head::Out(head) = head {
                    let last = self.last[variation.index()].replace(head);
                    if visible::is_gap(last, head) {
                        self.gap(Some(variation), frames);
                    }
                }
                Kind::Out(variation)
            }
        };
        self.lane(message.track).shown = message.sequence;
        frames.push(Frame {
            kind,
            payload: message.payload,
            ts: message.ts,
            position: self.position(),
        });
    }

    fn know(&mut self, head: Head, now: u64) {
        match head {
            Head::State(knowledge) => {
                if knowledge.is_over() {
                    self.demand_tails(now);
                }
                self.known = Some(knowledge);
            }
            _ => self.blind = true,
        }
    }

    fn count(&mut self) {
        for (lane, was) in self.lanes.iter().zip(&mut self.behind) {
            let is = lane.is_behind();
            self.counts.holes += u64::from(self.caught_up && is && !*was);
            self.counts.healed += u64::from(self.caught_up && *was && !is);
            *was = is;
        }
    }

    /// Notes what follows from where everything is now.
    fn look(&mut self, now: u64) {
        if !self.follows {
            return;
        }
        let waits = |lane: &Lane| lane.track != Track::State && lane.head().is_some();
        if self.lanes.iter().any(waits) {
            // Its state was lost on the way, or is about to come.
            let state = self.lane(Track::State);
            if state.tail.is_confirmed() {
                state.tail.event(now);
            }
        }
        if self.known.as_ref().is_some_and(Knowledge::is_over) {
            for lane in self.lanes.iter_mut().take(1 + self.variations) {
                if lane.is_quiet() && !lane.tail.is_confirmed() {
                    lane.tail.hasten(now);
                }
            }
        }
        let met = |lane: &Lane| {
            lane.tail
                .first()
                .is_some_and(|first| lane.has_reached(first))
        };
        let reading = self.scan.is_some() || !self.lanes.iter().all(Lane::is_verified);
        if !self.caught_up && self.is_known() && !reading {
            let all_met = self.active().all(met);
            self.caught_up = all_met;
        }
    }

    fn ask(&mut self, now: u64, reads: &mut Vec<Read>) {
        match &mut self.scan {
            Some(scan) => {
                if !scan.reading && scan.retry.at() <= now {
                    scan.reading = true;
                    reads.push(Read::All { from: scan.from });
                }
            }
            None => reads.extend(self.lanes.iter_mut().filter_map(|lane| {
                let (track, from) = (lane.track, lane.read(now)?);
                Some(Read::Track { track, from })
            })),
        }
        let due = self
            .lanes
            .iter_mut()
            .filter(|lane| lane.tail.due().is_some());
        reads.extend(due.filter_map(|lane| lane.tail.ask(now).then_some(Read::Tail(lane.track))));
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

/// Whether a state log begins with this message.
fn is_beginning(payload: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Changed {
        change: Change,
    }
    #[derive(serde::Deserialize)]
    struct Change {
        r#type: String,
    }
    serde_json::from_slice::<Changed>(payload)
        .is_ok_and(|changed| matches!(changed.change.r#type.as_str(), "accepted" | "rejected"))
}

#[cfg(test)]
mod tests;
