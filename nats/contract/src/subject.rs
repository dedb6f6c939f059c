//! Subjects, streams, buckets, durables, headers and routes: the only place where one is spelled.

use std::fmt;

use crate::ids::{RunId, Variation};

/// The work queue of commands.
pub const REQUESTS_STREAM: &str = "AIDEATOR_REQUESTS";
/// Every run's state, attempts, output and reports.
pub const RUNS_STREAM: &str = "AIDEATOR_RUNS";
/// What was refused, with the reason.
pub const DEAD_STREAM: &str = "AIDEATOR_DEAD";
/// The bucket that names the runs which are not finished.
pub const OPEN_BUCKET: &str = "AIDEATOR_OPEN";
/// The bucket that names the tokens which are refused before they expire.
pub const REVOKED_BUCKET: &str = "AIDEATOR_REVOKED";
/// The bucket of finished runs, an object each.
pub const ARCHIVE_BUCKET: &str = "AIDEATOR_ARCHIVE";
/// All commands, for readers; the stream takes those of [`Command::ALL`] alone.
pub const REQUESTS_ALL: &str = "aideator.requests.>";
/// Everything of all runs.
pub const RUNS_ALL: &str = "aideator.runs.>";
/// The live tail of everything of all runs, after storage.
pub const LIVE_ALL: &str = "aideator.live.>";
/// All dead letters.
pub const DEAD_ALL: &str = "aideator.dead.>";
/// Every run's state log.
pub const STATES: &str = "aideator.runs.*.state";
/// Every attempt's reports.
pub const REPORTS: &str = "aideator.runs.*.*.report";

const RUNS: &str = "aideator.runs";
const LIVE: &str = "aideator.live";

/// The header that names a message for the server's duplicate window.
pub const MSG_ID: &str = "Nats-Msg-Id";
/// The header on a dead letter that says where the message came from.
pub const DEAD_SUBJECT: &str = "Aideator-Subject";

/// The durable consumers, one per reader.
pub mod durable {
    /// The submitter's reader of run requests.
    pub const SUBMITTER_RUN: &str = "submitter-run";
    /// The submitter's reader of cancels.
    pub const SUBMITTER_CANCEL: &str = "submitter-cancel";
    /// The submitter's reader of retries.
    pub const SUBMITTER_RETRY: &str = "submitter-retry";
    /// The submitter's reader of picks.
    pub const SUBMITTER_PICK: &str = "submitter-pick";
    /// The submitter's reader of states.
    pub const SUBMITTER_STATE: &str = "submitter-state";
    /// The watcher's reader of states.
    pub const WATCHER_STATE: &str = "watcher-state";
    /// The watcher's reader of reports.
    pub const WATCHER_REPORT: &str = "watcher-report";
    /// The projection's reader of states.
    pub const PROJECTION: &str = "projection";
    /// The archive's reader of states.
    pub const ARCHIVE: &str = "archive";
}

/// What a service answers when asked (NATS request and reply).
pub mod rpc {
    /// Stores a run request and replies with its run id.
    pub const RUN: &str = "aideator.rpc.run";
    /// Lists runs.
    pub const RUNS_LIST: &str = "aideator.rpc.runs.list";
    /// One run.
    pub const RUNS_GET: &str = "aideator.rpc.runs.get";
    /// Builds the projection again from the stream and the archive.
    pub const REBUILD: &str = "aideator.rpc.projection.rebuild";
    /// What this installation offers: models, limits, modes.
    pub const INFO: &str = "aideator.rpc.info";
}

/// A command's subject is `aideator.requests.<command>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Start a run.
    Run,
    /// Stop a run or one variation.
    Cancel,
    /// Try a variation again.
    Retry,
    /// Say which variation is best.
    Pick,
}

impl Command {
    /// All commands.
    pub const ALL: [Self; 4] = [Self::Run, Self::Cancel, Self::Retry, Self::Pick];

    /// The subject it is sent to.
    #[must_use]
    pub fn subject(self) -> Subject {
        Subject(format!("aideator.requests.{self}"))
    }

    /// The subject its refusals are kept under.
    #[must_use]
    pub fn dead(self) -> Subject {
        Subject(format!("aideator.dead.{self}"))
    }

    /// The submitter's durable consumer of it.
    #[must_use]
    pub fn durable(self) -> &'static str {
        match self {
            Self::Run => durable::SUBMITTER_RUN,
            Self::Cancel => durable::SUBMITTER_CANCEL,
            Self::Retry => durable::SUBMITTER_RETRY,
            Self::Pick => durable::SUBMITTER_PICK,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "run",
            Self::Cancel => "cancel",
            Self::Retry => "retry",
            Self::Pick => "pick",
        })
    }
}

/// A NATS subject of AIdeator. May hold wildcards where a function says so.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(String);

