//! The states of a variation and the moves between them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a variation is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Accepted; waits for its turn.
    Queued,
    /// Launched; its process or pod does not run yet.
    Scheduling,
    /// Its agent runs and prepares (repository, model).
    Starting,
    /// Its agent works.
    Running,
    /// Told to stop; may still say its last words.
    Cancelling,
    /// Ended well.
    Succeeded,
    /// Ended badly; the reason says why.
    Failed,
    /// Stopped on request.
    Cancelled,
    /// Stopped at its deadline.
    TimedOut,
}

impl State {
    /// All states.
    pub const ALL: [Self; 9] = [
        Self::Queued,
        Self::Scheduling,
        Self::Starting,
        Self::Running,
        Self::Cancelling,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
    ];

    /// Nothing follows but a retry.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::TimedOut
        )
    }

    /// An attempt is under way: launched and not ended.
    #[must_use]
    pub fn is_active(self) -> bool {
        !self.is_terminal() && self != Self::Queued
    }

    /// Whether one attempt may move from this state to `to`. A life goes forward only: states may be
    /// skipped, never taken back; `cancelling` ends in any terminal state, because the agent may have
    /// ended by itself first.
    #[must_use]
    pub fn may_become(self, to: Self) -> bool {
        !self.is_terminal() && to.rank() > self.rank()
    }

    fn rank(self) -> u8 {
        match self {
            Self::Queued => 0,
            Self::Scheduling => 1,
            Self::Starting => 2,
            Self::Running => 3,
            Self::Cancelling => 4,
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::TimedOut => 5,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queued => "queued",
            Self::Scheduling => "scheduling",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed out",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_state_is_left_by_no_move() {
        for from in State::ALL.into_iter().filter(|s| s.is_terminal()) {
            assert!(State::ALL.into_iter().all(|to| !from.may_become(to)));
        }
    }

    #[test]
    fn every_state_can_end_in_every_terminal_state_and_none_goes_back() {
        for from in State::ALL.into_iter().filter(|s| !s.is_terminal()) {
            for to in State::ALL {
                if to.is_terminal() {
                    assert!(from.may_become(to));
                }
                assert!(!(from.may_become(to) && to.may_become(from)));
            }
        }
    }
}
