//! What is known of one track: what came, what is missing, what waits to be shown.

mod held;

use std::collections::VecDeque;

use self::held::Held;
use super::message::Message;
use super::retry::Retry;
use super::tail::TailCheck;
use crate::position::Track;

/// How often, and for how many milliseconds, the leader must have said that what is missing does not
/// exist before it is believed: a new leader may answer before it has applied its whole log.
const ABSENT: (u32, u64) = (5, 10_000);

/// One track. Everything of it up to `through` is queued or consumed; `held` is known of what lies
/// behind a hole; something exists at `target`.
#[derive(Debug, Clone)]
pub struct Lane {
    /// Which track.
    pub track: Track,
    /// The checks of its tail.
    pub tail: TailCheck,
    /// The last sequence shown or dropped.
    pub consumed: u64,
    /// The last sequence shown.
    pub shown: u64,
    through: u64,
    target: u64,
    /// Viewers know of what is missing up to there.
    told: u64,
    limit: Option<u64>,
    /// Where the viewer says it is; the message there must be read before anything is believed.
    baseline: Option<u64>,
    queue: VecDeque<Message>,
    held: Held,
    more: bool,
    reading: Option<u64>,
    retry: Retry,
    absent: Option<(u32, u64)>,
}

/// What a page of a track came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Paged {
    /// It is taken in.
    Taken,
    /// The message where the viewer says it is: it is there.
    Verified(Box<Message>),
    /// The message where the viewer says it is: it is not there.
    Gone,
}

impl Lane {
    /// A track of which everything up to `start` is shown already; read up to `limit` if there is one.
    #[must_use]
    pub fn new(track: Track, start: u64, limit: Option<u64>) -> Self {
        Self {
            track,
            tail: TailCheck::default(),
            consumed: start,
            shown: start,
            through: start,
            target: limit.unwrap_or(0),
            told: 0,
            limit,
            baseline: (start > 0).then_some(start),
            queue: VecDeque::new(),
            held: Held::default(),
            more: false,
            reading: None,
            retry: Retry::default(),
            absent: None,
        }
    }

    /// Forgets all that was shown: the track is read from its beginning.
    pub fn restart(&mut self) {
        let mut fresh = Self::new(self.track, 0, self.limit);
        fresh.exists(self.target.max(self.held.last()));
        fresh.tail = std::mem::take(&mut self.tail);
        *self = fresh;
    }

    /// Takes a live message in. False if it is nothing new.
    pub fn live(&mut self, message: Message, previous: u64) -> bool {
        let sequence = message.sequence;
        if sequence <= self.through || self.held.holds(sequence) {
            return false;
        }
        if self.baseline.is_none() && previous <= self.through {
            self.push(message);
            self.join_held();
        } else {
            self.target = self.target.max(previous);
            if !self.held.keep(message, previous) {
                self.target = self.target.max(sequence);
            }
        }
        true
    }

    /// Takes in everything stored from `from` to `upto`. False if that leaves a hole before `from`.
    pub fn extend(&mut self, from: u64, messages: Vec<Message>, upto: u64) -> bool {
        if self.baseline.is_some() || from > self.through + 1 {
            return false;
        }
        let limit = self.limit.unwrap_or(u64::MAX);
        for message in messages {
            if message.sequence > self.through && message.sequence <= limit {
                self.push(message);
            }
        }
        self.through = self.through.max(upto.min(limit));
        self.join_held();
        true
    }

    /// Takes in a page that was read for this track alone.
    pub fn page(&mut self, from: u64, messages: Vec<Message>, pending: u64, now: u64) -> Paged {
        if self.reading != Some(from) {
            return Paged::Taken;
        }
        self.reading = None;
        let mut messages = VecDeque::from(messages);
        let mut verified = None;
        if let Some(baseline) = self.baseline {
            match messages.pop_front() {
                Some(first) if first.sequence == baseline => verified = Some(Box::new(first)),
                Some(_) => return Paged::Gone,
                None => {
                    self.empty(now);
                    return Paged::Taken;
                }
            }
            self.baseline = None;
            self.absent = None;
        }
        let upto = messages.back().map_or(0, |last| last.sequence);
        if upto > 0 || verified.is_some() {
            self.retry.reset();
        }
        self.more = pending > 0 && (upto > 0 || verified.is_some());
        self.extend(self.through + 1, messages.into(), upto);
        if self.is_behind() && !self.more && upto == 0 && verified.is_none() {
            self.empty(now);
        }
        verified.map_or(Paged::Taken, Paged::Verified)
    }

