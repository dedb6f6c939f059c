//! The only functions that change a run. All are pure.

use thiserror::Error;

use super::{Pick, Status, Summary, VariationSummary};
use crate::ids::{Attempt, Variation};
use crate::limits;
use crate::reason::{Code, Reason};
use crate::spec::RunSpec;
use crate::startup::Startup;
use crate::state::State;
use crate::state_log::Change;
use crate::time::Timestamp;
use crate::usage::{Digest, Usage};

/// A wanted change of one variation.
#[derive(Debug, Clone, PartialEq)]
pub struct Move {
    /// The variation.
    pub variation: Variation,
    /// The attempt it is about; a move of another attempt is refused.
    pub attempt: Attempt,
    /// Where to.
    pub to: State,
    /// Why.
    pub reason: Option<Reason>,
    /// What the end of an attempt brings with it; `None` for moves that end nothing.
    pub ending: Option<Ending>,
    /// The sequence of the command that asks for it.
    pub command: Option<u64>,
    /// When.
    pub at: Timestamp,
}

/// What the end of an attempt brings with it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ending {
    /// The last sequence of the attempt on `.out`, 0 if it said nothing.
    pub out: u64,
    /// Usage by the last word.
    pub usage: Option<Usage>,
    /// Digest by the last word.
    pub digest: Option<Digest>,
}

/// Why a summary does not change.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unmoved {
    /// The command was applied before.
    #[error("the command was applied before")]
    Applied,
    /// There is no such variation.
    #[error("the run has no variation {0}; it has {1}")]
    NoSuchVariation(Variation, usize),
    /// The variation is at another attempt.
    #[error("the variation is at attempt {0}")]
    OtherAttempt(Attempt),
    /// There is no such move.
    #[error("a variation that is {from} can't become {to}")]
    NotAllowed {
        /// Where it is.
        from: State,
        /// Where it can't go.
        to: State,
    },
    /// A retry of what has not ended.
    #[error("the variation is {0}; only one that has ended can be tried again")]
    NotEnded(State),
}

impl Summary {
    /// A run just accepted: every variation queued at its first attempt.
    #[must_use]
    pub fn accepted(spec: &RunSpec, request_sha256: String, request: u64, at: Timestamp) -> Self {
        let queued = |variation: &crate::spec::VariationSpec| VariationSummary {
            state: State::Queued,
            attempt: Attempt::FIRST,
            model: variation.model.clone(),
            reason: None,
            since: at,
            queued: request,
            started: None,
            startup: Startup::default(),
            end: None,
            usage: None,
            digest: None,
        };
        Self {
            status: Status::Open,
            request_sha256,
            created: at,
            finished: None,
            requester: spec.requester.clone(),
            variations: spec.variations.iter().map(queued).collect(),
            pick: None,
            applied: vec![request],
        }
    }

    /// A request that can't be used.
    #[must_use]
    pub fn rejected(request_sha256: String, request: u64, at: Timestamp) -> Self {
        Self {
            status: Status::Rejected,
            request_sha256,
            created: at,
            finished: None,
            requester: None,
            variations: Vec::new(),
            pick: None,
            applied: vec![request],
        }
    }

    /// Whether the command with this request sequence has been applied.
    #[must_use]
    pub fn has_applied(&self, command: u64) -> bool {
        self.applied.contains(&command)
    }

    /// The variation, if the run has it.
    pub fn variation(&self, variation: Variation) -> Result<&VariationSummary, Unmoved> {
        self.variations
            .get(variation.index())
            .ok_or(Unmoved::NoSuchVariation(variation, self.variations.len()))
    }

