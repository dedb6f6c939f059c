//! What to do next: a state machine without I/O, clock or randomness.
//!
//! The driver asks [`Machine::action`], does that one thing, and tells the machine what came of it
//! with [`Machine::apply`]; meanwhile events may be pushed. Any answer may be lost, late or stale.

use std::time::Duration;

use aideator_contract::usage::Digest;
use aideator_contract::{Event, Report, Timestamp};

use super::composer::{Composed, Composer};
use super::protocol::{Action, Failure, Input, OutSeen};
use super::queue::{Item, Queue, TooLarge, check, size};
use super::{Ended, Speaker};

/// Pauses while the server has not decided: 1 ms, doubling to 64 ms.
const UNDECIDED_MS: (u64, u64) = (1, 64);
/// Pauses while NATS is away or full: 8 ms, doubling to 256 ms.
const AWAY_MS: (u64, u64) = (8, 256);

/// What one attempt publishes, decided step by step.
#[derive(Debug, Clone)]
pub struct Machine {
    composer: Composer,
    queue: Queue,
    in_flight: Option<Composed>,
    step: Step,
    pause_ms: u64,
    claimed: bool,
    settled: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Send,
    ReadAttempt,
    ReadOut,
    Wait(u64, Then),
    End(Ended),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    Send,
    ReadAttempt,
    ReadOut,
}

impl Machine {
    /// A machine whose first message is `start`, behind `fence`: the sequence of the message on
    /// `.attempt` that opened the attempt.
    #[must_use]
    pub fn new(speaker: Speaker, fence: u64, model: String, ts: Timestamp) -> Self {
        let mut queue = Queue::default();
        let process = speaker.process.clone();
        queue.push(Item::Out(Event::Start { process, model }), ts);
        Self {
            composer: Composer::new(speaker, fence),
            queue,
            in_flight: None,
            step: Step::Send,
            pause_ms: 0,
            claimed: false,
            settled: 0,
        }
    }

    /// Whether `event` may be pushed now. If not, wait until something was stored.
    #[must_use]
    pub fn has_room(&self, event: &Event) -> bool {
        self.queue.has_room(size(event))
    }

    /// Takes an event to be published after all before it. The caller keeps to
    /// [`has_room`](Self::has_room); what is pushed is never dropped.
    ///
    /// # Errors
    /// The event alone is above `limits::EVENT_BYTES`.
    pub fn push(&mut self, event: Event, ts: Timestamp) -> Result<(), TooLarge> {
        check(&event)?;
        self.queue.push(Item::Out(event), ts);
        Ok(())
    }

    /// Takes a report to be published after all before it.
    pub fn report(&mut self, report: Report, ts: Timestamp) {
        self.queue.push(Item::Report(report), ts);
    }

    /// How many pushes (events, reports and the first `start`) there have been.
    #[must_use]
    pub fn pushes(&self) -> u64 {
        self.queue.pushes()
    }

    /// How many of them are stored.
    #[must_use]
    pub fn settled(&self) -> u64 {
        self.settled
    }

    /// Whether `start` is stored: the attempt is this process's.
    #[must_use]
    pub fn is_claimed(&self) -> bool {
        self.claimed
    }

    /// Why nothing more will be published, if so.
    #[must_use]
    pub fn ended(&self) -> Option<&Ended> {
        match &self.step {
            Step::End(ended) => Some(ended),
            _ => None,
        }
    }

