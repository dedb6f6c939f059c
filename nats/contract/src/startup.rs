//! How an attempt came to its first token, as points in time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::Report;
use crate::time::Timestamp;

/// When each step of an attempt's beginning was done. What is not known, or not so here (a local
/// process is scheduled by nobody), is absent. Each point is told by who saw it, so clocks of
/// several machines meet here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Startup {
    /// Its pod was let in: quota and queues have nothing against it (Kubernetes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admitted: Option<Timestamp>,
    /// Its pod has a node (Kubernetes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Timestamp>,
    /// Its images are there and its first container runs (Kubernetes).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled: Option<Timestamp>,
    /// The agent has claimed its attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Timestamp>,
    /// It has the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloned: Option<Timestamp>,
    /// Its model (or command) said the first thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_token: Option<Timestamp>,
}

impl Startup {
    /// Nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is known here, and of the rest what is known there.
    #[must_use]
    pub fn or(self, there: Self) -> Self {
        Self {
            admitted: self.admitted.or(there.admitted),
            scheduled: self.scheduled.or(there.scheduled),
            pulled: self.pulled.or(there.pulled),
            ready: self.ready.or(there.ready),
            cloned: self.cloned.or(there.cloned),
            first_token: self.first_token.or(there.first_token),
        }
    }

    /// The steps whose time is known, in their order.
    pub fn steps(self) -> impl Iterator<Item = (&'static str, Timestamp)> {
        let all = [
            ("admitted", self.admitted),
            ("scheduled", self.scheduled),
            ("pulled", self.pulled),
            ("ready", self.ready),
            ("cloned", self.cloned),
            ("first token", self.first_token),
        ];
        all.into_iter().filter_map(|(step, at)| Some((step, at?)))
    }

    /// Takes note of what an agent reports at `at`; the first time counts.
    pub fn reported(&mut self, report: &Report, at: Timestamp) {
        let step = match report {
            Report::Ready => &mut self.ready,
            Report::Cloned { .. } => &mut self.cloned,
            Report::FirstToken { .. } => &mut self.first_token,
            Report::Done(_) => return,
        };
        step.get_or_insert(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_time_counts_and_what_is_known_is_kept() {
        let at = Timestamp::from_millis;
        let mut agent = Startup::default();
        agent.reported(&Report::Ready, at(5));
        agent.reported(&Report::Ready, at(9));
        assert_eq!(agent.ready, Some(at(5)));
        let pod = Startup {
            admitted: Some(at(1)),
            ready: Some(at(7)),
            ..Startup::default()
        };
        let both = agent.or(pod);
        assert_eq!((both.admitted, both.ready), (Some(at(1)), Some(at(5))));
        assert_eq!(serde_json::to_string(&agent).unwrap(), r#"{"ready":5}"#);
    }
}