    /// The pure transition: one attempt of one variation moves on. The first move into a terminal state
    /// stays; with the last variation's the run is finished.
    pub fn moved(&self, m: Move) -> Result<(Self, Change), Unmoved> {
        self.unapplied(m.command)?;
        let now = self.variation(m.variation)?;
        if now.attempt != m.attempt {
            return Err(Unmoved::OtherAttempt(now.attempt));
        }
        let from = now.state;
        // What keeps it from going on may go by itself. A late `scheduling` takes nothing back.
        let may_be_taken_back = matches!(from, State::Starting | State::Running);
        let another_reason = from == m.to
            && !from.is_terminal()
            && now.reason != m.reason
            && (m.reason.is_some() || may_be_taken_back);
        if !from.may_become(m.to) && !another_reason {
            return Err(Unmoved::NotAllowed { from, to: m.to });
        }
        let held = |reason: &Option<Reason>| reason.as_ref().is_some_and(|r| r.code == Code::Quota);
        let released = held(&now.reason) && !held(&m.reason);
        let mut next = self.clone();
        let v = &mut next.variations[m.variation.index()];
        if from != m.to || released {
            v.since = m.at;
        }
        if m.to == State::Running && from != m.to {
            v.started = Some(m.at);
        }
        v.state = m.to;
        v.reason = m.reason;
        if m.to.is_terminal() {
            let ending = m.ending.unwrap_or_default();
            v.end = Some(ending.out);
            v.usage = ending.usage;
            v.digest = ending.digest;
        }
        next.settle(m.command, m.at);
        let change = Change::Moved {
            variation: m.variation,
            attempt: m.attempt,
            from,
            to: m.to,
        };
        Ok((next, change))
    }

    /// With what is known of the beginning of a variation's attempt; what was known before stays.
    #[must_use]
    pub fn begun(mut self, variation: Variation, startup: Startup) -> Self {
        if let Some(v) = self.variations.get_mut(variation.index()) {
            v.startup = v.startup.or(startup);
        }
        self
    }

    /// A retry: the next attempt is queued behind everything that waits.
    pub fn retried(
        &self,
        variation: Variation,
        request: u64,
        at: Timestamp,
    ) -> Result<(Self, Change), Unmoved> {
        self.unapplied(Some(request))?;
        let now = self.variation(variation)?;
        if !now.state.is_terminal() {
            return Err(Unmoved::NotEnded(now.state));
        }
        let (from, attempt) = (now.state, now.attempt.next());
        let mut next = self.clone();
        let v = &mut next.variations[variation.index()];
        *v = VariationSummary {
            state: State::Queued,
            attempt,
            model: v.model.clone(),
            reason: None,
            since: at,
            queued: request,
            started: None,
            startup: Startup::default(),
            end: None,
            usage: None,
            digest: None,
        };
        next.settle(Some(request), at);
        Ok((
            next,
            Change::Moved {
                variation,
                attempt,
                from,
                to: State::Queued,
            },
        ))
    }

    /// A pick. It may come at any time and be changed at any time.
    pub fn picked(
        &self,
        variation: Variation,
        reason: Option<String>,
        request: u64,
        at: Timestamp,
    ) -> Result<(Self, Change), Unmoved> {
        self.unapplied(Some(request))?;
        self.variation(variation)?;
        let mut next = self.clone();
        next.pick = Some(Pick {
            variation,
            reason: reason.clone(),
            ts: at,
        });
        next.settle(Some(request), at);
        Ok((next, Change::Picked { variation, reason }))
    }

    /// A command that was looked at and changed nothing.
    pub fn noted(&self, request: u64, at: Timestamp) -> Result<(Self, Change), Unmoved> {
        self.unapplied(Some(request))?;
        let mut next = self.clone();
        next.settle(Some(request), at);
        Ok((next, Change::Noted))
    }

    fn unapplied(&self, command: Option<u64>) -> Result<(), Unmoved> {
        match command {
            Some(command) if self.has_applied(command) => Err(Unmoved::Applied),
            _ => Ok(()),
        }
    }