    /// A read brought nothing although something is there: a lagging replica, or it is no longer kept.
    fn empty(&mut self, now: u64) {
        self.retry.later(now);
        self.tail.hasten(now);
    }

    /// The read failed.
    pub fn failed(&mut self, from: u64, now: u64) {
        if self.reading == Some(from) {
            self.reading = None;
            self.retry.later(now);
        }
    }

    /// The leader says what its last sequence is. True if what is missing is gone for good.
    pub fn tail_is(&mut self, tail: u64, now: u64) -> bool {
        if !self.tail.answered(tail, self.through, now) {
            return false;
        }
        if self.limit.is_some() {
            self.tail.rest();
        }
        let wanted = self.target.max(self.baseline.unwrap_or(0));
        self.target = self.target.max(tail.min(self.limit.unwrap_or(u64::MAX)));
        if tail >= wanted || !self.is_behind() {
            self.absent = None;
            return false;
        }
        let (times, since) = self
            .absent
            .map_or((1, now), |(times, since)| (times + 1, since));
        self.absent = Some((times, since));
        times >= ABSENT.0 && now.saturating_sub(since) >= ABSENT.1
    }

    /// Something exists up to there, as another track says.
    pub fn exists(&mut self, sequence: u64) {
        self.target = self
            .target
            .max(sequence.min(self.limit.unwrap_or(u64::MAX)));
    }

    /// Goes on behind what is gone for good.
    pub fn skip(&mut self) {
        self.absent = None;
        self.through = self.through.max(self.target);
        self.tell(self.through);
        self.join_held();
    }

    /// Viewers are told of what is missing up to `sequence`.
    pub fn tell(&mut self, sequence: u64) {
        self.told = self.told.max(sequence);
    }

    /// Whether the last message up to `end` was there, or viewers know that it was not.
    #[must_use]
    pub fn accounts_for(&self, end: u64) -> bool {
        self.consumed.max(self.told) >= end
    }

    /// Where to read from now, if something is to be read; it is noted as being read.
    pub fn read(&mut self, now: u64) -> Option<u64> {
        if self.reading.is_some() || self.retry.at() > now || !self.is_behind() {
            return None;
        }
        let from = self.baseline.unwrap_or(self.through + 1);
        self.reading = Some(from);
        Some(from)
    }

    /// When the next read is due, unless one is under way or nothing is missing.
    #[must_use]
    pub fn read_due(&self) -> Option<u64> {
        (self.reading.is_none() && self.is_behind()).then_some(self.retry.at())
    }

    /// Something is known to be stored that has not come.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        let unlimited = self.limit.is_none_or(|limit| self.through < limit);
        self.baseline.is_some() || self.through < self.target || (self.more && unlimited)
    }

    /// The message where the viewer says it is has been read, if there is one.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.baseline.is_none()
    }

    /// Everything up to `sequence` has been consumed, or there is nothing.
    #[must_use]
    pub fn has_reached(&self, sequence: u64) -> bool {
        self.is_done()
            || (self.through >= sequence && self.head().is_none_or(|head| head.sequence > sequence))
    }

    /// Everything up to the limit, if there is one, has been consumed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.baseline.is_none()
            && self.queue.is_empty()
            && self.limit.is_some_and(|limit| self.through >= limit)
    }

    /// Nothing waits and nothing is known to be missing.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        !self.is_behind() && self.queue.is_empty() && self.held.is_empty()
    }

    /// The next message to be shown or dropped.
    #[must_use]
    pub fn head(&self) -> Option<&Message> {
        self.queue.front()
    }

    /// All that waits to be shown, in order.
    pub fn waiting(&self) -> impl Iterator<Item = &Message> {
        self.queue.iter()
    }

    /// Takes the next message off.
    pub fn consume(&mut self) -> Option<Message> {
        let message = self.queue.pop_front()?;
        self.consumed = message.sequence;
        Some(message)
    }

    /// Raises the limit.
    pub fn raise(&mut self, limit: u64) {
        self.limit = Some(self.limit.unwrap_or(0).max(limit));
        self.target = self.target.max(limit);
    }

    fn push(&mut self, message: Message) {
        self.through = message.sequence;
        self.queue.push_back(message);
    }

    fn join_held(&mut self) {
        while let Some(message) = self.held.next_behind(self.through) {
            self.push(message);
        }
    }
}