    /// The digest of all text pushed so far.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.queue.digest()
    }

    /// The highest `n` that is stored; `None` before `start` is.
    #[must_use]
    pub fn stored_n(&self) -> Option<u64> {
        let waiting = self
            .in_flight
            .as_ref()
            .is_some_and(|message| message.n.is_some());
        (self.composer.next_n() - u64::from(waiting)).checked_sub(1)
    }

    /// Bytes of all messages on `.out` made so far.
    #[must_use]
    pub fn out_bytes(&self) -> u64 {
        self.composer.out_bytes()
    }

    /// What to do. The same until something is applied, or, when idle, pushed.
    pub fn action(&mut self) -> Action {
        match &self.step {
            Step::Send => {
                self.load();
                let in_flight = self.in_flight.as_ref();
                in_flight.map_or(Action::Idle, |next| Action::Send(next.message.clone()))
            }
            Step::ReadAttempt => Action::ReadAttempt,
            Step::ReadOut => Action::ReadOut,
            Step::Wait(ms, _) => Action::Wait(Duration::from_millis(*ms)),
            Step::End(ended) => Action::End(ended.clone()),
        }
    }

    /// What came of the last action. An answer to another action changes nothing.
    pub fn apply(&mut self, input: Input) {
        match (self.step.clone(), input) {
            (Step::Send, Input::Stored) if self.in_flight.is_some() => self.stored(),
            (Step::Send, Input::Failed(failure)) if self.in_flight.is_some() => {
                self.failed(failure);
            }
            (Step::ReadAttempt, Input::Attempt(seen)) => self.judge_attempt(seen),
            (Step::ReadOut, Input::Out(seen)) => self.judge_out(seen.as_ref()),
            (Step::ReadAttempt, Input::Unread) => self.wait(AWAY_MS, Then::ReadAttempt),
            (Step::ReadOut, Input::Unread) => self.wait(AWAY_MS, Then::ReadOut),
            (Step::Wait(_, then), Input::Waited) => {
                self.step = match then {
                    Then::Send => Step::Send,
                    Then::ReadAttempt => Step::ReadAttempt,
                    Then::ReadOut => Step::ReadOut,
                };
            }
            _ => {}
        }
    }

    fn stored(&mut self) {
        if let Some(message) = self.in_flight.take() {
            self.settled = message.pushes;
        }
        self.claimed = true;
        self.pause_ms = 0;
        self.step = Step::Send;
    }

    fn failed(&mut self, failure: Failure) {
        match failure {
            Failure::Conflict => self.step = Step::ReadAttempt,
            Failure::Undecided => self.wait(UNDECIDED_MS, Then::Send),
            Failure::Full => self.wait(AWAY_MS, Then::Send),
            Failure::Away if self.is_on_out() => self.step = Step::ReadOut,
            // A report twice is a report once; `start` twice is a conflict that explains itself.
            Failure::Away => self.wait(AWAY_MS, Then::Send),
            Failure::Refused(text) => self.step = Step::End(Ended::Refused(text)),
            Failure::Impossible(text) => self.step = Step::End(Ended::Impossible(text)),
        }
    }

    fn is_on_out(&self) -> bool {
        self.claimed
            && self
                .in_flight
                .as_ref()
                .is_some_and(|message| message.n.is_some())
    }

    /// A conflict is not yet a verdict: a leader that has just changed may have been behind.
    fn judge_attempt(&mut self, seen: Option<u64>) {
        if seen.is_some_and(|sequence| sequence > self.composer.fence()) {
            self.step = Step::End(Ended::Superseded);
        } else if self.claimed {
            self.wait(UNDECIDED_MS, Then::Send);
        } else {
            self.step = Step::ReadOut;
        }
    }

    fn judge_out(&mut self, seen: Option<&OutSeen>) {
        let newer = seen.filter(|seen| seen.sequence > self.composer.fence());
        if !self.claimed {
            match newer {
                Some(seen) if seen.process.as_ref() == Some(&self.composer.speaker().process) => {
                    self.stored();
                }
                Some(_) => self.step = Step::End(Ended::Outrun),
                None => self.wait(UNDECIDED_MS, Then::Send),
            }
            return;
        }
        let in_flight = self.in_flight.as_ref().and_then(|message| message.n);
        let arrived = newer.is_some_and(|seen| {
            seen.attempt == self.composer.speaker().attempt
                && in_flight.is_some_and(|n| seen.n >= n)
        });
        if arrived {
            self.stored();
        } else {
            self.wait(AWAY_MS, Then::Send);
        }
    }

    fn wait(&mut self, (least, most): (u64, u64), then: Then) {
        self.pause_ms = (self.pause_ms * 2).clamp(least, most);
        self.step = Step::Wait(self.pause_ms, then);
    }

    /// Makes the next message of what waits, if none is in flight.
    fn load(&mut self) {
        if self.in_flight.is_some() {
            return;
        }
        if let Some(entry) = self.queue.pop() {
            self.in_flight = Some(self.composer.compose(entry, self.claimed));
        }
    }
}

#[cfg(test)]
mod tests;