    fn settle(&mut self, command: Option<u64>, at: Timestamp) {
        if let Some(command) = command {
            self.applied.push(command);
            let excess = self.applied.len().saturating_sub(limits::APPLIED_COMMANDS);
            self.applied.drain(..excess);
        }
        let over = self.variations.iter().all(|v| v.state.is_terminal());
        match (self.status, over) {
            (Status::Open, true) => {
                self.status = Status::Finished;
                self.finished = Some(at);
            }
            (Status::Finished, false) => {
                self.status = Status::Open;
                self.finished = None;
            }
            _ => {}
        }
    }
}
#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::spec::{Mode, VariationSpec};

    fn spec(count: usize) -> RunSpec {
        let one = VariationSpec {
            model: "m".into(),
            temperature: None,
            instructions: None,
        };
        RunSpec {
            prompt: "p".into(),
            source: None,
            mode: Mode::Analyze,
            variations: vec![one; count],
            deadline_s: 1,
            requester: None,
        }
    }

    fn start(count: usize) -> Summary {
        Summary::accepted(&spec(count), "s".into(), 1, Timestamp::default())
    }

    fn to(variation: usize, attempt: u32, to: State) -> Move {
        Move {
            variation: Variation::at(variation).unwrap(),
            attempt: Attempt::new(attempt).unwrap(),
            to,
            reason: None,
            ending: None,
            command: None,
            at: Timestamp::from_millis(9),
        }
    }

    #[test]
    fn the_last_end_finishes_the_run_and_a_retry_opens_it_again() {
        let (one, _) = start(2).moved(to(0, 1, State::Succeeded)).unwrap();
        assert_eq!(one.status, Status::Open);
        let (two, _) = one.moved(to(1, 1, State::Failed)).unwrap();
        assert_eq!(two.status, Status::Finished);
        let (again, _) = two
            .retried(Variation::at(1).unwrap(), 8, Timestamp::default())
            .unwrap();
        assert_eq!(again.status, Status::Open);
        assert_eq!(again.variations[1].attempt.get(), 2);
        assert_eq!(
            again.moved(to(1, 1, State::Succeeded)),
            Err(Unmoved::OtherAttempt(again.variations[1].attempt))
        );
    }

    #[test]
    fn a_command_is_applied_once() {
        let (one, _) = start(1)
            .moved(Move {
                command: Some(7),
                ..to(0, 1, State::Cancelled)
            })
            .unwrap();
        assert_eq!(
            one.retried(Variation::at(0).unwrap(), 7, Timestamp::default()),
            Err(Unmoved::Applied)
        );
    }

    #[test]
    fn the_reason_of_waiting_may_change_without_a_change_of_state() {
        let why = Reason::new(crate::Code::StorageFull, "storage is full");
        let waiting = Move {
            reason: Some(why),
            ..to(0, 1, State::Queued)
        };
        let (one, _) = start(1).moved(waiting.clone()).unwrap();
        assert!(one.moved(waiting).is_err());
        assert!(one.moved(to(0, 1, State::Queued)).is_err());
    }

    #[test]
    fn a_pick_of_a_variation_that_does_not_exist_is_refused() {
        let v = Variation::at(3).unwrap();
        assert_eq!(
            start(2).picked(v, None, 4, Timestamp::default()),
            Err(Unmoved::NoSuchVariation(v, 2))
        );
    }

    proptest! {
        #[test]
        fn finished_means_all_terminal_and_no_terminal_state_changes_within_an_attempt(
            moves in prop::collection::vec((0usize..3, 1u32..3, 0usize..9, any::<bool>()), 0..40)
        ) {
            let mut now = start(3);
            for (i, (v, attempt, state, retry)) in moves.into_iter().enumerate() {
                let before = now.clone();
                let step = if retry {
                    now.retried(Variation::at(v).unwrap(), 100 + i as u64, Timestamp::default())
                } else {
                    now.moved(to(v, attempt, State::ALL[state]))
                };
                if let Ok((next, _)) = step {
                    now = next;
                }
                for (a, b) in before.variations.iter().zip(&now.variations) {
                    prop_assert!(b.attempt >= a.attempt);
                    if a.state.is_terminal() && a.attempt == b.attempt {
                        prop_assert_eq!(a, b);
                    }
                }
                let over = now.variations.iter().all(|v| v.state.is_terminal());
                prop_assert_eq!(now.status == Status::Finished, over);
                prop_assert_eq!(now.finished.is_some(), over);
            }
        }
    }
}