impl Subject {
    /// The subject as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The state log of a run.
    #[must_use]
    pub fn state(run: &RunId) -> Self {
        Self(format!("{RUNS}.{run}.state"))
    }

    /// Where an attempt is opened and closed. Its last sequence is the fence.
    #[must_use]
    pub fn attempt(run: &RunId, variation: Variation) -> Self {
        Self(format!("{RUNS}.{run}.{variation}.attempt"))
    }

    /// What an agent says and does.
    #[must_use]
    pub fn out(run: &RunId, variation: Variation) -> Self {
        Self(format!("{RUNS}.{run}.{variation}.out"))
    }

    /// An agent's few reports.
    #[must_use]
    pub fn report(run: &RunId, variation: Variation) -> Self {
        Self(format!("{RUNS}.{run}.{variation}.report"))
    }

    /// Where reports that can't be used are kept.
    #[must_use]
    pub fn dead_report() -> Self {
        Self("aideator.dead.report".to_owned())
    }

    /// Wildcard: attempt, output and reports of a variation.
    #[must_use]
    pub fn variation_all(run: &RunId, variation: Variation) -> Self {
        Self(format!("{RUNS}.{run}.{variation}.*"))
    }

    /// Wildcard: everything of a run.
    #[must_use]
    pub fn run_all(run: &RunId) -> Self {
        Self(format!("{RUNS}.{run}.>"))
    }

    /// Wildcard: the live tail of a run.
    #[must_use]
    pub fn live(run: &RunId) -> Self {
        Self(format!("{LIVE}.{run}.>"))
    }

    /// Where a running agent hears from the submitter (core NATS, not stored).
    #[must_use]
    pub fn control(run: &RunId, variation: Variation) -> Self {
        Self(format!("aideator.control.{run}.{variation}"))
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a stored subject of a run is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The run's state log.
    State(RunId),
    /// A variation's attempts.
    Attempt(RunId, Variation),
    /// A variation's output.
    Out(RunId, Variation),
    /// A variation's reports.
    Report(RunId, Variation),
}

impl Place {
    /// Reads a subject of AIDEATOR_RUNS; `None` for anything else.
    #[must_use]
    pub fn parse(subject: &str) -> Option<Self> {
        let rest = subject.strip_prefix(RUNS)?.strip_prefix('.')?;
        let mut tokens = rest.split('.');
        let run: RunId = tokens.next()?.parse().ok()?;
        let second = tokens.next()?;
        let third = tokens.next();
        if tokens.next().is_some() {
            return None;
        }
        let Some(third) = third else {
            return (second == "state").then_some(Self::State(run));
        };
        let variation: Variation = second.parse().ok()?;
        match third {
            "attempt" => Some(Self::Attempt(run, variation)),
            "out" => Some(Self::Out(run, variation)),
            "report" => Some(Self::Report(run, variation)),
            _ => None,
        }
    }

    /// The run it belongs to.
    #[must_use]
    pub fn run(&self) -> &RunId {
        match self {
            Self::State(run) | Self::Attempt(run, _) | Self::Out(run, _) | Self::Report(run, _) => {
                run
            }
        }
    }
}

/// The stored subject behind a live one: `aideator.live.x` is the republished `aideator.runs.x`.
#[must_use]
pub fn stored_of_live(live: &str) -> Option<String> {
    live.strip_prefix(LIVE)
        .filter(|rest| rest.starts_with('.'))
        .map(|rest| format!("{RUNS}{rest}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_subject_of_a_run_reads_back(run in "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", v in 0usize..5) {
            let run: RunId = run.parse().unwrap();
            let v = Variation::at(v).unwrap();
            prop_assert_eq!(Place::parse(Subject::state(&run).as_str()), Some(Place::State(run.clone())));
            prop_assert_eq!(Place::parse(Subject::attempt(&run, v).as_str()), Some(Place::Attempt(run.clone(), v)));
            prop_assert_eq!(Place::parse(Subject::out(&run, v).as_str()), Some(Place::Out(run.clone(), v)));
            prop_assert_eq!(Place::parse(Subject::report(&run, v).as_str()), Some(Place::Report(run, v)));
        }

        #[test]
        fn any_other_text_is_no_place(text in "(aideator\\.runs\\.)?[a-z0-9.*>-]{0,40}") {
            if let Some(place) = Place::parse(&text) {
                let again = match &place {
                    Place::State(r) => Subject::state(r),
                    Place::Attempt(r, v) => Subject::attempt(r, *v),
                    Place::Out(r, v) => Subject::out(r, *v),
                    Place::Report(r, v) => Subject::report(r, *v),
                };
                prop_assert_eq!(again.as_str(), text);
            }
        }
    }

    #[test]
    fn a_live_subject_names_the_stored_one() {
        assert_eq!(
            stored_of_live("aideator.live.a.0.out").unwrap(),
            "aideator.runs.a.0.out"
        );
        assert_eq!(stored_of_live("aideator.lively"), None);
    }
}
